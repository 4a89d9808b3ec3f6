/* SPDX-License-Identifier: MIT */
/* The pipeline with clocks that the tests set: starts without a set clock, jumps, and waits during a jump. */
#include <config.h>

#include "pipeline/turn.h"

#include "base/backoff.h"
#include "fixtures/clock.h"
#include "fixtures/turn_play.h"

#define MINUTE CLOCK_MINUTE_MS
#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS
#define WALL (NOW + 60 * DAY) /* long after this version's day */

/* Starts another process on the same store, on a machine whose monotonic clock starts again. */
static void restart(struct play *p)
{
	turn_free(p->turn);
	health_free(p->health);
	fake_courier_done(&p->stage->courier);
	clocks.mono_ms = 7000;
	p->health = health_new();
	play_start(p);
	play_window(p, 48);
}

static int play_setup(void **state)
{
	clocks_stop(WALL, 5000);
	*state = play_new();
	return 0;
}

/* Runs turns until none is due. Returns the milliseconds to the next one. */
static int64_t run(struct play *p)
{
	for (unsigned i = 0; i < 1000; i++) {
		int64_t next_ms = turn_run(p->turn);

		if (next_ms > clocks.mono_ms)
			return next_ms - clocks.mono_ms;
	}
	fail_msg("the turns do not come to rest");
	return 0;
}

/* Sets the system's clock, and reports it as the main thread does. */
static void jump(struct play *p, int64_t ms)
{
	struct message *m = mem_new(1, sizeof(*m));

	clocks.wall_ms += ms;
	m->kind = MESSAGE_RECHECK;
	turn_take(p->turn, m);
}

static void deliver(struct play *p, int64_t event, enum outcome outcome)
{
	struct delivery_message *m = mem_new(1, sizeof(*m));

	m->message.kind = MESSAGE_DELIVERY;
	m->delivery = stage_delivery(p->stage, event);
	m->delivery->verdict.outcome = outcome;
	m->delivery->verdict.retry_after_ms = -1;
	m->delivery->done_ms = clocks.wall_ms;
	(void)snprintf(m->delivery->verdict.reason, sizeof(m->delivery->verdict.reason), "503");
	turn_take(p->turn, &m->message);
}

static int64_t put(struct play *p, const char *source, const char *kind, const char *conversation, int64_t at_ms)
{
	return PUT(p->stage, .source = source, .kind = kind, .conversation = conversation, .email = "jo@example.com",
		   .customer = "jo", .time_ms = at_ms, .received_ms = at_ms);
}

static enum event_state state_of(struct play *p, int64_t id)
{
	struct event e = {0};
	enum event_state state;

	MUST(store_event_load(p->stage->store, id, &e, err));
	state = e.state;
	event_done(&e);
	return state;
}

/* ---- a clock that is not set at start ---------------------------------------------------------------------------- */

static struct {
	unsigned answers, refused;
} answered;

static void on_answer(struct submission *s)
{
	answered.answers++;
	answered.refused += s->refused;
	parsed_webhook_free(s->items[0].parsed);
}

/* True where a webhook is accepted now. */
static bool is_taken(struct play *p)
{
	struct submission_item item = {0};
	struct submission s = {.items = &item, .n = 1, .answered = on_answer};
	const struct post post = {.source = "desk",
				  .kind = "open",
				  .conversation = "new",
				  .email = "jo@example.com",
				  .time_ms = clocks.wall_ms,
				  .received_ms = clocks.wall_ms};

	memset(&answered, 0, sizeof(answered));
	item.parsed = stage_parsed(p->stage, &post);
	s.message.kind = MESSAGE_SUBMISSION;
	turn_take(p->turn, &s.message);
	(void)run(p);
	assert_int_equal(answered.answers, 1);
	return answered.refused == 0;
}

static void assert_not_ready(struct play *p, const char *why)
{
	struct err e;

	assert_false(health_is_ready(p->health));
	health_why_not(p->health, &e);
	if (!strstr(e.text, why))
		fail_msg("not ready for another reason: %s", e.text);
}

static void before_the_clock_is_set_nothing_is_taken_and_nothing_is_done(void **state)
{
	struct play *p = *state;
	int64_t id = put(p, "desk", "open", "1", WALL - HOUR);

	clocks.wall_ms = 12000; /* 1970 */
	play_start(p);
	assert_not_ready(p, "clock is not set yet: it says 1970-01-01T00:00:12Z");
	play_window(p, 48);
	assert_in_range(run(p), 1, 10 * MINUTE);
	assert_false(is_taken(p));
	assert_waits(p->stage, id, STORE_WAIT_NONE);
	assert_int_equal(p->stage->courier.sent_n, 0);

	jump(p, WALL - 12000);
	(void)run(p);
	assert_true(health_is_ready(p->health));
	assert_done(p->stage, id, "events");
	assert_int_equal(p->stage->courier.sent_n, 1);
	assert_true(is_taken(p));
}

