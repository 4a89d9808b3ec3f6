/* SPDX-License-Identifier: MIT */
/*
 * lookup_table: which questions about customers are under way, and which may be asked: the pipeline's side of a lookup.
 *
 * One question a (source, key) at a time, and one a customer; no more a source than its window. A question that is
 * asked in a turn goes out with lookup_table_commit; an answer that is taken in a turn leaves a verdict for the webhook
 * that asked, which its pass reads. lookup_table_rollback takes back what the turn did. Owned by the pipeline's thread;
 * nothing survives a crash: at start every waiting webhook is ready again and asks anew.
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

/* The courier told how many questions of the source may be under way. for_new: the source is parked, and they are
 * for webhooks only that nobody was asked for yet. */
void lookup_table_window(struct lookup_table *t, const char *source, unsigned window, bool for_new);
/* True while the source is parked, as told last. */
bool lookup_table_is_parked(const struct lookup_table *t, const char *source);
/* Returns how many more may be asked now. For lookup_table_may_ask, and for tests. */
unsigned lookup_table_free_slots(const struct lookup_table *t, const char *source);
/* True where a question may be asked for a webhook; is_new: nobody was asked for it yet. */
bool lookup_table_may_ask(const struct lookup_table *t, const char *source, bool is_new);
/* True where that question is under way, or another about w's customer: then w counts among those that wait for it. */
bool lookup_table_attach(struct lookup_table *t, const char *key, const struct webhook *w);
/* Asks what is not under way; takes over p, which g's definition has parsed. key: lookup_plan_key's. worked:
 * lookup_client.h's, as it was kept. */
void lookup_table_ask(struct lookup_table *t, const char *key, struct parsed_webhook *p, struct generation *g,
		      bool is_new, const struct lookup_mark *worked);

/* Inside the turn's transaction: keeps what the answer tells, frees the slot, leaves the outcome to the webhook that
 * asked, and lets go those that waited for it. 0, or what the store failed with. */
int lookup_table_save_answer(struct turn_context *tc, struct lookup_answer *a, struct err *reterr) MUSTCHECK;
/* The table's part of it: frees the slot, and keeps the outcome for the webhook that asked. Returns the customer whose
 * webhooks waited for it, or NULL where others of the source may have waited too. Borrowed until the commit. For
 * lookup_table_save_answer, and for tests. */
const char *lookup_table_answered(struct lookup_table *t, const struct lookup_answer *a);
struct lookup_verdict {
	enum lookup_outcome outcome;
	int64_t retry_after_ms; /* -1: not told */
	char *reason;           /* for people */
};
/* The answer that this webhook waited for, or NULL. Once: it is gone with the commit. Borrowed until then. */
const struct lookup_verdict *lookup_table_verdict(struct lookup_table *t, int64_t webhook);

/* The time (clock_now_ms) of the source's last answer that was of use; 0: none since the start. */
int64_t lookup_table_useful_ms(const struct lookup_table *t, const char *source);

/* Notes that a slot of the source may be free for a webhook that waits for one, also where a webhook that was given one
 * leaves it unused. */
void lookup_table_slot_wanted(struct lookup_table *t, const char *source);
/* Inside the turn's transaction: lets go as many of the webhooks that wait for a slot as there are, and those that
 * waited because their source was parked. */
int lookup_table_wake_slots(struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* True where lookup_table_wake_slots has something to do. */
bool lookup_table_slots_are_wanted(const struct lookup_table *t, const struct config *c);

void lookup_table_commit(struct lookup_table *t, struct courier_port courier);
void lookup_table_rollback(struct lookup_table *t);

#endif
