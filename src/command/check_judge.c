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

/* systemd gives the unit's groups to the unit's user alone; any other user has the groups of the user database. */
static const struct daemon_unit *unit_of(const struct check_judge *j, const char *user)
{
	return j->has_unit && text_is(j->unit.user, user) ? &j->unit : NULL;
}

/* 0, or the exit status after a message. */
static int judge_for(const struct command *c, const struct command_context *ctx, const char *user, bool wanted,
		     struct check_judge *j)
{
	struct daemon_user who;
	struct err error = {0};
	int r = daemon_user_find(user, unit_of(j, user), &who, &error);

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
