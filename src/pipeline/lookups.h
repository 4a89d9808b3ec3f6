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

#include "delivery/courier.h"
#include "helpdesk/webhook.h"
#include "lookup/lookup.h"

struct lookups;

struct lookups *lookups_new(void);
void lookups_free(struct lookups *l);

/* How many questions of the source may be under way, as the courier told. */
void lookups_window(struct lookups *l, const char *source, unsigned window);
/* How many more may be asked now. */
unsigned lookups_room(const struct lookups *l, const char *source);
/* Whether that question is under way, or another about w's customer: then w counts among those that wait for it. */
bool lookups_join(struct lookups *l, const char *key, const struct webhook *w);
/* Asks what is not under way. key: inquiry_wish's. */
void lookups_ask(struct lookups *l, const char *key, const struct webhook *w);

/* Frees the slot and keeps the outcome for the webhook that asked. Returns the customer whose webhooks waited for it,
 * or NULL where others of the source may have waited too. Borrowed until the commit. */
const char *lookups_answered(struct lookups *l, const struct lookup_answer *a);
struct lookups_verdict {
	enum lookup_outcome outcome;
	int64_t retry_after_ms; /* -1: not told */
	char *reason;           /* for people */
};
/* The answer that this webhook waited for, or NULL. Once: it is gone with the commit. Borrowed until then. */
const struct lookups_verdict *lookups_verdict(struct lookups *l, int64_t webhook);

/* Some webhook of the source may wait for a slot that is free; and: as many as there is room for were let go. */
void lookups_slot_wanted(struct lookups *l, const char *source, bool wanted);
bool lookups_slot_is_wanted(const struct lookups *l, const char *source);

void lookups_commit(struct lookups *l, struct courier *c);
void lookups_rollback(struct lookups *l);

#endif
