/*
 * daemon_user: judges what the daemon could read by reading it as the daemon's user, in a process of its own. Only root
 * can become another user.
 */
#ifndef COMMAND_DAEMON_USER_H
#define COMMAND_DAEMON_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"
#include "command/daemon_unit.h"

struct daemon_user {
	char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t groups_n;
};

/* By name, with the groups that the user database gives it. unit: the unit that runs as this user, whose groups count
 * besides; NULL: none does. -ENOENT where there is no such user or group. daemon_user_done on success. */
int daemon_user_find(const char *name, const struct daemon_unit *unit, struct daemon_user *ret,
		     struct err *reterr) MUSTCHECK;
void daemon_user_done(struct daemon_user *u);

struct daemon_judgement {
	bool wrong;         /* the configuration does not load for that user */
	bool folder_closed; /* the store's folder is there, and that user may not write to it */
	bool store_closed;  /* the store's file is there, and that user may not write to it */
	/* The folder of a unix socket to listen on is not there, or that user may not write to it. */
	bool listen_closed, admin_closed;
	char *problems; /* as problems_print prints them; the caller's */
};

/* Loads the configuration as that user. Blocks until it is done. Before there are threads. An error where the process
 * cannot become that user. */
int daemon_user_judge(const struct daemon_user *u, const char *config_file, struct daemon_judgement *ret,
		      struct err *reterr) MUSTCHECK;

/* The folder of a unix socket to listen on; NULL: the address is of another kind. The caller owns it. */
char *daemon_socket_folder(const char *address) MUSTCHECK;
/* Whether this process could not make the socket of that address: its folder is not there, or is not its to write to.
 */
bool daemon_socket_is_closed(const char *address);

#endif
