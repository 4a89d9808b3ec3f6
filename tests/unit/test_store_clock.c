/* The store after the clock was wrong: stamps and due times that are still to come, or far too far away. */
#include <config.h>

#include "store/store.h"

#include <errno.h>

#include "store_fixture.h"

#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS
#define YEARS (3650 * DAY)

static void turn_at(struct fixture *f, int64_t now_ms)
{
	begin(f);
	MUST(store_webhooks_due(f->s, now_ms, err));
}

static int ready(struct fixture *f)
{
	int64_t ids[8];
	int n = store_webhooks_ready(f->s, ids, 8, NULL);

	assert_true(n >= 0);
	return n;
}

static int clean(struct fixture *f, int64_t now_ms, int64_t retention_ms)
{
	int n;

	begin(f);
	n = store_clean(f->s, retention_ms, 400 * DAY, now_ms, 100, NULL);
	assert_true(n >= 0);
	commit(f);
	return n;
}

static void a_webhook_that_waits_too_far_ahead_is_ready_now(void **state)
{
	/* Not before so much from now, with an hour as the longest wait. */
	static const struct {
		int64_t wait_ms;
		bool now;
	} rows[] = {{0, true}, {1, false}, {HOUR, false}, {HOUR + 1, true}, {DAY, true}, {YEARS, true}};
	struct fixture *f = *state;

	store_set_longest_wait(f->s, HOUR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t id = put(f, "gladly", "c", NULL, 0, NOW);

		begin(f);
		MUST(store_webhook_wait(f->s, id, i % 2 ? STORE_WAIT_TIME : STORE_WAIT_RETRY, NOW + rows[i].wait_ms,
					err));
		commit(f);
		turn_at(f, NOW);
		assert_int_equal(ready(f), rows[i].now);
		assert_int_equal(store_webhooks_next_due_ms(f->s),
				 rows[i].now ? CLOCK_NEVER_MS : NOW + rows[i].wait_ms);
		MUST(store_webhook_done(f->s, id, "events", err));
		commit(f);
	}
}

static void of_very_many_that_wait_too_far_ahead_the_next_turns_take_the_rest(void **state)
{
	struct fixture *f = *state;
	unsigned turns = 0;

	begin(f);
	for (unsigned i = 0; i < 1000; i++)
		MUST(store_webhook_wait(f->s, put(f, "gladly", "c", NULL, 0, NOW), STORE_WAIT_TIME, NOW + DAY + i,
					err));
	commit(f);
	store_set_longest_wait(f->s, HOUR);
	do {
		turn_at(f, NOW);
		commit(f);
		turns++;
	} while (store_webhooks_next_due_ms(f->s) <= NOW && turns < 100);
	assert_int_equal(sql(f, "SELECT count(*) FROM webhooks WHERE wait = 0"), 1000);
	assert_in_range(turns, 4, 5);
}

static void an_event_that_is_due_too_far_ahead_is_due_now(void **state)
{
	struct fixture *f = *state;
	int64_t soon, far;

	begin(f);
	soon = queue(f, "a@example.com", 1, NOW);
	far = queue(f, "b@example.com", 2, NOW);
	MUST(store_event_retry(f->s, soon, 1, NOW + HOUR, "503", err));
	MUST(store_event_retry(f->s, far, 1, NOW + DAY, "503", err));
	commit(f);
	assert_int_equal(due(f, "default", NOW).n, 0);
	store_set_longest_wait(f->s, HOUR);
	assert_int_equal(due(f, "default", NOW).n, 1);
	assert_int_equal(due(f, "default", NOW).ids[0], far);
	/* What is due counts no more as what comes: whoever lent it would be woken for nothing. */
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW), NOW + HOUR);
	assert_int_equal(due(f, "default", NOW + HOUR).n, 2);
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW + HOUR), CLOCK_NEVER_MS);
}

