/* SPDX-License-Identifier: MIT */
/* The index of keys at the opening: rows are read again, a store of schema 8 gets an index, many entries go to the disk
 * at once, and an index with a damaged page is built anew. */
#include <config.h>

#include "store/store.h"

#include "fixtures/store_keys.h"

#define T INT64_C(1795276700000)

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Saves a new conversation of a person of its own, without a search for it. Returns the store's error. */
static int save_new(struct fixture *f, unsigned n, struct err *reterr)
{
	CLEANUP(mem_freep) char *name = mem_fmt("n-%u", n);
	CLEANUP(mem_freep) char *email = mem_fmt("p-%u@example.com", n);
	struct ledger_entry e = {.state = LEDGER_OPEN, .as_of_ms = T, .opened_ms = T, .addressed = true};
	struct reached_list reached = {0};
	struct store_conversation row = {0};
	int r;

	reached_add(&reached, "default", email, "In Lumen Conversation");
	r = store_begin(f->s, reterr);
	if (r == 0)
		r = store_conversation_save(f->s, "lumen", name, &e, &reached, &row, reterr);
	if (r == 0)
		r = store_commit(f->s, reterr);
	store_rollback(f->s);
	reached_clear(&reached);
	return r;
}

static void save_many(struct fixture *f, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		MUST(save_new(f, i, err));
}

/* Inserts n open conversations and n events, a third of them dead, into a store of schema 8. step: between ids. */
static void insert_rows(struct fixture *f, unsigned n, unsigned step)
{
	CLEANUP(mem_freep)
	char *text = mem_fmt(
		"CREATE TEMP TABLE n (i); WITH RECURSIVE r (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < "
		"%u)"
		" INSERT INTO n SELECT i FROM r;"
		"INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
		" opened_received, closed, reopen_count, addressed, taken, changed, clear, people)"
		" SELECT 100 + i * %u, 'lumen', 'c-' || i, 1, 0, 0, 0, i, 0, 0, 1, x'', 0, 1, CAST(char(0) || 'p-' || i"
		" || '@example.com' || char(0) || 'default' || char(0) || 'In Lumen Conversation' || char(0) AS BLOB)"
		" FROM n;"
		"INSERT INTO open_people SELECT people, id FROM conversations WHERE id > 100;"
		"INSERT INTO events (id, account, email, state, head, due, gap, created, unique_id, url)"
		" SELECT 100 + i * %u, 'default', 'p-' || i || '@example.com', i %% 3 / 2 * 2, i %% 3 < 2, 0, 0, 0,"
		" CAST(printf('%%024d', i * 1000) AS BLOB), 'https://a.klaviyo.com' FROM n",
		n, step, step);

	fixture_sql(f, text);
}

/* The page is in the file and not in the WAL. */
static void spoil(struct fixture *f, int64_t page)
{
	fixture_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	fixture_spoil_page(f, page);
}

static int64_t root_of(struct fixture *f, const char *name)
{
	CLEANUP(mem_freep)
	char *text = mem_fmt("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);

	return fixture_sql(f, text);
}

static void make_small(struct fixture *f)
{
	f->s->keys->batch = 50;
	f->s->keys->step = 1;
}

static void count_losses(void *ctx, const struct store_loss *l)
{
	if (strstr(l->reason, "index of keys"))
		++*(int *)ctx;
}

/* Returns how often the store tells that the index was damaged. */
static int losses(struct fixture *f)
{
	int n = 0;

	store_losses(f->s, count_losses, &n);
	return n;
}

/* ---- stores of schema 8 ------------------------------------------------------------------------------------------ */

static void a_store_of_schema_8_gets_an_index_of_its_rows(void **state)
{
	struct fixture *f = *state;
	int64_t n = 0;

	fixture_write_old(f, "schema-8.sql");
	fixture_open(f);
	fixture_keys_check(f);
	assert_int_equal(fixture_keys(f, KEY_CONVERSATION), 5);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 3);
	assert_int_equal(fixture_keys(f, KEY_EVENT), 4);
	assert_int_equal(fixture_keys(f, KEY_READY_PERSON), 2);
	assert_int_equal(fixture_keys(f, KEY_DEAD_PERSON), 1);
	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 2);
}

