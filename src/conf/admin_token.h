/* SPDX-License-Identifier: MIT */
/*
 * admin_token: the token that the daemon makes where `admin.token` is not configured: the file admin-token in the
 * folder of the store's file, 0640, with the daemon's group. An account that may read that file may ask the daemon.
 * Blocks on files.
 */
#ifndef CONF_ADMIN_TOKEN_H
#define CONF_ADMIN_TOKEN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/* Beside that file of a store. The caller owns it. */
char *admin_token_path(const char *store_path) MUSTCHECK;

struct admin_token_found {
	bool generated; /* there was none */
	bool was_open;  /* accounts beyond owner and group could read or change it; its mode is mended */
};

/*
 * For the daemon: makes the file where there is none. It appears whole or not at all, on the disk before this returns;
 * a file that is there is never overwritten, also where two processes make it at a time. A file that is there is looked
 * at: one that is empty, is no token, cannot be read, belongs to a stranger (neither root, the daemon's user nor the
 * folder's owner) or is a link to a file that others can read is an error, which says what to do.
 */
int admin_token_ensure(const char *path, struct admin_token_found *ret, struct err *reterr) MUSTCHECK;

#endif