static void a_person_whose_last_2xx_is_still_to_come_waits_for_the_gap_only(void **state)
{
	struct fixture *f = *state;

	begin(f);
	MUST(store_event_delivered(f->s, queue(f, "a@example.com", 1, NOW + DAY), 0, NOW + DAY, err));
	commit(f);
	turn_at(f, NOW);
	assert_true(queue_to(f, "default", URL, "a@example.com", 2, false, 2000, NOW) > 0);
	commit(f);
	assert_int_equal(due(f, "default", NOW + 1999).n, 0);
	assert_int_equal(due(f, "default", NOW + 2000).n, 1);
}

static void what_ends_after_a_step_back_ends_at_the_time_of_now(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	turn_at(f, NOW + YEARS);
	commit(f);
	turn_at(f, NOW);
	id = put(f, "gladly", "c", NULL, 0, NOW);
	MUST(store_webhook_done(f->s, id, "events", err));
	commit(f);
	assert_int_equal(sql(f, "SELECT ended FROM webhooks"), NOW);
}

static void digests_received_by_a_clock_that_was_ahead_keep_no_others(void **state)
{
	struct fixture *f = *state;

	put(f, "gladly", "c", "p", 1, NOW + YEARS);
	put(f, "gladly", "c", "p", 2, NOW);
	put(f, "gladly", "c", "p", 3, NOW + YEARS);
	put(f, "gladly", "c", "p", 4, NOW + DAY);
	(void)clean(f, NOW + 7 * DAY - 1, DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM deliveries"), 4);
	(void)clean(f, NOW + 7 * DAY, DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM deliveries"), 2);
	(void)clean(f, NOW + 8 * DAY, DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM deliveries"), 0);
}

static void a_customer_saved_by_a_clock_that_was_ahead_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0}, back = {0};

	begin(f);
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW + DAY, err));
	commit(f);
	turn_at(f, NOW);
	commit(f);
	assert_int_equal(store_customer_load(f->s, "gladly", "p", NOW - 600000, &back, NULL), -ENOENT);
	/* Whoever has just asked takes what there is. */
	MUST(store_customer_load(f->s, "gladly", "p", 0, &back, err));
	customer_done(&back);
	turn_at(f, NOW + DAY - 1000); /* a little ahead is no age */
	commit(f);
	MUST(store_customer_load(f->s, "gladly", "p", NOW + DAY - 600000, &back, err));
	customer_done(&back);
}

static void no_age_longer_than_allowed_deletes_anything(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0};

	turn_at(f, NOW);
	MUST(store_webhook_done(f->s, put(f, "gladly", "c", "p", 1, NOW), "events", err));
	MUST(store_event_delivered(f->s, queue(f, "a@example.com", 1, NOW), 0, NOW, err));
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW, err));
	commit(f);
	store_set_longest_age(f->s, 0);
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 0);
	store_set_longest_age(f->s, 30 * 60000); /* half an hour after a jump */
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 2);
	assert_int_equal(sql(f, "SELECT count(*) FROM customers"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM deliveries"), 1);
	store_set_longest_age(f->s, CLOCK_NEVER_MS);
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 2);
}

static void the_newest_time_is_that_of_the_newest_row(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_newest_ms(f->s), 0);
	put(f, "gladly", "c", "p", 0, NOW + YEARS); /* the clock was ahead */
	assert_int_equal(store_newest_ms(f->s), NOW + YEARS);
	put(f, "gladly", "c", "p", 0, NOW);
	assert_int_equal(store_newest_ms(f->s), NOW);
	begin(f);
	queue(f, "a@example.com", 1, NOW + 5);
	commit(f);
	assert_int_equal(store_newest_ms(f->s), NOW + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(a_webhook_that_waits_too_far_ahead_is_ready_now),
		TEST(of_very_many_that_wait_too_far_ahead_the_next_turns_take_the_rest),
		TEST(an_event_that_is_due_too_far_ahead_is_due_now),
		TEST(a_person_whose_last_2xx_is_still_to_come_waits_for_the_gap_only),
		TEST(what_ends_after_a_step_back_ends_at_the_time_of_now),
		TEST(digests_received_by_a_clock_that_was_ahead_keep_no_others),
		TEST(a_customer_saved_by_a_clock_that_was_ahead_is_asked_for_again),
		TEST(no_age_longer_than_allowed_deletes_anything),
		TEST(the_newest_time_is_that_of_the_newest_row),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
