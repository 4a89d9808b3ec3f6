/* SPDX-License-Identifier: MIT */
/*
 * check_as_user: the user for whom `check` tests the files. Run by root, it reads them as the daemon's user.
 */
#ifndef COMMAND_CHECK_AS_USER_H
#define COMMAND_CHECK_AS_USER_H

#include "command/command.h"
#include "command/daemon_unit.h"
#include "conf/conf.h"

/* The result of loading the configuration as that user. */
struct daemon_access {
	bool wrong;         /* that user cannot load the configuration */
	bool folder_closed; /* the store's folder exists, and that user may not write to it */
	bool store_closed;  /* the store's file exists, and that user may not write to it */
	/* The folder of a unix socket to listen on does not exist, or that user may not write to it. */
	bool listen_closed, admin_closed;
	char *problems; /* as problems_print prints them; owned */
};

struct check_as_user {
	struct daemon_unit unit; /* the installed unit, also where no other user's rights are tested */
	bool has_unit, for_unit; /* for_unit: the configuration is the one that the unit names */
	char *user;              /* the user whose rights were tested; NULL: this process's user */
	struct daemon_access findings;
	char *note;      /* for the summary: the user that read the files; NULL: nothing to print */
	size_t warnings; /* printed so far */
};

/*
 * Loads the configuration as the daemon's user.
 *
 * c: the command, for the message where there is no user `wanted`. wanted: --user. NULL: the user that the installed
 * unit runs as, where root checks the file that this unit names; else this process's user. Blocks on files, and until
 * the process that reads as the other user ends. Before there are threads.
 *
 * Returns COMMAND_GOOD where that user can load the configuration; else the exit status, after all problems and a
 * message. Call check_as_user_done in any case.
 */
int check_as_user(const struct command *c, const struct command_context *ctx, const char *wanted,
		  struct check_as_user *ret);
void check_as_user_done(struct check_as_user *as_user);

/* Prints "PLACE: warning: " and the text on standard output, and counts the warning. */
void check_warn(struct check_as_user *as_user, const char *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Prints a warning for `listen` and for `admin` where the port is 0 (any free one), or where the daemon could not make
 * the unix socket; tested for the daemon's user where its rights were tested. A folder that the unit makes
 * (RuntimeDirectory=) is good. Blocks on files.
 */
void check_as_user_sockets(struct check_as_user *as_user, const struct config *c);

#endif
