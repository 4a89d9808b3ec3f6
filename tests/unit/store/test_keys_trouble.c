/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/store.h"

#include "fixtures/store.h"

/* Histories in which the index of keys loses entries, counts wrong, or stops the store. */

#define FLAG "In Gladly Conversation"

static void save(struct fixture *f, const char *conversation, enum ledger_state state, const char *email)
{
	struct ledger_entry e = {.state = state, .opened_ms = NOW, .opened_received_ms = NOW, .addressed = true};
	struct reached_list reached = {0};
	bool own = !f->s->in_transaction;

	reached_add(&reached, "default", email, FLAG);
	if (own)
		fixture_begin(f);
	MUST(store_conversation_save(f->s, "gladly", conversation, &e, &reached, NULL, err));
	if (own)
		fixture_commit(f);
	reached_clear(&reached);
}

static enum ledger_state state_of(struct fixture *f, const char *conversation)
{
	struct reached_list reached = {0};
	struct ledger_entry e;

	MUST(store_conversation_load(f->s, "gladly", conversation, &e, &reached, NULL, err));
	reached_clear(&reached);
	return e.state;
}

static int64_t flags(struct fixture *f, const char *email)
{
	int64_t n = -1;

	MUST(store_flag_count(f->s, "default", email, FLAG, NULL, NULL, &n, err));
	return n;
}

static int64_t paused(struct fixture *f)
{
	struct store_options o = {.path = f->path};
	struct store *reader = NULL;
	int64_t n = -1;

	MUST(store_open(&o, STORE_READ, &reader, err));
	MUST(store_paused_count(reader, &n, err));
	store_close(reader);
	return n;
}

/* ---- the opening ------------------------------------------------------------------------------------------------- */

