/* SPDX-License-Identifier: MIT */
/*
 * check_as_user: to test what the daemon can read, a child process becomes the daemon's user and reads it. Only root
 * can become another user.
 */
#include <config.h>

#include "command/check_as_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/out.h"
#include "base/path.h"
#include "base/text.h"
#include "conf/access.h"
#include "conf/generation.h"

#define NAMES_MAX 65536 /* bytes of one entry of the databases */
#define GROUPS_MAX 65536
#define PROBLEMS_TEXT_MAX ((size_t)4 * 1024 * 1024)

/* The bits of the child's exit status. */
#define FOUND_WRONG 1
#define FOUND_FOLDER_CLOSED 2
#define FOUND_STORE_CLOSED 4
#define FOUND_NOT_THAT_USER 8
#define FOUND_LISTEN_CLOSED 16
#define FOUND_ADMIN_CLOSED 32

/* ---- the user ---------------------------------------------------------------------------------------------------- */

struct daemon_user {
	char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t groups_n;
};

static void user_done(struct daemon_user *u)
{
	free(u->name);
	free(u->groups);
	*u = (struct daemon_user){0};
}

static int find_group(const char *name, gid_t *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = mem_new(NAMES_MAX, 1);
	struct group *found = NULL;
	struct group entry;

	if (getgrnam_r(name, &entry, text, NAMES_MAX, &found) != 0 || !found)
		return err_set(reterr, -ENOENT, "there is no group %.64s", name);
	*ret = found->gr_gid;
	return 0;
}

/* Finds a user by name, with its groups in the user database. unit: the unit that runs as this user, whose groups
 * are added; NULL: none. -ENOENT: there is no such user or group. Call user_done on success. */
static int user_find(const char *name, const struct daemon_unit *unit, struct daemon_user *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = mem_new(NAMES_MAX, 1);
	struct passwd *found = NULL;
	int r = 0;
	int n = 0;
	struct passwd entry;

	if (getpwnam_r(name, &entry, text, NAMES_MAX, &found) != 0 || !found)
		return err_set(reterr, -ENOENT, "there is no user %.64s", name);
	*ret = (struct daemon_user){.name = mem_str(name), .uid = found->pw_uid, .gid = found->pw_gid};
	if (unit && unit->group)
		r = find_group(unit->group, &ret->gid, reterr);

	/* systemd gives a process the groups of the user database and those of SupplementaryGroups=. */
	(void)getgrouplist(name, ret->gid, NULL, &n);
	if (n < 0 || n > GROUPS_MAX)
		n = 0;
	ret->groups = mem_new((size_t)n + (unit ? unit->groups.n : 0), sizeof(*ret->groups));
	if (getgrouplist(name, ret->gid, ret->groups, &n) < 0)
		n = 0;
	ret->groups_n = (size_t)n;
	for (size_t i = 0; unit && i < unit->groups.n && r == 0; i++) {
		r = find_group(unit->groups.items[i], &ret->groups[ret->groups_n], reterr);
		ret->groups_n += r == 0;
	}
	if (r < 0)
		user_done(ret);
	return r;
}

/* ---- reading as the user ----------------------------------------------------------------------------------------- */

/* Returns the folder of a unix socket to listen on; NULL: the address is of another kind. The caller owns it. */
static char *socket_folder(const char *address)
{
	return strncmp(address, "unix:", 5) == 0 ? path_folder(address + 5) : NULL;
}

/* True where this process cannot make the socket of that address: its folder does not exist, or may not be written
 * to. */
static bool socket_is_closed(const char *address)
{
	CLEANUP(mem_freep) char *folder = socket_folder(address);

	return folder && access(folder, W_OK | X_OK) < 0;
}

/* The child: never returns. */
static void try_in_child(const struct daemon_user *u, const char *config_file, int to)
{
	struct problems problems = {0};
	FILE *out = fdopen(to, "w");
	int findings = 0;
	struct generation *g;

	if (!out || setgroups(u->groups_n, u->groups) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0)
		_exit(FOUND_NOT_THAT_USER);
	g = generation_load(config_file, &problems);
	problems_print(&problems, out);
	if (!g) {
		findings = FOUND_WRONG;
	} else { /* the places that the daemon writes to */
		const char *store = g->config->store.path;
		CLEANUP(mem_freep) char *folder = path_folder(store);

		if (access(folder, F_OK) == 0 && access(folder, W_OK | X_OK) < 0)
			findings |= FOUND_FOLDER_CLOSED;
		if (access(store, F_OK) == 0 && access(store, R_OK | W_OK) < 0)
			findings |= FOUND_STORE_CLOSED;
		if (socket_is_closed(g->config->listen.address))
			findings |= FOUND_LISTEN_CLOSED;
		if (socket_is_closed(g->config->admin.address))
			findings |= FOUND_ADMIN_CLOSED;
	}
	_exit(fclose(out) == 0 ? findings : FOUND_NOT_THAT_USER);
}

