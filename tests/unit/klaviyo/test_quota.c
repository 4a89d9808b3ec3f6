/* SPDX-License-Identifier: MIT */
/* Tests quota: never more than our share in any window, lowered by what Klaviyo announces; under virtual time. */
#include <config.h>

#include "klaviyo/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define START_MS INT64_C(1790000000123)
#define SENT_MAX 20000

/* Makes a quota that only its windows limit. */
static void open_quota(struct quota *q, int64_t per_second, int64_t per_minute, double share)
{
	quota_init(q, &(struct quota_limits){per_second, per_minute, share}, START_MS);
	quota_success(q);
}

/* A small random generator that gives the same numbers on every machine. */
static unsigned random_below(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static void assert_never_above(const int64_t *sent, size_t n, int64_t length_ms, int64_t limit)
{
	/* The window (t − length, t] that ends with a request holds the largest number. */
	for (size_t last = 0, first = 0; last < n; last++) {
		while (sent[first] <= sent[last] - length_ms)
			first++;
		assert_true((int64_t)(last - first + 1) <= limit);
	}
}

/* Sends as often as the quota allows for `duration_ms`, with occasional pauses of its own. */
static size_t greedy(struct quota *q, int64_t *sent, int64_t duration_ms, unsigned seed)
{
	int64_t now_ms = START_MS;
	size_t n = 0;
	int64_t next_ms;

	while (now_ms < START_MS + duration_ms && n < SENT_MAX) {
		next_ms = quota_next_ms(q, 0, now_ms);
		if (next_ms > now_ms) {
			now_ms = next_ms;
			assert_int_equal(quota_next_ms(q, 0, now_ms), now_ms);
			continue;
		}
		quota_consume(q, now_ms);
		sent[n++] = now_ms;
		now_ms += random_below(&seed, 50) == 0 ? random_below(&seed, 400) : random_below(&seed, 3);
	}
	return n;
}

static int64_t sent[SENT_MAX];

static void no_sliding_window_ever_holds_more_than_the_share(void **state)
{
	static const struct {
		int64_t second, minute;
		double share;
		int64_t our_second, our_minute;
	} rows[] = {
		{350, 3500, 0.8, 280, 2800}, {10, 150, 0.8, 8, 120}, {10, 150, 0.7, 7, 105},
		{1, 15, 1.0, 1, 15},         {3, 1000, 0.1, 1, 100}, {1, 1, 0.01, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct quota q;
		size_t n;

		open_quota(&q, rows[i].second, rows[i].minute, rows[i].share);
		n = greedy(&q, sent, 5 * CLOCK_MINUTE_MS, (unsigned)i + 1);
		assert_never_above(sent, n, CLOCK_SECOND_MS, rows[i].our_second);
		assert_never_above(sent, n, CLOCK_MINUTE_MS, rows[i].our_minute);
		/* the limit is used: at least nine tenths of it */
		if (rows[i].our_minute <= rows[i].our_second * 60)
			assert_true((int64_t)n * 10 >= rows[i].our_minute * 5 * 9);
	}
}

static void a_long_silence_forgets_everything(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 2, 2, 1);
	quota_consume(&q, START_MS);
	quota_consume(&q, START_MS);
	assert_true(quota_next_ms(&q, 0, START_MS) >= START_MS + CLOCK_MINUTE_MS);
	assert_true(quota_next_ms(&q, 0, START_MS) <= START_MS + CLOCK_MINUTE_MS + 1000);
	assert_int_equal(quota_next_ms(&q, 0, START_MS + CLOCK_DAY_MS), START_MS + CLOCK_DAY_MS);
}

static void lower_limits_count_what_went_out_before(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 100, 100, 1);
	for (int i = 0; i < 50; i++)
		quota_consume(&q, START_MS);
	quota_limits(&q, &(struct quota_limits){100, 50, 1});
	assert_true(quota_next_ms(&q, 0, START_MS) >= START_MS + CLOCK_MINUTE_MS);
	quota_limits(&q, &(struct quota_limits){100, 51, 1});
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS);
}

static void remaining_times_share_is_all_until_the_reset(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 0.5);
	quota_set_remaining(&q, 5, 30, START_MS);
	quota_consume(&q, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS);
	quota_consume(&q, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + 30000);
	assert_int_equal(quota_next_ms(&q, 0, START_MS + 30000), START_MS + 30000);
}