static void a_clock_more_than_a_day_behind_the_store_is_not_set(void **state)
{
	struct play *p = *state;

	(void)put(p, "desk", "open", "1", WALL);
	clocks.wall_ms = WALL - DAY - 1000;
	play_start(p);
	assert_not_ready(p, "clock is not set yet");
	assert_int_equal(run(p), 1000); /* then it is only a day behind */
	assert_false(is_taken(p));
	clocks_advance(1000);
	(void)run(p);
	assert_true(health_is_ready(p->health));
}

static void after_ten_minutes_the_clock_is_taken_as_it_is(void **state)
{
	struct play *p = *state;

	(void)put(p, "desk", "open", "1", WALL);
	clocks.wall_ms = WALL - 40 * DAY;
	play_start(p);
	assert_int_equal(run(p), 10 * MINUTE);
	clocks_advance(10 * MINUTE - 1);
	assert_int_equal(run(p), 1);
	assert_not_ready(p, "clock is not set yet");
	clocks_advance(1);
	(void)run(p);
	assert_true(health_is_ready(p->health));
	assert_true(is_taken(p));
}

/* A machine without a clock of its own starts like this each day. The hour of distrust counts from the moment at
 * which the clock is set. */
static void a_clock_that_is_set_during_the_start_has_not_jumped(void **state)
{
	struct play *p = *state;

	(void)put(p, "desk", "open", "1", WALL - 31 * DAY);
	clocks.wall_ms = 12000;
	play_start(p);
	(void)run(p);
	clocks_advance(3 * MINUTE);
	jump(p, WALL - 12000);
	(void)run(p);
	assert_int_equal(stage_events(p->stage).n, 1);
	clocks_advance(HOUR);
	(void)run(p);
	assert_int_equal(stage_events(p->stage).n, 2);
}

/* ---- ages -------------------------------------------------------------------------------------------------------- */

static void nothing_expires_within_an_hour_of_the_start(void **state)
{
	struct play *p = *state;

	(void)put(p, "desk", "open", "1", WALL - 31 * DAY);
	play_start(p);
	(void)run(p);
	clocks_advance(HOUR - 1);
	assert_int_equal(run(p), 1);
	assert_int_equal(stage_events(p->stage).n, 1);
	clocks_advance(1);
	(void)run(p);
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"closed conversation in Desk jo@example.com ready backfill; ");
}

static void a_jump_ahead_expires_nothing_for_an_hour_and_a_wide_one_for_a_day(void **state)
{
	static const struct {
		int64_t jump_ms, wait_ms;
	} rows[] = {{3 * HOUR, HOUR}, {DAY, HOUR}, {31 * DAY, DAY}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct play *p;

		if (i > 0) {
			(void)play_teardown(state);
			(void)play_setup(state);
		}
		p = *state;
		play_start(p);
		clocks_advance(2 * HOUR);
		(void)run(p);
		(void)put(p, "desk", "open", "1", clocks.wall_ms - 30 * DAY + HOUR);
		(void)run(p);
		jump(p, rows[i].jump_ms);
		(void)run(p);
		clocks_advance(rows[i].wait_ms - 1);
		(void)run(p);
		assert_int_equal(stage_events(p->stage).n, 1);
		clocks_advance(1);
		(void)run(p);
		assert_int_equal(stage_events(p->stage).n, 2);
	}
}

static void an_event_does_not_die_of_age_within_an_hour_of_a_jump(void **state)
{
	struct play *p = *state;

	play_start(p);
	play_window(p, 48);
	clocks_advance(2 * HOUR);
	(void)run(p);
	(void)put(p, "desk", "open", "1", clocks.wall_ms - 14 * DAY + HOUR);
	(void)run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	jump(p, 3 * HOUR);
	deliver(p, p->stage->courier.sent[0], OUTCOME_RETRY);
	(void)run(p);
	assert_int_equal(state_of(p, p->stage->courier.sent[0]), EVENT_READY);
	clocks_advance(HOUR);
	(void)run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
	deliver(p, p->stage->courier.sent[1], OUTCOME_RETRY);
	(void)run(p);
	assert_int_equal(state_of(p, p->stage->courier.sent[0]), EVENT_DEAD);
}

static int count_row(void *ctx, const struct store_webhook_row *row)
{
	(void)row;
	++*(unsigned *)ctx;
	return 0;
}

static unsigned webhooks_kept(struct play *p)
{
	unsigned n = 0;

	MUST(store_webhooks_page(p->stage->store, -1, 0, 500, count_row, &n, err));
	return n;
}

static void nothing_is_deleted_within_an_hour_of_a_jump(void **state)
{
	struct play *p = *state;

	play_start(p);
	clocks_advance(2 * HOUR);
	(void)run(p);
	(void)put(p, "desk", "open", "1", clocks.wall_ms);
	(void)run(p);
	clocks_advance(7 * DAY - HOUR);
	(void)run(p);
	jump(p, 3 * HOUR);
	for (int i = 0; i < 59; i++) {
		(void)run(p);
		clocks_advance(MINUTE);
	}
	assert_int_equal(webhooks_kept(p), 1);
	for (int i = 0; i < 3; i++) {
		(void)run(p);
		clocks_advance(MINUTE);
	}
	assert_int_equal(webhooks_kept(p), 0);
}

