/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock_guard.h"

#define WALL INT64_C(1795276800000)
#define MONO INT64_C(50000)
#define SECOND CLOCK_SECOND_MS
#define MINUTE CLOCK_MINUTE_MS
#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS

static void a_clock_that_goes_on_does_not_jump(void **state)
{
	struct clock_guard g;

	(void)state;
	clock_guard_init(&g, WALL, MONO);
	for (int64_t at = 0; at < 40 * DAY; at += 7 * HOUR)
		assert_int_equal(clock_guard_look(&g, WALL + at, MONO + at), 0);
}

static void more_than_a_minute_is_a_jump_told_once(void **state)
{
	static const struct {
		int64_t step_ms, told_ms;
	} rows[] = {
		{1, 0},
		{-1, 0},
		{MINUTE, 0},
		{-MINUTE, 0},
		{MINUTE + 1, MINUTE + 1},
		{-MINUTE - 1, -MINUTE - 1},
		{3 * HOUR, 3 * HOUR},
		{-HOUR, -HOUR},
		{-WALL, -WALL}, /* to 1970 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct clock_guard g;

		clock_guard_init(&g, WALL, MONO);
		assert_int_equal(clock_guard_look(&g, WALL + rows[i].step_ms + 5000, MONO + 5000), rows[i].told_ms);
		assert_int_equal(clock_guard_look(&g, WALL + rows[i].step_ms + 6000, MONO + 6000), 0);
	}
}

/* A clock that is slewed, or set many times by a little, has not jumped. */
static void many_small_steps_are_no_jump(void **state)
{
	struct clock_guard g;

	(void)state;
	clock_guard_init(&g, WALL, MONO);
	for (int64_t i = 1; i <= 600; i++)
		assert_int_equal(clock_guard_look(&g, WALL + i * 2 * SECOND, MONO + i * SECOND), 0);
	assert_int_equal(clock_guard_longest_ms(&g, MONO + HOUR), CLOCK_NEVER_MS);
}

static void ages_wait_after_the_start_and_after_a_jump(void **state)
{
	/* Each row: an age limit, the time since a jump of step_ms (0: since the start), and the wait until the limit
	 * may be applied. */
	static const struct {
		int64_t step_ms, limit_ms, after_ms, wait_ms;
	} rows[] = {
		{0, 30 * DAY, 0, HOUR},
		{0, 30 * DAY, HOUR - 1, 1},
		{0, 30 * DAY, HOUR, 0},
		{0, CLOCK_NEVER_MS, 0, HOUR},
		{0, 2 * SECOND, 0, 2 * SECOND},
		{0, 2 * SECOND, 2 * SECOND, 0},
		{0, 0, 0, 0},
		{3 * HOUR, 30 * DAY, 0, HOUR},
		{3 * HOUR, 30 * DAY, HOUR, 0},
		{-3 * HOUR, 30 * DAY, 59 * MINUTE, MINUTE},
		{-3 * HOUR, 10 * MINUTE, 4 * MINUTE, 6 * MINUTE},
		{DAY, 30 * DAY, HOUR, 0},
		{DAY + 1, 30 * DAY, HOUR, 23 * HOUR},
		{-5 * DAY, 30 * DAY, DAY - 1, 1},
		{-5 * DAY, 30 * DAY, DAY, 0},
		{5 * DAY, 2 * HOUR, HOUR, HOUR},
		{5 * DAY, 2 * HOUR, 2 * HOUR, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t at = rows[i].step_ms != 0 ? 40 * DAY : 0; /* long after the start */
		struct clock_guard g;

		clock_guard_init(&g, WALL, MONO);
		assert_int_equal(clock_guard_look(&g, WALL + at + rows[i].step_ms, MONO + at), rows[i].step_ms);
		at += rows[i].after_ms;
		assert_int_equal(clock_guard_wait_ms(&g, rows[i].limit_ms, MONO + at), rows[i].wait_ms);
		assert_int_equal(rows[i].limit_ms <= clock_guard_longest_ms(&g, MONO + at), rows[i].wait_ms == 0);
	}
}

static void a_small_jump_does_not_cut_the_wait_after_a_wide_one(void **state)
{
	struct clock_guard g;

	(void)state;
	clock_guard_init(&g, WALL, MONO);
	assert_int_equal(clock_guard_look(&g, WALL + 3 * DAY, MONO), 3 * DAY);
	assert_int_equal(clock_guard_look(&g, WALL + 3 * DAY + 2 * HOUR, MONO + HOUR), HOUR);
	assert_int_equal(clock_guard_wait_ms(&g, 30 * DAY, MONO + HOUR), 23 * HOUR);
	/* The reverse direction. */
	assert_int_equal(clock_guard_look(&g, WALL + 4 * DAY + 2 * HOUR, MONO + 24 * HOUR), HOUR);
	assert_int_equal(clock_guard_wait_ms(&g, 30 * DAY, MONO + 24 * HOUR), HOUR);
}

static void a_clock_before_the_release_or_far_behind_the_store_is_not_set(void **state)
{
	static const struct {
		int64_t wall_ms, newest_ms;
		bool unset;
	} rows[] = {
		{12000, 0, true},
		{WALL - 1, 0, true},
		{WALL, 0, false},
		{WALL + DAY, WALL, false},
		{WALL + DAY, WALL + 2 * DAY, false}, /* a day behind */
		{WALL + DAY - 1, WALL + 2 * DAY, true},
		{WALL + DAY, WALL + 90 * DAY, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(clock_is_unset(rows[i].wall_ms, WALL, rows[i].newest_ms), rows[i].unset);
}

static void both_clocks_are_read_at_one_moment(void **state)
{
	int64_t wall_ms, mono_ms, later_ms;

	(void)state;
	clock_both_ms(&wall_ms, &mono_ms);
	later_ms = clock_mono_ms();
	assert_in_range(later_ms - mono_ms, 0, 5000);
	assert_in_range(clock_now_ms() - wall_ms + 5000, 0, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_goes_on_does_not_jump),
		cmocka_unit_test(more_than_a_minute_is_a_jump_told_once),
		cmocka_unit_test(many_small_steps_are_no_jump),
		cmocka_unit_test(ages_wait_after_the_start_and_after_a_jump),
		cmocka_unit_test(a_small_jump_does_not_cut_the_wait_after_a_wide_one),
		cmocka_unit_test(a_clock_before_the_release_or_far_behind_the_store_is_not_set),
		cmocka_unit_test(both_clocks_are_read_at_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
