/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

/* ---- open files -------------------------------------------------------------------------------------------------- */

#define OTHER_FILES 256 /* descriptors for admin, deliveries, lookups, the store and watched files */

void serve_files_allow(unsigned max_connections)
{
	const rlim_t needed = (rlim_t)max_connections + OTHER_FILES;
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		const struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
		else
			log_warning(NULL, "the limit of open files cannot be raised: %s", strerror(errno));
	}
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed)
		log_warning(NULL,
			    "the daemon may have %llu files open, and listen.max_connections with all else needs %llu: "
			    "raise LimitNOFILE= of the unit (ulimit -Hn in a shell), or lower listen.max_connections, "
			    "and restart",
			    (unsigned long long)limit.rlim_cur, (unsigned long long)needed);
}

/* ---- the admin token --------------------------------------------------------------------------------------------- */

void serve_token_prepare(void *ctx, const struct config *c)
{
	struct serve_token *t = ctx;

	if (c->admin.token_file && (!t->former || text_is(c->admin.token_file, t->former->admin.token_file)))
		t->fault.code = admin_token_ensure(c->admin.token_file, &t->found, &t->fault);
}

void serve_token_log(const struct serve_token *t, const struct config *c)
{
	const char *file = c->admin.token_file;

	/* A file that was made before `admin.token` was configured is no longer used. */
	if (!t->former && !file) {
		CLEANUP(mem_freep) char *unused = admin_token_path(c->store.path);

		if (access(unused, F_OK) == 0)
			log_notice(NULL,
				   "the admin token %s is not used, as admin.token is configured: it can be deleted",
				   unused);
	}
	if (t->found.generated)
		log_notice(NULL, "an admin token was made for the commands that ask this daemon: %s", file);
	if (t->fault.code < 0)
		log_error(NULL, "commands may be refused, as something is wrong with the admin token: %s",
			  t->fault.text);
	else if (t->found.was_open)
		log_warning(
			NULL,
			"every account of this machine could read the admin token %s; its mode was corrected. To be "
			"sure that nobody has it, delete the file and restart deskbridge",
			file);
}