/* More rows than the memory may hold after an opening. */
static void many_rows_of_schema_8_go_to_the_disk_at_once(void **state)
{
	struct fixture *f = *state;

	fixture_write_old(f, "schema-8.sql");
	insert_rows(f, 40000, 1);
	fixture_open(f);
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys WHERE kind = 1") > 40000);
	assert_int_equal(f->s->keys->of[KEY_CONVERSATION].active.n, 0);
	fixture_keys_check(f);
	fixture_reopen(f);
	fixture_keys_check(f);
}

struct commits {
	int n, fail_from; /* fail_from: 0: none fails */
};

static int commit_hook(void *ctx)
{
	struct commits *c = ctx;

	c->n++;
	return c->fail_from > 0 && c->n >= c->fail_from;
}

/* Forgets the index, so that it is filled anew. */
static void empty(struct fixture *f)
{
	fixture_sql(f, "DELETE FROM keys; DELETE FROM key_states");
}

static void an_opening_writes_a_part_of_many_rows_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct commits commits = {0};

	fixture_write_old(f, "schema-8.sql");
	insert_rows(f, 3000, 1);
	fixture_open(f);
	empty(f);
	sqlite3_commit_hook(f->s->db, commit_hook, &commits);
	MUST(fixture_keys_open(f, 100, 10, err));
	sqlite3_commit_hook(f->s->db, NULL, NULL);
	assert_in_range(commits.n, 5 * 30, 5 * 30 + KEY_KINDS);
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		assert_true(f->s->keys->of[kind].active.n <= 20);
		assert_true(f->s->keys->of[kind].merged_to >= 3000);
	}
	fixture_keys_check(f);
	fixture_reopen(f);
	fixture_keys_check(f);
}

/* A failure ends the opening, and the next one goes on. Where it parted the kinds of a table, these have other parts
 * from then on, so at most one part of each more or fewer is written. */
/* Also of kinds that have none yet. */
#define STATES                                                               \
	"SELECT coalesce(merged, 0) AS merged FROM (SELECT 1 AS i UNION ALL" \
	" SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5) LEFT JOIN key_states ON kind = i"

static void a_failure_while_an_opening_writes_costs_only_the_last_part(void **state)
{
	struct fixture *f = *state;
	struct commits all = {0};

	fixture_write_old(f, "schema-8.sql");
	insert_rows(f, 1000, 1);
	fixture_open(f);
	empty(f);
	sqlite3_commit_hook(f->s->db, commit_hook, &all);
	MUST(fixture_keys_open(f, 100, 10, err));
	for (int fail_from = 1; fail_from <= all.n; fail_from += 7) {
		struct commits commits = {.fail_from = fail_from};
		struct commits rest = {0};
		bool is_whole;

		empty(f);
		sqlite3_commit_hook(f->s->db, commit_hook, &commits);
		assert_true(fixture_keys_open(f, 100, 10, NULL) < 0);
		assert_int_equal(commits.n, fail_from);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM keys") > 0, fail_from > 1);
		is_whole = fixture_sql(f, "SELECT (SELECT count(DISTINCT merged) <= 1 FROM (" STATES
					  " WHERE i IN (1, 2))) AND (SELECT count(DISTINCT merged) <= 1 FROM (" STATES
					  " WHERE i > 2))") > 0;
		sqlite3_commit_hook(f->s->db, commit_hook, &rest);
		MUST(fixture_keys_open(f, 100, 10, err));
		assert_true(abs(rest.n - (all.n - fail_from + 1)) <= 3);
		if (is_whole)
			assert_int_equal(rest.n, all.n - fail_from + 1);
		fixture_keys_check(f);
	}
	sqlite3_commit_hook(f->s->db, NULL, NULL);
}

