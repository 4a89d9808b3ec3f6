/* SPDX-License-Identifier: MIT */
/*
 * clock: reads the clocks, and reads and writes times as text.
 *
 * All times are whole milliseconds since 1970 UTC in an int64_t named *_ms; durations are int64_t *_ms too.
 *
 * There are two clocks. A time of one is never compared with a time of the other.
 * - clock_now_ms() is the wall clock. It may jump either way. Use it for what is stored, shown, or compared with a time
 *   from outside: receipts, ages, due times in the store, signatures.
 * - clock_mono_ms() is the machine's monotonic clock. It never goes back, and it stops while the machine sleeps. Use it
 *   for durations within this process: waits, pace, pauses, probes, timeouts.
 *
 * clock_guard.h compares the two to notice jumps. Pure modules take times as parameters and never call a clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND_MS INT64_C(1000)
#define CLOCK_MINUTE_MS (60 * CLOCK_SECOND_MS)
#define CLOCK_HOUR_MS (60 * CLOCK_MINUTE_MS)
#define CLOCK_DAY_MS (24 * CLOCK_HOUR_MS)
#define CLOCK_NEVER_MS INT64_MAX

/* Any thread. */
int64_t clock_now_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the monotonic clock in microseconds, to measure durations */

/* Writes "2026-11-21T16:00:00Z" (whole seconds, rounded down). Pure. */
#define CLOCK_ISO_MAX 32
void clock_iso(int64_t ms, char out[CLOCK_ISO_MAX]);

/*
 * Reads a time in every form that helpdesks use:
 * - ISO 8601: up to 9 digits of fraction; the offset is Z, UTC, ±hh, ±hh:mm or ±hhmm, and none means UTC; a blank may
 *   stand before the offset and in place of the T;
 * - epoch seconds (also with a fraction) or milliseconds, as text. A number of 1e11 or more is milliseconds.
 *
 * Returns 0 and *ret_ms, or -EINVAL. Does not check that the time is plausible. Pure, independent of the locale.
 */
int clock_parse(const char *text, size_t len, int64_t *ret_ms) __attribute__((warn_unused_result));

/* Writes a duration for people: "3 s", "12 min", "4 h", "9 d". */
void clock_age(int64_t duration_ms, char out[CLOCK_ISO_MAX]);

#endif
