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

/* The pass of a webhook that is no repeat and not inserted yet. Where nothing stands in its way, decides it and inserts
 * it as done, so that its row is written once. Inside the turn's transaction and a savepoint, which the caller undoes
 * after a failure. any_pending: earlier webhooks may be pending. Returns 1; 0: insert it as pending, for pass_run(). */
int pass_new(struct turn_context *tc, struct parsed_webhook *parsed, bool any_pending, struct err *reterr) MUSTCHECK;
/* Inside the turn's transaction. Returns 0, or the store's error (store_error_ends_turn), after which the caller rolls
 * the turn back. Afterwards the webhook is done, dead or waiting, never ready. */
int pass_run(struct turn_context *tc, int64_t id, struct err *reterr) MUSTCHECK;

#endif
