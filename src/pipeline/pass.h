/* SPDX-License-Identifier: MIT */
/*
 * pass: processes one pending webhook: reading, settle, order, lookup, ledger, rules and events. It ends with a result,
 * or with the reason why the webhook waits.
 *
 * Each pass has a savepoint. A webhook whose pass fails becomes a dead letter and changes nothing else.
 */
#ifndef PIPELINE_PASS_H
#define PIPELINE_PASS_H

#include "pipeline/turn_context.h"

/* Inside the turn's transaction. Returns 0, or the store's error (store_error_ends_turn), after which the caller rolls
 * the turn back. Afterwards the webhook is done, dead or waiting, never ready. */
int pass_run(struct turn_context *tc, int64_t id, struct err *reterr) MUSTCHECK;

#endif
