/* SPDX-License-Identifier: MIT */
/* The index of keys agrees with the rows after any history. Its batches are small here. */
#include <config.h>

#include "store/store.h"

#include "fixtures/store_keys.h"

#define DAY CLOCK_DAY_MS
#define BATCH FIXTURE_KEYS_BATCH

static int setup(void **state)
{
	int r = fixture_setup(state);

	fixture_keys_small(*state);
	return r;
}

static int64_t now = NOW;

/* In a turn of its own. */
static void take(struct fixture *f, unsigned n)
{
	fixture_begin(f);
	assert_true(fixture_keys_queue(f, n % 3, n) > 0);
	fixture_commit(f);
}

static void clean(struct fixture *f, size_t max)
{
	assert_true(store_clean(f->s, 2 * DAY, 5 * DAY, now, max, NULL) >= 0);
}

/* ---- single histories -------------------------------------------------------------------------------------------- */

static void entries_are_found_in_memory_on_the_disk_and_after_a_reopening(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 60; n++) {
		fixture_begin(f);
		(void)fixture_keys_save(f, n, n % 4 ? LEDGER_OPEN : LEDGER_CLOSED, n % 256, now);
		assert_true(fixture_keys_queue(f, n % 5, n) > 0);
		fixture_commit(f);
		fixture_keys_check(f);
	}
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys") > 100);
	for (enum key_kind kind = KEY_CONVERSATION; kind <= KEY_READY_PERSON; kind++)
		assert_true(f->s->keys->of[kind].active.n <= 2 * BATCH + 8);
	fixture_keys_reopen(f);
	fixture_keys_check(f);
	fixture_begin(f);
	for (unsigned n = 0; n < 60; n++)
		assert_int_equal(fixture_keys_queue(f, n % 5, n), 0);
	fixture_commit(f);
}

static void an_undone_part_leaves_no_entry_and_takes_none(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 12; round++) {
		fixture_begin(f);
		for (unsigned n = 0; n < 3; n++)
			(void)fixture_keys_save(f, n, LEDGER_OPEN, 3U << n, now);
		MUST(store_savepoint(f->s, err));
		for (unsigned n = 0; n < 3; n++)
			(void)fixture_keys_save(f, n, LEDGER_CLOSED, 0, now);
		for (unsigned n = 0; n < 20; n++)
			(void)fixture_keys_save(f, 100 + n, LEDGER_OPEN, n, now);
		fixture_keys_check(f);
		store_savepoint_undo(f->s);
		fixture_keys_check(f);
		(void)fixture_keys_save(f, 1000 + (unsigned)round, LEDGER_OPEN, 255, now);
		fixture_end(f, round % 3 == 0);
		fixture_keys_check(f);
	}
}

/* Makes a batch of dead letters that is not begun on the disk, and returns one of its ids. */
static int64_t batch_not_begun(struct fixture *f)
{
	int64_t id;

	f->s->keys->step = SIZE_MAX / 4;
	f->s->keys->span = INT64_MAX;
	fixture_begin(f);
	id = fixture_keys_queue(f, 0, 1);
	for (unsigned n = 2; n <= BATCH; n++)
		assert_true(fixture_keys_queue(f, 1, n) > 0);
	fixture_commit(f);
	for (int i = 0; i < KEY_KINDS && !f->s->keys->of[KEY_READY_PERSON].is_merging; i++)
		take(f, 100 + (unsigned)i);
	assert_true(f->s->keys->of[KEY_READY_PERSON].is_merging);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM key_states"), 0);
	return id;
}

/* A dead letter is revived, so its entry is inserted on the disk, while a batch with its id waits for its first step.
 * What is on the disk then must be known after a crash. */
static void an_entry_that_comes_before_its_batch_is_not_left_behind(void **state)
{
	struct fixture *f = *state;
	int64_t id = batch_not_begun(f);
	bool later;

	fixture_begin(f);
	MUST(store_event_dead(f->s, id, "400", now, err));
	fixture_commit(f);
	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	MUST(store_event_revive(f->s, id, now, &later, err));
	store_savepoint_undo(f->s);
	MUST(store_event_revive(f->s, id, now, &later, err));
	fixture_commit(f);
	fixture_keys_check(f);
	fixture_keys_reopen(f);
	fixture_begin(f);
	MUST(fixture_delivered(f->s, id, 0, now, err));
	fixture_commit(f);
	fixture_keys_check(f);
}

static int refuse(void *ctx)
{
	(void)ctx;
	return 1;
}

