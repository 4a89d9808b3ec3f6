/* SPDX-License-Identifier: MIT */
/* When an account's next request may be sent, and what an outcome changes, under virtual time. */
#include <config.h>

#include "courier/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define START_MS INT64_C(1790000000000)
static const struct quota_limits limits = {350, 3500, 0.8};

static const struct outcome_verdict delivered = {
	.outcome = OUTCOME_DELIVERED, .status = 202, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};
static const struct outcome_verdict parked = {
	.outcome = OUTCOME_PARK, .status = 401, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};
static const struct outcome_verdict retry = {
	.outcome = OUTCOME_RETRY, .status = 503, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};
static const struct outcome_verdict rejected = {
	.outcome = OUTCOME_REJECT, .status = 400, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};

/* Returns true where it began to probe. */
static bool tick(struct pace *s, int64_t now_ms)
{
	bool was_parked = s->upstream.state == UPSTREAM_PARKED;

	pace_tick(s, now_ms);
	return was_parked && s->upstream.state == UPSTREAM_PROBING;
}

static int64_t pause_ms(struct pace *s, int64_t now_ms, enum quota_pause *ret_by)
{
	pace_tick(s, now_ms);
	*ret_by = s->paused_by;
	return s->upstream.paused_until_ms;
}

static bool may_go(struct pace *s, int64_t now_ms)
{
	return pace_next_ms(s, now_ms) <= now_ms;
}

static struct pace_request sent_for(struct pace *s, int64_t event, uint64_t person, int64_t now_ms)
{
	struct pace_request r = {.event = event, .person = person, .since = s->successes};

	pace_sent(s, &r, now_ms);
	return r;
}

/* A request of a new event and a new person. */
static struct pace_request sent_once(struct pace *s, int64_t now_ms)
{
	static int64_t event = 1000000;

	event++;
	return sent_for(s, event, (uint64_t)event, now_ms);
}

static bool back(struct pace *s, struct pace_request r, const struct outcome_verdict *v, double jitter, int64_t now_ms)
{
	enum outcome outcome;
	bool changed = pace_returned(s, &r, v, jitter, now_ms, &outcome);

	if (!v->odd)
		assert_int_equal(outcome, v->outcome);
	return changed;
}

/* Sends one request and records its answer. */
static bool turn(struct pace *s, const struct outcome_verdict *v, int64_t now_ms)
{
	assert_true(may_go(s, now_ms));
	return back(s, sent_once(s, now_ms), v, 0, now_ms);
}

static void open_account(struct pace *s)
{
	pace_init(s, &limits, START_MS);
	assert_false(turn(s, &delivered, START_MS));
}

static void the_first_request_goes_alone_until_a_2xx(void **state)
{
	struct pace s;
	struct pace_request first;

	(void)state;
	pace_init(&s, &limits, START_MS);
	assert_int_equal(upstream_window(&s.upstream, START_MS), PACE_WINDOW);
	first = sent_once(&s, START_MS);
	assert_true(pace_next_ms(&s, START_MS) == CLOCK_NEVER_MS);
	assert_false(back(&s, first, &retry, 0, START_MS));
	first = sent_once(&s, START_MS);
	assert_false(may_go(&s, START_MS));
	assert_false(back(&s, first, &rejected, 0, START_MS));
	first = sent_once(&s, START_MS);
	assert_false(may_go(&s, START_MS));
	assert_false(back(&s, first, &delivered, 0, START_MS));
	(void)sent_once(&s, START_MS);
	assert_true(may_go(&s, START_MS));
}

static void at_most_sixteen_are_in_flight(void **state)
{
	struct pace_request one = {0};
	struct pace s;

	(void)state;
	open_account(&s);
	for (int i = 0; i < PACE_IN_FLIGHT_SINGLE; i++) {
		assert_true(may_go(&s, START_MS));
		one = sent_once(&s, START_MS);
	}
	assert_true(pace_next_ms(&s, START_MS) == CLOCK_NEVER_MS);
	assert_false(back(&s, one, &delivered, 0, START_MS));
	assert_true(may_go(&s, START_MS));
}

