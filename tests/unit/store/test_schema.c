/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "base/hex.h"
#include "fixtures/store.h"

/* Stores of older schemas (tests/data/store) are migrated and continue. */

#define T INT64_C(1795276700000)
#define NEWEST 9

static void load(struct fixture *f, const char *conversation, struct ledger_entry *e)
{
	struct reached_list reached;

	MUST(store_conversation_load(f->s, "lumen", conversation, e, &reached, NULL, err));
	assert_int_equal(reached.n, 1);
	reached_clear(&reached);
}

static void a_store_of_schema_1_goes_on_with_what_it_holds(void **state)
{
	static const struct ledger_policy change = {0};
	struct fixture *f = *state;
	struct ledger_signal s = {.kind = TRANSITION_CLOSED, .undated = true, .order = 1};
	struct ledger_verdict v;
	struct ledger_entry e;
	int64_t from, to;

	assert_false(store_was_migrated(f->s, &from, &to)); /* a new store */
	fixture_write_old(f, "schema-1.sql");
	fixture_open(f);
	assert_int_equal(fixture_sql(f, "PRAGMA user_version"), NEWEST);
	assert_true(store_was_migrated(f->s, &from, &to));
	assert_true(from == 1 && to == NEWEST);
	load(f, "closed-2", &e);
	assert_int_equal(e.state, LEDGER_CLOSED);
	assert_int_equal(e.as_of_ms, T + 60000); /* counts as the helpdesk's time */
	assert_int_equal(e.as_of_received_ms, 0);
	assert_int_equal(e.newest, 0);
	load(f, "open-1", &e);
	assert_int_equal(e.as_of_ms, T);
	assert_int_equal(e.taken_n, 1);
	assert_false(e.taken[0].undated);
	/* A closing without a time closes the conversation, and both marks are stored. */
	s.time_ms = s.received_ms = T + 1000;
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, TRANSITION_CLOSED);
	fixture_begin(f);
	MUST(store_conversation_save(f->s, "lumen", "open-1", &e, &(struct reached_list){0}, NULL, err));
	fixture_commit(f);
	fixture_reopen(f);
	assert_false(store_was_migrated(f->s, &from, &to));
	assert_int_equal(fixture_sql(f, "SELECT as_of_received FROM conversations WHERE id = 1"), T + 1000);
	assert_int_equal(fixture_sql(f, "SELECT newest FROM conversations WHERE id = 1"), 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM customers"), 1);
}

/* A webhook for each wait, a done and a dead one. For one person: a delivered, a dead and two ready events. */
static const char work[] =
	"INSERT INTO webhooks (id, source, state, wait, not_before, ended, received, lookups, read, transition,"
	" conversation, customer, result) VALUES"
	" (1, 'lumen', 0, 0, 0, 0, 1795276700000, 0, 1, 1, 'c-1', 'k-1', NULL),"
	" (2, 'lumen', 0, 1, 1795276760000, 0, 1795276700000, 0, 1, 1, 'c-2', 'k-2', NULL),"
	" (3, 'lumen', 0, 2, 1795276760000, 0, 1795276700000, 3, 1, 1, 'c-3', 'k-3', 'lookup: 503'),"
	" (4, 'lumen', 0, 3, 0, 0, 1795276700000, 0, 1, 1, 'c-4', 'k-4', NULL),"
	" (5, 'lumen', 0, 4, 0, 0, 1795276700000, 0, 1, 1, 'c-5', 'k-5', NULL),"
	" (6, 'lumen', 0, 5, 0, 0, 1795276700000, 0, 1, 3, 'c-1', 'k-1', NULL),"
	" (7, 'lumen', 0, 6, 0, 0, 1795276700000, 0, 1, 1, 'c-7', 'k-7', NULL),"
	" (8, 'lumen', 1, 0, 0, 1795276700000, 1795276700000, 0, 1, 1, 'c-8', 'k-8', 'events'),"
	" (9, 'lumen', 2, 0, 0, 0, 1795276700000, 0, 0, 0, NULL, NULL, 'no JSON');"
	"INSERT INTO webhook_bodies SELECT id, '/', '', x'', x'', x'7b7d' FROM webhooks;"
	"INSERT INTO deliveries VALUES (8, 'lumen', x'000102030405060708090a0b0c0d0e0f', 1795276700000);"
	"INSERT INTO counts VALUES (1, 'lumen', 0, 0, 1), (1, 'lumen', 0, 1, 1), (1, 'lumen', 0, 2, 1),"
	" (1, 'lumen', 0, 3, 1), (1, 'lumen', 0, 4, 1), (1, 'lumen', 0, 5, 1), (1, 'lumen', 0, 6, 1),"
	" (1, 'lumen', 1, 0, 1), (1, 'lumen', 2, 0, 1), (3, 'default', 0, 0, 2), (3, 'default', 1, 0, 1),"
	" (3, 'default', 2, 0, 1);"
	"INSERT INTO events (id, account, email, state, head, due, ended, gap, created, unique_id, url, reason) VALUES"
	" (1, 'default', 'jo@example.com', 1, 0, 0, 1795276700000, 0, 1795276700000, "
	"x'01000000000000000000000000000000',"
	"  'https://a.klaviyo.com', NULL),"
	" (2, 'default', 'jo@example.com', 2, 0, 0, 0, 0, 1795276700000, x'02000000000000000000000000000000',"
	"  'https://a.klaviyo.com', '400'),"
	" (3, 'default', 'jo@example.com', 0, 1, 1795276700000, 0, 0, 1795276700000, "
	"x'03000000000000000000000000000000',"
	"  'https://a.klaviyo.com', NULL),"
	" (4, 'default', 'jo@example.com', 0, 0, 1795276700000, 0, 0, 1795276700000, "
	"x'04000000000000000000000000000000',"
	"  'https://a.klaviyo.com', NULL);"
	"INSERT INTO event_bodies SELECT id, 'm', 'lumen', 'open-1', 8, 1, 1795276700000, 1795276700000, 0, 0, NULL, "
	"'{}',"
	" '{}' FROM events";

