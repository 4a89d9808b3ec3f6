/*
 * lookups: which questions about customers are under way, and which may be asked: the pipeline's side of a lookup.
 *
 * One question a (source, key) at a time, and one a customer; no more a source than its window. A question that is
 * asked in a turn goes out with lookups_commit; an answer that is taken in a turn leaves a verdict for the webhook that
 * asked, which its pass reads. lookups_rollback takes back what the turn did. Owned by the pipeline's thread; nothing
 * survives a crash: at start every waiting webhook is ready again and asks anew.
 */
#ifndef PIPELINE_LOOKUPS_H
#define PIPELINE_LOOKUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/courier.h"
#include "courier/lookup_client.h"
#include "pipeline/work.h"

struct lookups;

struct lookups *lookups_new(void);
void lookups_free(struct lookups *l);

/* The courier told how many questions of the source may be under way. for_new: the source is parked, and they are
 * for webhooks only that nobody was asked for yet. */
void lookups_window(struct lookups *l, const char *source, unsigned window, bool for_new);
/* True while the source is parked, as told last. */
bool lookups_is_parked(const struct lookups *l, const char *source);
/* Returns how many more may be asked now. For lookups_may_ask, and for tests. */
unsigned lookups_room(const struct lookups *l, const char *source);
/* True where a question may be asked for a webhook; is_new: nobody was asked for it yet. */
bool lookups_may_ask(const struct lookups *l, const char *source, bool is_new);
/* True where that question is under way, or another about w's customer: then w counts among those that wait for it. */
bool lookups_join(struct lookups *l, const char *key, const struct webhook *w);
/* Asks what is not under way; takes over p, which g's definition has parsed. key: lookup_plan_key's. worked:
 * lookup_client.h's, as it was kept. */
void lookups_ask(struct lookups *l, const char *key, struct parsed_webhook *p, struct generation *g, bool is_new,
		 const struct lookup_mark *worked);

/* Inside the turn's transaction: keeps what the answer tells, frees the slot, leaves the outcome to the webhook that
 * asked, and lets go those that waited for it. 0, or what the store failed with. */
int lookups_apply(struct work *w, struct lookup_answer *a, struct err *reterr) MUSTCHECK;
/* The table's part of it: frees the slot, and keeps the outcome for the webhook that asked. Returns the customer whose
 * webhooks waited for it, or NULL where others of the source may have waited too. Borrowed until the commit. For
 * lookups_apply, and for tests. */
const char *lookups_answered(struct lookups *l, const struct lookup_answer *a);
struct lookups_verdict {
	enum lookup_outcome outcome;
	int64_t retry_after_ms; /* -1: not told */
	char *reason;           /* for people */
};
/* The answer that this webhook waited for, or NULL. Once: it is gone with the commit. Borrowed until then. */
const struct lookups_verdict *lookups_verdict(struct lookups *l, int64_t webhook);

/* The time (clock_now_ms) of the source's last answer that was of use; 0: none since the start. */
int64_t lookups_useful_ms(const struct lookups *l, const char *source);

/* Notes that a slot of the source may be free for a webhook that waits for one, also where a webhook that was given one
 * leaves it unused. */
void lookups_slot_wanted(struct lookups *l, const char *source);
/* Inside the turn's transaction: lets go as many of the webhooks that wait for a slot as there are, and those that
 * waited because their source was parked. */
int lookups_release_slots(struct work *w, struct err *reterr) MUSTCHECK;
/* True where lookups_release_slots has something to do. */
bool lookups_slots_are_wanted(const struct lookups *l, const struct config *c);

void lookups_commit(struct lookups *l, struct courier *c);
void lookups_rollback(struct lookups *l);

#endif