static void park_closes_the_window_once_for_a_whole_burst(void **state)
{
	int changes = 0;
	struct pace_request all[PACE_IN_FLIGHT_SINGLE];
	struct pace s;

	(void)state;
	open_account(&s);
	for (int i = 0; i < PACE_IN_FLIGHT_SINGLE; i++)
		all[i] = sent_once(&s, START_MS);
	for (int i = 0; i < PACE_IN_FLIGHT_SINGLE; i++)
		changes += back(&s, all[i], &parked, 0, START_MS + i);
	assert_int_equal(changes, 1);
	assert_int_equal(upstream_window(&s.upstream, START_MS), 0);
	assert_int_equal(pace_next_ms(&s, START_MS + 20), START_MS + CLOCK_MINUTE_MS);
}

static void a_late_2xx_of_before_the_park_does_not_reopen(void **state)
{
	struct pace s;
	struct pace_request a, b;

	(void)state;
	open_account(&s);
	a = sent_once(&s, START_MS);
	b = sent_once(&s, START_MS);
	assert_true(back(&s, a, &parked, 0, START_MS));
	assert_false(back(&s, b, &delivered, 0, START_MS));
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
}

static void probes_double_from_one_minute_to_fifteen(void **state)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 15, 15, 15};
	int64_t now_ms = START_MS;
	struct pace s;

	(void)state;
	open_account(&s);
	assert_true(turn(&s, &parked, now_ms));
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		int64_t probe_ms = now_ms + minutes[i] * CLOCK_MINUTE_MS;

		assert_int_equal(pace_next_ms(&s, now_ms), probe_ms);
		assert_false(tick(&s, probe_ms - 1));
		assert_int_equal(upstream_window(&s.upstream, START_MS), 0);
		assert_true(tick(&s, probe_ms));
		assert_false(tick(&s, probe_ms));
		assert_int_equal(upstream_window(&s.upstream, START_MS), 1);
		now_ms = probe_ms + 300;
		assert_true(turn(&s, &parked, now_ms));
	}
	assert_true(tick(&s, now_ms + 15 * CLOCK_MINUTE_MS));
	now_ms += 15 * CLOCK_MINUTE_MS;
	assert_true(turn(&s, &delivered, now_ms));
	assert_int_equal(upstream_window(&s.upstream, START_MS), PACE_WINDOW);
	assert_true(turn(&s, &parked, now_ms));
	assert_int_equal(pace_next_ms(&s, now_ms), now_ms + CLOCK_MINUTE_MS); /* from the start again */
}

static void a_probe_is_one_request_until_it_is_answered(void **state)
{
	int64_t now_ms = START_MS + CLOCK_MINUTE_MS;
	struct pace s;
	struct pace_request probe;

	(void)state;
	open_account(&s);
	assert_true(turn(&s, &parked, START_MS));
	assert_true(tick(&s, now_ms));
	probe = sent_once(&s, now_ms);
	assert_true(pace_next_ms(&s, now_ms) == CLOCK_NEVER_MS);
	/* Trouble or a refused event says nothing about the key: the next event is the next probe. */
	assert_false(back(&s, probe, &retry, 0, now_ms));
	assert_int_equal(s.upstream.state, UPSTREAM_PROBING);
	assert_false(turn(&s, &rejected, now_ms));
	assert_int_equal(upstream_window(&s.upstream, START_MS), 1);
	assert_true(turn(&s, &delivered, now_ms));
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
}

static void a_new_key_resumes_at_once(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	assert_true(turn(&s, &parked, START_MS));
	pace_renew(&s, &limits);
	assert_int_equal(upstream_window(&s.upstream, START_MS), 1);
	assert_true(turn(&s, &delivered, START_MS + 1));
	assert_int_equal(upstream_window(&s.upstream, START_MS), PACE_WINDOW);
}

static void the_old_keys_answers_do_not_park_the_new_one(void **state)
{
	struct pace s;
	struct pace_request old, new;

	(void)state;
	open_account(&s);
	old = sent_once(&s, START_MS);
	pace_renew(&s, &limits);
	assert_false(may_go(&s, START_MS)); /* alone */
	assert_false(back(&s, old, &parked, 0, START_MS));
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
	new = sent_once(&s, START_MS);
	assert_true(back(&s, new, &parked, 0, START_MS));
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
}