/* A COMMIT comes after the step of a merge. */
static void a_merge_whose_commit_fails_is_made_again(void **state)
{
	struct fixture *f = *state;

	f->s->keys->step = SIZE_MAX / 4;
	for (unsigned n = 0; n < 30; n++)
		take(f, n);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM keys"), 0);
	f->s->keys->step = 1;
	for (int i = 0; i < 3; i++) {
		fixture_begin(f);
		assert_true(fixture_keys_queue(f, 1, 100) > 0);
		sqlite3_commit_hook(f->s->db, refuse, NULL);
		assert_true(store_commit(f->s, NULL) < 0);
		sqlite3_commit_hook(f->s->db, NULL, NULL);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM keys"), 0);
		fixture_keys_check(f);
	}
	take(f, 100);
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys") > 0);
	fixture_keys_check(f);
}

/* Returns false where the disk is full. */
static bool try_to_queue(struct fixture *f, unsigned n)
{
	struct event e = {.time_ms = NOW + n, .account = mem_str("default"), .metric = mem_str("m")};
	int r;

	e.email = mem_fmt("p-%u@example.com", n);
	e.source = mem_str("gladly");
	(void)snprintf(e.unique_id, sizeof(e.unique_id), "%032x", n);
	fixture_begin(f);
	r = store_event_insert(f->s, &e, 0, NOW, NULL);
	if (r == 0)
		r = store_commit(f->s, NULL);
	store_rollback(f->s);
	event_done(&e);
	if (r < 0)
		assert_int_equal(r, -ENOSPC);
	return r == 0;
}

static int64_t entries_on_disk(struct fixture *f)
{
	return fixture_sql(f, "SELECT count(*) FROM keys");
}

static void a_full_disk_stops_a_merge_until_there_is_room(void **state)
{
	struct fixture *f = *state;
	unsigned failed = 0;
	unsigned n = 0;

	for (int round = 0; round < 5; round++) {
		MUST(store_exec(f->s, "PRAGMA max_page_count = 1", err)); /* the present size */
		for (int i = 0; i < 100; i++) {
			bool queued = try_to_queue(f, n++);

			failed += !queued;
			if (!queued)
				fixture_keys_check(f);
			f->s->keys->merge_ms = 0; /* the time has come to try again */
		}
		MUST(store_exec(f->s, "PRAGMA max_page_count = 100000", err));
		for (int i = 0; i < 20; i++)
			assert_true(try_to_queue(f, n++));
		fixture_keys_check(f);
	}
	assert_true(failed > 0);
	fixture_keys_reopen(f);
	fixture_keys_check(f);
}

/* The file has free pages, enough for rows and too few for the merge. */
static void a_merge_without_room_is_tried_again_after_a_minute(void **state)
{
	struct fixture *f = *state;
	int64_t on_disk = entries_on_disk(f);
	unsigned n = 0;

	f->s->keys->batch = 2000;
	f->s->keys->span = 1 << 20;
	f->s->keys->step = SIZE_MAX / 4;
	while (n < 5000)
		assert_true(try_to_queue(f, n++));
	assert_true(f->s->keys->of[KEY_EVENT].is_merging);
	assert_int_equal(entries_on_disk(f), on_disk);
	fixture_sql(f, "CREATE TABLE room (x); INSERT INTO room VALUES (zeroblob(24000)); DROP TABLE room");
	MUST(store_exec(f->s, "PRAGMA max_page_count = 1", err));
	f->s->keys->step = 1;
	assert_false(try_to_queue(f, n));
	assert_true(f->s->keys->merge_ms > clock_mono_ms());
	fixture_keys_check(f);
	/* No other transaction fails. */
	for (int i = 0; i < 10; i++)
		assert_true(try_to_queue(f, n++));
	assert_int_equal(entries_on_disk(f), on_disk);
	f->s->keys->merge_ms = 0; /* the minute is over */
	f->s->keys->of[KEY_EVENT].waiting = 5000;
	assert_false(try_to_queue(f, n));
	assert_true(f->s->keys->merge_ms > clock_mono_ms());
	MUST(store_exec(f->s, "PRAGMA max_page_count = 100000", err));
	assert_true(try_to_queue(f, n++));
	assert_int_equal(entries_on_disk(f), on_disk);
	f->s->keys->merge_ms = 0;
	f->s->keys->of[KEY_EVENT].waiting = 5000;
	assert_true(try_to_queue(f, n++));
	assert_true(entries_on_disk(f) > on_disk + 2000);
	fixture_keys_check(f);
	fixture_keys_reopen(f);
	fixture_keys_check(f);
}

