/* When an account's next request may go, and what follows from an outcome, under virtual time. */
#include <config.h>

#include "delivery/scheduler.h"

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

static bool may_go(struct scheduler *s, int64_t now_ms)
{
	return scheduler_next_ms(s, now_ms) <= now_ms;
}

/* One request out and back. */
static bool turn(struct scheduler *s, const struct outcome_verdict *v, int64_t now_ms)
{
	assert_true(may_go(s, now_ms));
	return scheduler_returned(s, scheduler_sent(s, now_ms), v, 0, now_ms);
}

static void open_scheduler(struct scheduler *s)
{
	scheduler_init(s, &limits, START_MS);
	assert_false(turn(s, &delivered, START_MS));
}

static void the_first_request_goes_alone_until_a_2xx(void **state)
{
	struct scheduler s;
	unsigned first;

	(void)state;
	scheduler_init(&s, &limits, START_MS);
	assert_int_equal(scheduler_window(&s), SCHEDULER_WINDOW);
	first = scheduler_sent(&s, START_MS);
	assert_true(scheduler_next_ms(&s, START_MS) == CLOCK_NEVER_MS);
	assert_false(scheduler_returned(&s, first, &retry, 0, START_MS));
	first = scheduler_sent(&s, START_MS);
	assert_false(may_go(&s, START_MS));
	assert_false(scheduler_returned(&s, first, &rejected, 0, START_MS));
	first = scheduler_sent(&s, START_MS);
	assert_false(may_go(&s, START_MS));
	assert_false(scheduler_returned(&s, first, &delivered, 0, START_MS));
	(void)!scheduler_sent(&s, START_MS);
	assert_true(may_go(&s, START_MS));
}

static void at_most_sixteen_are_in_flight(void **state)
{
	struct scheduler s;
	unsigned epoch = 0;

	(void)state;
	open_scheduler(&s);
	for (int i = 0; i < SCHEDULER_IN_FLIGHT_SINGLE; i++) {
		assert_true(may_go(&s, START_MS));
		epoch = scheduler_sent(&s, START_MS);
	}
	assert_true(scheduler_next_ms(&s, START_MS) == CLOCK_NEVER_MS);
	assert_false(scheduler_returned(&s, epoch, &delivered, 0, START_MS));
	assert_true(may_go(&s, START_MS));
}

static void park_closes_the_window_once_for_a_whole_burst(void **state)
{
	unsigned epochs[SCHEDULER_IN_FLIGHT_SINGLE];
	struct scheduler s;
	int changes = 0;

	(void)state;
	open_scheduler(&s);
	for (int i = 0; i < SCHEDULER_IN_FLIGHT_SINGLE; i++)
		epochs[i] = scheduler_sent(&s, START_MS);
	for (int i = 0; i < SCHEDULER_IN_FLIGHT_SINGLE; i++)
		changes += scheduler_returned(&s, epochs[i], &parked, 0, START_MS + i);
	assert_int_equal(changes, 1);
	assert_int_equal(scheduler_window(&s), 0);
	assert_int_equal(scheduler_next_ms(&s, START_MS + 20), START_MS + CLOCK_MINUTE_MS);
}

static void a_late_2xx_of_before_the_park_does_not_reopen(void **state)
{
	struct scheduler s;
	unsigned a, b;

	(void)state;
	open_scheduler(&s);
	a = scheduler_sent(&s, START_MS);
	b = scheduler_sent(&s, START_MS);
	assert_true(scheduler_returned(&s, a, &parked, 0, START_MS));
	assert_false(scheduler_returned(&s, b, &delivered, 0, START_MS));
	assert_int_equal(s.state, SCHEDULER_PARKED);
}

static void probes_double_from_one_minute_to_fifteen(void **state)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 15, 15, 15};
	int64_t now_ms = START_MS;
	struct scheduler s;

	(void)state;
	open_scheduler(&s);
	assert_true(turn(&s, &parked, now_ms));
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		int64_t probe_ms = now_ms + minutes[i] * CLOCK_MINUTE_MS;

		assert_int_equal(scheduler_next_ms(&s, now_ms), probe_ms);
		assert_false(scheduler_tick(&s, probe_ms - 1));
		assert_int_equal(scheduler_window(&s), 0);
		assert_true(scheduler_tick(&s, probe_ms));
		assert_false(scheduler_tick(&s, probe_ms));
		assert_int_equal(scheduler_window(&s), 1);
		now_ms = probe_ms + 300;
		assert_true(turn(&s, &parked, now_ms));
	}
	assert_true(scheduler_tick(&s, now_ms + 15 * CLOCK_MINUTE_MS));
	now_ms += 15 * CLOCK_MINUTE_MS;
	assert_true(turn(&s, &delivered, now_ms));
	assert_int_equal(scheduler_window(&s), SCHEDULER_WINDOW);
	assert_true(turn(&s, &parked, now_ms));
	assert_int_equal(scheduler_next_ms(&s, now_ms), now_ms + CLOCK_MINUTE_MS); /* from the start again */
}