static void a_429_pauses_all_of_the_account_for_retry_after(void **state)
{
	struct outcome_verdict v = retry;
	struct pace s;

	(void)state;
	v.status = 429;
	v.throttled = true;
	v.retry_after_ms = 7000;
	open_account(&s);
	assert_false(turn(&s, &v, START_MS));
	assert_int_equal(pace_next_ms(&s, START_MS), START_MS + 7000);
	assert_int_equal(upstream_window(&s.upstream, START_MS), PACE_WINDOW);
	v.retry_after_ms = 0;
	assert_false(turn(&s, &v, START_MS + 7000));
	assert_int_equal(pace_next_ms(&s, START_MS + 7000), START_MS + 8000);
}

static void ratelimit_headers_hold_the_account_back(void **state)
{
	struct outcome_verdict v = delivered;
	struct pace s;

	(void)state;
	v.remaining = 1; /* another integration took the rest */
	v.reset_s = 20;
	pace_init(&s, &limits, START_MS);
	assert_false(turn(&s, &v, START_MS));
	assert_int_equal(pace_next_ms(&s, START_MS), START_MS + 20000);
}

/* A day with slow answers and 429s, in which our share is never exceeded. */
static void simulated_traffic_stays_below_the_share(void **state)
{
	static int64_t sent[60000];
	struct {
		int64_t back_ms;
		struct pace_request request;
	} flight[PACE_IN_FLIGHT_SINGLE];
	size_t n = 0;
	size_t flying = 0;
	int64_t now_ms = START_MS;
	unsigned seed = 7;
	struct pace s;

	(void)state;
	pace_init(&s, &limits, START_MS);
	while (now_ms < START_MS + 10 * CLOCK_MINUTE_MS) {
		int64_t next_ms = now_ms + 1000;

		for (size_t i = 0; i < flying; i++) {
			struct outcome_verdict v = delivered;

			if (flight[i].back_ms > now_ms)
				continue;
			seed = seed * 1103515245u + 12345u;
			if ((seed >> 16) % 500 == 0)
				v = (struct outcome_verdict){
					.outcome = OUTCOME_RETRY, .throttled = true, .remaining = -1};
			(void)back(&s, flight[i].request, &v, 0.5, now_ms);
			flight[i--] = flight[--flying];
		}
		while (pace_next_ms(&s, now_ms) <= now_ms) {
			assert_true(flying < PACE_IN_FLIGHT_SINGLE && n < sizeof(sent) / sizeof(sent[0]));
			seed = seed * 1103515245u + 12345u;
			flight[flying].back_ms = now_ms + 5 + (seed >> 16) % 40;
			flight[flying++].request = sent_once(&s, now_ms);
			sent[n++] = now_ms;
		}
		if (pace_next_ms(&s, now_ms) < next_ms)
			next_ms = pace_next_ms(&s, now_ms);
		for (size_t i = 0; i < flying; i++)
			if (flight[i].back_ms < next_ms)
				next_ms = flight[i].back_ms;
		assert_true(next_ms > now_ms);
		now_ms = next_ms;
	}
	assert_true(n > 20000);
	for (size_t last = 0, second = 0, minute = 0; last < n; last++) {
		while (sent[second] <= sent[last] - 1000)
			second++;
		while (sent[minute] <= sent[last] - 60000)
			minute++;
		assert_true(last - second + 1 <= 280);
		assert_true(last - minute + 1 <= 2800);
	}
}

/* ---- pauses ------------------------------------------------------------------------------------------------------ */