static size_t ready(struct fixture *f, int64_t ids[16])
{
	int n;

	fixture_begin(f);
	MUST(store_webhooks_due(f->s, T + 120000, err));
	n = store_webhooks_ready(f->s, ids, 16, NULL);
	fixture_commit(f);
	assert_true(n >= 0);
	return (size_t)n;
}

static int take_event(void *ctx, struct event *e)
{
	*(int64_t *)ctx = e->id;
	return 0;
}

static void the_work_of_a_store_of_schema_1_goes_on(void **state)
{
	struct fixture *f = *state;
	int64_t event = 0;
	struct store_lookups lookups;
	int64_t ids[16];

	fixture_write_old(f, "schema-1.sql");
	fixture_sql(f, work);
	fixture_open(f);
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(ready(f, ids), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ids[i], i + 1);
	fixture_begin(f);
	MUST(store_webhook_lookups(f->s, 3, &lookups, err));
	assert_int_equal(lookups.asked, 3);
	assert_int_equal(lookups.gone + lookups.odd, 0);
	MUST(store_webhook_done(f->s, 1, "events", err)); /* 6 waits BEHIND it */
	MUST(store_webhooks_wake_slot(f->s, "lumen", 4, err));
	MUST(store_webhooks_wake(f->s, "lumen", STORE_WAIT_UNCONFIGURED, NULL, err));
	MUST(store_webhook_revive(f->s, 9, err));
	fixture_commit(f);
	assert_int_equal(ready(f, ids), 7);
	assert_int_equal(ids[6], 9);
	assert_int_equal(store_events_due(f->s, "default", T, 8, NULL, take_event, &event, NULL), 0);
	assert_int_equal(event, 3);
	fixture_begin(f);
	MUST(fixture_delivered(f->s, 3, 0, T, err));
	fixture_commit(f);
	assert_int_equal(store_events_due(f->s, "default", T, 8, NULL, take_event, &event, NULL), 0);
	assert_int_equal(event, 4);
	assert_int_equal(fixture_sql(f, "SELECT later FROM events WHERE id = 2"), 1);
}

/* Writes a text into a column of numbers, as a bad disk may do. SQLite 3.46 adds no column to such a table. */
static void damage(struct fixture *f)
{
	fixture_sql(
		f,
		"PRAGMA writable_schema = 1;"
		"UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), 'opened INTEGER', 'opened BLOB')"
		" WHERE name = 'conversations'");
	fixture_sql(f, "UPDATE conversations SET opened = 'lost' WHERE id = 2");
	fixture_sql(f, "PRAGMA writable_schema = 1;"
		       "UPDATE sqlite_schema SET sql = replace(sql, 'opened BLOB', 'opened INTEGER') || ' STRICT'"
		       " WHERE name = 'conversations'");
	assert_int_equal(fixture_sql(f, "SELECT typeof(opened) = 'text' FROM conversations WHERE id = 2"), 1);
}

static void one_damaged_row_stops_no_store_of_schema_1(void **state)
{
	struct fixture *f = *state;
	struct reached_list reached;
	struct ledger_entry e;

	fixture_write_old(f, "schema-1.sql");
	damage(f);
	fixture_open(f);
	load(f, "open-1", &e);
	assert_int_equal(e.state, LEDGER_OPEN);
	assert_int_equal(store_conversation_load(f->s, "lumen", "closed-2", &e, &reached, NULL, NULL), -EBADMSG);
}

