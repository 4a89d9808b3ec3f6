/* SPDX-License-Identifier: MIT */
/*
 * clock: the time, and how it is written.
 *
 * All times are whole milliseconds since 1970 UTC in an int64_t named *_ms; durations are int64_t *_ms too.
 *
 * There are two clocks, and their times are never compared with each other:
 * - clock_now_ms(), the wall clock as it is at this moment. It may jump either way. For whatever is stored, shown, or
 *   compared with a time from outside: receipts, ages, due times in the store, signatures.
 * - clock_mono_ms(), the monotonic clock of this machine. It never goes back, and it stands while the machine sleeps.
 * For whatever only has to last so long within this process: waits, pace, pauses, probes, time-outs. clock_guard.h
 * compares the two to notice jumps. Pure modules take times as parameters and never call a clock.
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
int64_t clock_mono_us(void); /* the same clock, for measuring how long something took */

/* "2026-11-21T16:00:00Z" (whole seconds, rounded down). Pure. */
#define CLOCK_ISO_MAX 32
void clock_iso(int64_t ms, char out[CLOCK_ISO_MAX]);

/*
 * Reads a time in any form a helpdesk uses: ISO 8601 with 0–9 digits of fraction, offset Z, ±hh:mm
 * or ±hhmm, a blank before the offset, a blank for the T; or epoch seconds (also with a fraction) or milliseconds, as
 * text. A number of 1e11 or more is milliseconds. Returns 0 and *ret_ms, or -EINVAL. Pure, locale-independent. Whether
 * the time is possible at all is the caller's question.
 */
int clock_parse(const char *text, size_t len, int64_t *ret_ms) __attribute__((warn_unused_result));

/* "3 s", "12 min", "4 h", "9 d": for people. */
void clock_age(int64_t duration_ms, char out[CLOCK_ISO_MAX]);

#endif
