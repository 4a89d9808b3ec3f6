/* SPDX-License-Identifier: MIT */
/*
 * pass: one pending webhook, as far as it can go now: reading, order, settle, lookup, ledger and rules, and what comes
 * of them; or what it waits for.
 *
 * In a savepoint of its own: a webhook whose pass fails becomes a dead letter with the reason and touches no other.
 */
#ifndef PIPELINE_PASS_H
#define PIPELINE_PASS_H

#include "pipeline/turn_context.h"

/* Inside the turn's transaction. 0, or what the store failed with (store_error_ends_turn): then the turn is to be
 * rolled back. Afterwards the webhook is done, dead, or waits: it is not ready. */
int pass_run(struct turn_context *tc, int64_t id, struct err *reterr) MUSTCHECK;

#endif