static void a_store_that_was_brought_forward_is_like_a_new_one(void **state)
{
	struct fixture *f = *state;
	int64_t tables = fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'");
	int64_t columns = fixture_sql(
		f, "SELECT count(*) FROM sqlite_schema s, pragma_table_info(s.name) p WHERE s.type = 'table'"
		   " AND s.name NOT LIKE 'sqlite_%'");

	fixture_write_old(f, "schema-1.sql");
	fixture_open(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"), tables);
	assert_int_equal(
		fixture_sql(f,
			    "SELECT count(*) FROM sqlite_schema s, pragma_table_info(s.name) p WHERE s.type = 'table'"
			    " AND s.name NOT LIKE 'sqlite_%'"),
		columns);
	MUST(store_pragma(f->s, "PRAGMA user_version", &columns, err));
	assert_int_equal(columns, NEWEST);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'"), 0);
	assert_int_equal(fixture_sql(f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

/* Queues the nth event of schema-3.sql again, in a transaction. */
static int64_t queue_again(struct fixture *f, unsigned n)
{
	struct event e = {
		.account = mem_str("default"),
		.email = mem_str("jo@example.com"),
		.metric = mem_str("m"),
		.source = mem_str("lumen"),
		.time_ms = T + 7 * CLOCK_DAY_MS,
	};
	struct err err = {0};
	int64_t id;
	int r;

	(void)snprintf(e.unique_id, sizeof(e.unique_id), "%02x000000000000000000000000000000", n);
	r = store_event_insert(f->s, &e, 0, T + 7 * CLOCK_DAY_MS, &err);
	if (r < 0)
		fail_msg("%s", err.text);
	id = r == 0 ? e.id : 0;
	event_done(&e);
	return id;
}

static void an_event_of_schema_3_is_not_queued_again(void **state)
{
	struct fixture *f = *state;
	struct event e = {0};
	int64_t from, to;

	fixture_write_old(f, "schema-3.sql");
	fixture_open(f);
	assert_true(store_was_migrated(f->s, &from, &to));
	assert_true(from == 3 && to == NEWEST);
	MUST(store_event_load(f->s, 3, &e, err));
	assert_string_equal(e.unique_id, "03000000000000000000000000000000");
	event_done(&e);
	fixture_begin(f);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(queue_again(f, i), 0);
	assert_true(queue_again(f, 6) > 0);
	assert_int_equal(queue_again(f, 6), 0);
	for (int64_t id = 2; id <= 5; id++)
		MUST(fixture_delivered(f->s, id, 0, T, err));
	fixture_commit(f);
	assert_false(f->s->no_old_keys);
	/* After the last of them is past its time, the store asks no longer; a rollback brings them back. */
	for (int i = 0; i < 2; i++) {
		fixture_begin(f);
		MUST(store_clean(f->s, CLOCK_DAY_MS, CLOCK_DAY_MS, T + 7 * CLOCK_DAY_MS, 100, err));
		assert_true(queue_again(f, 7) > 0);
		assert_true(f->s->no_old_keys);
		assert_true(queue_again(f, 1) > 0);
		if (i == 0)
			store_rollback(f->s);
		else
			fixture_commit(f);
		assert_int_equal(f->s->no_old_keys, i);
		fixture_begin(f);
		assert_int_equal(queue_again(f, 1), 0);
		fixture_commit(f);
	}
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE length(unique_id) <> 24"), 0);
}

/* The entry of a row that is missing keeps no event out. */
static void an_entry_of_schema_3_without_its_row_stops_nothing(void **state)
{
	struct fixture *f = *state;

	fixture_write_old(f, "schema-3.sql");
	fixture_sql(f, "PRAGMA writable_schema = 1; CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name ="
		       " 'events_unique'; DELETE FROM sqlite_schema WHERE name = 'events_unique'");
	fixture_sql(f, "DELETE FROM events WHERE id = 2");
	fixture_sql(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
	fixture_sql(f, "DROP TABLE kept");
	fixture_open(f);
	fixture_begin(f);
	assert_true(queue_again(f, 2) > 0);
	assert_int_equal(queue_again(f, 2), 0);
	assert_int_equal(queue_again(f, 3), 0);
	fixture_commit(f);
}

/* The page is in the file and not in the WAL. */
static void spoil_page(struct fixture *f, int64_t page)
{
	fixture_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	fixture_spoil_page(f, page);
}

/* Migrations 4 and 6 read all events for indexes, and delete former ones. */
static void damage_events(struct fixture *f, const char *name)
{
	CLEANUP(mem_freep)
	char *root = mem_fmt("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
	int64_t from, to;

	fixture_write_old(f, "schema-3.sql");
	spoil_page(f, fixture_sql(f, root));
	fixture_open(f);
	assert_true(store_was_migrated(f->s, &from, &to));
	assert_true(from == 3 && to == NEWEST);
}

static void a_damaged_page_of_events_does_not_keep_an_old_store_closed(void **state)
{
	damage_events(*state, "events");
	damage_events(*state, "events_person");
}

static void a_damaged_page_of_sqlites_ids_does_not_keep_an_old_store_closed(void **state)
{
	damage_events(*state, "sqlite_sequence");
	assert_true(fixture_put(*state, "lumen", "c-new", NULL, 0, T) > 0);
}

static void ids_that_autoincrement_gave_are_not_given_again(void **state)
{
	struct fixture *f = *state;

	fixture_write_old(f, "schema-2.sql");
	fixture_sql(f, "UPDATE sqlite_sequence SET seq = 70 WHERE name = 'webhooks'");
	fixture_open(f);
	assert_int_equal(fixture_put(f, "lumen", "c-new", NULL, 0, T), 71);
	fixture_reopen(f);
	assert_int_equal(fixture_put(f, "lumen", "c-new", NULL, 0, T), 72);
}

/* ---- migration 8: whom conversations reached --------------------------------------------------------------------- */

static const char flag[] = "In Lumen Conversation";

static int64_t flags(struct fixture *f, const char *email)
{
	int64_t n = -1;

	MUST(store_flag_count(f->s, "default", email, flag, NULL, NULL, &n, err));
	return n;
}

static void whom_the_conversations_of_schema_5_reached_is_still_known(void **state)
{
	struct fixture *f = *state;
	struct reached_list reached;
	struct ledger_entry e;
	int64_t n;

	fixture_write_old(f, "schema-5.sql");
	fixture_open(f);
	MUST(store_conversation_load(f->s, "lumen", "open-1", &e, &reached, NULL, err));
	assert_int_equal(e.newest, 11);
	assert_int_equal(e.as_of_received_ms, 0);
	assert_int_equal(reached.n, 2);
	assert_true(reached_has(&reached, "default", "jo@example.com", flag));
	assert_true(reached_has(&reached, "eu", "al@example.com", "In Support"));
	reached_clear(&reached);
	load(f, "open-2", &e);
	assert_int_equal(e.as_of_received_ms, T + 600);
	load(f, "closed-3", &e);
	assert_int_equal(e.newest, 0);
	MUST(store_conversation_load(f->s, "lumen", "past-4", &e, &reached, NULL, err));
	assert_int_equal(reached.n, 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE digests = CAST(char(0) ||"
					" '7eaa9a1d93cc8e36287f79472892b6aa' || char(0) || 'default' || char(0) ||"
					" 'In Lumen Conversation' || char(0) AS BLOB) AND id = 4"),
			 1);
	MUST(store_conversation_load(f->s, "lumen", "empty-6", &e, &reached, NULL, err));
	assert_int_equal(e.newest, 14);
	assert_int_equal(flags(f, "jo@example.com"), 2);
	assert_int_equal(flags(f, "sam@example.com"), 0);
	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name IN ('marks', 'reached',"
					" 'reached_open', 'reached_conversation', 'conversations_age')"),
			 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
			 0);
}

/* It ended before the number of the schema changed. A program of schema 5 has closed a conversation since. */
static void a_migration_that_did_not_end_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct ledger_entry e;

	fixture_write_old(f, "schema-5.sql");
	fixture_sql(f, "INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
		       " opened_received, closed, reopen_count, addressed, taken, changed, clear)"
		       " VALUES (7, 'lumen', 'nothing-7', 1, 0, 0, 0, 0, 0, 0, 0, x'', 0, 0)");
	fixture_sql(f, "CREATE TABLE open_people (person BLOB NOT NULL, conversation INTEGER NOT NULL,"
		       " PRIMARY KEY (person, conversation)) STRICT, WITHOUT ROWID;"
		       "INSERT INTO open_people VALUES (x'0061006200630000', 1)");
	fixture_sql(
		f,
		"PRAGMA writable_schema = 1;"
		"UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ', as_of_received INTEGER NOT NULL DEFAULT 0,"
		" newest INTEGER NOT NULL DEFAULT 0, people BLOB NOT NULL DEFAULT x'''', digests BLOB NOT NULL"
		" DEFAULT x'''') STRICT') WHERE name = 'conversations'");
	fixture_sql(
		f,
		"UPDATE conversations SET people = x'00', newest = 99; UPDATE conversations SET state = 2 WHERE id = 2;"
		"UPDATE reached SET open = 0 WHERE conversation = 2");
	fixture_open(f);
	load(f, "open-2", &e);
	assert_int_equal(e.newest, 12);
	load(f, "closed-3", &e);
	assert_int_equal(flags(f, "jo@example.com"), 1);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE newest = 99 OR people = x'00'"), 0);
}

#define MANY 3000

/* Adds conversations of a person each, so that each table has many pages. */
static void fill(struct fixture *f)
{
	fixture_sql(
		f, "WITH RECURSIVE n (i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < 3099)"
		   " INSERT INTO conversations SELECT i, 'lumen', 'c-' || i, 1, 0, 0, 0, 0, 0, 0, 1, x'', 0, 1 FROM n");
	fixture_sql(f, "INSERT INTO marks SELECT id, 0, id FROM conversations WHERE id >= 100");
	fixture_sql(
		f,
		"INSERT INTO reached (id, conversation, account, email, flag, open) SELECT id, id, 'default', 'p-' ||"
		" id || '@example.com', 'In Lumen Conversation', 1 FROM conversations WHERE id >= 100");
}

/* Counts the conversations of fill() whose person is still known. */
static int known_people(struct fixture *f, bool by_flag)
{
	int n = 0;

	for (int i = 100; i < 100 + MANY; i++) {
		CLEANUP(mem_freep) char *name = mem_fmt("c-%d", i);
		CLEANUP(mem_freep) char *email = mem_fmt("p-%d@example.com", i);
		struct reached_list reached = {0};
		struct ledger_entry e;
		int64_t count = 0;

		if (by_flag)
			n += store_flag_count(f->s, "default", email, flag, NULL, NULL, &count, NULL) == 0 &&
			     count == 1;
		else
			n += store_conversation_load(f->s, "lumen", name, &e, &reached, NULL, NULL) == 0 &&
			     reached.n == 1;
		reached_clear(&reached);
	}
	return n;
}

/* One page of a former table or index is damaged: the store opens, and most conversations keep what they had. */
static void a_damaged_page_of_schema_5_keeps_no_store_closed(void **state)
{
	static const struct {
		const char *name;
		bool of_root;
		int at_least; /* people who stay known */
	} cases[] = {
		{"conversations", false, MANY - 200},
		{"conversations", true, 0},
		{"conversations_age", false, MANY},
		{"conversations_age", true, MANY},
		{"conversations_open", true, MANY},
		{"marks", false, MANY},
		{"marks", true, MANY},
		{"reached", false, MANY - 200},
		{"reached", true, 0},
		{"reached_conversation", false, MANY - 400},
		{"reached_conversation", true, 0},
		{"reached_open", false, MANY},
		{"reached_open", true, MANY},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *root = mem_fmt("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", cases[i].name);
		int64_t from, to;
		int known;

		fixture_write_old(f, "schema-5.sql");
		fill(f);
		spoil_page(f, cases[i].of_root ? fixture_sql(f, root) : fixture_leaf(f, cases[i].name, 1));
		fixture_open(f);
		assert_true(store_was_migrated(f->s, &from, &to));
		known = known_people(f, false);
		if (known < cases[i].at_least)
			fail_msg("%s: %d", cases[i].name, known);
		if (known_people(f, true) < known - 200)
			fail_msg("%s: %d by their flags", cases[i].name, known_people(f, true));
		fixture_reopen(f);
		assert_false(store_was_migrated(f->s, &from, &to));
	}
}

/* The number of the schema must not say that there are columns that were not added. */
static void a_store_to_which_the_columns_cannot_be_added_keeps_its_schema(void **state)
{
	static const char *const breaks[] = {
		"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'conversations'",
		"PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = sql || ' /* by hand */' WHERE name ="
		" 'conversations'",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		struct store_options o = {.path = f->path};
		struct err e = {0};
		int r;

		fixture_write_old(f, "schema-5.sql");
		fixture_sql(f, breaks[i]);
		r = store_open(&o, STORE_WRITE, &f->s, &e);
		if (r == 0)
			assert_int_equal(
				fixture_sql(f, "SELECT count(*) FROM pragma_table_info('conversations') WHERE name ="
					       " 'people'"),
				1);
		else
			assert_true(r == -EUCLEAN && fixture_sql(f, "PRAGMA user_version") < NEWEST);
		store_close(f->s);
		f->s = NULL;
		fixture_sql(f, "SELECT 1");
	}
	fixture_write_old(f, "schema-5.sql");
	fixture_open(f);
}

/* A row that cannot grow gets a new id. The migration ends before the number of the schema changes. */
static void who_was_moved_to_a_new_id_is_known_after_a_second_migration(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path};
	int first;

	fixture_write_old(f, "schema-5.sql");
	fill(f);
	spoil_page(f, fixture_leaf(f, "conversations", 1));
	fixture_open(f);
	first = known_people(f, false);
	assert_true(fixture_sql(f, "SELECT count(*) FROM conversations WHERE id >= 3100") > 0);
	store_close(f->s);
	f->s = NULL;
	fixture_write_old(f, "schema-5.sql");
	fill(f);
	spoil_page(f, fixture_leaf(f, "conversations", 1));
	/* the last transaction fails */
	fixture_sql(f, "PRAGMA writable_schema = 1; CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name ="
		       " 'conversations_age'; DELETE FROM sqlite_schema WHERE name = 'conversations_age'");
	assert_int_equal(store_open(&o, STORE_WRITE, &f->s, NULL), -EIO);
	assert_int_equal(fixture_sql(f, "PRAGMA user_version"), 7);
	fixture_sql(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
	fixture_sql(f, "DROP TABLE kept");
	fixture_open(f);
	if (known_people(f, false) < first)
		fail_msg("%d, then %d", first, known_people(f, false));
}

/* Addresses must go after `retention`, so the table that had them must go, or its rows. */
static void a_damaged_page_elsewhere_keeps_no_addresses_in_the_former_table(void **state)
{
	static const char *const damaged[] = {"marks", "conversations_age"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		int64_t left;

		fixture_write_old(f, "schema-5.sql");
		fill(f);
		spoil_page(f, fixture_leaf(f, damaged[i], 1));
		fixture_open(f);
		left = fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'reached'") == 0
			       ? 0
			       : fixture_sql(f, "SELECT count(*) FROM reached WHERE email = 'p-3000@example.com'");
		if (left > 0)
			fail_msg("%s", damaged[i]);
	}
}

/* A damaged page whose ids are sparse: the conversations behind it are readable. */
static void the_conversations_behind_a_damaged_page_of_sparse_ids_keep_their_people(void **state)
{
	struct fixture *f = *state;
	int lost = 0;
	int unreadable = 0;

	fixture_write_old(f, "schema-5.sql");
	fixture_sql(f, "WITH RECURSIVE n (i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < 3099)"
		       " INSERT INTO conversations SELECT CASE WHEN i < 226 THEN i WHEN i < 340 THEN i * 100 ELSE "
		       "34000 + i END,"
		       " 'lumen', 'c-' || i, 1, 0, 0, 0, 0, 0, 0, 1, x'', 0, 1 FROM n");
	fixture_sql(f, "INSERT INTO marks SELECT id, 0, id FROM conversations WHERE id >= 100");
	fixture_sql(
		f,
		"INSERT INTO reached (id, conversation, account, email, flag, open) SELECT id, id, 'default', 'p-' ||"
		" id || '@example.com', 'In Lumen Conversation', 1 FROM conversations WHERE id >= 100");
	spoil_page(f, fixture_leaf(f, "conversations", 1));
	fixture_open(f);
	for (int i = 100; i < 3100; i++) {
		CLEANUP(mem_freep) char *name = mem_fmt("c-%d", i);
		int64_t id = i < 226 ? i : i < 340 ? i * 100 : 34000 + i;
		struct reached_list reached = {0};
		struct ledger_entry e;

		QUERY(q, f->s, "SELECT people FROM conversations WHERE id = ?1", NULL);
		query_bind_int(&q, id);
		unreadable += query_step(&q) < 0;
		lost += store_conversation_load(f->s, "lumen", name, &e, &reached, NULL, NULL) == 0 && reached.n == 0;
		reached_clear(&reached);
	}
	/* Those of the page itself begin anew. */
	assert_true(unreadable > 0);
	assert_int_equal(lost, unreadable);
}

/* The disk as space.c sees it. */
static int64_t disk_left = -1;
static char told[256];

int statvfs(const char *path, struct statvfs *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fstatvfs(fd, ret);

	(void)close(fd);
	if (r == 0 && disk_left >= 0)
		ret->f_bavail = (fsblkcnt_t)(disk_left / (int64_t)ret->f_frsize);
	return r;
}

static void tell(const char *path, int64_t from, int64_t to, int64_t bytes)
{
	(void)snprintf(told, sizeof(told), "%s %" PRId64 " %" PRId64 " %" PRId64, path, from, to, bytes / 1000000);
}

static void a_disk_without_room_for_the_migration_is_refused_before_it(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.path = f->path, .migrates = tell};
	struct err e = {0};
	struct store *s;

	fixture_write_old(f, "schema-5.sql");
	fill(f);
	told[0] = '\0';
	disk_left = 3 << 20;
	assert_int_equal(store_open(&options, STORE_WRITE, &s, &e), -ENOSPC);
	disk_left = -1;
	assert_non_null(strstr(e.text, "has schema 5, and bringing it to schema 9 may need "));
	assert_string_equal(told, "");
	assert_int_equal(fixture_sql(f, "PRAGMA user_version"), 5);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM reached WHERE id >= 100"), MANY);
	MUST(store_open(&options, STORE_WRITE, &s, err));
	store_close(s);
	s = NULL;
	assert_true(strncmp(told, f->path, strlen(f->path)) == 0);
	if (strcmp(told + strlen(f->path), " 5 9 16") != 0)
		fail_msg("%s", told);
	fixture_open(f);
	assert_int_equal(known_people(f, false), MANY);
	assert_int_equal(known_people(f, true), MANY);
}

/* Adds events to a store of schema 8, half of them undelivered, so that its indexes have many pages. */
static void fill_events(struct fixture *f)
{
	fixture_sql(f,
		    "WITH RECURSIVE n (i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < 9099)"
		    " INSERT INTO events (id, account, email, state, head, due, gap, created, unique_id, url)"
		    " SELECT i, 'default', 'p-' || i || '@example.com', i % 2, 0, 0, 0, 0, randomblob(24), '' FROM n");
}

static void a_store_of_schema_8_without_room_is_refused_with_what_it_needs(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.path = f->path, .migrates = tell};
	struct err e = {0};
	struct store *s;
	int64_t pages;

	fixture_write_old(f, "schema-8.sql");
	fill_events(f);
	pages = fixture_sql(f, "PRAGMA page_count");
	told[0] = '\0';
	disk_left = 3 << 20;
	assert_int_equal(store_open(&options, STORE_WRITE, &s, &e), -ENOSPC);
	disk_left = -1;
	assert_string_equal(told, "");
	assert_int_equal(fixture_sql(f, "PRAGMA user_version"), 8);
	MUST(store_open(&options, STORE_WRITE, &s, err));
	store_close(s);
	s = NULL;
	assert_true(strncmp(told, f->path, strlen(f->path)) == 0);
	if (strcmp(told + strlen(f->path), " 8 9 10") != 0)
		fail_msg("%s", told);
	/* Its pages are those of the former indexes. */
	assert_true(fixture_sql(f, "PRAGMA page_count") <= pages + 4);
}

static char parts[1024];

/* Notes each part once. */
static void note_part(void *ctx, const char *path, const char *part, int percent)
{
	(*(int *)ctx)++;
	assert_int_equal(path[0], '/');
	assert_true(percent >= -1 && percent <= 100);
	if (!strstr(parts, part))
		(void)snprintf(parts + strlen(parts), sizeof(parts) - strlen(parts), "%s; ", part);
}

static void an_opening_that_changes_much_says_what_it_does(void **state)
{
	struct fixture *f = *state;
	int calls = 0;
	struct store_options options = {.path = f->path, .works = note_part, .works_ctx = &calls};
	struct store *s;

	parts[0] = '\0';
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(unlink(f->path), 0);
	for (int i = 0; i < 2; i++) { /* a new store */
		MUST(store_open(&options, STORE_WRITE, &s, err));
		store_close(s);
		assert_int_equal(calls, 0);
	}
	fixture_write_old(f, "schema-5.sql");
	fill(f);
	fixture_sql(f, "UPDATE conversations SET id = 1000000 WHERE id = 6");
	MUST(store_open(&options, STORE_WRITE, &s, err));
	store_close(s);
	assert_string_equal(parts, "schema 6 is made; schema 7 is made; schema 8 is made; "
				   "the conversations are changed for schema 8; schema 9 is made; "
				   "the index conversations_name is deleted; the index events_unique is deleted; "
				   "the index events_person is deleted; the table open_people is deleted; "
				   "the index of keys is made, part 1 of 2; ");
	assert_true(calls > 11); /* also within a part */
	calls = 0;
	MUST(store_open(&options, STORE_WRITE, &s, err));
	store_close(s);
	s = NULL;
	assert_int_equal(calls, 0);
}

/* A person's events: 1 delivered, 2 dead, 3 and 4 ready. */
static void a_store_of_schema_8_goes_on(void **state)
{
	struct fixture *f = *state;
	struct event again = {.time_ms = T - 3000};
	struct ledger_entry e;
	struct reached_list reached;
	int64_t event = 0;
	int64_t from, to, n;

	fixture_write_old(f, "schema-8.sql");
	fixture_open(f);
	assert_true(store_was_migrated(f->s, &from, &to));
	assert_true(from == 8 && to == NEWEST);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE name IN ('conversations_name',"
					" 'events_unique', 'events_person', 'open_people')"),
			 0);
	MUST(store_conversation_load(f->s, "lumen", "open-1", &e, &reached, NULL, err));
	assert_int_equal(reached.n, 2);
	reached_clear(&reached);
	assert_int_equal(flags(f, "jo@example.com"), 2);
	assert_int_equal(flags(f, "sam@example.com"), 0); /* the conversation is closed */
	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 2);
	/* A repeat of an event is found. */
	again.account = mem_str("default");
	again.email = mem_str("jo@example.com");
	again.metric = mem_str("m");
	again.source = mem_str("lumen");
	(void)snprintf(again.unique_id, sizeof(again.unique_id), "03030303030303030303030303030303");
	fixture_begin(f);
	assert_int_equal(store_event_insert(f->s, &again, 0, T, NULL), 1);
	event_done(&again);
	/* The next event of the person follows, and the dead letter was overtaken. */
	assert_int_equal(store_events_due(f->s, "default", T, 8, NULL, take_event, &event, NULL), 0);
	assert_int_equal(event, 3);
	MUST(fixture_delivered(f->s, 3, 0, T, err));
	fixture_commit(f);
	assert_int_equal(store_events_due(f->s, "default", T, 8, NULL, take_event, &event, NULL), 0);
	assert_int_equal(event, 4);
	assert_int_equal(fixture_sql(f, "SELECT later FROM events WHERE id = 2"), 1);
	fixture_reopen(f);
	assert_false(store_was_migrated(f->s, &from, &to));
}