/* ---- due times --------------------------------------------------------------------------------------------------- */

static void what_waits_for_a_time_goes_at_once_when_the_clock_jumps_there(void **state)
{
	struct play *p = *state;
	int64_t held;

	play_start(p);
	play_window(p, 48);
	held = put(p, "settled", "open", "1", clocks.wall_ms);
	(void)put(p, "desk", "open", "2", clocks.wall_ms);
	(void)run(p);
	assert_waits(p->stage, held, STORE_WAIT_TIME);
	assert_int_equal(p->stage->courier.sent_n, 1);
	deliver(p, p->stage->courier.sent[0], OUTCOME_RETRY);
	(void)run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	jump(p, 3 * HOUR);
	(void)run(p);
	assert_done(p->stage, held, "events");
	assert_int_equal(p->stage->courier.sent_n, 2);
}

/* The step under test: waiting work continues to wait, but not longer than before. */
static void step_back(struct play *p, int64_t ms, bool by_restart)
{
	if (!by_restart) {
		jump(p, -ms);
		return;
	}
	clocks.wall_ms -= ms;
	restart(p);
	assert_true(health_is_ready(p->health));
}

static void a_step_back_makes_nobody_wait_for_it(void **state)
{
	static const struct {
		int64_t step_ms;
		bool by_restart;
	} rows[] = {{7 * MINUTE, false}, {HOUR, false}, {DAY, false},     {9 * DAY, false},
		    {7 * MINUTE, true},  {HOUR, true},  {23 * HOUR, true}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct play *p;
		int64_t held;

		if (i > 0) {
			(void)play_teardown(state);
			(void)play_setup(state);
		}
		p = *state;
		play_start(p);
		play_window(p, 48);
		held = put(p, "settled", "open", "1", clocks.wall_ms);
		(void)put(p, "desk", "open", "2", clocks.wall_ms);
		(void)run(p);
		deliver(p, p->stage->courier.sent[0], OUTCOME_RETRY);
		(void)run(p);
		assert_waits(p->stage, held, STORE_WAIT_TIME);
		assert_int_equal(p->stage->courier.sent_n, 1);
		step_back(p, rows[i].step_ms, rows[i].by_restart);
		(void)run(p);
		assert_done(p->stage, held, "events");
		/* One event at once, and then the same person's other event. */
		assert_int_equal(p->stage->courier.sent_n, rows[i].by_restart ? 1 : 2);
		deliver(p, p->stage->courier.sent[p->stage->courier.sent_n - 1], OUTCOME_DELIVERED);
		(void)run(p);
		assert_int_equal(p->stage->courier.sent_n, rows[i].by_restart ? 2 : 3);
	}
}

/* A second attempt after the step back: its wait is unchanged, and it is not sent again meanwhile. */
static void what_went_early_after_a_step_back_waits_as_usual_then(void **state)
{
	struct play *p = *state;

	play_start(p);
	play_window(p, 48);
	(void)put(p, "desk", "open", "1", clocks.wall_ms);
	(void)run(p);
	deliver(p, p->stage->courier.sent[0], OUTCOME_RETRY);
	(void)run(p);
	jump(p, -DAY);
	(void)run(p);
	(void)run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
	deliver(p, p->stage->courier.sent[1], OUTCOME_RETRY);
	assert_in_range(run(p), 1, BACKOFF_LAST_MS);
	assert_int_equal(p->stage->courier.sent_n, 2);
	clocks_advance(BACKOFF_LAST_MS);
	(void)run(p);
	assert_int_equal(p->stage->courier.sent_n, 3);
}

static void timers_of_the_process_do_not_follow_the_clock(void **state)
{
	struct play *p = *state;

	play_start(p);
	clocks_advance(2 * HOUR);
	(void)run(p);
	jump(p, -9 * DAY);
	assert_in_range(run(p), 1, MINUTE); /* the janitor continues */
	jump(p, 9 * DAY);
	assert_in_range(run(p), 1, MINUTE);
}

#define PLAYED(fn) cmocka_unit_test_setup_teardown(fn, play_setup, play_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAYED(before_the_clock_is_set_nothing_is_taken_and_nothing_is_done),
		PLAYED(a_clock_more_than_a_day_behind_the_store_is_not_set),
		PLAYED(after_ten_minutes_the_clock_is_taken_as_it_is),
		PLAYED(a_clock_that_is_set_during_the_start_has_not_jumped),
		PLAYED(nothing_expires_within_an_hour_of_the_start),
		PLAYED(a_jump_ahead_expires_nothing_for_an_hour_and_a_wide_one_for_a_day),
		PLAYED(an_event_does_not_die_of_age_within_an_hour_of_a_jump),
		PLAYED(nothing_is_deleted_within_an_hour_of_a_jump),
		PLAYED(what_waits_for_a_time_goes_at_once_when_the_clock_jumps_there),
		PLAYED(a_step_back_makes_nobody_wait_for_it),
		PLAYED(what_went_early_after_a_step_back_waits_as_usual_then),
		PLAYED(timers_of_the_process_do_not_follow_the_clock),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_EMERG, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
