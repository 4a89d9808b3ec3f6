/* SPDX-License-Identifier: MIT */
/*
 * Waking many webhooks must not hold up a turn.
 */
#include <config.h>

#include "fixtures/store.h"

#define MANY (2 * STORE_WAKE_ROWS + 10)

static int64_t found[4 * STORE_WAKE_ROWS];

static int ready(struct fixture *f)
{
	return store_webhooks_ready(f->s, found, sizeof(found) / sizeof(*found), NULL);
}

/* Inserts MANY webhooks of a source, each of a conversation of its own. Returns the first id. */
static int64_t put_many(struct fixture *f, const char *source, enum store_wait why, int64_t not_before_ms)
{
	int64_t first = 0;

	fixture_begin(f);
	for (int i = 0; i < MANY; i++) {
		char conversation[16];
		int64_t id;

		snprintf(conversation, sizeof(conversation), "c%d", i);
		id = fixture_put(f, source, conversation, NULL, 0, NOW);
		MUST(store_webhook_wait(f->s, id, why, not_before_ms, err));
		if (first == 0)
			first = id;
	}
	fixture_commit(f);
	return first;
}

/* A turn that only wakes due webhooks. */
static void turn(struct fixture *f, int64_t now_ms)
{
	fixture_begin(f);
	MUST(store_webhooks_due(f->s, now_ms, err));
	fixture_commit(f);
}

static void a_release_of_many_goes_on_over_the_next_turns(void **state)
{
	struct fixture *f = *state;
	int64_t first = put_many(f, "gladly", STORE_WAIT_LOOKUP, 0);

	fixture_begin(f);
	MUST(store_webhooks_wake(f->s, "gladly", STORE_WAIT_LOOKUP, NULL, err));
	fixture_commit(f);
	assert_int_equal(ready(f), STORE_WAKE_ROWS);
	assert_int_equal(found[0], first);
	assert_int_equal(store_webhooks_next_due_ms(f->s), 0);
	turn(f, NOW);
	assert_int_equal(ready(f), 2 * STORE_WAKE_ROWS);
	turn(f, NOW);
	assert_int_equal(ready(f), MANY);
	assert_int_equal(store_webhooks_next_due_ms(f->s), CLOCK_NEVER_MS);
}

static void who_waits_again_is_let_go_once_only(void **state)
{
	struct fixture *f = *state;
	int turns = 0;

	put_many(f, "gladly", STORE_WAIT_UNCONFIGURED, 0);
	fixture_begin(f);
	MUST(store_webhooks_wake(f->s, "gladly", STORE_WAIT_UNCONFIGURED, NULL, err));
	fixture_commit(f);
	for (;; turns++) {
		int n = ready(f);

		fixture_begin(f);
		for (int i = 0; i < n; i++)
			MUST(store_webhook_wait(f->s, found[i], STORE_WAIT_UNCONFIGURED, 0, err));
		fixture_commit(f);
		if (store_webhooks_next_due_ms(f->s) == CLOCK_NEVER_MS)
			break;
		assert_true(turns < 5);
		turn(f, NOW);
	}
	assert_int_equal(turns, 2);
	turn(f, NOW);
	assert_int_equal(ready(f), 0);
}

static void a_release_that_is_rolled_back_is_made_again(void **state)
{
	struct fixture *f = *state;

	put_many(f, "gladly", STORE_WAIT_LOOKUP, 0);
	fixture_begin(f);
	MUST(store_webhooks_wake(f->s, "gladly", STORE_WAIT_LOOKUP, NULL, err));
	fixture_commit(f);
	fixture_begin(f);
	MUST(store_webhooks_due(f->s, NOW, err));
	MUST(store_webhooks_due(f->s, NOW, err));
	store_rollback(f->s);
	assert_int_equal(ready(f), STORE_WAKE_ROWS);
	assert_int_equal(store_webhooks_next_due_ms(f->s), 0);
	turn(f, NOW);
	turn(f, NOW);
	assert_int_equal(ready(f), MANY);
}

static void many_that_are_due_at_once_go_over_several_turns(void **state)
{
	struct fixture *f = *state;

	put_many(f, "gladly", STORE_WAIT_TIME, NOW + 1000);
	turn(f, NOW + 5000);
	assert_int_equal(ready(f), STORE_WAKE_ROWS);
	assert_int_equal(store_webhooks_next_due_ms(f->s), NOW + 1000);
	turn(f, NOW + 5000);
	turn(f, NOW + 5000);
	assert_int_equal(ready(f), MANY);
	assert_int_equal(store_webhooks_next_due_ms(f->s), CLOCK_NEVER_MS);
}

static void a_restart_with_many_of_several_sources_goes_on_over_turns(void **state)
{
	struct fixture *f = *state;
	int turns = 0;

	put_many(f, "gladly", STORE_WAIT_LOOKUP, 0);
	put_many(f, "zendesk", STORE_WAIT_LOOKUP, 0);
	fixture_reopen(f);
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(ready(f), STORE_WAKE_ROWS);
	while (store_webhooks_next_due_ms(f->s) != CLOCK_NEVER_MS) {
		int before = ready(f);

		turn(f, NOW);
		assert_in_range(ready(f) - before, 0, STORE_WAKE_ROWS);
		assert_true(++turns < 8);
	}
	/* There are more ready webhooks than `found` holds. */
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE wait = 0"), 2 * MANY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_release_of_many_goes_on_over_the_next_turns),
		TEST(who_waits_again_is_let_go_once_only),
		TEST(a_release_that_is_rolled_back_is_made_again),
		TEST(many_that_are_due_at_once_go_over_several_turns),
		TEST(a_restart_with_many_of_several_sources_goes_on_over_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
