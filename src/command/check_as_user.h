/* SPDX-License-Identifier: MIT */
/*
 * check_as_user: for whom `check` judges whether files can be read: run by root, for the user that the daemon runs as.
 */
#ifndef COMMAND_CHECK_AS_USER_H
#define COMMAND_CHECK_AS_USER_H

#include "command/command.h"
#include "command/daemon_unit.h"
#include "conf/conf.h"

/* The findings of a reading as that user. */
struct daemon_access {
	bool wrong;         /* the configuration does not load for that user */
	bool folder_closed; /* the store's folder is there, and that user may not write to it */
	bool store_closed;  /* the store's file is there, and that user may not write to it */
	/* The folder of a unix socket to listen on is not there, or that user may not write to it. */
	bool listen_closed, admin_closed;
	char *problems; /* as problems_print prints them; the caller's */
};

struct check_as_user {
	struct daemon_unit unit; /* what systemd passes to the daemon; also where no other user judges */
	bool has_unit, for_unit; /* for_unit: the configuration is the one that the unit names */
	char *user;              /* who judged; NULL: the process itself reads */
	struct daemon_access findings;
	char *note;      /* for the summary: as whom the files were read; NULL: nothing to tell */
	size_t warnings; /* that were printed */
};

/*
 * c: whose usage is wrong where there is no user `wanted`.
 * wanted: --user, or NULL: where root checks the file that the installed unit names, the user that the unit runs as.
 * Blocks on files, and until the process that reads as the user is done. Before there are threads.
 * With COMMAND_GOOD the configuration loads for that user. Else the exit status, after all problems and a message.
 * check_as_user_done in any case.
 */
int check_as_user(const struct command *c, const struct command_context *ctx, const char *wanted,
		  struct check_as_user *ret);
void check_as_user_done(struct check_as_user *as_user);

/* Prints "PLACE: warning: " and the text on standard output, and counts it. */
void check_warn(struct check_as_user *as_user, const char *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints a warning for each of `listen` and `admin` whose port is any free one, and for each whose unix socket the
 * daemon could not make, judged for its user where one judged. A folder that the unit makes (RuntimeDirectory=) is
 * good. Blocks on files. */
void check_as_user_sockets(struct check_as_user *as_user, const struct config *c);

#endif