/* A merge before the crash may have come further than what the opening writes first. */
static void what_a_broken_merge_left_is_known_after_a_part_of_an_opening(void **state)
{
	struct fixture *f = *state;

	f->s->keys->batch = 200;
	f->s->keys->step = 1;
	save_many(f, 0, 200);
	f->s->keys->step = SIZE_MAX / 4;
	while (!f->s->keys->of[KEY_CONVERSATION].is_merging)
		MUST(save_new(f, 1000 + (unsigned)f->s->last_conversation, err));
	for (unsigned n = 0; n < 2; n++) {
		f->s->keys->step = 1;
		MUST(save_new(f, 5000 + n, err));
	}
	assert_true(f->s->keys->of[KEY_CONVERSATION].is_merging);
	MUST(fixture_keys_open(f, 50, 1000, err));
	fixture_keys_check(f);
}

/* A damaged page of what schema 8 had instead. */
static void a_damaged_page_of_the_former_indexes_keeps_no_store_closed(void **state)
{
	static const char *const names[] = {"conversations_name", "events_unique", "events_person", "open_people"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(*names); i++) {
		const char *name = names[i / 2];
		CLEANUP(mem_freep)
		char *text = mem_fmt("SELECT count(*) FROM sqlite_schema WHERE name = '%s'", name);

		fixture_write_old(f, "schema-8.sql");
		insert_rows(f, 1000, 1);
		spoil(f, i % 2 ? root_of(f, name) : fixture_leaf(f, name, 1));
		fixture_open(f);
		fixture_keys_check(f);
		assert_int_equal(fixture_sql(f, text), 0);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name IN"
						" ('conversations_name', 'events_unique', 'events_person',"
						" 'open_people')"),
				 0);
		save_many(f, 0, 10);
		fixture_reopen(f);
		fixture_keys_check(f);
	}
}

/* ---- a damaged index --------------------------------------------------------------------------------------------- */

/* Saves n conversations, of which one fails. What was damaged is told at once, not only after a commit. */
static void one_fails(struct fixture *f, unsigned from, unsigned n)
{
	unsigned failed = 0;

	for (unsigned i = from; i < from + n; i++) {
		struct err e = {0};
		int r = save_new(f, i, &e);

		failed += r < 0;
		if (r < 0) {
			assert_int_equal(r, -EUCLEAN);
			assert_int_equal(losses(f), 1);
			assert_false(f->s->keys->is_damaged);
			fixture_keys_check(f);
		}
	}
	assert_int_equal(failed, 1);
	assert_int_equal(losses(f), 0);
	fixture_keys_check(f);
}

/* Damages the index of an open store again, less than a minute after the last building. */
static void a_damaged_page_of_the_index_fails_one_transaction(void **state)
{
	struct fixture *f = *state;

	make_small(f);
	save_many(f, 0, 2000);
	for (unsigned round = 1; round <= 2; round++) {
		assert_true(fixture_sql(f, "SELECT count(*) FROM keys WHERE kind = 1") > 1500);
		spoil(f, fixture_leaf(f, "keys", 1));
		sqlite3_db_release_memory(f->s->db);
		one_fails(f, round * 2000, 1000);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 2000 + round * 1000 - round);
		assert_true(fixture_sql(f, "SELECT count(*) FROM keys WHERE kind = 1") > 1000);
	}
	fixture_reopen(f);
	assert_int_equal(losses(f), 0);
	fixture_keys_check(f);
	make_small(f);
	save_many(f, 10000, 200);
	fixture_keys_check(f);
	fixture_reopen(f);
	assert_int_equal(losses(f), 0);
	fixture_keys_check(f);
}

