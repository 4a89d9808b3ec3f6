/* SPDX-License-Identifier: MIT */
/*
 * clock_guard: notices that the wall clock jumped, and says what may be judged by it.
 *
 * The wall clock is wrong before somebody sets it, and after a machine was paused or restored. A step that cannot be
 * taken back (an expiry, a deletion, a death of age) therefore waits after the start and after each jump: an hour, a
 * day after a jump of more than a day, or as long as the age limit itself where that is shorter.
 *
 * Pure but for clock_both_ms; wall_ms is clock_now_ms(), mono_ms is clock_mono_ms(), read together.
 */
#ifndef BASE_CLOCK_GUARD_H
#define BASE_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define CLOCK_GUARD_JUMP_MS CLOCK_MINUTE_MS        /* a change of more than this is a jump */
#define CLOCK_GUARD_WIDE_MS CLOCK_DAY_MS           /* a jump of more than this is a wide one */
#define CLOCK_GUARD_WAIT_MS CLOCK_HOUR_MS          /* after the start and after a jump */
#define CLOCK_GUARD_WIDE_WAIT_MS CLOCK_DAY_MS      /* after a wide one */
#define CLOCK_UNSET_BEHIND_MS CLOCK_DAY_MS         /* so far behind the newest stamp a clock may be at start */
#define CLOCK_UNSET_WAIT_MS (10 * CLOCK_MINUTE_MS) /* so long the start waits for a clock that is not set */

struct clock_guard {
	int64_t offset_ms;      /* wall minus monotonic time at the last look */
	int64_t jumped_ms;      /* monotonic time of the start or the last jump */
	int64_t jumped_wide_ms; /* monotonic time of the last wide jump; meaningful where has_wide */
	bool has_wide;
};

/* The two clocks at one moment. */
void clock_both_ms(int64_t *ret_wall_ms, int64_t *ret_mono_ms);

/* The start, or the first moment at which the clock is set. */
void clock_guard_init(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms);
/* Returns by how much the wall clock jumped since the last look (negative: back), or 0: a minute or less is no jump. */
int64_t clock_guard_look(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms);
/* How long it takes until an age limit of limit_ms may be applied; 0: it may be now. */
int64_t clock_guard_wait_ms(const struct clock_guard *g, int64_t limit_ms, int64_t mono_ms);
/* The longest age limit that may be applied now; CLOCK_NEVER_MS: all. */
int64_t clock_guard_longest_ms(const struct clock_guard *g, int64_t mono_ms);

/* Whether at start the clock counts as not set yet: before released_ms, or more than a day behind newest_ms, the newest
 * time in the store (0: there is none). */
bool clock_is_unset(int64_t wall_ms, int64_t released_ms, int64_t newest_ms);

#endif