static void no_retry_after_holds_the_account_longer_than_an_hour(void **state)
{
	struct outcome_verdict v = retry;
	enum quota_pause why;
	struct pace s;

	(void)state;
	v.status = 429;
	v.throttled = true;
	v.retry_after_ms = CLOCK_HOUR_MS; /* outcome.h's value for 99999999999 and for the year 9999 */
	open_account(&s);
	assert_int_equal(pause_ms(&s, START_MS, &why), 0);
	assert_false(back(&s, sent_once(&s, START_MS), &v, 1, START_MS));
	assert_int_equal(pace_next_ms(&s, START_MS), START_MS + CLOCK_HOUR_MS);
	assert_int_equal(pause_ms(&s, START_MS, &why), START_MS + CLOCK_HOUR_MS);
	assert_int_equal(why, QUOTA_PAUSE_THROTTLED);
	assert_int_equal(pause_ms(&s, START_MS + CLOCK_HOUR_MS, &why), 0);
}

static void a_used_up_quota_is_a_pause_too(void **state)
{
	struct outcome_verdict v = delivered;
	enum quota_pause why;
	struct pace s;

	(void)state;
	v.remaining = 0;
	v.reset_s = 999999999;
	open_account(&s);
	assert_false(turn(&s, &v, START_MS));
	assert_int_equal(pause_ms(&s, START_MS, &why), START_MS + QUOTA_RESET_MAX_S * 1000);
	assert_int_equal(why, QUOTA_PAUSE_REMAINING);
}

static void a_new_key_or_a_reload_ends_a_pause(void **state)
{
	struct outcome_verdict v = retry;
	enum quota_pause why;
	struct pace s;

	(void)state;
	v.status = 429;
	v.throttled = true;
	v.retry_after_ms = CLOCK_HOUR_MS;
	open_account(&s);
	assert_false(turn(&s, &v, START_MS));
	pace_renew(&s, &limits);
	assert_int_equal(pause_ms(&s, START_MS, &why), 0);
	assert_true(may_go(&s, START_MS));
}

/* ---- odd answers ------------------------------------------------------------------------------------------------- */

static const struct outcome_verdict odd = {.outcome = OUTCOME_RETRY,
					   .status = 402,
					   .odd = true,
					   .retry_after_ms = -1,
					   .limit = -1,
					   .remaining = -1,
					   .reset_s = -1};

/* Sends one request of that event and records its answer. Returns the event's outcome. */
static enum outcome answer(struct pace *s, int64_t event, const struct outcome_verdict *v, int64_t now_ms)
{
	struct pace_request r = sent_for(s, event, (uint64_t)event, now_ms);
	enum outcome outcome;

	(void)pace_returned(s, &r, v, 0, now_ms, &outcome);
	return outcome;
}

static void three_people_with_odd_answers_in_a_row_park(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 2, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 2, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
	assert_int_equal(answer(&s, 3, &odd, START_MS), OUTCOME_PARK);
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
}

static void a_2xx_between_odd_answers_keeps_the_account_open(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	for (int64_t event = 1; event < 100; event += 3) {
		assert_int_equal(answer(&s, event, &odd, START_MS), OUTCOME_RETRY);
		assert_int_equal(answer(&s, event + 1, &odd, START_MS), OUTCOME_RETRY);
		assert_int_equal(answer(&s, event + 2, &delivered, START_MS), OUTCOME_DELIVERED);
	}
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
}

static void trouble_and_refusals_between_odd_answers_are_no_2xx(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	(void)answer(&s, 1, &odd, START_MS);
	(void)answer(&s, 2, &retry, START_MS);
	(void)answer(&s, 3, &odd, START_MS);
	(void)answer(&s, 4, &rejected, START_MS);
	assert_int_equal(answer(&s, 5, &odd, START_MS), OUTCOME_PARK);
}

static void a_2xx_that_was_under_way_takes_back_the_park_of_odd_answers(void **state)
{
	struct pace_request flying;
	struct pace s;

	(void)state;
	open_account(&s);
	flying = sent_once(&s, START_MS);
	for (int64_t event = 1; event <= 3; event++)
		(void)answer(&s, event, &odd, START_MS);
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
	assert_true(back(&s, flying, &delivered, 0, START_MS));
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
}