/* Its only page is read before each step of a merge. */
static void a_damaged_page_of_the_states_fails_one_transaction(void **state)
{
	struct fixture *f = *state;

	make_small(f);
	save_many(f, 0, 300);
	spoil(f, root_of(f, "key_states"));
	sqlite3_db_release_memory(f->s->db);
	one_fails(f, 300, 500);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 799);
	fixture_reopen(f);
	assert_int_equal(losses(f), 0);
	fixture_keys_check(f);
}

/* Only some of these pages are met by the opening. */
static void a_damaged_page_of_the_index_is_met_by_an_opening_or_later(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 6; i++) {
		make_small(f);
		save_many(f, i * 1000, 400);
		store_close(f->s);
		f->s = NULL;
		spoil(f, i == 0   ? root_of(f, "keys")
			 : i == 1 ? root_of(f, "key_states")
				  : fixture_leaf(f, "keys", i - 2));
		fixture_open(f);
		if (i < 2) {
			assert_int_equal(losses(f), 1);
			fixture_keys_check(f);
		}
		(void)losses(f);
		f->s->keys->is_damaged = true; /* as whoever meets the page notes it */
		MUST(save_new(f, i * 1000 + 500, err));
		assert_int_equal(losses(f), 1);
		fixture_keys_check(f);
		fixture_reopen(f);
		assert_int_equal(losses(f), 0);
		fixture_keys_check(f);
		fixture_reopen(f);
		assert_int_equal(losses(f), 0);
		fixture_keys_check(f);
	}
}

/* Saves new conversations. Returns how many of the transactions failed. */
static unsigned save_and_fail(struct fixture *f, unsigned from, unsigned n)
{
	unsigned failed = 0;

	for (unsigned i = from; i < from + n; i++) {
		int r = save_new(f, i, NULL);

		failed += r < 0;
		if (r < 0)
			assert_true(r == -EUCLEAN || r == -EIO);
	}
	return failed;
}

static void count_call(void *ctx, const char *path, const char *part, int percent)
{
	(void)path;
	(void)part;
	(void)percent;
	(*(int *)ctx)++;
}

/* Whoever opened the store may be gone by then. */
static void a_building_after_the_opening_tells_nobody_how_far_it_is(void **state)
{
	struct fixture *f = *state;
	int calls = 0;
	struct store_options options = {.path = f->path, .works = count_call, .works_ctx = &calls};

	make_small(f);
	save_many(f, 0, 500);
	store_close(f->s);
	MUST(store_open(&options, STORE_WRITE, &f->s, err));
	make_small(f);
	f->s->keys->span = 1;
	calls = 0;
	f->s->keys->is_damaged = true;
	fixture_begin(f);
	store_rollback(f->s);
	assert_false(f->s->keys->is_damaged);
	assert_int_equal(losses(f), 1);
	assert_int_equal(calls, 0);
}

/* The transactions go on in memory meanwhile. */
static void a_building_that_fails_is_tried_again(void **state)
{
	struct fixture *f = *state;

	make_small(f);
	save_many(f, 0, 500);
	for (int fail_from = 1; fail_from <= 6; fail_from++) {
		struct commits commits = {.fail_from = fail_from};
		unsigned first = 1000 * (unsigned)fail_from;

		f->s->keys->is_damaged = true;
		f->s->keys->build_ms = 0;
		fixture_begin(f);
		sqlite3_commit_hook(f->s->db, commit_hook, &commits);
		store_rollback(f->s);
		sqlite3_commit_hook(f->s->db, NULL, NULL);
		if (!f->s->keys->is_damaged)
			break;
		(void)save_and_fail(f, first, 20); /* nothing can be said of a table that is not there */
		f->s->keys->build_ms = 0;
		(void)save_and_fail(f, first + 100, 1);
		assert_false(f->s->keys->is_damaged);
		assert_int_equal(save_and_fail(f, first + 200, 20), 0);
		fixture_keys_check(f);
		if (fail_from % 2)
			fixture_reopen(f);
		make_small(f);
	}
	fixture_reopen(f);
	fixture_keys_check(f);
}

