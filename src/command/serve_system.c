/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/known_secrets.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/writer.h"

/* ---- open files -------------------------------------------------------------------------------------------------- */

#define OTHERS 256 /* administration, deliveries, lookups, the store, what is watched */

void serve_files_allow(unsigned max_connections)
{
	const rlim_t needed = (rlim_t)max_connections + OTHERS;
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

	/* A file that was made before `admin.token` was configured is not used any more. */
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
		log_warning(NULL,
			    "every account of this machine could read the admin token %s; its mode is mended. To be "
			    "sure that nobody has it, delete the file and restart deskbridge",
			    file);
}

/* ---- the service manager ----------------------------------------------------------------------------------------- */

#define NOTIFY_BYTES ((size_t)256 * 1024)
#define NOTIFY_STOP_MS 200

static struct writer *notify_writer; /* NULL: there is no service manager */

/* Blocks while the service manager's queue is full. */
static void notify_put(const char *text, size_t len)
{
	(void)len;
	(void)sd_notify(0, text);
}

void serve_notify_start(void)
{
	const struct writer_options options = {.name = "notify", .max_bytes = NOTIFY_BYTES, .put = notify_put};

	if (getenv("NOTIFY_SOCKET"))
		notify_writer = writer_start(&options);
}

void serve_notify(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	if (!notify_writer)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		mem_lacking();
	va_end(ap);
	(void)writer_put(notify_writer, text, strlen(text) + 1);
	free(text);
}

void serve_notify_alive(void)
{
	if (notify_writer && writer_waiting(notify_writer) == 0)
		serve_notify("WATCHDOG=1");
}

void serve_notify_stop(void)
{
	(void)writer_stop(TAKE(notify_writer), clock_mono_ms() + NOTIFY_STOP_MS);
}

/* ---- the service manager: the line of the status ----------------------------------------------------------------- */

#define STATUS_MAX 4000 /* systemd takes one datagram; what does not fit is in `deskbridge status` */

static void add(struct buf *to, const char *what, const char *name, const char *reason)
{
	CLEANUP(mem_freep) char *clean = known_secrets_clean(reason);
	CLEANUP(mem_freep) char *text = mem_fmt("%s%s%s: %s; ", what, *name ? " " : "", name, clean);

	if (to->len + strlen(text) <= STATUS_MAX)
		buf_adds(to, text);
}

static void add_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	add(ctx, text_is(kind, "lookups") ? "lookups of" : kind, name, reason);
}

char *serve_status(struct pipeline *p, const char *listening)
{
	struct err why = {0};
	struct buf line;
	char *text;

	buf_init(&line, STATUS_MAX + 512);
	if (!pipeline_readiness(p, &why))
		add(&line, "not ready", "", why.text);
	pipeline_parked(p, add_parked, &line);
	buf_adds(&line, listening);
	text = mem_str(line.data);
	buf_done(&line);
	return text;
}

/* ---- reloads ----------------------------------------------------------------------------------------------------- */

struct serve_reloads {
	struct mailbox *mailbox;
	const char *config; /* the file's path, for answers; the caller's */
	int wake;           /* eventfd */
	struct lock lock;
	bool closed; /* under the lock, so that nothing is posted behind the last taking */
};

static void reloads_wake(void *arg)
{
	const struct serve_reloads *r = arg;

	(void)!write(r->wake, &(uint64_t){1}, sizeof(uint64_t));
}

int serve_reloads_new(const char *config, struct serve_reloads **ret, struct err *reterr)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct serve_reloads *r;

	if (fd < 0)
		return err_set(reterr, -errno, "no eventfd: %s", strerror(errno));
	r = mem_new(1, sizeof(*r));
	r->config = config;
	r->wake = fd;
	r->mailbox = mailbox_new();
	lock_init(&r->lock);
	mailbox_set_waker(r->mailbox, reloads_wake, r);
	*ret = r;
	return 0;
}

void serve_reloads_free(struct serve_reloads *r)
{
	if (!r)
		return;
	mailbox_free(r->mailbox);
	lock_done(&r->lock);
	close(r->wake);
	free(r);
}

static void answer_stopping(const struct serve_reloads *r, struct admin_reload *asked)
{
	admin_reload_answer(asked, &(struct admin_verdict){.kind = ADMIN_RELOAD_STOPPING,
							   .config = r->config,
							   .error = "the daemon is stopping"});
}

void serve_reloads_ask(void *ctx, struct admin_reload *asked)
{
	struct serve_reloads *r = ctx;

	lock_acquire(&r->lock);
	bool closed = r->closed;
	if (!closed)
		mailbox_post(r->mailbox, &asked->message);
	lock_release(&r->lock);
	if (closed)
		answer_stopping(r, asked);
}

int serve_reloads_fd(const struct serve_reloads *r)
{
	return r->wake;
}

struct admin_reload *serve_reloads_take(struct serve_reloads *r)
{
	uint64_t times;

	(void)!read(r->wake, &times, sizeof(times));
	return (struct admin_reload *)(void *)mailbox_take(r->mailbox);
}

void serve_reloads_close(struct serve_reloads *r)
{
	struct admin_reload *asked, *next;

	lock_acquire(&r->lock);
	r->closed = true;
	lock_release(&r->lock);
	for (asked = serve_reloads_take(r); asked; asked = next) {
		next = (struct admin_reload *)(void *)asked->message.next;
		answer_stopping(r, asked);
	}
}
