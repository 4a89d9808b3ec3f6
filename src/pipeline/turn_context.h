/* SPDX-License-Identifier: MIT */
/*
 * turn_context: what one turn works with, lent to the pieces that do it. Nothing in it outlives the turn but by its
 * owner.
 *
 * Everything that a piece does to the store may still be rolled back; so what cannot be taken back (metrics, lines of
 * the log, questions to helpdesks, hand-overs) is noted in pending, lookups and dispatch and happens after the commit.
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
	const struct config *config; /* its */
	struct lookup_table *lookups;
	struct parsed_cache *cache;
	struct dispatch *dispatch;
	struct pending_metrics *pending;
	int64_t now_ms;                  /* the wall clock: what is stored and compared with what is stored */
	int64_t mono_ms;                 /* clock_mono_ms at the same moment: timers of this process */
	const struct clock_guard *guard; /* NULL: every age limit may be applied */

	/* what the turn did so far */
	int64_t *commit_us; /* how long the last commit took that wrote something; its owner outlives the turn */
	unsigned inserted;  /* webhooks that came in */
	bool changed;       /* it wrote something */
	bool more;          /* it left something that is to be done at once */
};

/* True where r means that the store itself fails, so that the turn must be rolled back; anything else is the matter of
 * the one item that was worked on. */
bool store_error_ends_turn(int r);

/* Ends of webhooks that came to no decision: labels of deskbridge_webhook_results_total, beside decide's. */
#define WEBHOOK_RESULT_DEAD "dead"
#define WEBHOOK_RESULT_IGNORED "ignored"
#define WEBHOOK_RESULT_SETTLED "settled"

/* A part of the turn's work, in the store and in the pending: all of it or none. Not nested. */
int turn_context_savepoint(struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* Ends it; that part returned r. r < 0, or a savepoint that cannot be kept: all of it is undone, and that is
 * returned. Else r: it is kept. */
int turn_context_savepoint_end(struct turn_context *tc, int r, struct err *reterr) MUSTCHECK;

/* Ends a webhook as a dead letter: in the store (reason, without known secrets), the metrics (source; NULL: not known)
 * and the log, by that line. */
int turn_context_webhook_dead(struct turn_context *tc, const char *source, int64_t id, const char *reason, int level,
			      const char *line, struct err *reterr) MUSTCHECK;

/* Returns how long nothing may die, expire or go because it is older than limit_ms: the clock may have jumped a short
 * while ago. 0: it may now. */
int64_t turn_context_age_wait_ms(const struct turn_context *tc, int64_t limit_ms);
/* True: what was received at received_ms is older than limit_ms (CLOCK_NEVER_MS: never), and may end for that. */
bool turn_context_is_too_old(const struct turn_context *tc, int64_t received_ms, int64_t limit_ms);
/* The time (clock_mono_ms, or CLOCK_NEVER_MS) at which the wall clock will say due_ms, unless it jumps. */
int64_t turn_context_mono_at_ms(const struct turn_context *tc, int64_t due_ms);

#endif