static void a_probe_is_one_request_until_it_is_answered(void **state)
{
	int64_t now_ms = START_MS + CLOCK_MINUTE_MS;
	struct scheduler s;
	unsigned probe;

	(void)state;
	open_scheduler(&s);
	assert_true(turn(&s, &parked, START_MS));
	assert_true(scheduler_tick(&s, now_ms));
	probe = scheduler_sent(&s, now_ms);
	assert_true(scheduler_next_ms(&s, now_ms) == CLOCK_NEVER_MS);
	/* Trouble or a refused event says nothing about the key: the next event is the next probe. */
	assert_false(scheduler_returned(&s, probe, &retry, 0, now_ms));
	assert_int_equal(s.state, SCHEDULER_PROBING);
	assert_false(turn(&s, &rejected, now_ms));
	assert_int_equal(scheduler_window(&s), 1);
	assert_true(turn(&s, &delivered, now_ms));
	assert_int_equal(s.state, SCHEDULER_OPEN);
}

static void a_new_key_resumes_at_once(void **state)
{
	struct scheduler s;

	(void)state;
	open_scheduler(&s);
	assert_true(turn(&s, &parked, START_MS));
	scheduler_renew(&s, &limits);
	assert_int_equal(scheduler_window(&s), 1);
	assert_true(turn(&s, &delivered, START_MS + 1));
	assert_int_equal(scheduler_window(&s), SCHEDULER_WINDOW);
}

static void the_old_keys_answers_do_not_park_the_new_one(void **state)
{
	struct scheduler s;
	unsigned old, new;

	(void)state;
	open_scheduler(&s);
	old = scheduler_sent(&s, START_MS);
	scheduler_renew(&s, &limits);
	assert_false(may_go(&s, START_MS)); /* alone */
	assert_false(scheduler_returned(&s, old, &parked, 0, START_MS));
	assert_int_equal(s.state, SCHEDULER_OPEN);
	new = scheduler_sent(&s, START_MS);
	assert_true(scheduler_returned(&s, new, &parked, 0, START_MS));
	assert_int_equal(s.state, SCHEDULER_PARKED);
}

static void a_429_pauses_all_of_the_account_for_retry_after(void **state)
{
	struct outcome_verdict v = retry;
	struct scheduler s;

	(void)state;
	v.status = 429;
	v.throttled = true;
	v.retry_after_ms = 7000;
	open_scheduler(&s);
	assert_false(turn(&s, &v, START_MS));
	assert_int_equal(scheduler_next_ms(&s, START_MS), START_MS + 7000);
	assert_int_equal(scheduler_window(&s), SCHEDULER_WINDOW);
	v.retry_after_ms = 0;
	assert_false(turn(&s, &v, START_MS + 7000));
	assert_int_equal(scheduler_next_ms(&s, START_MS + 7000), START_MS + 8000);
}

static void ratelimit_headers_hold_the_account_back(void **state)
{
	struct outcome_verdict v = delivered;
	struct scheduler s;

	(void)state;
	v.remaining = 1; /* another integration took the rest */
	v.reset_s = 20;
	scheduler_init(&s, &limits, START_MS);
	assert_false(turn(&s, &v, START_MS));
	assert_int_equal(scheduler_next_ms(&s, START_MS), START_MS + 20000);
}

/* A day in the life: answers take their time, some are 429s; whatever happens, our share is never overdrawn. */
static void simulated_traffic_stays_below_the_share(void **state)
{
	static int64_t sent[60000];
	struct {
		int64_t back_ms;
		unsigned epoch;
	} flight[SCHEDULER_IN_FLIGHT_SINGLE];
	size_t n = 0, flying = 0;
	int64_t now_ms = START_MS;
	struct scheduler s;
	unsigned seed = 7;

	(void)state;
	scheduler_init(&s, &limits, START_MS);
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
			(void)scheduler_returned(&s, flight[i].epoch, &v, 0.5, now_ms);
			flight[i--] = flight[--flying];
		}
		while (scheduler_next_ms(&s, now_ms) <= now_ms) {
			assert_true(flying < SCHEDULER_IN_FLIGHT_SINGLE && n < sizeof(sent) / sizeof(sent[0]));
			seed = seed * 1103515245u + 12345u;
			flight[flying].back_ms = now_ms + 5 + (seed >> 16) % 40;
			flight[flying++].epoch = scheduler_sent(&s, now_ms);
			sent[n++] = now_ms;
		}
		if (scheduler_next_ms(&s, now_ms) < next_ms)
			next_ms = scheduler_next_ms(&s, now_ms);
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

static void backoff_doubles_with_full_jitter_to_five_minutes(void **state)
{
	static const struct {
		unsigned attempts;
		int64_t most_ms;
	} rows[] = {{0, 1000},   {1, 2000},    {2, 4000},    {8, 256000},
		    {9, 300000}, {15, 300000}, {16, 300000}, {4000000000u, 300000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(scheduler_backoff_ms(rows[i].attempts, 1), rows[i].most_ms);
		assert_int_equal(scheduler_backoff_ms(rows[i].attempts, 0.5), rows[i].most_ms / 2);
		assert_int_equal(scheduler_backoff_ms(rows[i].attempts, 0), 100);
	}
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
		cmocka_unit_test(backoff_doubles_with_full_jitter_to_five_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
