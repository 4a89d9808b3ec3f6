#include <config.h>

#include "command/check_judge.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/out.h"
#include "base/text.h"
#include "conf/access.h"

static bool is_same_file(const char *a, const char *b)
{
	CLEANUP(mem_freep) char *x = NULL, *y = NULL;

	if (strcmp(a, b) == 0)
		return true;
	x = realpath(a, NULL);
	y = realpath(b, NULL);
	return x && y && strcmp(x, y) == 0;
}

/* A file that is tried out by hand is not the daemon's to read. */
static bool is_the_daemons(const struct command_context *ctx, const struct check_judge *j)
{
	return is_same_file(ctx->config_file, j->has_unit && j->unit.config ? j->unit.config : CONFIG_DEFAULT);
}

/* The user that judges where none is asked for; NULL: the process itself. */
static const char *user_of_unit(const struct command_context *ctx, struct check_judge *j)
{
	const char *user = j->has_unit ? j->unit.user : DAEMON_USER_DEFAULT;

	if (geteuid() != 0 || !user || strcmp(user, "root") == 0 || !getpwnam(user)) {
		if (geteuid() == 0 && j->has_unit && user && strcmp(user, "root") != 0)
			j->note =
				mem_fmt("read as root: there is no user %s yet (deskbridge.service runs as it)", user);
		return NULL;
	}
	if (is_the_daemons(ctx, j))
		return user;
	j->note = mem_fmt("read as root, as this is not the file of deskbridge.service; --user %s judges for the "
			  "daemon's user",
			  user);
	return NULL;
}

static bool is_self(const char *user)
{
	const struct passwd *entry = getpwnam(user);

	return entry && entry->pw_uid == geteuid();
}

/* 0, or the exit status after a message. */
static int judge_for(const struct command *c, const struct command_context *ctx, const char *user, bool wanted,
		     struct check_judge *j)
{
	/* systemd gives the unit's groups to the unit's user alone; any other user has those of the user database. */
	const struct daemon_unit *unit = j->has_unit && text_is(j->unit.user, user) ? &j->unit : NULL;
	struct daemon_user who;
	struct err error = {0};
	int r = daemon_user_find(user, unit, &who, &error);

	if (r == 0) {
		r = daemon_user_judge(&who, ctx->config_file, &j->said, &error);
		daemon_user_done(&who);
	}
	if (r == -ENOENT && wanted)
		return command_usage_error(c, "--user %s: %s", user, error.text);
	if (r < 0 && wanted) {
		out_error("deskbridge: %s\n", error.text);
		return COMMAND_FAILED;
	}
	if (r < 0) {
		j->note = mem_fmt("read as root: %s", error.text);
		return COMMAND_GOOD;
	}
	j->user = mem_str(user);
	j->note = mem_fmt("read as the user %s%s", user, wanted ? "" : ", whom deskbridge.service runs the daemon as");
	if (!j->said.wrong)
		return COMMAND_GOOD;
	out_lines(stderr, j->said.problems ? j->said.problems : "");
	out_error("deskbridge: files: %s\n", j->note);
	return COMMAND_CONFIG;
}

int check_judge(const struct command *c, const struct command_context *ctx, const char *wanted, struct check_judge *ret)
{
	const char *user = wanted;

	*ret = (struct check_judge){0};
	ret->has_unit = daemon_unit_read(&ret->unit);
	if (wanted && is_self(wanted)) {
		if (!ret->has_unit)
			access_set_instead(NULL); /* nothing says that the daemon is not to run as this user */
		return COMMAND_GOOD;
	}
	if (wanted && geteuid() != 0) {
		out_error("deskbridge: only root can judge for another user: sudo deskbridge check --user %s\n",
			  wanted);
		return COMMAND_FAILED;
	}
	if (!wanted)
		user = user_of_unit(ctx, ret);
	/* The daemon has the credentials that systemd passes, whichever user reads here. */
	ret->for_unit = ret->has_unit && is_the_daemons(ctx, ret);
	if (ret->for_unit)
		secret_set_passed(ret->unit.passed, ret->unit.passed_n);
	return user ? judge_for(c, ctx, user, wanted != NULL, ret) : COMMAND_GOOD;
}

void check_judge_done(struct check_judge *j)
{
	secret_set_passed(NULL, 0);
	daemon_unit_done(&j->unit);
	free(j->user);
	free(j->said.problems);
	free(j->note);
}

/* ---- unix sockets ------------------------------------------------------------------------------------------------ */

static void warn_of(const char *key, const char *address, bool closed, const struct check_judge *judge)
{
	CLEANUP(mem_freep) char *folder = daemon_socket_folder(address), *word = folder ? access_word(folder) : NULL;

	if (!folder || (judge->for_unit && daemon_unit_makes(&judge->unit, folder)))
		return;
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		out_print("%s: warning: %s is not there: mkdir -p %s; serve will not start (under systemd, write "
			  "unix:/run/deskbridge/NAME.sock: the unit makes that folder)\n",
			  key, folder, word);
	else if (judge->user && closed)
		out_print("%s: warning: the user %s cannot make a socket in %s; serve will not start: give the socket "
			  "a folder of that user (under systemd unix:/run/deskbridge/NAME.sock)\n",
			  key, judge->user, folder);
	else if (!judge->user && daemon_socket_is_closed(address))
		out_print("%s: warning: the user who runs this check cannot make a socket in %s; the user who runs "
			  "serve must be able to\n",
			  key, folder);
}

void check_judge_sockets(const struct check_judge *j, const struct config *c)
{
	warn_of("listen", c->listen.address, j->said.listen_closed, j);
	warn_of("admin", c->admin.address, j->said.admin_closed, j);
}
