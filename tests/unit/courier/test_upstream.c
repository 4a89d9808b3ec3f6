/* SPDX-License-Identifier: MIT */
/* An upstream under virtual time: the requests that it allows, and the effects of answers. */
#include <config.h>

#include "courier/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define START_MS INT64_C(1790000000000)

static const struct upstream_kind source = {
	.window = 4, .window_parked = 1, .pause_closes = true, .renewed = UPSTREAM_READY};
static const struct upstream_kind account = {.window = 48, .renewed = UPSTREAM_PROBING};

/* The stamp of a request that is sent now and comes back at once. */
static struct upstream_stamp stamp(struct upstream *u)
{
	struct upstream_stamp asked = upstream_sent(u);

	upstream_returned(u);
	return asked;
}

/* One customer's answer to a request of now. */
static void says(struct upstream *u, enum upstream_answer word, uint64_t customer, int64_t now_ms)
{
	upstream_answered(u, stamp(u), word, customer, -1, now_ms);
}

static void probes_double_from_one_minute_to_fifteen(void **state)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 15, 15};
	static const enum upstream_answer words[] = {UPSTREAM_ANSWER_REFUSED, UPSTREAM_ANSWER_ODD};
	int64_t now_ms = START_MS;
	struct upstream u;

	(void)state;
	upstream_init(&u, &source);
	says(&u, UPSTREAM_ANSWER_REFUSED, 1, now_ms);
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		int64_t probe_ms = now_ms + minutes[i] * CLOCK_MINUTE_MS;

		assert_int_equal(upstream_window(&u, probe_ms - 1), 1);
		assert_true(upstream_is_for_new(&u));
		assert_int_equal(upstream_tick(&u, now_ms), probe_ms);
		/* Answers about new customers do not move the probe. */
		says(&u, words[i % 2], 100 + i, now_ms);
		assert_int_equal(upstream_tick(&u, now_ms), probe_ms);
		assert_true(upstream_tick(&u, probe_ms) == CLOCK_NEVER_MS);
		assert_int_equal(upstream_window(&u, probe_ms), 1);
		assert_false(upstream_is_for_new(&u));
		now_ms = probe_ms;
		says(&u, UPSTREAM_ANSWER_TROUBLE, 2, now_ms); /* says nothing */
		assert_false(upstream_is_for_new(&u));
		says(&u, words[i % 2], 1, now_ms);
	}
	upstream_renew(&u);
	assert_int_equal(upstream_window(&u, now_ms), 4);
	says(&u, UPSTREAM_ANSWER_USEFUL, 1, now_ms);
	assert_int_equal(upstream_window(&u, now_ms), 4);
}

static void a_burst_parks_once_and_an_answer_of_use_ends_it(void **state)
{
	struct upstream u;
	struct upstream_stamp asked;

	(void)state;
	upstream_init(&u, &source);
	asked = stamp(&u);
	for (uint64_t i = 0; i < 4; i++)
		upstream_answered(&u, asked, UPSTREAM_ANSWER_REFUSED, i, -1, START_MS + (int64_t)i);
	assert_int_equal(upstream_tick(&u, START_MS + 10), START_MS + CLOCK_MINUTE_MS);
	/* One customer's refusal, while another's request was in flight: the credentials are not the fault. */
	upstream_answered(&u, asked, UPSTREAM_ANSWER_USEFUL, 9, -1, START_MS + 10);
	assert_int_equal(upstream_window(&u, START_MS + 10), 4);
	/* An answer to a request from before a renewal says nothing about the present configuration. */
	upstream_renew(&u);
	upstream_answered(&u, asked, UPSTREAM_ANSWER_REFUSED, 9, -1, START_MS + 20);
	assert_int_equal(upstream_window(&u, START_MS + 20), 4);
}

static void three_customers_in_a_row_with_odd_answers_park(void **state)
{
	struct upstream u;

	(void)state;
	upstream_init(&u, &source);
	for (int i = 0; i < 20; i++)
		says(&u, UPSTREAM_ANSWER_ODD, 1, START_MS); /* one customer's trouble, however often */
	says(&u, UPSTREAM_ANSWER_ODD, 2, START_MS);
	assert_int_equal(upstream_window(&u, START_MS), 4);
	says(&u, UPSTREAM_ANSWER_USEFUL, 3, START_MS); /* starts again */
	says(&u, UPSTREAM_ANSWER_ODD, 1, START_MS);
	says(&u, UPSTREAM_ANSWER_ODD, 2, START_MS);
	says(&u, UPSTREAM_ANSWER_TROUBLE, 3, START_MS); /* neither */
	assert_int_equal(upstream_window(&u, START_MS), 4);
	says(&u, UPSTREAM_ANSWER_ODD, 3, START_MS);
	assert_int_equal(upstream_window(&u, START_MS), 1);
	assert_true(upstream_is_for_new(&u));
	says(&u, UPSTREAM_ANSWER_USEFUL, 4, START_MS); /* a webhook without a previous request */
	assert_int_equal(upstream_window(&u, START_MS), 4);
}

