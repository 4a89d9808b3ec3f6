/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "base/hex.h"
#include "fixtures/store.h"

#define RETENTION (2 * CLOCK_DAY_MS)
#define REMEMBER (20 * CLOCK_DAY_MS)

static int clean(struct fixture *f, int64_t now_ms, size_t max)
{
	struct err e = {0};
	int n;

	fixture_begin(f);
	n = store_clean(f->s, RETENTION, REMEMBER, now_ms, max, &e);
	if (n < 0)
		fail_msg("%s", e.text);
	fixture_commit(f);
	return n;
}

static void turn_at(struct fixture *f, int64_t now_ms)
{
	fixture_begin(f);
	MUST(store_webhooks_due(f->s, now_ms, err));
}

static void done_rows_go_after_retention_in_small_steps(void **state)
{
	struct fixture *f = *state;
	int64_t last = 0;
	int64_t id;

	turn_at(f, NOW);
	for (unsigned i = 0; i < 10; i++) {
		id = fixture_put(f, "gladly", "c", "p", 0, NOW);
		MUST(store_webhook_done(f->s, id, "events", err));
		id = fixture_queue(f, "a@example.com", i, NOW);
		MUST(fixture_delivered(f->s, id, 0, NOW, err));
		last = id;
	}
	/* Undone work and dead letters stay, whatever their age. */
	fixture_put(f, "gladly", "c", "p", 0, NOW);
	MUST(store_webhook_dead(f->s, fixture_put(f, "gladly", "d", "p", 0, NOW), "bad", err));
	MUST(store_event_dead(f->s, fixture_queue(f, "b@example.com", 100, NOW), "rejected", NOW, err));
	fixture_queue(f, "c@example.com", 101, NOW);
	fixture_commit(f);
	assert_int_equal(clean(f, NOW + RETENTION - 1, 100), 0);
	assert_int_equal(clean(f, NOW + RETENTION, 7), 7);
	assert_int_equal(clean(f, NOW + RETENTION, 7), 7);
	assert_int_equal(clean(f, NOW + RETENTION, 7), 6);
	assert_int_equal(clean(f, NOW + RETENTION, 7), 0);
	assert_int_equal(clean(f, NOW + 1000 * CLOCK_DAY_MS, 100), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhook_bodies"), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event_bodies"), 2);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts"), 4);
	/* A deleted event can be queued again with its unique_id; Klaviyo drops the repeat. */
	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 9, NOW) > last);
	fixture_commit(f);
}

static void retention_runs_from_the_end_not_from_the_receipt(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_put(f, "gladly", "c", "p", 0, NOW);

	turn_at(f, NOW + 9 * CLOCK_DAY_MS);
	MUST(store_webhook_done(f->s, id, "events", err));
	fixture_commit(f);
	assert_int_equal(clean(f, NOW + 10 * CLOCK_DAY_MS, 10), 0);
	assert_int_equal(clean(f, NOW + 11 * CLOCK_DAY_MS, 10), 1);
}

static void deliveries_are_known_for_seven_days_whatever_the_retention(void **state)
{
	struct fixture *f = *state;
	int64_t day = 0;

	turn_at(f, NOW);
	MUST(store_webhook_done(f->s, fixture_put(f, "gladly", "c", "p", 1, NOW), "events", err));
	fixture_commit(f);
	for (; day < 7; day++) {
		(void)clean(f, NOW + day * CLOCK_DAY_MS, 10);
		assert_int_equal(fixture_put(f, "gladly", "c", "p", 1, NOW), 0);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 0);
	for (; day < 16; day++)
		while (clean(f, NOW + day * CLOCK_DAY_MS, 10) > 0)
			;
	assert_true(fixture_put(f, "gladly", "c", "p", 1, NOW) > 0);
}

