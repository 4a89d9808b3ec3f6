/* SPDX-License-Identifier: MIT */
/* The store after the clock was wrong: receipts in the future, and due times too far ahead. */
#include <config.h>

#include "store/store.h"

#include <errno.h>

#include "fixtures/store.h"

#define HOUR CLOCK_HOUR_MS
#define DAY CLOCK_DAY_MS
#define YEARS (3650 * DAY)

static void turn_at(struct fixture *f, int64_t now_ms)
{
	fixture_begin(f);
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

	fixture_begin(f);
	n = store_clean(f->s, retention_ms, 400 * DAY, now_ms, 100, NULL);
	assert_true(n >= 0);
	fixture_commit(f);
	return n;
}

static void a_webhook_that_waits_too_far_ahead_becomes_ready(void **state)
{
	/* not_before after now; an hour is the longest wait. */
	static const struct {
		int64_t wait_ms;
		bool near;
	} rows[] = {{1, false}, {HOUR, false}, {HOUR + 1, true}, {DAY, true}, {YEARS, true}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t id = fixture_put(f, "gladly", "c", NULL, 0, NOW);

		turn_at(f, NOW);
		MUST(store_webhook_wait(f->s, id, i % 2 ? STORE_WAIT_TIME : STORE_WAIT_RETRY, NOW + rows[i].wait_ms,
					err));
		assert_int_equal(store_webhooks_cap_due(f->s, NOW + HOUR, 10, NULL), rows[i].near);
		assert_int_equal(ready(f), rows[i].near);
		MUST(store_webhook_done(f->s, id, "events", err));
		fixture_commit(f);
	}
}

/* A call takes the latest due times first, and no more than asked for. */
static void an_event_that_is_due_too_far_ahead_becomes_due(void **state)
{
	struct fixture *f = *state;
	int64_t soon, far, farther;

	fixture_begin(f);
	soon = fixture_queue(f, "a@example.com", 1, NOW);
	far = fixture_queue(f, "b@example.com", 2, NOW);
	farther = fixture_queue(f, "c@example.com", 3, NOW);
	fixture_queue(f, "c@example.com", 4, NOW); /* queued behind it, so its due time does not count */
	MUST(store_event_retry(f->s, soon, 1, NOW + HOUR, "503", err));
	MUST(store_event_retry(f->s, far, 1, NOW + DAY, "503", err));
	MUST(store_event_retry(f->s, farther, 1, NOW + YEARS, "503", err));
	assert_int_equal(fixture_due(f, "default", NOW).n, 0);
	assert_int_equal(store_events_cap_due(f->s, "other", NOW + HOUR, NOW, 1, NULL), 0);
	assert_int_equal(store_events_cap_due(f->s, "default", NOW + HOUR, NOW, 1, NULL), 1);
	assert_int_equal(fixture_due(f, "default", NOW).n, 1);
	assert_int_equal(fixture_due(f, "default", NOW).ids[0], farther);
	assert_int_equal(store_events_cap_due(f->s, "default", NOW + HOUR, NOW, 10, NULL), 1);
	assert_int_equal(fixture_due(f, "default", NOW).n, 2);
	assert_int_equal(store_events_cap_due(f->s, "default", NOW + HOUR, NOW, 10, NULL), 0);
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW), NOW + HOUR);
	fixture_commit(f);
}

static void after_a_step_back_each_that_waits_for_a_time_is_looked_at_once(void **state)
{
	struct fixture *f = *state;
	unsigned turns = 0;
	int64_t looked = 0;

	fixture_begin(f);
	for (unsigned i = 0; i < 1000; i++) {
		int64_t id = fixture_put(f, i % 2 ? "gladly" : "zendesk", "c", NULL, 0, NOW);

		MUST(store_webhook_wait(f->s, id, id % 3 ? STORE_WAIT_TIME : STORE_WAIT_RETRY, NOW + HOUR + i, err));
	}
	MUST(store_webhooks_recheck(f->s, STORE_WAIT_TIME, err));
	MUST(store_webhooks_recheck(f->s, STORE_WAIT_RETRY, err));
	fixture_commit(f);
	do {
		int64_t ids[STORE_WAKE_ROWS * 2];
		int n;

		turn_at(f, NOW);
		n = store_webhooks_ready(f->s, ids, sizeof(ids) / sizeof(*ids), NULL);
		for (int i = 0; i < n; i++) /* wait again, as after settle */
			MUST(store_webhook_wait(f->s, ids[i], ids[i] % 3 ? STORE_WAIT_TIME : STORE_WAIT_RETRY,
						NOW + HOUR, err));
		fixture_commit(f);
		looked += n;
		turns++;
	} while (store_webhooks_next_due_ms(f->s) <= NOW && turns < 100);
	assert_int_equal(looked, 1000);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE not_before > 0"), 1000);
}

