/*
 * transaction: the layer above the queries: what a transaction owns beside its rows (counters, the turn's time), and
 * the room that it has on the disk. It knows of no table but that of the counters. Only for src/store.
 */
#ifndef STORE_TRANSACTION_H
#define STORE_TRANSACTION_H

#include "store/private.h"

/* The newest time told in this turn becomes now_ms, where that is later. */
void store_tell(struct store *s, int64_t now_ms);

/* ---- counters (counts.c) ----------------------------------------------------------------------------------------- */

void counts_add(struct store *s, enum count_kind kind, const char *name, int state, int wait, int64_t n);
extern const struct transaction_hook counts_hook;
void counts_done(struct store *s);

/* ---- size, disk and WAL (space.c) -------------------------------------------------------------------------------- */

/* The answer of "PRAGMA …" with one number. */
int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr) MUSTCHECK;
/* At how many pages the WAL is written back. */
int wal_limit(const struct store *s);
/* After WAL mode was set: looks at the disk, and writes back what an earlier process left. */
void wal_open(struct store *s);
/* Before a transaction: looks how much the disk has left, and writes the WAL back where that is due. */
void wal_begin(struct store *s);

#endif