static void with_little_room_nothing_is_merged_as_long_as_memory_allows(void **state)
{
	struct fixture *f = *state;
	const struct keys_of *k = &f->s->keys->of[KEY_EVENT];
	int waited = 0;
	bool merged = false;

	f->s->keys->step = 1;
	for (unsigned n = 0; n < 100; n++) {
		int64_t on_disk = entries_on_disk(f);
		bool waits = k->active.n + 1 < 4 * f->s->keys->batch;

		fixture_begin(f);
		f->s->disk_left = 2 << 20;
		assert_true(fixture_keys_queue(f, 1, n) > 0);
		fixture_commit(f);
		waited += waits;
		if (waits && !merged)
			assert_int_equal(entries_on_disk(f), on_disk);
		merged = merged || !waits;
		assert_in_range(k->active.n, 0, 16 * FIXTURE_KEYS_BATCH);
	}
	assert_true(waited >= 3 * FIXTURE_KEYS_BATCH);
	assert_true(merged);
	fixture_keys_check(f);
	fixture_keys_reopen(f);
	fixture_keys_check(f);
}

/* A span of ids is enough for a batch, so that a restart reads few rows. */
static void a_kind_without_entries_moves_on(void **state)
{
	struct fixture *f = *state;

	f->s->keys->batch = 1000;
	for (unsigned n = 0; n < 400; n++) {
		int64_t id;

		take(f, n);
		id = fixture_keys_event(f, EVENT_READY, true);
		fixture_begin(f);
		MUST(fixture_delivered(f->s, id, 0, now, err));
		fixture_commit(f);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM keys WHERE kind IN (4, 5)"), 0);
	for (enum key_kind kind = KEY_EVENT; kind <= KEY_DEAD_PERSON; kind++)
		assert_in_range(400 - f->s->keys->of[kind].merged_to, 0, 3 * 40);
	fixture_keys_check(f);
	fixture_keys_reopen(f);
	fixture_keys_check(f);
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static void conversations_after_all_were_deleted_are_found_after_a_restart(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 6; round++) {
		for (unsigned n = 0; n < 30; n++) {
			fixture_begin(f);
			(void)fixture_keys_save(f, n, LEDGER_OPEN, 1U << n % 8, now);
			(void)fixture_keys_save(f, n, LEDGER_CLOSED, 0, now);
			fixture_commit(f);
		}
		now += 10 * DAY;
		fixture_begin(f);
		clean(f, 1000);
		fixture_end(f, false);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 0);
		assert_int_equal(fixture_keys(f, KEY_CONVERSATION), 0);
		if (round % 3 > 0)
			fixture_keys_reopen(f);
		for (unsigned n = 0; n < 30 && round % 2; n++) {
			fixture_begin(f);
			(void)fixture_keys_save(f, n, LEDGER_OPEN, 1U << n % 8, now);
			fixture_end(f, n % 4 == 3);
		}
		fixture_keys_reopen(f);
		fixture_keys_check(f);
	}
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

/* An operator's shell deletes rows and copies them under other ids. */
static void rows_that_another_connection_changed_are_found_after_the_next_transaction(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	for (int round = 0; round < 20; round++) {
		/* Also while a batch is merged, or waits for its first step. */
		for (int i = 0; i < 7 + round; i++, n++) {
			fixture_begin(f);
			assert_true(fixture_keys_queue(f, n % 3, n) > 0);
			(void)fixture_keys_save(f, n, n % 3 ? LEDGER_OPEN : LEDGER_CLOSED, n % 256, now);
			fixture_commit(f);
			f->s->keys->step = n % 7 == 0 ? SIZE_MAX / 4 : 1;
		}
		fixture_sql(f,
			    "INSERT INTO events (id, account, email, state, head, due, gap, created, unique_id, url)"
			    " SELECT max(id) + 7, account, 'other-' || id || '@example.com', 0, 1, due, gap, created,"
			    " randomblob(24), url FROM events");
		fixture_sql(f, "INSERT INTO conversations SELECT max(id) + 5, 'gladly', 'other-' || id, 1, as_of,"
			       " first_opened, opened, opened_received, closed, reopen_count, addressed, taken,"
			       " changed, 1, as_of_received, newest, people, digests FROM conversations");
		take(f, 100000 + n++);
		fixture_keys_check(f);
		if (round % 4 == 0)
			fixture_keys_reopen(f);
	}
	for (unsigned i = 0; i < 100; i++) {
		int64_t id = fixture_keys_event(f, EVENT_READY, true);

		fixture_begin(f);
		MUST(fixture_delivered(f->s, id, 0, now, err));
		assert_true(fixture_keys_queue(f, 1, 200000 + i) > 0);
		fixture_commit(f);
		fixture_keys_check(f);
	}
}

/* ---- many events of one person ----------------------------------------------------------------------------------- */

static int count_step(unsigned what, void *ctx, void *stmt, void *ns)
{
	(void)what;
	(void)ns;
	*(int64_t *)ctx += 1 + sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
	return 0;
}

/* Queues and delivers events of one person. Returns the number of SQLite's steps. */
static int64_t hot_key(struct fixture *f, unsigned from, unsigned n, bool delivers)
{
	int64_t steps = 0;

	sqlite3_trace_v2(f->s->db, SQLITE_TRACE_PROFILE, count_step, &steps);
	for (unsigned i = 0; i < n; i += 100) {
		fixture_begin(f);
		for (unsigned k = 0; k < 100 && !delivers; k++)
			assert_true(fixture_keys_queue(f, 1, from + i + k) > 0);
		for (unsigned k = 0; k < 100 && delivers; k++)
			MUST(fixture_delivered(f->s, from + i + k + 1, 0, now, err));
		fixture_commit(f);
	}
	sqlite3_trace_v2(f->s->db, 0, NULL, NULL);
	return steps;
}

static void many_events_of_one_person_cost_no_more_each(void **state)
{
	enum {
		MANY = 20000,
		SOME = 2000
	};
	struct fixture *f = *state;
	int64_t first, last;

	f->s->keys->batch = 3000;
	f->s->keys->step = 64;
	f->s->keys->span = 1 << 20;
	(void)hot_key(f, 0, 3 * SOME, false); /* the disk has none */
	first = hot_key(f, 3 * SOME, SOME, false);
	(void)hot_key(f, 4 * SOME, MANY - 5 * SOME, false);
	last = hot_key(f, MANY - SOME, SOME, false);
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys WHERE kind = 4") > MANY / 2);
	if (last > 2 * first)
		fail_msg("to queue: %" PRId64 " steps, then %" PRId64, first, last);
	first = hot_key(f, 0, SOME, true);
	(void)hot_key(f, SOME, MANY - 2 * SOME, true);
	last = hot_key(f, MANY - SOME, SOME, true);
	if (last > 2 * first || first > 2 * last)
		fail_msg("to deliver: %" PRId64 " steps, then %" PRId64, first, last);
	fixture_keys_check(f);
}

/* The oldest entry of one key is found and removed, again and again, in a batch that is not merged yet. With a step for
 * each entry that was removed before, this would take minutes. */
static void the_removed_entries_of_a_key_do_not_matter(void **state)
{
	const int64_t many = 400000;
	struct fixture *f = *state;
	struct change c;

	take(f, 1); /* the first transaction reads rows again, and these entries have none */
	f->s->keys->batch = (size_t)many;
	f->s->keys->step = SIZE_MAX / 4;
	f->s->keys->span = INT64_MAX;
	for (int64_t id = 2; id <= many + KEY_KINDS; id++) {
		if (id == 2 || id > many) {
			fixture_begin(f);
			c = change_begin(f->s, NULL);
		}
		keys_add(&c, KEY_READY_PERSON, 7, id);
		if (id >= many)
			fixture_commit(f);
	}
	assert_true(f->s->keys->of[KEY_READY_PERSON].frozen_n >= (size_t)many - 1);
	fixture_begin(f);
	c = change_begin(f->s, NULL);
	for (int64_t id = 2; id <= many; id++) {
		struct key_walk walk = key_walk(&c, KEY_READY_PERSON, 7, KEYS_ALL);

		assert_int_equal(key_walk_next(&walk), id);
		keys_remove(&c, KEY_READY_PERSON, 7, id);
	}
	assert_int_equal(change_end(&c), 0);
	fixture_commit(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
		TEST(entries_are_found_in_memory_on_the_disk_and_after_a_reopening),
		TEST(an_undone_part_leaves_no_entry_and_takes_none),
		TEST(an_entry_that_comes_before_its_batch_is_not_left_behind),
		TEST(a_merge_whose_commit_fails_is_made_again),
		TEST(a_full_disk_stops_a_merge_until_there_is_room),
		TEST(a_merge_without_room_is_tried_again_after_a_minute),
		TEST(with_little_room_nothing_is_merged_as_long_as_memory_allows),
		TEST(a_kind_without_entries_moves_on),
		TEST(conversations_after_all_were_deleted_are_found_after_a_restart),
		TEST(rows_that_another_connection_changed_are_found_after_the_next_transaction),
		TEST(many_events_of_one_person_cost_no_more_each),
		TEST(the_removed_entries_of_a_key_do_not_matter),
	};

	return cmocka_run_group_tests_name("store_keys", tests, NULL, NULL);
}
