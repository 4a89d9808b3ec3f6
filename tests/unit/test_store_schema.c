#include <config.h>

#include "store/store.h"

#include "store_fixture.h"

/* Stores of older schemas, as tests/data/store has them, are brought forward and go on. */

#define T INT64_C(1795276700000)

static char *read_file(const char *name)
{
	const char *tests = getenv("TEST_SRCDIR");
	CLEANUP(mem_freep) char *path = mem_fmt("%s/data/store/%s", tests ? tests : "tests", name);
	FILE *from = fopen(path, "r");
	char *text = mem_new(1, 65536);

	assert_non_null(from);
	assert_true(fread(text, 1, 65535, from) > 0);
	assert_int_equal(fclose(from), 0);
	return text;
}

/* Puts a store of that schema in place of the fixture's. */
static void write_old(struct fixture *f, const char *name)
{
	CLEANUP(mem_freep) char *text = read_file(name);
	char *why = NULL;
	sqlite3 *db;

	store_close(f->s);
	f->s = NULL;
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", name, why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void load(struct fixture *f, const char *conversation, struct ledger_entry *e)
{
	struct reached_list reached;

	MUST(store_conversation_load(f->s, "lumen", conversation, e, &reached, err));
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

	write_old(f, "schema-1.sql");
	fixture_open(f);
	assert_int_equal(sql(f, "PRAGMA user_version"), 2);
	load(f, "closed-2", &e);
	assert_int_equal(e.state, LEDGER_CLOSED);
	assert_int_equal(e.as_of_ms, T + 60000); /* counts as the desk's */
	assert_int_equal(e.as_of_received_ms, 0);
	assert_int_equal(e.newest, 0);
	load(f, "open-1", &e);
	assert_int_equal(e.as_of_ms, T);
	assert_int_equal(e.taken_n, 1);
	assert_false(e.taken[0].undated);
	/* A closing without a time closes it, and both marks are kept. */
	s.time_ms = s.received_ms = T + 1000;
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, TRANSITION_CLOSED);
	begin(f);
	MUST(store_conversation_save(f->s, "lumen", "open-1", &e, &(struct reached_list){0}, err));
	commit(f);
	fixture_reopen(f);
	assert_int_equal(sql(f, "SELECT as_of_received FROM marks WHERE conversation = 1"), T + 1000);
	assert_int_equal(sql(f, "SELECT newest FROM marks WHERE conversation = 1"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM customers"), 1);
}

/* A text where a number belongs, as a bad disk may leave it. SQLite 3.46 adds no column to such a table. */
static void damage(struct fixture *f)
{
	sql(f, "PRAGMA writable_schema = 1;"
	       "UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), 'opened INTEGER', 'opened BLOB')"
	       " WHERE name = 'conversations'");
	sql(f, "UPDATE conversations SET opened = 'lost' WHERE id = 2");
	sql(f, "PRAGMA writable_schema = 1;"
	       "UPDATE sqlite_schema SET sql = replace(sql, 'opened BLOB', 'opened INTEGER') || ' STRICT'"
	       " WHERE name = 'conversations'");
	assert_int_equal(sql(f, "SELECT typeof(opened) = 'text' FROM conversations WHERE id = 2"), 1);
}

static void one_damaged_row_stops_no_store_of_schema_1(void **state)
{
	struct fixture *f = *state;
	struct reached_list reached;
	struct ledger_entry e;

	write_old(f, "schema-1.sql");
	damage(f);
	fixture_open(f);
	load(f, "open-1", &e);
	assert_int_equal(e.state, LEDGER_OPEN);
	assert_int_equal(store_conversation_load(f->s, "lumen", "closed-2", &e, &reached, NULL), -EBADMSG);
}

static void a_store_that_was_brought_forward_is_like_a_new_one(void **state)
{
	struct fixture *f = *state;
	int64_t tables = sql(f, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'");
	int64_t columns =
		sql(f, "SELECT count(*) FROM sqlite_schema s, pragma_table_info(s.name) p WHERE s.type = 'table'"
		       " AND s.name NOT LIKE 'sqlite_%'");

	write_old(f, "schema-1.sql");
	fixture_open(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"), tables);
	assert_int_equal(sql(f,
			     "SELECT count(*) FROM sqlite_schema s, pragma_table_info(s.name) p WHERE s.type = 'table'"
			     " AND s.name NOT LIKE 'sqlite_%'"),
			 columns);
	MUST(store_pragma(f->s, "PRAGMA user_version", &columns, err));
	assert_int_equal(columns, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_store_of_schema_1_goes_on_with_what_it_holds, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(one_damaged_row_stops_no_store_of_schema_1, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_store_that_was_brought_forward_is_like_a_new_one, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests_name("store_schema", tests, NULL, NULL);
}