static void a_person_whose_last_2xx_is_still_to_come_waits_for_the_gap_only(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	MUST(fixture_delivered(f->s, fixture_queue(f, "a@example.com", 1, NOW + DAY), 2000, NOW + DAY, err));
	fixture_commit(f);
	turn_at(f, NOW);
	assert_true(fixture_queue_to(f, "default", URL, "a@example.com", 2, false, 2000, NOW) > 0);
	fixture_commit(f);
	assert_int_equal(fixture_due(f, "default", NOW + 1999).n, 0);
	assert_int_equal(fixture_due(f, "default", NOW + 2000).n, 1);
}

static void what_ends_after_a_step_back_ends_at_the_time_of_now(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	turn_at(f, NOW + YEARS);
	fixture_commit(f);
	turn_at(f, NOW);
	id = fixture_put(f, "gladly", "c", NULL, 0, NOW);
	MUST(store_webhook_done(f->s, id, "events", err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT ended FROM webhooks"), NOW);
}

/* Inserts n rows into the table of digests of schema 4 and older. */
static void put_old(struct fixture *f, unsigned n, int64_t received_ms)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "WITH RECURSIVE r (n) AS (SELECT %u UNION ALL SELECT n - 1 FROM r WHERE n > 1) INSERT INTO deliveries"
		 " (source, digest, received) SELECT 'gladly', randomblob(16), %" PRId64 " FROM r",
		 n, received_ms);
	fixture_sql(f, text);
	fixture_reopen(f);
}

static void digests_received_by_a_clock_that_was_ahead_keep_no_others(void **state)
{
	struct fixture *f = *state;

	put_old(f, 1, NOW + YEARS);
	put_old(f, 1, NOW);
	put_old(f, 1, NOW + YEARS);
	put_old(f, 1, NOW + DAY);
	(void)clean(f, NOW + 7 * DAY - 1, DAY);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 4);
	(void)clean(f, NOW + 7 * DAY, DAY);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 2);
	(void)clean(f, NOW + 8 * DAY, DAY);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 0);
}

static void many_digests_received_by_a_clock_that_was_ahead_keep_no_others(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	put_old(f, 100, NOW + YEARS);
	put_old(f, 1, NOW);
	for (int i = 0; i < 4; i++)
		n += clean(f, NOW + 8 * DAY, DAY);
	assert_int_equal(n, 101);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 0);
}

static void a_customer_saved_by_a_clock_that_was_ahead_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0};
	struct customer back = {0};

	fixture_begin(f);
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW + DAY, err));
	fixture_commit(f);
	turn_at(f, NOW);
	fixture_commit(f);
	assert_int_equal(store_customer_load(f->s, "gladly", "p", NOW - 600000, &back, NULL), -ENOENT);
	/* A caller that accepts any age gets the customer. */
	MUST(store_customer_load(f->s, "gladly", "p", 0, &back, err));
	customer_done(&back);
	turn_at(f, NOW + DAY - 1000); /* a minute ahead is allowed */
	fixture_commit(f);
	MUST(store_customer_load(f->s, "gladly", "p", NOW + DAY - 600000, &back, err));
	customer_done(&back);
}

static void no_age_longer_than_allowed_deletes_anything(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0};

	turn_at(f, NOW);
	MUST(store_webhook_done(f->s, fixture_put(f, "gladly", "c", "p", 0, NOW), "events", err));
	MUST(fixture_delivered(f->s, fixture_queue(f, "a@example.com", 1, NOW), 0, NOW, err));
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW, err));
	fixture_commit(f);
	put_old(f, 1, NOW);
	store_set_longest_age(f->s, 0);
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 0);
	store_set_longest_age(f->s, 30 * 60000); /* half an hour after a jump */
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM customers"), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 1);
	store_set_longest_age(f->s, CLOCK_NEVER_MS);
	assert_int_equal(clean(f, NOW + YEARS, 30 * 60000), 2);
}

static void the_newest_time_is_that_of_the_newest_row(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_newest_ms(f->s), 0);
	fixture_put(f, "gladly", "c", "p", 0, NOW + YEARS); /* by a clock that was ahead */
	assert_int_equal(store_newest_ms(f->s), NOW + YEARS);
	fixture_put(f, "gladly", "c", "p", 0, NOW);
	assert_int_equal(store_newest_ms(f->s), NOW);
	fixture_begin(f);
	fixture_queue(f, "a@example.com", 1, NOW + 5);
	fixture_commit(f);
	assert_int_equal(store_newest_ms(f->s), NOW + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(a_webhook_that_waits_too_far_ahead_becomes_ready),
		TEST(an_event_that_is_due_too_far_ahead_becomes_due),
		TEST(after_a_step_back_each_that_waits_for_a_time_is_looked_at_once),
		TEST(a_person_whose_last_2xx_is_still_to_come_waits_for_the_gap_only),
		TEST(what_ends_after_a_step_back_ends_at_the_time_of_now),
		TEST(digests_received_by_a_clock_that_was_ahead_keep_no_others),
		TEST(many_digests_received_by_a_clock_that_was_ahead_keep_no_others),
		TEST(a_customer_saved_by_a_clock_that_was_ahead_is_asked_for_again),
		TEST(no_age_longer_than_allowed_deletes_anything),
		TEST(the_newest_time_is_that_of_the_newest_row),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
