/* SPDX-License-Identifier: MIT */
/* Repeats are found wherever the digest is, for as long as it lives. The store's batches are small here. */
#include <config.h>

#include "store/store.h"

#include "base/digest.h"
#include "base/hex.h"
#include "fixtures/dice.h"
#include "fixtures/store.h"

#define DAY CLOCK_DAY_MS
#define WEEK (7 * DAY)
#define YEAR (365 * DAY)
#define BATCH 4

static void make_small(struct fixture *f)
{
	f->s->deliveries->batch = BATCH;
	f->s->deliveries->step = 1;
}

static void reopen(struct fixture *f)
{
	fixture_reopen(f);
	make_small(f);
}

static int setup(void **state)
{
	int r = fixture_setup(state);

	make_small(*state);
	return r;
}

/* The digest of n, which is distributed like a real one. */
static void digest_of(unsigned n, unsigned char ret[DIGEST_DELIVERY_BYTES])
{
	struct digest *d = digest_new();
	unsigned char sum[DIGEST_SHA256_BYTES];

	digest_add(d, &n, sizeof(n));
	digest_end(d, sum);
	memcpy(ret, sum, DIGEST_DELIVERY_BYTES);
}

/* True where the webhook was inserted. */
static bool insert(struct fixture *f, const char *source, unsigned n)
{
	struct webhook w = {
		.source = (char *)(uintptr_t)source,
		.received_ms = NOW,
		.has_delivery = true,
	};
	struct err e = {0};
	int r;

	digest_of(n, w.delivery);
	r = fixture_insert(f->s, &w, NULL, "ignored", &e);
	if (r < 0)
		fail_msg("%s", e.text);
	return r == 0;
}

/* In a turn of its own. */
static bool take(struct fixture *f, unsigned n)
{
	bool inserted;

	fixture_begin(f);
	inserted = insert(f, "gladly", n);
	fixture_commit(f);
	return inserted;
}

static int clean(struct fixture *f, int64_t now_ms)
{
	int n;

	fixture_begin(f);
	n = store_clean(f->s, 400 * DAY, 400 * DAY, now_ms, 10, NULL);
	assert_true(n >= 0);
	fixture_commit(f);
	return n;
}

/* As clean, with a retention of a day, so that a digest lives for a week. */
static int clean_week(struct fixture *f, int64_t now_ms)
{
	int n;

	fixture_begin(f);
	n = store_clean(f->s, DAY, 400 * DAY, now_ms, 10, NULL);
	assert_true(n >= 0);
	fixture_commit(f);
	return n;
}

static int64_t now;

/* Passes time with a cleaning every six hours, until nothing is left to do. */
static void pass(struct fixture *f, int64_t ms)
{
	for (int64_t end = now + ms; now < end;) {
		now = end - now < DAY / 4 ? end : now + DAY / 4;
		while (clean_week(f, now) > 0)
			;
	}
}

static int64_t rows(struct fixture *f, const char *table)
{
	char text[64];

	snprintf(text, sizeof(text), "SELECT count(*) FROM %s", table);
	return fixture_sql(f, text);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static void a_digest_is_found_in_memory_and_after_a_reopening(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, 1));
	assert_false(take(f, 1));
	fixture_begin(f);
	assert_true(insert(f, "zendesk", 1)); /* each source has its own */
	assert_false(insert(f, "zendesk", 1));
	fixture_commit(f);
	assert_int_equal(rows(f, "delivery_tail"), 2);
	reopen(f);
	assert_false(take(f, 1));
	assert_true(take(f, 2));
	assert_int_equal(rows(f, "delivery_index") + rows(f, "deliveries"), 0);
}

static void a_full_tail_is_merged_and_its_digests_are_still_found(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 400; i++) {
		assert_true(take(f, i));
		assert_true(f->s->deliveries->active.n <= BATCH + 1);
		assert_false(take(f, i / 2));
	}
	/* The active batch, the frozen one and the one that is deleted. */
	assert_in_range(rows(f, "delivery_tail"), 1, 3 * BATCH);
	assert_true(rows(f, "delivery_index") >= 400 - 2 * BATCH);
	assert_int_equal(fixture_sql(f, "SELECT count(DISTINCT digest) FROM (SELECT digest FROM delivery_tail"
					" UNION ALL SELECT digest FROM delivery_index)"),
			 400);
	for (unsigned i = 0; i < 400; i++)
		assert_false(take(f, i));
	reopen(f);
	for (unsigned i = 0; i < 400; i++)
		assert_false(take(f, i));
}