/* The 2xx may come late, during the probe. A 2xx from two parks ago says nothing about the last one. */
static void such_a_2xx_counts_while_probing_and_not_after_another_park(void **state)
{
	int64_t now_ms = START_MS;
	struct pace_request first, second;
	struct pace s;

	(void)state;
	open_account(&s);
	first = sent_once(&s, now_ms);
	second = sent_once(&s, now_ms);
	for (int64_t event = 1; event <= 3; event++)
		(void)answer(&s, event, &odd, now_ms);
	now_ms = s.upstream.probe_at_ms;
	assert_true(tick(&s, now_ms));
	assert_true(back(&s, first, &delivered, 0, now_ms));
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
	for (int64_t event = 1; event <= 3; event++)
		(void)answer(&s, event, &odd, now_ms);
	assert_false(back(&s, second, &delivered, 0, now_ms));
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
}

static void ten_odd_tries_of_one_event_end_it_where_others_are_delivered(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 2, &delivered, START_MS), OUTCOME_DELIVERED);
	for (int i = 2; i < PACE_ODD_TRIES; i++)
		assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	/* Trouble in between does not count. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(answer(&s, 1, &retry, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_REJECT);
	/* After a retry from the dead letters the count starts again. */
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
}

static void a_delivery_before_the_first_odd_try_proves_nothing(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	/* From the 2xx on they count, and the first with them. */
	(void)answer(&s, 2, &delivered, START_MS);
	for (int i = 2; i < PACE_ODD_TRIES; i++)
		assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_REJECT);
}

static void a_delivery_after_the_hand_over_counts_for_an_event_behind_others(void **state)
{
	struct pace_request r = {.event = 1, .person = 1};
	enum outcome outcome = OUTCOME_RETRY;
	struct pace s;

	(void)state;
	open_account(&s);
	r.since = s.successes;
	(void)answer(&s, 2, &delivered, START_MS);
	for (int i = 1; i <= PACE_ODD_TRIES; i++) {
		assert_int_equal(outcome, OUTCOME_RETRY);
		pace_sent(&s, &r, START_MS);
		assert_false(pace_returned(&s, &r, &odd, 0, START_MS, &outcome));
	}
	assert_int_equal(outcome, OUTCOME_REJECT);
}

static void nobody_dies_while_another_person_has_odd_answers_too(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	(void)answer(&s, 1, &odd, START_MS);
	(void)answer(&s, 2, &odd, START_MS);
	(void)answer(&s, 3, &delivered, START_MS);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_RETRY);
		assert_int_equal(answer(&s, 2, &odd, START_MS), OUTCOME_RETRY);
	}
	(void)answer(&s, 3, &delivered, START_MS);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_REJECT);
}

/* The account takes one event now and then and gives odd answers to all others: the fault is the account's. */
static void odd_tries_that_end_in_a_park_count_for_nothing(void **state)
{
	int64_t now_ms = START_MS;
	struct pace s;

	(void)state;
	open_account(&s);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(answer(&s, 1, &odd, now_ms), OUTCOME_RETRY);
		assert_int_equal(answer(&s, 2, &odd, now_ms), OUTCOME_RETRY);
		assert_int_equal(answer(&s, 3, &odd, now_ms), OUTCOME_PARK);
		now_ms = s.upstream.probe_at_ms;
		assert_true(tick(&s, now_ms));
		assert_int_equal(answer(&s, 100 + i, &delivered, now_ms), OUTCOME_DELIVERED);
		assert_int_equal(s.upstream.state, UPSTREAM_READY);
	}
}

static void a_probe_with_an_odd_answer_parks_again_and_counts_for_nobody(void **state)
{
	int64_t now_ms = START_MS;
	struct pace s;

	(void)state;
	open_account(&s);
	for (int64_t event = 1; event <= 3; event++)
		(void)answer(&s, event, &odd, now_ms);
	for (int i = 0; i < 100; i++) {
		now_ms = s.upstream.probe_at_ms;
		assert_true(tick(&s, now_ms));
		assert_int_equal(answer(&s, 1, &odd, now_ms), OUTCOME_PARK);
		assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
	}
	assert_int_equal(s.upstream.probe_at_ms - now_ms, UPSTREAM_PROBE_LAST_MS);
}