/* What was not made anew because of a crash, the next opening makes. */
static void a_building_that_a_crash_ended_is_made_by_the_next_opening(void **state)
{
	static const char *const left[] = {
		"DROP TABLE key_states",
		"DROP TABLE key_states; DROP TABLE keys",
		"DELETE FROM key_states",
	};
	struct fixture *f = *state;

	make_small(f);
	save_many(f, 0, 500);
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
		store_close(f->s);
		f->s = NULL;
		fixture_sql(f, left[i]);
		fixture_open(f);
		make_small(f);
		save_many(f, 1000 * (unsigned)(i + 1), 100);
		fixture_reopen(f);
		make_small(f);
	}
	for (unsigned n = 0; n < 500; n++) {
		CLEANUP(mem_freep) char *name = mem_fmt("n-%u", n);
		struct reached_list reached = {0};
		struct store_conversation row;
		struct ledger_entry e;

		MUST(store_conversation_load(f->s, "lumen", name, &e, &reached, &row, err));
		assert_true(row.id > 0);
		reached_clear(&reached);
	}
}

/* As doc/store.md says for a file after .recover, or after a change that the index does not notice. */
static void an_index_that_was_deleted_by_hand_is_made_anew_from_the_rows(void **state)
{
	struct fixture *f = *state;

	make_small(f);
	save_many(f, 0, 1000);
	store_close(f->s);
	f->s = NULL;
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys") > 1500);
	fixture_sql(f, "DELETE FROM keys WHERE id % 3 = 0;"
		       "UPDATE conversations SET conversation = 'renamed-' || id WHERE id % 7 = 0;"
		       "UPDATE conversations SET state = 2 WHERE id % 5 = 0");
	fixture_sql(f, "DELETE FROM key_states; DELETE FROM keys;");
	fixture_open(f);
	assert_int_equal(losses(f), 0);
	assert_int_equal(fixture_keys(f, KEY_CONVERSATION), 1000);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 800);
	fixture_keys_check(f);
}

/* ---- damaged rows ------------------------------------------------------------------------------------------------ */

static int count_steps(unsigned what, void *ctx, void *stmt, void *ns)
{
	(void)what;
	(void)ns;
	*(int64_t *)ctx += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
	return 0;
}

/* Reads each row by its id, and looks for its entries. Returns the number of rows that cannot be read. */
static int look_for_each(struct fixture *f, unsigned n, unsigned step)
{
	int unreadable = 0;

	for (unsigned i = 1; i <= n; i++) {
		CLEANUP(mem_freep) char *name = mem_fmt("c-%u", i);
		struct reached_list reached = {0};
		struct store_conversation row;
		struct ledger_entry e;
		int64_t there = 0;
		int r;

		QUERY(q, f->s, "SELECT length(people) > 0 FROM conversations WHERE id = ?1", NULL);
		query_bind_int(&q, 100 + (int64_t)i * step);
		r = query_one_int(&q, &there);
		query_close(&q);
		if (r < 0 || there == 0) {
			unreadable++;
			continue;
		}
		MUST(store_conversation_load(f->s, "lumen", name, &e, &reached, &row, err));
		assert_int_equal(row.id, 100 + (int64_t)i * step);
		reached_clear(&reached);
	}
	return unreadable;
}

/* The rows behind a damaged page are found, and the opening takes no longer: also where ids are far apart, and where
 * most rows have no entry of a kind. */