/* As after the migration of a store that has given many ids. */
static void conversations_that_an_opening_writes_to_the_disk_are_found(void **state)
{
	struct fixture *f = *state;

	save(f, "c-1", LEDGER_OPEN, "jo@example.com");
	store_close(f->s);
	f->s = NULL;
	fixture_sql(f, "UPDATE conversations SET id = 200000");
	fixture_open(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM keys"), 2); /* they are on the disk */
	assert_int_equal(state_of(f, "c-1"), LEDGER_OPEN);
	assert_int_equal(flags(f, "jo@example.com"), 1);
	save(f, "c-1", LEDGER_CLOSED, "jo@example.com");
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations"), 1);
	assert_int_equal(paused(f), 0);
}

static void events_that_an_opening_writes_to_the_disk_keep_their_order(void **state)
{
	struct fixture *f = *state;
	struct fixture_ids due;

	fixture_begin(f);
	assert_int_equal(fixture_queue(f, "jo@example.com", 1, NOW), 1);
	assert_int_equal(fixture_queue(f, "jo@example.com", 2, NOW), 2);
	fixture_commit(f);
	store_close(f->s);
	f->s = NULL;
	fixture_sql(f, "INSERT INTO events SELECT 200000, account, 'mo@example.com', 1, 0, due, 1, 1, 0, 0, created,"
		       " x'000000000000000000000000000000000000000000000099', url, NULL FROM events WHERE id = 1");
	fixture_open(f);
	fixture_begin(f);
	assert_int_equal(fixture_queue(f, "jo@example.com", 1, NOW), 0); /* it is queued already */
	(void)fixture_queue(f, "jo@example.com", 3, NOW);
	fixture_commit(f);
	due = fixture_due(f, "default", NOW);
	assert_int_equal(due.n, 1); /* the head */
	assert_int_equal(due.ids[0], 1);
	fixture_begin(f);
	MUST(fixture_delivered(f->s, 1, 0, NOW, err));
	fixture_commit(f);
	due = fixture_due(f, "default", NOW);
	assert_int_equal(due.n, 1);
	assert_int_equal(due.ids[0], 2);
}

/* Makes the store one of schema 8. */
static void make_schema_8(struct fixture *f)
{
	store_close(f->s);
	f->s = NULL;
	fixture_sql(f, "DROP TABLE keys; DROP TABLE key_states;"
		       "CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);"
		       "CREATE UNIQUE INDEX events_unique ON events (account, unique_id);"
		       "CREATE INDEX events_person ON events (account, email, state) WHERE state <> 1;"
		       "CREATE TABLE open_people (person BLOB NOT NULL, conversation INTEGER NOT NULL,"
		       " PRIMARY KEY (person, conversation)) STRICT, WITHOUT ROWID;"
		       "PRAGMA user_version = 8");
}

static void a_store_of_schema_8_is_migrated(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path};
	struct err e = {0};

	save(f, "c-1", LEDGER_OPEN, "jo@example.com");
	make_schema_8(f);
	if (store_open(&o, STORE_WRITE, &f->s, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(state_of(f, "c-1"), LEDGER_OPEN);
	assert_int_equal(flags(f, "jo@example.com"), 1);
}

/* As above, with the table whose absence fails migration_bytes(). */
static void a_damaged_index_of_schema_8_stops_no_migration(void **state)
{
	static const char *const names[] = {"conversations_name", "open_people"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct store_options o = {.path = f->path};
		struct err e = {0};

		if (i == 0)
			save(f, "c-1", LEDGER_OPEN, "jo@example.com");
		make_schema_8(f);
		fixture_sql(f, "CREATE TABLE reached (account TEXT, email TEXT, flag TEXT)");
		if (i == 0)
			fixture_sql(
				f, "WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
				   " INSERT INTO conversations SELECT i, source, 'c-' || i, state, as_of, first_opened,"
				   " opened, opened_received, closed, reopen_count, addressed, taken, changed, clear,"
				   " as_of_received, newest, people, digests FROM conversations, n WHERE id = 1");
		fixture_sql(f, "INSERT INTO open_people SELECT people, id FROM conversations");
		fixture_spoil_page(f, fixture_leaf(f, names[i], 1));
		if (store_open(&o, STORE_WRITE, &f->s, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(state_of(f, "c-4711"), LEDGER_OPEN);
		assert_int_equal(flags(f, "jo@example.com"), 5000);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name IN ('open_people',"
						" 'conversations_name', 'events_unique', 'events_person')"),
				 0);
		fixture_reopen(f);
		fixture_sql(f, "DROP TABLE reached");
		assert_int_equal(state_of(f, "c-4711"), LEDGER_OPEN);
	}
}

/* keys_empty drops and creates the tables in three transactions. */
static void an_index_whose_building_was_interrupted_is_built_at_the_next_opening(void **state)
{
	static const char *const ended[] = {"DROP TABLE keys", "DROP TABLE keys; DROP TABLE key_states"};
	struct fixture *f = *state;

	save(f, "c-1", LEDGER_OPEN, "jo@example.com");
	for (size_t i = 0; i < 2; i++) {
		struct store_options o = {.path = f->path};
		struct err e = {0};

		store_close(f->s);
		f->s = NULL;
		fixture_sql(f, i == 0 ? ended[0] : "DROP TABLE IF EXISTS keys; DROP TABLE key_states");
		if (store_open(&o, STORE_WRITE, &f->s, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(state_of(f, "c-1"), LEDGER_OPEN);
	}
}

/* Rows of a page in the middle, all of closed conversations or delivered events, as most are. */
static void a_damaged_page_far_behind_the_last_open_conversation_is_passed_in_few_steps(void **state)
{
	struct fixture *f = *state;

	save(f, "c-1", LEDGER_CLOSED, "jo@example.com");
	store_close(f->s);
	f->s = NULL;
	fixture_sql(f, "WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
		       " INSERT INTO conversations SELECT i, source, 'c-' || i, state, as_of, first_opened, opened,"
		       " opened_received, closed, reopen_count, addressed, taken, changed, clear, as_of_received,"
		       " newest, people, digests FROM conversations, n WHERE id = 1");
	fixture_spoil_page(f, fixture_leaf(f, "conversations", 60));
	fixture_open(f);
	/* Each try to read the rows notes one. */
	assert_in_range(f->s->losses_n + f->s->losses_more, 1, 10);
}

/* ---- restarts ---------------------------------------------------------------------------------------------------- */

/* The batch has begun, but its merge has not: key_states does not have its merging_to. */
static void a_conversation_that_reopens_between_a_batch_and_its_merge_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;

	f->s->keys->batch = 4;
	fixture_begin(f);
	for (int i = 1; i <= 4; i++) {
		char name[16], email[32];

		(void)snprintf(name, sizeof(name), "c-%d", i);
		(void)snprintf(email, sizeof(email), "p-%d@example.com", i);
		save(f, name, LEDGER_OPEN, email);
	}
	fixture_commit(f);
	save(f, "c-5", LEDGER_OPEN, "p-5@example.com"); /* the second kind begins its batch */
	assert_true(f->s->keys->of[KEY_OPEN_PERSON].is_merging);
	save(f, "c-1", LEDGER_CLOSED, "p-1@example.com");
	save(f, "c-1", LEDGER_OPEN, "p-1@example.com");
	fixture_reopen(f);
	save(f, "c-1", LEDGER_CLOSED, "p-1@example.com");
	assert_int_equal(flags(f, "p-1@example.com"), 0);
	assert_int_equal(paused(f), 4);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 4);
}

static void the_first_transaction_does_not_read_the_rows_again(void **state)
{
	struct fixture *f = *state;

	save(f, "c-1", LEDGER_OPEN, "jo@example.com");
	fixture_reopen(f);
	fixture_begin(f);
	assert_false(f->s->keys->others_wrote);
	fixture_commit(f);
}

/* ---- reading again ----------------------------------------------------------------------------------------------- */

static int interrupt(void *arg)
{
	(void)arg;
	return 1;
}

/* As where the disk fails for a moment. The COMMIT takes fewer instructions. */
static void rows_that_could_not_be_read_again_are_not_forgotten(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "c-%d", i);
		save(f, name, LEDGER_OPEN, "jo@example.com");
	}
	fixture_sql(f, "UPDATE counts SET n = n + 1"); /* another connection */
	fixture_begin(f);
	sqlite3_progress_handler(f->s->db, 100, interrupt, NULL);
	fixture_commit(f);
	sqlite3_progress_handler(f->s->db, 0, NULL, NULL);
	assert_true(f->s->keys->is_unread);
	/* What was decided without these rows is not kept. */
	MUST(store_begin(f->s, err));
	save(f, "c-100", LEDGER_CLOSED, "jo@example.com");
	assert_int_equal(store_commit(f->s, NULL), -EIO);
	save(f, "c-100", LEDGER_CLOSED, "jo@example.com");
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE conversation = 'c-100'"), 1);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static int failed_commits(struct fixture *f, int n)
{
	int failed = 0;

	for (int i = 0; i < n; i++) {
		struct ledger_entry e = {.state = LEDGER_OPEN, .opened_ms = NOW};
		struct reached_list reached = {0};
		char name[16];
		int r;

		(void)snprintf(name, sizeof(name), "new-%d", i);
		fixture_begin(f);
		r = store_conversation_save(f->s, "gladly", name, &e, &reached, NULL, NULL);
		if (r == 0)
			r = store_commit(f->s, NULL);
		else
			store_rollback(f->s);
		failed += r < 0;
	}
	return failed;
}

/* The page of key_states is damaged while the store is open. */
static void a_damaged_state_fails_one_commit(void **state)
{
	struct fixture *f = *state;

	f->s->keys->batch = 4;
	f->s->keys->step = 1;
	for (int i = 0; i < 3; i++)
		save(f, i == 0 ? "c-1" : i == 1 ? "c-2" : "c-3", LEDGER_OPEN, "jo@example.com");
	fixture_spoil_page(f, fixture_leaf(f, "key_states", 0));
	fixture_sql(f, "UPDATE counts SET n = n + 1"); /* the cache forgets its pages */
	assert_in_range(failed_commits(f, 10), 0, 1);
}

/* A page of the table that look-ups meet. */
static void a_damaged_page_of_the_index_fails_few_transactions(void **state)
{
	struct fixture *f = *state;

	f->s->keys->batch = 100;
	f->s->keys->step = 1;
	for (int i = 0; i < 1000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "c-%d", i);
		save(f, name, LEDGER_CLOSED, "jo@example.com");
	}
	assert_true(fixture_sql(f, "SELECT count(*) FROM keys") > 800);
	fixture_damage_page(f, fixture_leaf(f, "keys", 1));
	assert_in_range(failed_commits(f, 200), 0, 1);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static size_t in_memory_after(struct fixture *f, int n)
{
	f->s->keys->batch = 16;
	f->s->keys->step = 1;
	for (int i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "c-%d", i);
		fixture_begin(f);
		if (f->row) /* the disk is nearly full; intake still accepts where the file has free pages */
			f->s->disk_left = 2 << 20;
		save(f, name, LEDGER_CLOSED, "jo@example.com");
		fixture_commit(f);
	}
	return f->s->keys->of[KEY_CONVERSATION].active.n;
}

static void entries_in_memory_are_bounded_after_damage(void **state)
{
	struct fixture *f = *state;

	f->s->keys->is_damaged = true;
	assert_in_range(in_memory_after(f, 2000), 0, 64);
}

static void entries_in_memory_are_bounded_while_the_disk_is_nearly_full(void **state)
{
	struct fixture *f = *state;

	f->row = f;
	assert_in_range(in_memory_after(f, 2000), 0, 64);
}

static int open_limited(const char *path)
{
	struct rlimit limit = {.rlim_cur = 64 * 1024, .rlim_max = RLIM_INFINITY};
	struct store_options o = {.path = path};
	struct store *s;
	int r;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 99;
	r = store_open(&o, STORE_WRITE, &s, NULL);
	return -r;
}

static int open_in_child(struct fixture *f)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(open_limited(f->path));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Merges were stopped by a nearly full disk, so that more than two batches are in memory only. */
static void a_full_disk_stops_no_opening(void **state)
{
	struct fixture *f = *state;

	save(f, "c-1", LEDGER_CLOSED, "jo@example.com");
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(open_in_child(f), 0);
	fixture_sql(f, "WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 33000)"
		       " INSERT INTO conversations SELECT i, source, 'c-' || i, state, as_of, first_opened, opened,"
		       " opened_received, closed, reopen_count, addressed, taken, changed, clear, as_of_received,"
		       " newest, people, digests FROM conversations, n WHERE id = 1");
	assert_int_equal(open_in_child(f), 0);
}

/* Returns 0 where the rows are not read again after a commit that the disk refused. */
static int refused_commit(const char *path)
{
	struct rlimit limit = {.rlim_cur = 64 * 1024, .rlim_max = RLIM_INFINITY};
	struct store_options o = {.path = path};
	struct fixture f = {.s = NULL};
	struct webhook w = {
		.source = mem_str("gladly"), .received_ms = NOW, .body = mem_new(1, 200001), .body_len = 200000};
	int r;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (store_open(&o, STORE_WRITE, &f.s, NULL) < 0 || store_begin(f.s, NULL) < 0 || store_commit(f.s, NULL) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &limit) < 0 || store_begin(f.s, NULL) < 0)
		return 2;
	if (f.s->keys->others_wrote)
		return 3;
	r = fixture_insert(f.s, &w, NULL, NULL, NULL);
	if (r == 0)
		r = store_commit(f.s, NULL);
	else
		store_rollback(f.s);
	if (r != -ENOSPC)
		return 4;
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || store_begin(f.s, NULL) < 0)
		return 5;
	return f.s->keys->others_wrote || f.s->keys->is_unread;
}

