/* SPDX-License-Identifier: MIT */
/*
 * connection: the lowest layer of src/store: the file, the connection to SQLite, and what SQLite says. It knows of no
 * table. Only for src/store.
 */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <sys/types.h>

#include "store/store_internal.h"

/* ---- the file (file.c) ------------------------------------------------------------------------------------------- */

/* Before the connection is opened for writing: makes the file where there is none, for its owner only, and locks it by
 * its name (s->lock_fd) and by its inode (s->inode_fd). -EBUSY: another one has it; names the process where that is
 * known. Each text says what to do. */
int store_file_open(struct store *s, struct err *reterr) MUSTCHECK;

enum store_file {
	STORE_FILE_DATABASE,
	STORE_FILE_WAL,
	STORE_FILE_SHM,
	STORE_FILES,
};
struct store_files {
	char *paths[STORE_FILES];
	bool known[STORE_FILES];
	dev_t devices[STORE_FILES];
	ino_t inodes[STORE_FILES];
};
#define STORE_LOST_ADVICE "put it back, or restart deskbridge and lose what was in it"
/* Whether it was deleted or replaced since it was opened; whether another one stands in its place. */
bool store_file_is_lost(const struct store_files *f, enum store_file i);
bool store_file_is_replaced(const struct store_files *f, enum store_file i);

/* ---- the connection ---------------------------------------------------------------------------------------------- */

/* s->db. On failure it may be set, and is closed with the store. */
int connection_open(struct store *s, struct err *reterr) MUSTCHECK;
/* Runs SQL without parameters or rows: pragmas, transactions, the schema. Not cached. */
int store_exec(struct store *s, const char *sql, struct err *reterr) MUSTCHECK;
/* Steps a changing statement again that failed because an index has no entry for the row. */
int step_leniently(struct store *s, sqlite3_stmt *stmt);

/* Turns what SQLite said last into an errno and a text that says what to do. */
int store_failed(struct store *s, int rc, struct err *reterr) MUSTCHECK;
/* SQLite ended the transaction by itself: nothing that is done after that may count as part of it. */
int transaction_lost(struct store *s, struct err *reterr) MUSTCHECK;

/* Limits the reading that follows; read_limit_check: -EINTR once the time is up. */
void read_limit_start(struct store *s);
int read_limit_check(struct store *s, struct err *reterr) MUSTCHECK;
void read_limit_end(struct store *s);

#endif