/* Loads the configuration as that user, in a child, and blocks until the child ends. An error where the process
 * cannot become that user. */
static int try_as(const struct daemon_user *u, const char *config_file, struct daemon_access *ret, struct err *reterr)
{
	int status = 0;
	char *problems = NULL;
	int ends[2];
	pid_t child;
	size_t len;

	if (pipe(ends) < 0)
		return err_set(reterr, -errno, "no pipe: %s", strerror(errno));
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		try_in_child(u, config_file, ends[1]);
	}
	(void)close(ends[1]);
	if (child > 0 && file_read_fd(ends[0], PROBLEMS_TEXT_MAX, CLOCK_NEVER_MS, &problems, &len) < 0)
		problems = NULL; /* the pipe failed, or the problems are longer than a load can print */
	(void)close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || !WIFEXITED(status) || (WEXITSTATUS(status) & FOUND_NOT_THAT_USER)) {
		free(problems);
		return err_set(reterr, -EPERM, "this process cannot become the user %.64s", u->name);
	}
	*ret = (struct daemon_access){
		.wrong = WEXITSTATUS(status) & FOUND_WRONG,
		.folder_closed = WEXITSTATUS(status) & FOUND_FOLDER_CLOSED,
		.store_closed = WEXITSTATUS(status) & FOUND_STORE_CLOSED,
		.listen_closed = WEXITSTATUS(status) & FOUND_LISTEN_CLOSED,
		.admin_closed = WEXITSTATUS(status) & FOUND_ADMIN_CLOSED,
		.problems = problems,
	};
	return 0;
}

/* ---- choosing the user ------------------------------------------------------------------------------------------- */

/* True where the configuration is the daemon's. Other files are only tried by hand, and need not be readable for the
 * daemon. */
static bool is_daemon_config(const struct command_context *ctx, const struct check_as_user *as_user)
{
	const char *daemon_config = as_user->has_unit && as_user->unit.config ? as_user->unit.config : CONFIG_DEFAULT;
	CLEANUP(mem_freep) char *a = NULL;
	CLEANUP(mem_freep) char *b = NULL;

	if (strcmp(ctx->config_file, daemon_config) == 0)
		return true;
	a = realpath(ctx->config_file, NULL);
	b = realpath(daemon_config, NULL);
	return a && b && strcmp(a, b) == 0;
}

/* Returns the user to test without --user; NULL: this process's user. */
static const char *user_of_unit(const struct command_context *ctx, struct check_as_user *as_user)
{
	const char *user = as_user->has_unit ? as_user->unit.user : DAEMON_USER_DEFAULT;

	if (geteuid() != 0 || !user || strcmp(user, "root") == 0 || !getpwnam(user)) {
		if (geteuid() == 0 && as_user->has_unit && user && strcmp(user, "root") != 0)
			as_user->note =
				mem_fmt("read as root: there is no user %s yet (deskbridge.service runs as it)", user);
		return NULL;
	}
	if (is_daemon_config(ctx, as_user))
		return user;
	as_user->note = mem_fmt(
		"read as root, as this is not the file of deskbridge.service; --user %s judges for the daemon's user",
		user);
	return NULL;
}

/* Tests that user. Returns 0, or the exit status after a message. */
static int try_for(const struct command *c, const struct command_context *ctx, const char *user, bool wanted,
		   struct check_as_user *as_user)
{
	/* systemd gives the unit's groups to the unit's user only; other users have those of the user database. */
	const struct daemon_unit *unit = as_user->has_unit && text_is(as_user->unit.user, user) ? &as_user->unit : NULL;
	struct daemon_user found;
	struct err error = {0};
	int r = user_find(user, unit, &found, &error);