static void customers_are_forgotten_after_a_day(void **state)
{
	struct fixture *f = *state;
	struct customer c = {0};

	fixture_begin(f);
	MUST(store_customer_save(f->s, "gladly", "p", &c, NOW, err));
	MUST(store_customer_save(f->s, "gladly", "q", &c, NOW + 1, err));
	fixture_commit(f);
	assert_int_equal(clean(f, NOW + CLOCK_DAY_MS, 10), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM customers WHERE customer = 'q'"), 1);
}

static void save(struct fixture *f, const char *conversation, enum ledger_state state, bool reach)
{
	struct ledger_entry e = {.state = state,
				 .as_of_ms = NOW,
				 .opened_ms = NOW,
				 .opened_received_ms = NOW,
				 .closed_ms = state == LEDGER_CLOSED ? NOW : 0,
				 .reopen_count = 4};
	struct reached_list reached = {0};

	if (reach)
		reached_add(&reached, "default", "jo@example.com", "In Gladly Conversation");
	MUST(store_conversation_save(f->s, "gladly", conversation, &e, &reached, NULL, err));
	reached_clear(&reached);
}

static void closed_conversations_keep_digests_after_retention_and_go_after_remember(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e = {0};
	struct reached_list reached = {0};
	struct digest *d = digest_new();
	unsigned char sum[DIGEST_SHA256_BYTES];
	char hex[33], text[200];

	fixture_begin(f);
	save(f, "closed", LEDGER_CLOSED, true);
	save(f, "empty", LEDGER_CLOSED, false);
	save(f, "open", LEDGER_OPEN, true);
	fixture_commit(f);
	assert_int_equal(clean(f, NOW + RETENTION - 1, 10), 0);
	assert_int_equal(clean(f, NOW + RETENTION, 10), 1);
	assert_int_equal(clean(f, NOW + RETENTION, 10), 0);
	MUST(store_conversation_load(f->s, "gladly", "closed", &e, &reached, NULL, err));
	assert_int_equal(e.state, LEDGER_CLOSED);
	assert_int_equal(e.closed_ms, NOW);
	assert_int_equal(e.reopen_count, 4);
	assert_int_equal(reached.n, 0);
	digest_add(d, "jo@example.com", 14);
	digest_end(d, sum);
	hex_write(sum, 16, hex);
	snprintf(text, sizeof(text), "SELECT count(*) FROM conversations WHERE instr(digests, CAST('%s' AS BLOB)) > 0",
		 hex);
	assert_int_equal(fixture_sql(f, text), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE people <> x''"), 1);
	/* A late duplicate saves the conversation again, and the digest stays. */
	fixture_begin(f);
	MUST(store_conversation_save(f->s, "gladly", "closed", &e, &reached, NULL, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, text), 1);
	/* A reopened conversation reaches the address again. */
	fixture_begin(f);
	save(f, "closed", LEDGER_OPEN, true);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, text), 0);
	fixture_begin(f);
	save(f, "closed", LEDGER_CLOSED, true);
	fixture_commit(f);
	/* `remember` counts from the last change. */
	assert_int_equal(clean(f, NOW + REMEMBER, 10), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE conversation = 'empty'"), 0);
	assert_int_equal(fixture_sql(f, text), 1);
	assert_int_equal(clean(f, NOW + RETENTION + REMEMBER, 10), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 1);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 1);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 2"), 1);
}

static void near_max_size_the_oldest_done_rows_go_before_their_time(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	for (int turn = 0; turn < 30; turn++) {
		turn_at(f, NOW + turn);
		for (unsigned i = 0; i < 100; i++) {
			int64_t id = fixture_put(f, "gladly", "c", "p", 0, NOW);

			MUST(store_webhook_done(f->s, id, "events", err));
			id = fixture_queue(f, "a@example.com", (unsigned)turn * 100 + i, NOW + turn);
			MUST(fixture_delivered(f->s, id, 0, NOW + turn, err));
		}
		fixture_commit(f);
	}
	fixture_put(f, "gladly", "undone", "p", 0, NOW);
	assert_int_equal(clean(f, NOW + 100, 100), 0);
	store_checkpoint(f->s);
	f->s->max_size = store_size(f->s);
	for (; n < 1000 && clean(f, NOW + 100, 100) > 0; n++)
		store_checkpoint(f->s);
	/* Early deletion stops below four fifths. */
	assert_in_range(n, 1, 40);
	assert_true(store_size(f->s) <= f->s->max_size / 5 * 4);
	assert_true(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 1") > 500);
	assert_true(fixture_sql(f, "SELECT count(*) FROM events WHERE state = 1") > 500);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 0"), 1);
	assert_true(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 1") < 3000);
	assert_true(fixture_sql(f, "SELECT max(id) FROM webhooks") - fixture_sql(f, "SELECT min(id) FROM webhooks") +
			    1 ==
		    fixture_sql(f, "SELECT count(*) FROM webhooks"));
	assert_true(fixture_sql(f, "SELECT min(id) FROM events") > 1);
	assert_int_equal(fixture_sql(f, "SELECT max(id) FROM events"), 3000);
}

static void undone_work_alone_is_never_cleaned_for_room(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 200; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	f->s->max_size = 1000;
	assert_int_equal(clean(f, NOW, 100), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(done_rows_go_after_retention_in_small_steps),
		TEST(retention_runs_from_the_end_not_from_the_receipt),
		TEST(deliveries_are_known_for_seven_days_whatever_the_retention),
		TEST(customers_are_forgotten_after_a_day),
		TEST(closed_conversations_keep_digests_after_retention_and_go_after_remember),
		TEST(near_max_size_the_oldest_done_rows_go_before_their_time),
		TEST(undone_work_alone_is_never_cleaned_for_room),
	};

	return cmocka_run_group_tests_name("store_clean", tests, NULL, NULL);
}
