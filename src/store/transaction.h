/* SPDX-License-Identifier: MIT */
/*
 * transaction: the layer above the queries: what a transaction owns beside its rows (counters, the turn's time), and
 * the room that it has on the disk. It knows of no table but that of the counters. Only for src/store.
 */
#ifndef STORE_TRANSACTION_H
#define STORE_TRANSACTION_H

#include "store/store_internal.h"
#include "store/query.h"

/* The newest time told in this turn becomes now_ms, where that is later. */
void store_advance_now(struct store *s, int64_t now_ms);

/* ---- a change in steps ------------------------------------------------------------------------------------------- */

/* One change of the store in several steps. The first failure stays in `status` and is told in reterr; all later steps
 * do nothing. A function of store.h has one on its stack and returns what change_end says. */
struct change {
	struct store *store;
	int status; /* 0, or the first failure: a negative errno */
	int rows;   /* how many the connection had changed before it */
	struct err *reterr;
};
struct change change_begin(struct store *s, struct err *reterr);
/* Its status. Where it failed after it had changed rows, the savepoint cannot be kept, nor the transaction committed,
 * until it is undone. */
int change_end(struct change *c) MUSTCHECK;

/* A step is a query (query.h) under this name; after a failure it does nothing, and gives no row. */
#define CHANGE(name, c, sql) CLEANUP(query_close) struct query name = change_query(c, sql)
struct query change_query(struct change *c, const char *sql);
bool change_step(struct change *c, struct query *q); /* whether a row is there */
int change_run(struct change *c, struct query *q);   /* how many rows it changed */
/* These close the query, so that the same text may be used again. */
void change_ids(struct change *c, struct query *q, struct ids *ids); /* appends the first column of all rows */
void change_id_pairs(struct change *c, struct query *q, struct ids *ids, struct ids *seconds);
/* Whether there is a row; *ret is its one integer. */
bool change_one_int(struct change *c, struct query *q, int64_t *ret);
/* Runs `sql`, a literal, with one id bound. How many rows it changed. */
int change_by_id(struct change *c, const char *sql, int64_t id);

/* A part that may fail without failing the whole: one statement, as SQLite undoes only the one that failed. It has a
 * status of its own, and words of its own where the caller wants them (NULL: not), and does nothing where the whole has
 * failed. */
struct change change_part(const struct change *c, struct err *why_or_null);
/* Whether the part, and not the whole before it, failed with this error. Any other failure becomes that of the whole.
 */
bool change_part_failed(struct change *c, const struct change *part, int error);

/* ---- counters (counts.c) ----------------------------------------------------------------------------------------- */

/* A row comes from one counter to another one. COUNT_NOWHERE as its state: it is new, or it goes. */
#define COUNT_NOWHERE (-1)
void counts_move(struct store *s, enum count_kind kind, const char *name, int from_state, int from_wait, int to_state,
		 int to_wait);
extern const struct transaction_hook counts_hook;
void counts_done(struct store *s);

/* ---- size, disk and WAL (space.c) -------------------------------------------------------------------------------- */

/* The one number that a statement without parameters gives: PRAGMA … */
int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr) MUSTCHECK;
/* At how many pages the WAL is written back. For space.c, and for tests. */
int wal_limit(const struct store *s);
/* After WAL mode was set: looks at the disk, and writes back what an earlier process left. */
void wal_open(struct store *s);
/* Before a transaction: looks how much the disk has left, and writes the WAL back where that is due. */
void wal_begin(struct store *s);

#endif