static void a_cleaning_that_finds_a_quiet_turn_merges_the_rest(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	f->s->deliveries->step = 1000;
	for (; n < 100; n++)
		assert_true(take(f, n));
	assert_int_equal(rows(f, "delivery_index"), 0);
	now = NOW;
	while (clean_week(f, now) > 0)
		assert_false(take(f, (n += 7) % 100));
	assert_true(rows(f, "delivery_index") >= BATCH);
	for (n = 0; n < 100; n++)
		assert_false(take(f, n));
}

/* ---- ages -------------------------------------------------------------------------------------------------------- */

static void a_digest_lives_for_a_week_and_for_two_at_most(void **state)
{
	/* The place of the digest after its webhook: few in the tail, or many in the index. */
	static const unsigned others[] = {0, 100};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		unsigned first = (unsigned)i * 1000;

		now = NOW + (int64_t)i * YEAR;
		while (clean_week(f, now) > 0)
			;
		pass(f, 3 * DAY); /* its generation has begun before */
		for (unsigned n = 0; n <= others[i]; n++)
			assert_true(take(f, first + n));
		pass(f, WEEK - 1);
		assert_false(take(f, first));
		reopen(f);
		assert_false(take(f, first));
		pass(f, WEEK + DAY);
		assert_true(take(f, first));
	}
	pass(f, 2 * WEEK + DAY);
	assert_int_equal(rows(f, "delivery_index") + rows(f, "delivery_tail"), 0);
	assert_in_range(rows(f, "delivery_generations"), 1, 2);
}

static void digests_are_found_in_the_current_and_the_previous_generation(void **state)
{
	struct fixture *f = *state;

	now = NOW;
	pass(f, DAY);
	for (unsigned n = 0; n < 100; n++)
		assert_true(take(f, n));
	pass(f, WEEK);
	assert_int_equal(f->s->deliveries->now.generation, 2);
	for (unsigned n = 100; n < 200; n++)
		assert_true(take(f, n));
	for (int i = 0; i < 2; i++) {
		for (unsigned n = 0; n < 200; n++)
			assert_false(take(f, n));
		assert_true(f->s->deliveries->now.current_has && f->s->deliveries->now.previous_has);
		reopen(f);
	}
	pass(f, WEEK);
	for (unsigned n = 100; n < 200; n++)
		assert_false(take(f, n));
	for (unsigned n = 0; n < 100; n++)
		assert_true(take(f, n));
	assert_int_equal(fixture_sql(f, "SELECT min(generation) FROM delivery_index"), 2);
}

static void a_longer_retention_is_the_life_of_digests_too(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, 1));
	for (int64_t day = 0; day <= 400; day++) {
		(void)clean(f, NOW + day * DAY);
		assert_false(take(f, 1));
	}
}

static void a_jump_of_the_clock_ends_no_digests_life(void **state)
{
	static const int64_t jumps[] = {YEAR, -YEAR, 2 * DAY, -2 * DAY, WEEK, 20 * YEAR, -40 * YEAR};
	struct fixture *f = *state;

	now = NOW;
	pass(f, 6 * DAY);
	for (unsigned n = 0; n < 20; n++)
		assert_true(take(f, n));
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		now += jumps[i];
		while (clean_week(f, now) > 0)
			;
		reopen(f);
		pass(f, DAY / 2);
		for (unsigned n = 0; n < 20; n++)
			assert_false(take(f, n));
	}
	pass(f, 2 * WEEK);
	assert_true(take(f, 0));
}