static void a_damaged_page_of_rows_takes_only_its_rows_from_the_index(void **state)
{
	static const struct {
		const char *table;
		unsigned step; /* between ids */
		int unreadable[2];
		int64_t events[2]; /* entries */
	} cases[] = {
		{"events", 1, {0, 0}, {2900, 3003}},
		{"events", 1000000, {0, 0}, {2900, 3003}},
		{"events_state", 1, {0, 0}, {3004, 3004}},
		{"conversations", 1, {1, 100}, {3004, 3004}},
		{"conversations", 1000000, {1, 100}, {3004, 3004}},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t vm_steps = 0;

		fixture_write_old(f, "schema-8.sql");
		insert_rows(f, 3000, cases[i].step);
		fixture_sql(f, "UPDATE events SET state = 1, head = 0, ended = 1 WHERE id > 100 AND id % 9 > 0");
		fixture_sql(f, "UPDATE events SET state = 2, head = 0 WHERE id > 100 AND state <> 1");
		spoil(f, fixture_leaf(f, cases[i].table, 5));
		fixture_open(f);
		sqlite3_trace_v2(f->s->db, SQLITE_TRACE_PROFILE, count_steps, &vm_steps);
		MUST(fixture_keys_open(f, 1 << 20, 1 << 20, err));
		sqlite3_trace_v2(f->s->db, 0, NULL, NULL);
		if (vm_steps > 400000)
			fail_msg("%s, ids by %u: %" PRId64 " steps", cases[i].table, cases[i].step, vm_steps);
		assert_in_range(look_for_each(f, 3000, cases[i].step), cases[i].unreadable[0], cases[i].unreadable[1]);
		assert_in_range(fixture_keys(f, KEY_EVENT), cases[i].events[0], cases[i].events[1]);
		assert_in_range(fixture_keys(f, KEY_DEAD_PERSON), 100, 400);
	}
}

static void count_unreadable(void *ctx, const struct store_loss *l)
{
	if (strstr(l->reason, "conversations on a damaged page"))
		++*(int *)ctx;
}

/* However many pages of rows are damaged, and also where the index is, so that the rows are read twice. */
static void damaged_pages_of_rows_are_told_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		int n = 0;

		fixture_write_old(f, "schema-8.sql");
		insert_rows(f, 3000, 1);
		fixture_open(f);
		store_close(f->s);
		f->s = NULL;
		spoil(f, fixture_leaf(f, "conversations", 5));
		spoil(f, fixture_leaf(f, "conversations", 9));
		if (i == 1)
			spoil(f, root_of(f, "key_states"));
		fixture_open(f);
		store_losses(f->s, count_unreadable, &n);
		assert_int_equal(n, 1);
		/* The next transaction does not tell it again. */
		n = 0;
		MUST(save_new(f, 1, err));
		store_losses(f->s, count_unreadable, &n);
		assert_int_equal(n, 0);
		/* Another connection's change makes the rows be read again. */
		fixture_sql(f, "UPDATE counts SET n = n + 1");
		MUST(save_new(f, 2, err));
		store_losses(f->s, count_unreadable, &n);
		assert_int_equal(n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(a_store_of_schema_8_gets_an_index_of_its_rows),
		TEST(many_rows_of_schema_8_go_to_the_disk_at_once),
		TEST(an_opening_writes_a_part_of_many_rows_at_a_time),
		TEST(a_failure_while_an_opening_writes_costs_only_the_last_part),
		TEST(what_a_broken_merge_left_is_known_after_a_part_of_an_opening),
		TEST(a_damaged_page_of_the_former_indexes_keeps_no_store_closed),
		TEST(a_damaged_page_of_the_index_fails_one_transaction),
		TEST(a_damaged_page_of_the_states_fails_one_transaction),
		TEST(a_damaged_page_of_the_index_is_met_by_an_opening_or_later),
		TEST(a_building_after_the_opening_tells_nobody_how_far_it_is),
		TEST(a_building_that_fails_is_tried_again),
		TEST(a_building_that_a_crash_ended_is_made_by_the_next_opening),
		TEST(an_index_that_was_deleted_by_hand_is_made_anew_from_the_rows),
		TEST(a_damaged_page_of_rows_takes_only_its_rows_from_the_index),
		TEST(damaged_pages_of_rows_are_told_once),
	};

	return cmocka_run_group_tests_name("store_keys_open", tests, NULL, NULL);
}
