/* SPDX-License-Identifier: MIT */
/*
 * turn_context: the context of one turn. Its members are borrowed and valid during the turn.
 *
 * Changes to the store can still be rolled back. So everything that cannot be undone (metrics, log lines, lookup
 * requests, sent events) is collected in pending, lookups and dispatch, and happens after the commit.
 */
#ifndef PIPELINE_TURN_CONTEXT_H
#define PIPELINE_TURN_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock_guard.h"
#include "conf/generation.h"
#include "courier/courier.h"
#include "pipeline/parsed_cache.h"
#include "pipeline/pending_metrics.h"
#include "store/store.h"

struct dispatch;
struct lookup_table;

struct turn_context {
	struct store *store;
	struct courier_port courier;
	struct generation *generation;
	const struct config *config; /* generation's */
	struct lookup_table *lookups;
	struct parsed_cache *cache;
	struct dispatch *dispatch;
	struct pending_metrics *pending;
	int64_t now_ms;                  /* the wall clock, for times that are stored, and to compare with these */
	int64_t mono_ms;                 /* clock_mono_ms at the same moment, for timers of this process */
	const struct clock_guard *guard; /* NULL: every age limit may be applied */

	/* the turn's work so far */
	int64_t *commit_us; /* duration of the last commit that wrote something; the turn's owner keeps it */
	unsigned inserted;  /* webhooks that were inserted */
	bool changed;       /* something was written */
	bool more;          /* more work is ready: run another turn at once */
};

/* True where error r concerns the whole store, so the turn must be rolled back. Other errors concern one item. */
bool store_error_ends_turn(int r);

/* Results of webhooks without a decision: labels of deskbridge_webhook_results_total, in addition to decide.h's. */
#define WEBHOOK_RESULT_DEAD "dead"
#define WEBHOOK_RESULT_IGNORED "ignored"
#define WEBHOOK_RESULT_SETTLED "settled"

/* Begins a savepoint for one item's work, in the store and in pending. Not nested. */
int turn_context_savepoint(struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* Ends it. r is the result of the item's work. If r < 0 or the savepoint cannot be kept, undoes it and returns the
 * error. Otherwise keeps it and returns r. */
int turn_context_savepoint_end(struct turn_context *tc, int r, struct err *reterr) MUSTCHECK;

/* Ends a webhook as a dead letter: writes it to the store (reason, without known secrets), counts it (source; NULL:
 * unknown) and logs `line`. */
int turn_context_webhook_dead(struct turn_context *tc, const char *source, int64_t id, const char *reason, int level,
			      const char *line, struct err *reterr) MUSTCHECK;

/* Returns the wait before age limit limit_ms may be applied, because the clock may have jumped; 0: apply it now. */
int64_t turn_context_age_wait_ms(const struct turn_context *tc, int64_t limit_ms);
/* True where an item received at received_ms is older than limit_ms (CLOCK_NEVER_MS: never) and may be ended for its
 * age. */
bool turn_context_is_too_old(const struct turn_context *tc, int64_t received_ms, int64_t limit_ms);
/* Returns the time (clock_mono_ms, or CLOCK_NEVER_MS) at which the wall clock will show due_ms, unless it jumps. */
int64_t turn_context_mono_at_ms(const struct turn_context *tc, int64_t due_ms);

#endif
