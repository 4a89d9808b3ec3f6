/* SPDX-License-Identifier: MIT */
/*
 * admin_token: the token that the daemon makes where `admin.token` is not configured: the file admin-token in the
 * folder of the store's file, mode 0640, with the daemon's group. Each account that may read this file may use /api.
 * Blocks on files.
 */
#ifndef CONF_ADMIN_TOKEN_H
#define CONF_ADMIN_TOKEN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

/* Returns the path of the token's file for a store's file. The caller owns it. */
char *admin_token_path(const char *store_path) MUSTCHECK;

struct admin_token_found {
	bool generated; /* there was no file */
	bool was_open;  /* accounts other than owner and group could read or change the file; its mode was corrected */
};

/*
 * For the daemon: makes the file where there is none. The file appears as a whole or not at all, and is on the disk
 * before this returns. An existing file is never overwritten, also where two processes make the file at the same time.
 *
 * An existing file is checked. These are errors, and reterr says what to do:
 * - the file is empty, holds no token, or cannot be read;
 * - its owner is neither root, nor the daemon's user, nor the folder's owner;
 * - other accounts can read or change it, and it is a link or its mode cannot be corrected.
 */
int admin_token_ensure(const char *path, struct admin_token_found *ret, struct err *reterr) MUSTCHECK;

#endif
