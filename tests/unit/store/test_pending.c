/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <limits.h>

#include "store/store.h"

#include "fixtures/store.h"

/* What is known without a query must be true of the rows of the last commit. Returns the number of facts. */
static unsigned facts_hold(struct fixture *f)
{
	const struct pending_known *known = &f->s->pending;
	char sql[160];
	unsigned n = 0;

	for (int why = 0; why <= STORE_WAIT_LAST; why++) {
		if (store_webhooks_may_wait(f->s, (enum store_wait)why))
			continue;
		(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM webhooks WHERE state = 0 AND wait = %d", why);
		assert_int_equal(fixture_sql(f, sql), 0);
		n++;
	}
	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM webhooks WHERE state = 0 AND id < %" PRId64,
		       known->first);
	assert_int_equal(fixture_sql(f, sql), 0);
	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM webhooks WHERE state = 0 AND not_before > 0 AND not_before < %" PRId64,
		       known->due_ms);
	assert_int_equal(fixture_sql(f, sql), 0);
	if (known->due_is_exact && known->due_ms != CLOCK_NEVER_MS)
		assert_int_equal(
			fixture_sql(f, "SELECT min(not_before) FROM webhooks WHERE state = 0 AND not_before > 0"),
			known->due_ms);
	return n;
}

/* Makes one change to one of the last webhooks, or asks a question whose answer is remembered. */
static void change(struct fixture *f, unsigned *seed, int64_t now_ms)
{
	enum store_wait why = (enum store_wait)(rand_r(seed) % (STORE_WAIT_LAST + 1));
	int64_t last = store_webhook_last_id(f->s);
	int64_t id = last - rand_r(seed) % 3;
	struct err e;
	int r = 0;

	switch (rand_r(seed) % 10) {
	case 0:
		fixture_put(f, "gladly", "c", "p", 0, now_ms);
		break;
	case 1:
		r = store_webhook_wait(f->s, id, why, now_ms + rand_r(seed) % 40, &e);
		break;
	case 2:
	case 3:
		for (id = last - 3; id <= last; id++)
			if (store_webhook_done(f->s, id, "events", &e) == -EBADMSG)
				fail_msg("%s", e.text);
		break;
	case 4:
		r = store_webhook_revive(f->s, id, &e);
		break;
	case 5:
		r = store_webhook_dead(f->s, id, "bad", &e);
		break;
	case 6:
		r = store_webhooks_due(f->s, now_ms, &e);
		break;
	case 7:
		r = store_webhooks_wake(f->s, "gladly", why, rand_r(seed) % 2 ? "p" : NULL, &e);
		break;
	case 8:
		r = store_webhooks_ready(f->s, &id, 1, &e);
		break;
	default:
		r = store_webhooks_any_pending(f->s, &e);
		break;
	}
	if (r < 0 && r != -ENOENT)
		fail_msg("%s", e.text);
}

static void what_is_known_is_true_after_any_history(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 4711;
	unsigned facts = 0;

	for (int turn = 0; turn < 600; turn++) {
		fixture_begin(f);
		for (int part = 0; part < 3; part++) {
			MUST(store_savepoint(f->s, err));
			change(f, &seed, NOW + turn);
			change(f, &seed, NOW + turn);
			fixture_savepoint_end(f, rand_r(&seed) % 10 == 0);
		}
		fixture_end(f, rand_r(&seed) % 10 == 0);
		facts += facts_hold(f);
		if (rand_r(&seed) % 4 == 0)
			(void)store_webhooks_next_due_ms(f->s);
		facts += facts_hold(f);
	}
	assert_in_range(facts, 300, UINT_MAX); /* the test has checked something */
}

static void a_change_by_hand_is_seen_in_the_next_turn(void **state)
{
	struct fixture *f = *state;
	int64_t id;

	assert_int_equal(fixture_put(f, "gladly", "c", NULL, 0, NOW), 1);
	fixture_begin(f);
	MUST(store_webhook_done(f->s, 1, "events", err));
	assert_int_equal(store_webhooks_any_pending(f->s, NULL), 0);
	fixture_commit(f);
	assert_false(store_webhooks_may_wait(f->s, STORE_WAIT_NONE));
	fixture_sql(f, "UPDATE webhooks SET state = 0, ended = 0");
	fixture_begin(f);
	assert_int_equal(store_webhooks_ready(f->s, &id, 1, NULL), 1);
	assert_int_equal(id, 1);
	fixture_commit(f);
}

static void ids_go_on_after_a_deletion_and_a_restart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_put(f, "gladly", "c", NULL, 0, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c", NULL, 0, NOW), 2);
	fixture_begin(f);
	MUST(store_webhook_done(f->s, 1, "events", err));
	MUST(store_webhook_done(f->s, 2, "events", err));
	assert_int_equal(store_clean(f->s, 1, 1, NOW + CLOCK_DAY_MS, 64, NULL), 2);
	fixture_commit(f);
	assert_int_equal(fixture_put(f, "gladly", "c", NULL, 0, NOW), 3);
	fixture_begin(f);
	MUST(store_webhook_done(f->s, 3, "events", err));
	assert_int_equal(store_clean(f->s, 1, 1, NOW + 2 * CLOCK_DAY_MS, 64, NULL), 1);
	fixture_commit(f);
	fixture_reopen(f);
	assert_int_equal(fixture_put(f, "gladly", "c", NULL, 0, NOW), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_known_is_true_after_any_history),
		TEST(a_change_by_hand_is_seen_in_the_next_turn),
		TEST(ids_go_on_after_a_deletion_and_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
