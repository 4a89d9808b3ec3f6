/* SPDX-License-Identifier: MIT */
/*
 * lookup_table: the table of lookup requests in flight, and of their answers. It decides which webhook may start a
 * request.
 *
 * Limits: one request in flight for each (source, key) and each customer, and the source's window.
 * lookup_table_commit() sends the requests of a turn. An answer leaves a verdict for the webhook that asked; the
 * webhook's pass reads it. lookup_table_rollback() undoes the turn's changes. Owned by the pipeline's thread. Nothing
 * here survives a crash: at start waiting webhooks are ready and ask again.
 */
#ifndef PIPELINE_LOOKUP_TABLE_H
#define PIPELINE_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/courier.h"
#include "courier/lookup_client.h"
#include "pipeline/turn_context.h"

struct lookup_table;

struct lookup_table *lookup_table_new(void);
void lookup_table_free(struct lookup_table *t);

/* Sets the source's window: the most requests in flight. for_new: the source is parked; only webhooks without a
 * previous request may ask. */
void lookup_table_window(struct lookup_table *t, const char *source, unsigned window, bool for_new);
/* True while the source is parked, by the latest report. */
bool lookup_table_is_parked(const struct lookup_table *t, const char *source);
/* Returns the number of requests that may be started now. For lookup_table_may_ask(), and for tests. */
unsigned lookup_table_free_slots(const struct lookup_table *t, const char *source);
/* True where a webhook may start a request. is_new: it has had no request yet. */
bool lookup_table_may_ask(const struct lookup_table *t, const char *source, bool is_new);
/* True where that request, or another about w's customer, is in flight: then w waits for its answer, too. */
bool lookup_table_attach(struct lookup_table *t, const char *key, const struct webhook *w);
/* Starts a request that is not in flight. Takes ownership of p, which was parsed by g's definition. key: from
 * lookup_plan_key(). worked: the stored mark (lookup_client.h); may be NULL. */
void lookup_table_ask(struct lookup_table *t, const char *key, struct parsed_webhook *p, struct generation *g,
		      bool is_new, const struct lookup_mark *worked);

/* Inside the turn's transaction. Stores the answer, frees the slot, keeps the outcome for the webhook that asked, and
 * wakes the webhooks that waited for it. Returns 0 or the store's error. */
int lookup_table_save_answer(struct turn_context *tc, struct lookup_answer *a, struct err *reterr) MUSTCHECK;
/* The part of lookup_table_save_answer() that changes this table: frees the slot, and keeps the outcome for the webhook
 * that asked. Returns the customer whose webhooks waited for the answer; NULL: webhooks of other customers may have
 * waited. Borrowed until the commit. For lookup_table_save_answer(), and for tests. */
const char *lookup_table_answered(struct lookup_table *t, const struct lookup_answer *a);
struct lookup_verdict {
	enum lookup_outcome outcome;
	int64_t retry_after_ms; /* -1: not given */
	char *reason;           /* for people */
};
/* Returns the answer to the request of this webhook, once; NULL: it made none, or has read the answer. Borrowed until
 * the commit, which frees it. */
const struct lookup_verdict *lookup_table_take_verdict(struct lookup_table *t, int64_t webhook);

/* Returns the time (clock_now_ms) of the source's last useful answer; 0: none since the start. */
int64_t lookup_table_useful_ms(const struct lookup_table *t, const char *source);

/* Reports that a slot of the source may be free, also when a webhook left its slot unused. */
void lookup_table_slot_wanted(struct lookup_table *t, const char *source);
/* Inside the turn's transaction. Wakes one waiting webhook for each free slot, and the webhooks that waited because
 * their source was parked. */
int lookup_table_wake_slots(struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* After the transaction: true where lookup_table_wake_slots() may have work to do. */
bool lookup_table_slots_are_wanted(const struct turn_context *tc);

/* After the commit: sends the turn's requests, and frees the verdicts that were read. */
void lookup_table_commit(struct lookup_table *t, struct courier_port courier);
void lookup_table_rollback(struct lookup_table *t);

#endif