struct held {
	int64_t ids[8];
	enum store_wait waits[8];
	unsigned n, timed;
};

static int meet(void *ctx, const struct store_neighbour *n)
{
	struct held *h = ctx;

	h->ids[h->n] = n->id;
	h->waits[h->n++] = n->wait;
	h->timed += n->is_timed;
	return 0;
}

static void what_a_store_of_schema_2_holds_back_is_there_without_its_times(void **state)
{
	struct fixture *f = *state;
	struct held h = {.n = 0};
	int64_t from, to;

	fixture_write_old(f, "schema-2.sql");
	fixture_open(f);
	assert_true(store_was_migrated(f->s, &from, &to));
	assert_true(from == 2 && to == NEWEST);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhook_times"), 0);
	MUST(store_webhooks_of_conversation(f->s, "lumen", "held-2", meet, &h, err));
	assert_int_equal(h.n, 2);
	assert_int_equal(h.ids[0], 3);
	assert_int_equal(h.waits[0], STORE_WAIT_TIME);
	assert_int_equal(h.waits[1], STORE_WAIT_BEHIND);
	assert_int_equal(h.timed, 0);
	fixture_begin(f);
	MUST(store_webhook_save_time(f->s, 3, T, false, err));
	MUST(store_webhook_done(f->s, 3, "settled", err));
	MUST(store_webhook_save_time(f->s, 4, T, false, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT id FROM webhook_times"), 4);
	assert_int_equal(fixture_sql(f, "SELECT wait FROM webhooks WHERE id = 4"), STORE_WAIT_NONE);
}

static int deliver(struct fixture *f, const char *source, const char *digest)
{
	struct webhook w = {.source = (char *)(uintptr_t)source, .received_ms = T, .has_delivery = true};
	int r;

	assert_int_equal(hex_read(digest, strlen(digest), w.delivery), 0);
	fixture_begin(f);
	r = fixture_insert(f->s, &w, NULL, "ignored", NULL);
	fixture_commit(f);
	return r;
}

static void the_digests_of_an_older_store_find_repeats_until_their_time(void **state)
{
	static const char digest[] = "01bbc16ffbea4fd304c32d518682003a";
	static const int64_t received_ms = INT64_C(1795983840928);
	struct fixture *f = *state;

	fixture_write_old(f, "schema-2.sql");
	fixture_open(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries"), 4);
	for (int64_t day = 0; day < 9; day++) {
		fixture_begin(f);
		assert_true(store_clean(f->s, 0, 0, received_ms + day * CLOCK_DAY_MS, 1000, NULL) >= 0);
		fixture_commit(f);
		if (day == 0) {
			assert_int_equal(deliver(f, "lumen", digest), 1);
			assert_int_equal(deliver(f, "zendesk", digest), 0);
		}
		assert_int_equal(deliver(f, "zendesk", digest), 1);
		assert_int_equal(fixture_sql(f, "SELECT count(*) FROM deliveries") > 0, day < 8);
		fixture_reopen(f);
	}
	assert_int_equal(deliver(f, "lumen", digest), 0);
	assert_int_equal(deliver(f, "lumen", digest), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_store_of_schema_1_goes_on_with_what_it_holds, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(the_work_of_a_store_of_schema_1_goes_on, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_store_to_which_the_columns_cannot_be_added_keeps_its_schema,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_page_elsewhere_keeps_no_addresses_in_the_former_table,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(who_was_moved_to_a_new_id_is_known_after_a_second_migration,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_conversations_behind_a_damaged_page_of_sparse_ids_keep_their_people,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(one_damaged_row_stops_no_store_of_schema_1, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_store_that_was_brought_forward_is_like_a_new_one, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(an_event_of_schema_3_is_not_queued_again, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(an_entry_of_schema_3_without_its_row_stops_nothing, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_page_of_events_does_not_keep_an_old_store_closed,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_page_of_sqlites_ids_does_not_keep_an_old_store_closed,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(ids_that_autoincrement_gave_are_not_given_again, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(whom_the_conversations_of_schema_5_reached_is_still_known,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_migration_that_did_not_end_begins_anew, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_damaged_page_of_schema_5_keeps_no_store_closed, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_disk_without_room_for_the_migration_is_refused_before_it,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_store_of_schema_8_without_room_is_refused_with_what_it_needs,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(an_opening_that_changes_much_says_what_it_does, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_store_of_schema_8_goes_on, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(what_a_store_of_schema_2_holds_back_is_there_without_its_times,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(the_digests_of_an_older_store_find_repeats_until_their_time,
						fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests_name("store_schema", tests, NULL, NULL);
}