static void untold_pauses_grow_and_told_ones_have_a_floor(void **state)
{
	static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	int64_t now_ms = START_MS;
	struct upstream u;

	(void)state;
	upstream_init(&u, &source);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		upstream_answered(&u, stamp(&u), UPSTREAM_ANSWER_THROTTLED, 1, i % 2 ? 0 : -1, now_ms);
		upstream_answered(&u, stamp(&u), UPSTREAM_ANSWER_THROTTLED, 1, -1, now_ms + 1);
		assert_int_equal(upstream_window(&u, now_ms + waits[i] - 1), 0);
		assert_int_equal(upstream_window(&u, now_ms + waits[i]), 4);
		now_ms += waits[i];
	}
	says(&u, UPSTREAM_ANSWER_USEFUL, 1, now_ms);
	upstream_answered(&u, stamp(&u), UPSTREAM_ANSWER_THROTTLED, 1, 1, now_ms);
	assert_int_equal(upstream_tick(&u, now_ms), now_ms + 1000);
}

static void no_pause_is_longer_than_an_hour(void **state)
{
	struct upstream u;

	(void)state;
	upstream_init(&u, &source);
	upstream_answered(&u, stamp(&u), UPSTREAM_ANSWER_THROTTLED, 1, INT64_C(99999999999000), START_MS);
	assert_int_equal(upstream_window(&u, START_MS + CLOCK_HOUR_MS - 1), 0);
	assert_int_equal(upstream_tick(&u, START_MS), START_MS + CLOCK_HOUR_MS);
	assert_int_equal(upstream_window(&u, START_MS + CLOCK_HOUR_MS), 4);
}

static void kinds_differ_in_windows_and_renewals(void **state)
{
	static const struct {
		const struct upstream_kind *kind;
		unsigned ready, parked, probing, paused;
		bool for_new;
		enum upstream_state renewed;
	} rows[] = {
		{&source, 4, 1, 1, 0, true, UPSTREAM_READY},
		{&account, 48, 0, 1, 48, false, UPSTREAM_PROBING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct upstream u;

		upstream_init(&u, rows[i].kind);
		assert_int_equal(upstream_window(&u, START_MS), rows[i].ready);
		assert_false(upstream_is_for_new(&u));
		u.paused_until_ms = START_MS + 1;
		assert_int_equal(upstream_window(&u, START_MS), rows[i].paused);
		assert_int_equal(upstream_tick(&u, START_MS), START_MS + 1);
		upstream_renew(&u);
		assert_int_equal(u.state, UPSTREAM_READY);
		assert_int_equal(u.paused_until_ms, 0);
		upstream_park(&u, START_MS);
		assert_int_equal(upstream_window(&u, START_MS), rows[i].parked);
		assert_int_equal(upstream_is_for_new(&u), rows[i].for_new);
		upstream_renew(&u);
		assert_int_equal(u.state, rows[i].renewed);
		upstream_park(&u, START_MS);
		assert_int_equal(u.probe_at_ms, START_MS + CLOCK_MINUTE_MS); /* from the start again */
		(void)upstream_tick(&u, u.probe_at_ms);
		assert_int_equal(upstream_window(&u, START_MS), rows[i].probing);
		assert_false(upstream_is_for_new(&u));
		upstream_renew(&u);
		assert_int_equal(u.state, rows[i].renewed);
		assert_int_equal(upstream_open(&u), rows[i].renewed != UPSTREAM_READY);
		assert_false(upstream_open(&u));
	}
}

static void a_stamp_tells_parks_renewals_and_other_changes_apart(void **state)
{
	struct upstream_stamp first, now;
	struct upstream u;

	(void)state;
	upstream_init(&u, &account);
	first = upstream_sent(&u);
	assert_int_equal(u.in_flight, 1);
	upstream_park(&u, START_MS);
	now = stamp(&u);
	assert_int_equal(now.epoch, first.epoch);
	assert_int_equal(now.parks, first.parks + 1);
	assert_int_equal(now.period, first.period + 1);
	(void)upstream_tick(&u, u.probe_at_ms);
	now = stamp(&u);
	assert_int_equal(now.epoch, first.epoch);
	assert_int_equal(now.parks, first.parks + 1);
	assert_int_equal(now.period, first.period + 2);
	upstream_renew(&u);
	now = stamp(&u);
	assert_int_equal(now.epoch, first.epoch + 1);
	assert_int_equal(now.parks, first.parks + 1);
	assert_int_equal(now.period, first.period + 3);
	upstream_returned(&u);
	assert_int_equal(u.in_flight, 0);
}

static void odd_ones_are_known_until_the_state_changes(void **state)
{
	struct upstream u;

	(void)state;
	upstream_init(&u, &account);
	assert_false(upstream_odd(&u, 1));
	assert_true(upstream_odd(&u, 1));
	assert_false(upstream_odd(&u, 2));
	assert_int_equal(u.odd_n, 2);
	assert_false(upstream_open(&u)); /* a useful answer forgets them, too */
	assert_int_equal(u.odd_n, 0);
	assert_false(upstream_odd(&u, 1));
	upstream_park(&u, START_MS);
	assert_int_equal(u.odd_n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_double_from_one_minute_to_fifteen),
		cmocka_unit_test(a_burst_parks_once_and_an_answer_of_use_ends_it),
		cmocka_unit_test(three_customers_in_a_row_with_odd_answers_park),
		cmocka_unit_test(untold_pauses_grow_and_told_ones_have_a_floor),
		cmocka_unit_test(no_pause_is_longer_than_an_hour),
		cmocka_unit_test(kinds_differ_in_windows_and_renewals),
		cmocka_unit_test(a_stamp_tells_parks_renewals_and_other_changes_apart),
		cmocka_unit_test(odd_ones_are_known_until_the_state_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
