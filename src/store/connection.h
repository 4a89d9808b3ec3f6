/* SPDX-License-Identifier: MIT */
/*
 * connection: the lowest layer of src/store: the file, the connection to SQLite, and SQLite's errors. It knows no
 * table. Only for src/store.
 */
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <sys/types.h>

#include "store/store_internal.h"

/* ---- the file (file.c) ------------------------------------------------------------------------------------------- */

/* Creates the file if it is missing (mode 0600), and locks it by name (s->lock_fd) and by inode (s->inode_fd). A writer
 * calls it before it opens the connection. -EBUSY: another process has the lock; the text names it if it is known. Each
 * text says what to do. */
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
/* True where the file was deleted or replaced since it was opened. */
bool store_file_is_lost(const struct store_files *f, enum store_file i);
/* True where another file has its name now. */
bool store_file_is_replaced(const struct store_files *f, enum store_file i);

/* ---- the connection ---------------------------------------------------------------------------------------------- */

/* Opens s->db. On failure s->db may be set; store_close closes it. */
int connection_open(struct store *s, struct err *reterr) MUSTCHECK;
/* Runs SQL without parameters or result rows: pragmas, transactions, the schema. The statement is not cached. */
int store_exec(struct store *s, const char *sql, struct err *reterr) MUSTCHECK;
/* Repeats a changing statement that failed because an index lacks the row's entry. */
int step_leniently(struct store *s, sqlite3_stmt *stmt);

/* Turns SQLite's last error into an errno and a text that says what to do. */
int store_failed(struct store *s, int rc, struct err *reterr) MUSTCHECK;
/* Makes the error of a failed disk call: SQLite's code and an errno. */
int store_failed_io(struct store *s, int extended, int cause, struct err *reterr) MUSTCHECK;
/* Returns the error with which SQLite ended the transaction. Later statements would not belong to it. */
int transaction_lost(struct store *s, struct err *reterr) MUSTCHECK;

/* While the opening changes much of the store: names what it does now, and how much that is (0: not known), and says
 * how much of it is done. From the first part until progress_end() store_options.works is called, also during a long
 * statement. */
void progress_part(struct store *s, int64_t all, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void progress_done(struct store *s, int64_t done);
void progress_end(struct store *s);

/* Limits the reads until read_limit_end to read_limit_ms. read_limit_check: -EINTR once that time is up. */
void read_limit_start(struct store *s);
int read_limit_check(struct store *s, struct err *reterr) MUSTCHECK;
void read_limit_end(struct store *s);

#endif