static void while_a_jump_is_judged_no_generation_ages(void **state)
{
	struct fixture *f = *state;

	now = NOW;
	assert_true(take(f, 1));
	store_set_longest_age(f->s, 30 * CLOCK_MINUTE_MS);
	pass(f, 40 * DAY);
	assert_int_equal(f->s->deliveries->now.age_ms, 0);
	assert_false(take(f, 1));
	store_set_longest_age(f->s, CLOCK_NEVER_MS);
	pass(f, 2 * WEEK + DAY);
	assert_true(take(f, 1));
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

static void an_undone_submission_leaves_no_digest(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	assert_true(insert(f, "gladly", 1));
	MUST(store_savepoint_keep(f->s, err));
	MUST(store_savepoint(f->s, err));
	for (unsigned n = 2; n < 1000; n++)
		assert_true(insert(f, "gladly", n));
	assert_false(insert(f, "gladly", 2));
	store_savepoint_undo(f->s);
	assert_false(insert(f, "gladly", 1));
	assert_true(insert(f, "gladly", 2));
	fixture_commit(f);
	assert_false(take(f, 2));
	assert_int_equal(f->s->deliveries->active.n + f->s->deliveries->frozen.n, 2);
}

static void a_turn_that_is_rolled_back_leaves_no_digest(void **state)
{
	struct fixture *f = *state;

	assert_true(take(f, 0));
	for (int i = 0; i < 3; i++) {
		fixture_begin(f);
		for (unsigned n = 1; n < 100; n++)
			assert_true(insert(f, "gladly", n));
		store_rollback(f->s);
	}
	assert_int_equal(f->s->deliveries->active.n, 1);
	assert_false(take(f, 0));
	assert_true(take(f, 50));
}

static void a_merge_that_is_rolled_back_is_made_again(void **state)
{
	struct fixture *f = *state;

	f->s->deliveries->step = 1000;
	for (unsigned n = 0; n < 7; n++)
		assert_true(take(f, n));
	for (int i = 0; i < 3; i++) {
		fixture_begin(f);
		MUST(store_savepoint(f->s, err));
		assert_true(store_clean(f->s, DAY, 400 * DAY, NOW, 1000, NULL) > 0);
		if (i == 1)
			store_savepoint_undo(f->s);
		if (i < 2)
			store_rollback(f->s);
		else
			MUST(store_savepoint_keep(f->s, err));
	}
	fixture_commit(f);
	assert_true(rows(f, "delivery_index") >= BATCH);
	for (unsigned n = 0; n < 7; n++)
		assert_false(take(f, n));
}

static void a_crash_between_the_steps_of_a_merge_loses_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 10; i++)
			assert_true(take(f, n++));
		f->s->deliveries->batch = 2;
		fixture_begin(f);
		assert_true(store_clean(f->s, DAY, 400 * DAY, NOW, 3, NULL) >= 0);
		assert_true(insert(f, "gladly", n + 1));
		reopen(f); /* without a commit */
		for (unsigned i = 0; i < n; i++)
			assert_false(take(f, i));
	}
	assert_true(take(f, n + 1));
}

/* ---- stores of schema 4 ------------------------------------------------------------------------------------------ */

