/* SPDX-License-Identifier: MIT */
/*
 * clock_guard: notices jumps of the wall clock, and says which age limits may be applied.
 *
 * The wall clock may be wrong until it is set, and after the machine was suspended or restored. So an irreversible step
 * that depends on an age (an expiry, a deletion, a dead letter because of age) waits after the start and after each
 * jump:
 * - one hour; after a jump of more than a day one day;
 * - but no longer than the age limit itself.
 *
 * All functions but clock_both_ms() are pure. wall_ms is clock_now_ms() and mono_ms is clock_mono_ms(), read together.
 */
#ifndef BASE_CLOCK_GUARD_H
#define BASE_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define CLOCK_GUARD_JUMP_MS CLOCK_MINUTE_MS   /* a larger change of the offset is a jump */
#define CLOCK_GUARD_WIDE_MS CLOCK_DAY_MS      /* a larger jump is a wide jump */
#define CLOCK_GUARD_WAIT_MS CLOCK_HOUR_MS     /* the wait after the start and after a jump */
#define CLOCK_GUARD_WIDE_WAIT_MS CLOCK_DAY_MS /* the wait after a wide jump */
#define CLOCK_UNSET_BEHIND_MS CLOCK_DAY_MS    /* at start: the clock may be this far behind the store's newest time */
#define CLOCK_UNSET_WAIT_MS (10 * CLOCK_MINUTE_MS) /* the longest wait at start for the clock to be set */

struct clock_guard {
	int64_t offset_ms;      /* wall minus monotonic time at the last look */
	int64_t jumped_ms;      /* monotonic time of the start or the last jump */
	int64_t jumped_wide_ms; /* monotonic time of the last wide jump; valid where has_wide */
	bool has_wide;
};

/* Reads both clocks at the same moment. */
void clock_both_ms(int64_t *ret_wall_ms, int64_t *ret_mono_ms);

/* Call at the start, or when the clock has just been set. */
void clock_guard_init(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms);
/* Returns the size of the wall clock's jump since the last call (negative: backwards). 0: no jump, that is a minute or
 * less. */
int64_t clock_guard_look(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms);
/* Returns the time until an age limit of limit_ms may be applied; 0: it may be applied now. */
int64_t clock_guard_wait_ms(const struct clock_guard *g, int64_t limit_ms, int64_t mono_ms);
/* Returns the longest age limit that may be applied now; CLOCK_NEVER_MS: all of them. */
int64_t clock_guard_longest_ms(const struct clock_guard *g, int64_t mono_ms);

/* True where the clock counts as not set at start: it is before released_ms, or more than a day behind newest_ms, the
 * newest time in the store (0: the store has none). */
bool clock_is_unset(int64_t wall_ms, int64_t released_ms, int64_t newest_ms);

#endif
