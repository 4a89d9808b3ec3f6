/* SPDX-License-Identifier: MIT */
/*
 * commit: ends a transaction. Metrics, log lines and lookup requests become visible after the commit. A rollback
 * discards them.
 */
#ifndef PIPELINE_COMMIT_H
#define PIPELINE_COMMIT_H

#include "pipeline/turn_context.h"

/* Ends the transaction that the caller began. r is the result of its steps. If r < 0 or the commit fails, rolls back,
 * discards what waits for the commit, and returns the error. Returns 0 after a commit. */
int commit_end(struct turn_context *tc, int r, struct err *reterr) MUSTCHECK;
/* As commit_end() of good steps, but returns before the sync (store_commit_async()). Lookup requests leave before it:
 * they change nothing at the helpdesk. */
int commit_end_async(struct turn_context *tc, void (*synced)(void *arg), void *arg, struct err *reterr) MUSTCHECK;
/* Logs the rows that the store set aside or repaired, after their commit. */
void commit_log_losses(struct store *s);

#endif
