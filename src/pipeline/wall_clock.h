/* SPDX-License-Identifier: MIT */
/*
 * wall_clock: decides if the system's clock, the wall clock, can be trusted.
 *
 * A machine without a battery starts with a clock that is years behind. Until the clock is set the pipeline takes,
 * processes and sends nothing, because every stored time would be wrong. It waits ten minutes at most: working with a
 * wrong clock is better than not working. After a clock jump the guard (base/clock_guard.h) delays all that ends things
 * for their age: expiry, deletion, giving up. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_WALL_CLOCK_H
#define PIPELINE_WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock_guard.h"
#include "pipeline/health.h"
#include "pipeline/turn_context.h"

/* The result of a check. */
enum wall_clock_change {
	WALL_CLOCK_SAME,
	WALL_CLOCK_SET,        /* trusted from now on (at start, or once it is set); not a jump */
	WALL_CLOCK_SET_BEHIND, /* trusted from now on, but behind times in the store */
	WALL_CLOCK_AHEAD,      /* it jumped ahead */
	WALL_CLOCK_BACK,       /* it jumped back */
};

struct wall_clock {
	struct store *store; /* borrowed, like health */
	struct health *health;
	struct clock_guard guard;
	bool unset;             /* the clock is not set yet */
	int64_t unset_until_ms; /* the end of the wait (clock_mono_ms) */
	int64_t least_ms;       /* a clock below this is not set */
};

/* Checks the clock. Call once, after the store is opened. */
enum wall_clock_change wall_clock_start(struct wall_clock *wall, struct store *s, struct health *h);
/* Call at the start of each turn. Returns false while the clock is not set: do nothing. Logs, reports to health, and
 * limits the ages that the store applies. */
bool wall_clock_check(struct wall_clock *wall, const struct turn_context *tc, enum wall_clock_change *ret);
/* Returns the time (clock_mono_ms) of the next check while the clock is not set. */
int64_t wall_clock_next_ms(const struct wall_clock *wall, const struct turn_context *tc);

#endif
