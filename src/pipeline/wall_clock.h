/* SPDX-License-Identifier: MIT */
/*
 * wall_clock: whether the system's clock, the wall clock, may be believed.
 *
 * A machine without a battery starts with a clock that is years behind. While it is not set nothing is done at all: no
 * webhook is taken, and nothing pending is worked on or sent, because every time that would be stored or judged would
 * be wrong. Ten minutes are waited at most, since a clock that is wrong for good is better than no bridge. Later the
 * clock may jump: the guard says what must not happen for a while. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_WALL_CLOCK_H
#define PIPELINE_WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock_guard.h"
#include "pipeline/health.h"
#include "pipeline/turn_context.h"

/* The finding of the last look. */
enum wall_clock_change {
	WALL_CLOCK_SAME,
	WALL_CLOCK_SET,        /* the clock counts from here on: at start, or once it is set, which is no jump */
	WALL_CLOCK_SET_BEHIND, /* the same, and it is behind times that the store noted by it */
	WALL_CLOCK_AHEAD,      /* it jumped */
	WALL_CLOCK_BACK,
};

struct wall_clock {
	struct store *store; /* lent, as health */
	struct health *health;
	struct clock_guard guard;
	bool unset;             /* it is not set yet */
	int64_t unset_until_ms; /* and is waited for no longer than this (clock_mono_ms) */
	int64_t least_ms;       /* a clock that says less is not set */
};

/* Once, after the store was opened: looks whether the clock is set at all. */
enum wall_clock_change wall_clock_start(struct wall_clock *wall, struct store *s, struct health *h);
/* At the start of each turn. False: the clock is not set yet, so nothing may be done. Tells log and health, and the
 * store for how long it must not judge ages. */
bool wall_clock_check(struct wall_clock *wall, const struct turn_context *tc, enum wall_clock_change *ret);
/* The time (clock_mono_ms) at which to look again while the clock is not set. */
int64_t wall_clock_next_ms(const struct wall_clock *wall, const struct turn_context *tc);

#endif