	if (r == 0) {
		r = try_as(&found, ctx->config_file, &as_user->findings, &error);
		user_done(&found);
	}
	if (r == -ENOENT && wanted)
		return command_usage_error(c, "--user %s: %s", user, error.text);
	if (r < 0 && wanted) {
		out_error("deskbridge: %s\n", error.text);
		return COMMAND_FAILED;
	}
	if (r < 0) {
		as_user->note = mem_fmt("read as root: %s", error.text);
		return COMMAND_GOOD;
	}
	as_user->user = mem_str(user);
	as_user->note =
		mem_fmt("read as the user %s%s", user, wanted ? "" : ", whom deskbridge.service runs the daemon as");
	if (!as_user->findings.wrong)
		return COMMAND_GOOD;
	out_lines(stderr, as_user->findings.problems ? as_user->findings.problems : "");
	out_error("deskbridge: files: %s\n", as_user->note);
	return COMMAND_CONFIG;
}

int check_as_user(const struct command *c, const struct command_context *ctx, const char *wanted,
		  struct check_as_user *ret)
{
	const struct passwd *entry = wanted ? getpwnam(wanted) : NULL;
	bool is_self = entry && entry->pw_uid == geteuid();
	const char *user = wanted;

	*ret = (struct check_as_user){0};
	ret->has_unit = daemon_unit_read(&ret->unit);
	if (is_self) {
		if (!ret->has_unit)
			access_set_advice(NULL); /* the daemon may run as this user */
		return COMMAND_GOOD;
	}
	if (wanted && geteuid() != 0) {
		out_error("deskbridge: only root can judge for another user: sudo deskbridge check --user %s\n",
			  wanted);
		return COMMAND_FAILED;
	}
	if (!wanted)
		user = user_of_unit(ctx, ret);
	/* The daemon has the credentials that systemd passes, whatever user reads here. */
	ret->for_unit = ret->has_unit && is_daemon_config(ctx, ret);
	if (ret->for_unit)
		secret_set_passed(ret->unit.passed, ret->unit.passed_n);
	return user ? try_for(c, ctx, user, wanted != NULL, ret) : COMMAND_GOOD;
}

void check_as_user_done(struct check_as_user *as_user)
{
	secret_set_passed(NULL, 0);
	daemon_unit_done(&as_user->unit);
	free(as_user->user);
	free(as_user->findings.problems);
	free(as_user->note);
}

/* ---- warnings ---------------------------------------------------------------------------------------------------- */

void check_warn(struct check_as_user *as_user, const char *place, const char *fmt, ...)
{
	CLEANUP(mem_freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	INSIST(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	out_print("%s: warning: %s\n", place, text);
	as_user->warnings++;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

/* client: the kind of program that uses the address, for a warning. */
static void warn_of_address(const char *key, const char *address, const char *client, bool closed,
			    struct check_as_user *as_user)
{
	CLEANUP(mem_freep) char *folder = socket_folder(address);
	CLEANUP(mem_freep) char *word = folder ? shell_quote(folder) : NULL;

	if (strncmp(address, "unix:", 5) != 0 && text_is(strrchr(address, ':'), ":0"))
		check_warn(as_user, key,
			   "port 0 is any free one, another one at each start, which no %s can know: write a number",
			   client);
	if (!folder || (as_user->for_unit && daemon_unit_makes(&as_user->unit, folder)))
		return;
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		check_warn(as_user, key,
			   "%s is not there: mkdir -p %s; serve will not start (under systemd, write "
			   "unix:/run/deskbridge/NAME.sock: the unit makes that folder)",
			   folder, word);
	else if (as_user->user && closed)
		check_warn(as_user, key,
			   "the user %s cannot make a socket in %s; serve will not start: give the socket "
			   "a folder of that user (under systemd unix:/run/deskbridge/NAME.sock)",
			   as_user->user, folder);
	else if (!as_user->user && access(folder, W_OK | X_OK) < 0)
		check_warn(as_user, key,
			   "the user who runs this check cannot make a socket in %s; the user who runs "
			   "serve must be able to",
			   folder);
}

void check_as_user_sockets(struct check_as_user *as_user, const struct config *c)
{
	warn_of_address("listen", c->listen.address, "helpdesk", as_user->findings.listen_closed, as_user);
	warn_of_address("admin", c->admin.address, "command", as_user->findings.admin_closed, as_user);
}