static void one_odd_person_does_not_park_an_account_whose_key_was_mended(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	assert_true(turn(&s, &parked, START_MS));
	pace_renew(&s, &limits);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_PARK);
	assert_int_equal(s.upstream.state, UPSTREAM_PROBING);
	assert_int_equal(answer(&s, 2, &delivered, START_MS), OUTCOME_DELIVERED);
	assert_int_equal(s.upstream.state, UPSTREAM_READY);
}

static void a_probing_with_nobody_else_parks_again(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	assert_true(turn(&s, &parked, START_MS));
	pace_renew(&s, &limits);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_PARK);
	assert_int_equal(answer(&s, 1, &odd, START_MS), OUTCOME_PARK);
	assert_int_equal(s.upstream.state, UPSTREAM_PARKED);
}

static void a_slot_that_is_taken_only_delays_the_count(void **state)
{
	struct pace s;

	(void)state;
	open_account(&s);
	(void)answer(&s, 1, &odd, START_MS);
	(void)answer(&s, 9, &delivered, START_MS);
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer(&s, 1 + PACE_ODD_SLOTS, &odd, START_MS), OUTCOME_RETRY);
	(void)answer(&s, 9, &delivered, START_MS);
	/* The other event was discarded or delivered otherwise: its slot is free after an hour. */
	for (int i = 1; i < PACE_ODD_TRIES; i++) {
		assert_int_equal(answer(&s, 1 + PACE_ODD_SLOTS, &odd, START_MS + CLOCK_HOUR_MS), OUTCOME_RETRY);
		(void)answer(&s, 9, &delivered, START_MS + CLOCK_HOUR_MS);
	}
	assert_int_equal(answer(&s, 1 + PACE_ODD_SLOTS, &odd, START_MS + CLOCK_HOUR_MS), OUTCOME_REJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_request_goes_alone_until_a_2xx),
		cmocka_unit_test(at_most_sixteen_are_in_flight),
		cmocka_unit_test(park_closes_the_window_once_for_a_whole_burst),
		cmocka_unit_test(a_late_2xx_of_before_the_park_does_not_reopen),
		cmocka_unit_test(probes_double_from_one_minute_to_fifteen),
		cmocka_unit_test(a_probe_is_one_request_until_it_is_answered),
		cmocka_unit_test(a_new_key_resumes_at_once),
		cmocka_unit_test(the_old_keys_answers_do_not_park_the_new_one),
		cmocka_unit_test(a_429_pauses_all_of_the_account_for_retry_after),
		cmocka_unit_test(ratelimit_headers_hold_the_account_back),
		cmocka_unit_test(simulated_traffic_stays_below_the_share),
		cmocka_unit_test(no_retry_after_holds_the_account_longer_than_an_hour),
		cmocka_unit_test(a_used_up_quota_is_a_pause_too),
		cmocka_unit_test(a_new_key_or_a_reload_ends_a_pause),
		cmocka_unit_test(three_people_with_odd_answers_in_a_row_park),
		cmocka_unit_test(a_2xx_between_odd_answers_keeps_the_account_open),
		cmocka_unit_test(trouble_and_refusals_between_odd_answers_are_no_2xx),
		cmocka_unit_test(a_2xx_that_was_under_way_takes_back_the_park_of_odd_answers),
		cmocka_unit_test(such_a_2xx_counts_while_probing_and_not_after_another_park),
		cmocka_unit_test(ten_odd_tries_of_one_event_end_it_where_others_are_delivered),
		cmocka_unit_test(a_delivery_before_the_first_odd_try_proves_nothing),
		cmocka_unit_test(a_delivery_after_the_hand_over_counts_for_an_event_behind_others),
		cmocka_unit_test(nobody_dies_while_another_person_has_odd_answers_too),
		cmocka_unit_test(odd_tries_that_end_in_a_park_count_for_nothing),
		cmocka_unit_test(a_probe_with_an_odd_answer_parks_again_and_counts_for_nobody),
		cmocka_unit_test(one_odd_person_does_not_park_an_account_whose_key_was_mended),
		cmocka_unit_test(a_probing_with_nobody_else_parks_again),
		cmocka_unit_test(a_slot_that_is_taken_only_delays_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
