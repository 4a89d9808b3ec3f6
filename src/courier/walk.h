/*
 * walk: one question on its way through the steps of its source's lookup: the doing half of
 * helpdesk/plan/lookup_plan.h. What its end means for the source, lookup.c says.
 */
#ifndef COURIER_WALK_H
#define COURIER_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/lookup.h"
#include "courier/upstream.h"

struct lookup_plan;
struct parsed_webhook;
struct route_shared;

/* How it ended. */
struct walk_end {
	enum lookup_outcome outcome;
	enum upstream_word word;
	unsigned status;        /* 0: no answer */
	int64_t retry_after_ms; /* -1: not told */
	bool secret;            /* not asked, for want of a secret */
	bool tells;             /* the reason tells what mends it */
};
static inline struct walk_end walk_ended(enum lookup_outcome outcome, enum upstream_word word)
{
	return (struct walk_end){.outcome = outcome, .word = word, .retry_after_ms = -1};
}

struct walk {
	/* of lookup.c: the source's walks, its state when the question came, a digest of whom it is about */
	struct walk *prev, *next;
	struct lookup *owner;
	struct upstream_stamp asked;
	uint64_t customer;
	/* Called once, at the end, with a reason for people; it frees the walk. NULL: the question was answered before,
	 * and the walk frees itself when its transfer ends. */
	void (*over)(struct walk *w, struct walk_end end, const char *reason);

	struct route_shared *shared;
	struct generation *g; /* by which it is asked to its end; owned */
	const struct source *source;
	struct lookup_question *q; /* owned */
	/* made by walk_begin */
	struct parsed_webhook *renewed;  /* q's webhook parsed anew, after a reload; NULL: q's own is asked by */
	struct lookup_plan *lookup_plan; /* borrows that; NULL: the webhook does not read */
};

/* Asks the first step. w is filled but for the last two; heap, now its own. It may be over before this returns. */
void walk_begin(struct walk *w);
void walk_free(struct walk *w); /* with its question */

#endif
