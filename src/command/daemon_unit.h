/* SPDX-License-Identifier: MIT */
/*
 * daemon_unit: what the installed deskbridge.service says of the daemon's user and secrets, read from systemd's files
 * (so that it works where no systemd runs). Blocks on files.
 */
#ifndef COMMAND_DAEMON_UNIT_H
#define COMMAND_DAEMON_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "conf/secret.h"

#define DAEMON_USER_DEFAULT "deskbridge" /* that sysusers.d makes; where no unit is installed */

#define DAEMON_UNIT_DIRECTORIES 4 /* settings that name folders for systemd to make */

struct daemon_unit {
	char *user;          /* User=; NULL: root */
	char *group;         /* Group=; NULL: the user's own */
	char *config;        /* the file that ExecStart= names with -c; NULL: none */
	char *former_start;  /* the program's path in a folder sbin, if ExecStart= names that; NULL: it does not */
	char *former_reload; /* the same of ExecReload= */
	bool hides_home, hides_tmp; /* ProtectHome=, PrivateTmp=: what stands there is not there for the daemon */
	struct strings groups;      /* SupplementaryGroups= */
	struct strings directories[DAEMON_UNIT_DIRECTORIES]; /* RuntimeDirectory=, StateDirectory= and their like */
	struct secret_passed *passed;                        /* LoadCredential= and its like */
	size_t passed_n;
};

/* The unit and its drop-ins from $SYSTEMD_UNIT_PATH, else systemd's folders. false: there is no such unit.
 * daemon_unit_done where it was there. */
bool daemon_unit_read(struct daemon_unit *ret);
void daemon_unit_done(struct daemon_unit *u);
/* The unit's setting that hides this absolute path, links resolved, from the daemon; NULL: none. Static. */
const char *daemon_unit_hides(const struct daemon_unit *u, const char *path);

/* systemd makes this folder for the unit at each start, as the unit's user's (RuntimeDirectory=, StateDirectory=,
 * CacheDirectory=, LogsDirectory=), and need not have done so yet. */
bool daemon_unit_makes(const struct daemon_unit *u, const char *folder);

/* For daemon_unit_read, and for tests: the text of one file, whose assignments replace or add to those of the files
 * before. */
void daemon_unit_parse(struct daemon_unit *u, const char *text);

#endif
