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
#include "helpdesk/expr/webhook.h"
#include "courier/lookup.h"

struct lookups;

struct lookups *lookups_new(void);
void lookups_free(struct lookups *l);

/* How many questions of the source may be under way, as the courier told. */
void lookups_window(struct lookups *l, const char *source, unsigned window);
/* The same while it is parked: for webhooks only that nobody was asked for yet. */
void lookups_window_for_new(struct lookups *l, const char *source, unsigned window);
/* Whether the source is parked, as told by the last of the two. */
bool lookups_is_parked(const struct lookups *l, const char *source);
/* Whether it is parked and is to be probed with one that was asked for already. */
bool lookups_is_probing(const struct lookups *l, const char *source);
/* How many more may be asked now. */
unsigned lookups_room(const struct lookups *l, const char *source);
/* Whether one may be asked for a webhook; is_new: nobody was asked for it yet. */
bool lookups_may_ask(const struct lookups *l, const char *source, bool is_new);
/* Whether that question is under way, or another about w's customer: then w counts among those that wait for it. */
bool lookups_join(struct lookups *l, const char *key, const struct webhook *w);
/* Asks what is not under way; takes over p, which g's definition has parsed. key: inquiry_wish's. worked: lookup.h's,
 * as it was kept. */
void lookups_ask(struct lookups *l, const char *key, struct parsed *p, struct generation *g, bool is_new,
		 const struct lookup_mark *worked);

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

/* When an answer of the source came last that was of use; 0: none since the start. */
void lookups_were_useful(struct lookups *l, const char *source, int64_t now_ms);
int64_t lookups_useful_ms(const struct lookups *l, const char *source);

/* Some webhook of the source may wait for a slot that is free; and: as many as there is room for were let go. */
void lookups_slot_wanted(struct lookups *l, const char *source, bool wanted);
bool lookups_slot_is_wanted(const struct lookups *l, const char *source);
/* Whether the source was opened since this was asked last: those that waited while it was PARKED may go. */
bool lookups_was_opened(struct lookups *l, const char *source);
/* Where the last slow probe stood among those that wait: store_webhook_release_parked's. Borrowed. */
int64_t *lookups_probe_cursor(struct lookups *l, const char *source);

void lookups_commit(struct lookups *l, struct courier *c);
void lookups_rollback(struct lookups *l);

#endif