static void headers_only_lower_the_budget(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 1);
	quota_set_remaining(&q, 1, 30, START_MS);
	quota_set_remaining(&q, 3000, 30, START_MS + 10); /* a late answer */
	quota_set_remaining(&q, -1, -1, START_MS + 10);
	quota_consume(&q, START_MS + 10);
	assert_int_equal(quota_next_ms(&q, 0, START_MS + 10), START_MS + 30000);
	quota_set_remaining(&q, 3499, 60, START_MS + 31000); /* the next window */
	assert_int_equal(quota_next_ms(&q, 0, START_MS + 31000), START_MS + 31000);
	quota_set_remaining(&q, 0, 2, START_MS + 32000);
	assert_true(quota_next_ms(&q, 0, START_MS + 32000) >= START_MS + 34000);
}

static void an_absurd_reset_does_not_stop_us_for_years(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 1);
	quota_set_remaining(&q, 0, 1790000000, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + QUOTA_RESET_MAX_S * 1000);
}

static void a_429_pauses_for_retry_after_with_jitter(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 1);
	quota_throttled(&q, 8000, 0, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + 8000);
	quota_throttled(&q, 8000, 1, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + 10000);
	quota_throttled(&q, 2000, 0, START_MS); /* never shorter than an earlier announcement */
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + 10000);
}

static void no_pause_is_longer_than_an_hour_or_a_minute_where_nobody_said_so(void **state)
{
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 1);
	quota_throttled(&q, CLOCK_HOUR_MS, 1, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + CLOCK_HOUR_MS);
	open_quota(&q, 350, 3500, 1);
	quota_throttled(&q, 50 * CLOCK_MINUTE_MS, 1, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + CLOCK_HOUR_MS);
	open_quota(&q, 350, 3500, 1);
	q.pauses = 6;
	quota_throttled(&q, -1, 1, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + CLOCK_MINUTE_MS);
}

static void a_429_of_no_seconds_pauses_at_least_one(void **state)
{
	static const int64_t announced_ms[] = {-1, 0, 1, 999};

	(void)state;
	for (size_t i = 0; i < sizeof(announced_ms) / sizeof(announced_ms[0]); i++) {
		struct quota q;

		open_quota(&q, 350, 3500, 1);
		quota_throttled(&q, announced_ms[i], 0, START_MS);
		assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS + 1000);
	}
}

static void untold_pauses_grow_to_a_minute_until_a_success(void **state)
{
	static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	int64_t now_ms = START_MS;
	struct quota q;

	(void)state;
	open_quota(&q, 350, 3500, 1);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		quota_throttled(&q, -1, 0, now_ms);
		quota_throttled(&q, -1, 0, now_ms + 10); /* of the same burst */
		assert_int_equal(quota_next_ms(&q, 0, now_ms), now_ms + waits[i]);
		now_ms += waits[i];
	}
	quota_success(&q);
	quota_throttled(&q, 0, 0, now_ms);
	assert_int_equal(quota_next_ms(&q, 0, now_ms), now_ms + 1000);
}

static void alone_means_one_in_flight_until_a_success(void **state)
{
	struct quota q;

	(void)state;
	quota_init(&q, &(struct quota_limits){350, 3500, 0.8}, START_MS);
	assert_int_equal(quota_next_ms(&q, 0, START_MS), START_MS);
	assert_true(quota_next_ms(&q, 1, START_MS) == CLOCK_NEVER_MS);
	quota_success(&q);
	assert_int_equal(quota_next_ms(&q, 1, START_MS), START_MS);
	quota_set_probing(&q);
	assert_true(quota_next_ms(&q, 3, START_MS) == CLOCK_NEVER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_sliding_window_ever_holds_more_than_the_share),
		cmocka_unit_test(a_long_silence_forgets_everything),
		cmocka_unit_test(lower_limits_count_what_went_out_before),
		cmocka_unit_test(remaining_times_share_is_all_until_the_reset),
		cmocka_unit_test(headers_only_lower_the_budget),
		cmocka_unit_test(an_absurd_reset_does_not_stop_us_for_years),
		cmocka_unit_test(a_429_pauses_for_retry_after_with_jitter),
		cmocka_unit_test(no_pause_is_longer_than_an_hour_or_a_minute_where_nobody_said_so),
		cmocka_unit_test(a_429_of_no_seconds_pauses_at_least_one),
		cmocka_unit_test(untold_pauses_grow_to_a_minute_until_a_success),
		cmocka_unit_test(alone_means_one_in_flight_until_a_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