static void a_full_disk_makes_no_turn_read_the_rows_again(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	store_close(f->s);
	f->s = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(refused_commit(f->path));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

/* The limit of a read of the admin API is 200 ms (API_READ_MS). Of 131072 rows that a restart may read. */
static void a_reader_reads_the_newest_rows_in_time(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path};
	struct store *reader = NULL;
	int64_t n = 0;
	int64_t us;

	save(f, "c-1", LEDGER_OPEN, "jo@example.com");
	fixture_begin(f);
	(void)fixture_queue(f, "jo@example.com", 1, NOW);
	fixture_commit(f);
	store_close(f->s);
	f->s = NULL;
	fixture_sql(f,
		    "WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 131000)"
		    " INSERT INTO conversations SELECT i, source, 'c-' || i, CASE WHEN i % 4 THEN 2 ELSE 1 END, as_of,"
		    " first_opened, opened, opened_received, closed, reopen_count, addressed, taken, changed, clear,"
		    " as_of_received, newest, CAST(replace(CAST(people AS TEXT), 'jo', 'p-' || i) AS BLOB), digests"
		    " FROM conversations, n WHERE id = 1");
	fixture_sql(
		f, "WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < 131000)"
		   " INSERT INTO events SELECT i, account, 'p-' || i || '@example.com', 1, 0, due, 1, 1, 0, 0, created,"
		   " CAST(printf('%024d', i) AS BLOB), url, NULL FROM events, n WHERE id = 1");
	MUST(store_open(&o, STORE_READ, &reader, err));
	us = clock_mono_us();
	MUST(store_paused_count(reader, &n, err));
	us = clock_mono_us() - us;
	print_message("%lld people in %lld us\n", (long long)n, (long long)us);
	us = clock_mono_us();
	MUST(keys_read(reader, err));
	us = clock_mono_us() - us;
	print_message("keys_read %lld us\n", (long long)us);
	store_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(conversations_that_an_opening_writes_to_the_disk_are_found),
		TEST(events_that_an_opening_writes_to_the_disk_keep_their_order),
		TEST(a_store_of_schema_8_is_migrated),
		TEST(a_damaged_index_of_schema_8_stops_no_migration),
		TEST(an_index_whose_building_was_interrupted_is_built_at_the_next_opening),
		TEST(a_damaged_page_far_behind_the_last_open_conversation_is_passed_in_few_steps),
		TEST(a_conversation_that_reopens_between_a_batch_and_its_merge_leaves_nothing_behind),
		TEST(the_first_transaction_does_not_read_the_rows_again),
		TEST(rows_that_could_not_be_read_again_are_not_forgotten),
		TEST(a_damaged_state_fails_one_commit),
		TEST(a_damaged_page_of_the_index_fails_few_transactions),
		TEST(entries_in_memory_are_bounded_after_damage),
		TEST(entries_in_memory_are_bounded_while_the_disk_is_nearly_full),
		TEST(a_full_disk_stops_no_opening),
		TEST(a_full_disk_makes_no_turn_read_the_rows_again),
		TEST(a_reader_reads_the_newest_rows_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
