/* SPDX-License-Identifier: MIT */
/*
 * transaction: the layer above query: transactions, changes in steps, counters, and space on the disk. The only table
 * that it knows is that of the counters. Only for src/store. transaction.c holds the design.
 */
#ifndef STORE_TRANSACTION_H
#define STORE_TRANSACTION_H

#include "store/store_internal.h"
#include "store/query.h"

/* Tells that the hooks know all that other connections wrote up to now. */
void store_knows_others(struct store *s);

/* Sets the turn's newest time to now_ms if that is later. */
void store_advance_now(struct store *s, int64_t now_ms);

/* ---- a change in steps ------------------------------------------------------------------------------------------- */

/* A change of the store in several steps. The first failure stays in `status` and reterr; later steps do nothing. A
 * function of store.h keeps one on its stack and returns change_end(). */
struct change {
	struct store *store;
	int status; /* 0, or the first failure: a negative errno */
	int rows;   /* the connection's number of changed rows at the start */
	struct err *reterr;
};
struct change change_begin(struct store *s, struct err *reterr);
/* Returns the status. If the change failed after it changed rows, the savepoint or transaction must be undone. */
int change_end(struct change *c) MUSTCHECK;

/* Declares a step: a query (query.h) with this name. After a failure it does nothing and returns no row. */
#define CHANGE(name, c, sql) CLEANUP(query_close) struct query name = change_query(c, sql)
struct query change_query(struct change *c, const char *sql);
bool change_step(struct change *c, struct query *q); /* true where there is a row */
int change_run(struct change *c, struct query *q);   /* returns the number of changed rows */
/* These functions close the query, so that the same text can be used again. */
void change_ids(struct change *c, struct query *q, struct ids *ids); /* appends the first column of all rows */
void change_id_pairs(struct change *c, struct query *q, struct ids *ids, struct ids *seconds);
/* True where there is a row with an integer, which *ret is set to. */
bool change_one_int(struct change *c, struct query *q, int64_t *ret);
/* Runs `sql`, a literal, with one id bound. Returns the number of changed rows. */
int change_by_id(struct change *c, const char *sql, int64_t id);

/* Begins a part of a change that may fail without failing the change. A part is one statement, because SQLite undoes
 * only the statement that failed. It has a status of its own and, with why_or_null, a text of its own. It does nothing
 * after the change failed. */
struct change change_part(const struct change *c, struct err *why_or_null);
/* True where the part failed with this error. Any other failure of the part becomes the change's. */
bool change_part_failed(struct change *c, const struct change *part, int error);

/* ---- counters (counts.c) ----------------------------------------------------------------------------------------- */

/* Moves a row from one counter to another. COUNT_NOWHERE as a state: the row is new, or is deleted. */
#define COUNT_NOWHERE (-1)
void counts_move(struct store *s, enum count_kind kind, const char *name, int from_state, int from_wait, int to_state,
		 int to_wait);
extern const struct transaction_hook counts_hook;
void counts_done(struct store *s);

/* ---- the sync in the background (sync.c) ------------------------------------------------------------------------- */

/* Returns the connection's WAL; NULL: it is not open. */
sqlite3_file *wal_of(struct store *s);
void sync_open(struct store *s); /* starts the thread */
void sync_done(struct store *s); /* ends it */
/* Syncs again what the last sync in the background did not. */
int sync_again(struct store *s, struct err *reterr) MUSTCHECK;
/* Begins the sync of the last COMMIT, which left it out (wal_vfs_defer()). */
void sync_start(struct store *s, void (*synced)(void *arg), void *arg);

/* ---- size, disk and WAL (space.c) -------------------------------------------------------------------------------- */

/* Runs a statement without parameters that returns one number, such as a PRAGMA. */
int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr) MUSTCHECK;
/* Returns the number of WAL pages at which the WAL is written back. For space.c, and for tests. */
int wal_limit(const struct store *s);
extern const struct transaction_hook size_hook;
/* Measures the free disk space, and syncs and writes back the WAL of an earlier process. Call it after WAL mode is set.
 */
int wal_open(struct store *s, struct err *reterr) MUSTCHECK;
/* Measures the free disk space, and writes the WAL back if that is due. Call it before a transaction. */
void wal_begin(struct store *s);

#endif