static void digests_of_the_old_table_are_found_until_their_time(void **state)
{
	struct fixture *f = *state;
	unsigned char digest[DIGEST_DELIVERY_BYTES];
	char hex[2 * DIGEST_DELIVERY_BYTES + 1], text[256];

	for (unsigned n = 1; n <= 20; n++) {
		digest_of(n, digest);
		hex_write(digest, sizeof(digest), hex);
		snprintf(text, sizeof(text), "INSERT INTO deliveries VALUES (%u, 'gladly', x'%s', %" PRId64 ")", n, hex,
			 NOW);
		fixture_sql(f, text);
	}
	reopen(f);
	assert_true(f->s->deliveries->now.old_has);
	for (unsigned n = 1; n <= 20; n++)
		assert_false(take(f, n));
	assert_true(take(f, 21));
	now = NOW;
	pass(f, WEEK - 1);
	assert_int_equal(rows(f, "deliveries"), 20);
	assert_false(take(f, 20));
	pass(f, 1);
	assert_int_equal(rows(f, "deliveries"), 0);
	assert_false(f->s->deliveries->now.old_has);
	assert_true(take(f, 20));
	assert_false(take(f, 21));
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void count_loss(void *ctx, const struct store_loss *l)
{
	assert_non_null(strstr(l->reason, "repeat"));
	++*(int *)ctx;
}

static void a_row_of_the_tail_that_is_lost_is_noted_and_stops_nothing(void **state)
{
	struct fixture *f = *state;
	int losses = 0;

	f->s->deliveries->batch = 3;
	f->s->deliveries->step = 1000;
	for (unsigned n = 1; n <= 3; n++)
		assert_true(take(f, n));
	fixture_sql(f, "DELETE FROM delivery_tail WHERE id = 2");
	assert_true(take(f, 2)); /* the row decides */
	while (clean_week(f, NOW) > 0)
		;
	store_losses(f->s, count_loss, &losses);
	assert_int_equal(losses, 1);
	assert_int_equal(rows(f, "delivery_index"), 2);
	for (unsigned n = 1; n <= 3; n++)
		assert_false(take(f, n));
}

/* False where the transaction of one webhook fails. */
static bool is_committed(struct fixture *f, unsigned n)
{
	struct webhook w = {.source = (char[]){"gladly"}, .received_ms = NOW, .has_delivery = true};
	struct err e = {0};
	int r;

	digest_of(n, w.delivery);
	fixture_begin(f);
	r = fixture_insert(f->s, &w, NULL, "ignored", &e);
	if (r == 0)
		r = store_commit(f->s, &e);
	store_rollback(f->s);
	return r == 0;
}

/* SQLite writes nothing more in a transaction that met the page. */
static void a_damaged_page_of_the_index_fails_one_transaction(void **state)
{
	struct fixture *f = *state;
	unsigned failed = 0;
	int losses = 0;

	for (unsigned n = 1; n <= 200; n++)
		assert_true(take(f, n));
	assert_true(rows(f, "delivery_index") > 100);
	fixture_damage_page(f, fixture_sql(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_index'"));
	make_small(f);
	for (unsigned n = 1001; n <= 2000; n++)
		failed += !is_committed(f, n);
	assert_int_equal(failed, 1);
	store_losses(f->s, count_loss, &losses);
	assert_int_equal(losses, 1);
	assert_false(take(f, 1900)); /* found in memory */
}

static void a_row_of_the_tail_that_does_not_read_is_noted_at_the_opening(void **state)
{
	struct fixture *f = *state;
	int losses = 0;

	f->s->deliveries->step = 1000;
	for (unsigned n = 1; n <= 3; n++)
		assert_true(take(f, n));
	fixture_sql(f, "UPDATE delivery_tail SET digest = x'00' WHERE id = 2");
	reopen(f);
	assert_true(take(f, 2));
	store_losses(f->s, count_loss, &losses);
	assert_int_equal(losses, 1);
	assert_false(take(f, 1));
	assert_false(take(f, 3));
}

static void a_generation_that_lost_its_row_goes_on(void **state)
{
	static const char *const breaks[] = {
		"DELETE FROM delivery_generations",
		"UPDATE delivery_generations SET age = -9223372036854775807, seen = -9223372036854775807",
		"UPDATE delivery_generations SET age = 9223372036854775807, seen = 9223372036854775807",
		"UPDATE delivery_generations SET generation = 9223372036854775807 WHERE generation ="
		" (SELECT max(generation) FROM delivery_generations)",
	};
	struct fixture *f = *state;

	now = NOW;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		unsigned first = (unsigned)i * 100;

		pass(f, 3 * WEEK);
		for (unsigned n = 0; n < 20; n++)
			assert_true(take(f, first + n));
		pass(f, DAY);
		fixture_sql(f, breaks[i]);
		reopen(f);
		pass(f, 5 * DAY);
		for (unsigned n = 0; n < 20; n++)
			assert_false(take(f, first + n));
	}
}

/* ---- a random history -------------------------------------------------------------------------------------------- */

#define DIGESTS 120

/* A plain set. ages: since the webhook was accepted; -1: never. */
struct model {
	int64_t ages[DIGESTS];
};

static void model_insert(struct fixture *f, struct model *m, unsigned n)
{
	bool inserted = insert(f, n % 2 ? "gladly" : "zendesk", n / 2);

	if (m->ages[n] < 0 && !inserted)
		fail_msg("%u was never accepted", n);
	if (m->ages[n] >= 0 && m->ages[n] < WEEK && inserted)
		fail_msg("%u was accepted twice within %g days", n, (double)m->ages[n] / DAY);
	if (m->ages[n] > 2 * WEEK + 3 * DAY && !inserted)
		fail_msg("%u is still known after %g days", n, (double)m->ages[n] / DAY);
	if (inserted)
		m->ages[n] = 0;
}

static void submit(struct fixture *f, struct model *m)
{
	struct model before = *m;

	MUST(store_savepoint(f->s, err));
	for (unsigned i = dice_roll(6) + 1; i > 0; i--)
		model_insert(f, m, dice_roll(DIGESTS));
	if (dice_roll(4) == 0) {
		store_savepoint_undo(f->s);
		*m = before;
	} else {
		MUST(store_savepoint_keep(f->s, err));
	}
}

static void turn(struct fixture *f, struct model *m)
{
	struct model before = *m;

	fixture_begin(f);
	for (unsigned i = dice_roll(4); i > 0; i--)
		submit(f, m);
	if (dice_roll(3) == 0) {
		MUST(store_savepoint(f->s, err));
		assert_true(store_clean(f->s, DAY, 400 * DAY, now, dice_roll(12) + 1, NULL) >= 0);
		fixture_savepoint_end(f, dice_roll(3) == 0);
	}
	switch (dice_roll(8)) {
	case 0:
		store_rollback(f->s);
		*m = before;
		break;
	case 1:
		reopen(f); /* as after a crash */
		*m = before;
		break;
	default:
		fixture_commit(f);
		break;
	}
}

static void any_history_agrees_with_a_plain_set(void **state)
{
	struct fixture *f = *state;
	struct model m;

	dice_seed(dice_first_seed(1));
	now = NOW;
	for (unsigned n = 0; n < DIGESTS; n++)
		m.ages[n] = -1;
	for (int i = 0; i < 3000; i++) {
		turn(f, &m);
		if (dice_roll(6) == 0) {
			int64_t hours = 1 + dice_roll(23);

			now += hours * CLOCK_HOUR_MS;
			for (unsigned n = 0; n < DIGESTS; n++)
				if (m.ages[n] >= 0)
					m.ages[n] += hours * CLOCK_HOUR_MS;
			for (int k = 0; k < 3; k++) /* one of them begins a generation */
				while (clean_week(f, now) > 0)
					;
		}
		if (dice_roll(300) == 0) /* no time passes for the digests */
			now += (dice_roll(2) ? 1 : -1) * (2 + (int64_t)dice_roll(800)) * DAY;
		if (dice_roll(50) == 0)
			reopen(f);
	}
	assert_true(f->s->deliveries->now.generation > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
		TEST(a_digest_is_found_in_memory_and_after_a_reopening),
		TEST(a_full_tail_is_merged_and_its_digests_are_still_found),
		TEST(a_cleaning_that_finds_a_quiet_turn_merges_the_rest),
		TEST(a_digest_lives_for_a_week_and_for_two_at_most),
		TEST(digests_are_found_in_the_current_and_the_previous_generation),
		TEST(a_longer_retention_is_the_life_of_digests_too),
		TEST(a_jump_of_the_clock_ends_no_digests_life),
		TEST(while_a_jump_is_judged_no_generation_ages),
		TEST(an_undone_submission_leaves_no_digest),
		TEST(a_turn_that_is_rolled_back_leaves_no_digest),
		TEST(a_merge_that_is_rolled_back_is_made_again),
		TEST(a_crash_between_the_steps_of_a_merge_loses_nothing),
		TEST(digests_of_the_old_table_are_found_until_their_time),
		TEST(a_row_of_the_tail_that_is_lost_is_noted_and_stops_nothing),
		TEST(a_damaged_page_of_the_index_fails_one_transaction),
		TEST(a_row_of_the_tail_that_does_not_read_is_noted_at_the_opening),
		TEST(a_generation_that_lost_its_row_goes_on),
		TEST(any_history_agrees_with_a_plain_set),
	};

	return cmocka_run_group_tests_name("store_deliveries", tests, NULL, NULL);
}
