/* SPDX-License-Identifier: MIT */
/*
 * daemon_unit: the settings of the installed deskbridge.service about the daemon's user and secrets. They are read from
 * the files, so that it works without a running systemd. Blocks on files.
 */
#ifndef COMMAND_DAEMON_UNIT_H
#define COMMAND_DAEMON_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "conf/secret.h"

#define DAEMON_USER_DEFAULT "deskbridge" /* made by sysusers.d; used where no unit is installed */

#define DAEMON_UNIT_DIRECTORIES 4 /* settings that name folders which systemd makes */

struct daemon_unit {
	char *user;          /* User=; NULL: root */
	char *group;         /* Group=; NULL: the user's own */
	char *config;        /* the file that ExecStart= names with -c; NULL: none */
	char *former_start;  /* the program's path in ExecStart=, where it is in a folder sbin, as in former releases;
				else NULL */
	char *former_reload; /* as former_start, in ExecReload= */
	bool hides_home, hides_tmp; /* ProtectHome=, PrivateTmp=: files there are hidden from the daemon */
	struct strings groups;      /* SupplementaryGroups= */
	struct strings directories[DAEMON_UNIT_DIRECTORIES]; /* RuntimeDirectory=, StateDirectory=, CacheDirectory=,
								LogsDirectory= */
	struct secret_passed *passed; /* LoadCredential=, SetCredential= and their encrypted forms */
	size_t passed_n;
};

/* Reads the unit and its drop-ins from $SYSTEMD_UNIT_PATH, else from systemd's folders. False: there is no such
 * unit. Call daemon_unit_done where it returned true. */
bool daemon_unit_read(struct daemon_unit *ret);
void daemon_unit_done(struct daemon_unit *u);
/* Returns the setting that hides this absolute path (with links resolved) from the daemon; NULL: none. Static. */
const char *daemon_unit_hides(const struct daemon_unit *u, const char *path);

/* True for a folder that systemd makes at each start, owned by the unit's user (RuntimeDirectory=, StateDirectory=,
 * CacheDirectory=, LogsDirectory=). It may not exist yet. */
bool daemon_unit_makes(const struct daemon_unit *u, const char *folder);

/* For daemon_unit_read, and for tests: parses the text of one file. Its assignments replace those of former files,
 * or add to them. */
void daemon_unit_parse(struct daemon_unit *u, const char *text);

#endif
