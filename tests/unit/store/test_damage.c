/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "fixtures/store.h"

/* ---- a damaged file ---------------------------------------------------------------------------------------------- */

struct hidden {
	char name[64], table[64], text[512];
	int64_t page;
};

static sqlite3 *connection(struct fixture *f)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	return db;
}

static void must_exec(sqlite3 *db, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
}

static int take_hidden(void *arg, int n, char **values, char **names)
{
	struct hidden **at = arg;

	(void)n;
	(void)names;
	snprintf((*at)->name, sizeof((*at)->name), "%s", values[0]);
	snprintf((*at)->table, sizeof((*at)->table), "%s", values[1]);
	snprintf((*at)->text, sizeof((*at)->text), "%s", values[3]);
	(*at)->page = strtoll(values[2], NULL, 10);
	(*at)++;
	return 0;
}

/* Runs `text` while the table's indexes are hidden, so that it does not update them. Closes and reopens the store. */
static void run_without_indexes(struct fixture *f, const char *table, const char *text)
{
	struct hidden hidden[8];
	struct hidden *end = hidden;
	char *find = sqlite3_mprintf("SELECT name, tbl_name, rootpage, sql FROM sqlite_schema WHERE type = 'index'"
				     " AND sql IS NOT NULL AND tbl_name = %Q",
				     table);
	sqlite3 *db;

	store_close(f->s);
	f->s = NULL;
	db = connection(f);
	assert_int_equal(sqlite3_exec(db, find, take_hidden, &end, NULL), SQLITE_OK);
	sqlite3_free(find);
	must_exec(db, "PRAGMA writable_schema = 1");
	for (struct hidden *h = hidden; h < end; h++) {
		char *gone = sqlite3_mprintf("DELETE FROM sqlite_schema WHERE name = %Q", h->name);

		must_exec(db, gone);
		sqlite3_free(gone);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	fixture_sql(f, text);
	db = connection(f);
	must_exec(db, "PRAGMA writable_schema = 1");
	for (struct hidden *h = hidden; h < end; h++) {
		char *back = sqlite3_mprintf("INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)"
					     " VALUES ('index', %Q, %Q, %lld, %Q)",
					     h->name, h->table, (long long)h->page, h->text);

		must_exec(db, back);
		sqlite3_free(back);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	fixture_open(f);
}

static bool is_sound(struct fixture *f)
{
	sqlite3 *db = connection(f);
	sqlite3_stmt *stmt;
	bool sound;

	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	sound = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
	sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return sound;
}

struct losses {
	size_t n;
	enum store_loss_kind kind;
	int64_t id;
	char name[64], reason[1024]; /* a reason may contain the store's path */
};

static void note_loss(void *ctx, const struct store_loss *l)
{
	struct losses *losses = ctx;

	losses->n++;
	losses->kind = l->kind;
	losses->id = l->id;
	snprintf(losses->name, sizeof(losses->name), "%s", l->name ? l->name : "");
	snprintf(losses->reason, sizeof(losses->reason), "%s", l->reason);
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

static void a_webhook_without_its_row_is_a_dead_letter_once(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	int64_t ids[4];

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c-2", "k-2", 2, NOW), 2);
	run_without_indexes(f, "webhooks", "DELETE FROM webhooks WHERE id = 1");
	assert_false(is_sound(f));
	fixture_begin(f);
	assert_int_equal(store_webhooks_ready(f->s, ids, 4, NULL), 1);
	assert_int_equal(ids[0], 2);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_int_equal(losses.kind, STORE_LOSS_WEBHOOK);
	assert_int_equal(losses.id, 1);
	assert_string_equal(losses.name, "gladly"); /* found by the digest of its delivery */
	assert_non_null(strstr(losses.reason, "its row is not there"));
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1"), STORE_WEBHOOK_DEAD);
	fixture_begin(f);
	assert_int_equal(store_webhooks_ready(f->s, ids, 4, NULL), 1);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 1 AND state = 0 AND wait = 0"), 1);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 1 AND state = 2"), 1);
}

static void an_entry_of_a_row_that_is_done_is_taken_out(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	int64_t id;

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	run_without_indexes(f, "webhooks", "UPDATE webhooks SET state = 1, ended = 7, result = 'x' WHERE id = 1");
	fixture_begin(f);
	assert_int_equal(store_webhooks_ready(f->s, &id, 1, NULL), 0);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.kind, STORE_LOSS_OTHER); /* the index also lacks an entry of the row */
	assert_int_equal(fixture_sql(f, "SELECT ended FROM webhooks WHERE id = 1 AND state = 1 AND result = 'x'"), 7);
	assert_int_equal(store_webhooks_ready(f->s, &id, 1, NULL), 0);
}

static void what_is_lost_keeps_nobody_behind_it(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {0};

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 2, NOW), 2);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_LOOKUP, 0, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_BEHIND, 0, err));
	fixture_commit(f);
	run_without_indexes(f, "webhooks", "DELETE FROM webhooks WHERE id = 1");
	fixture_begin(f);
	MUST(store_webhook_load(f->s, 2, &w, err));
	assert_int_equal(store_webhook_is_behind(f->s, &w, NULL), 0);
	webhook_done(&w);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1"), STORE_WEBHOOK_DEAD);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
}

static void those_behind_one_that_was_deleted_by_hand_go_on_with_the_next(void **state)
{
	struct fixture *f = *state;

	for (unsigned char i = 1; i <= 3; i++)
		assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", i, NOW), i);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_LOOKUP, 0, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_BEHIND, 0, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_BEHIND);
	fixture_sql(f, "DELETE FROM webhooks WHERE id = 1");
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 3, STORE_WAIT_BEHIND, 0, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
	assert_int_equal(fixture_wait_of(f, 3), STORE_WAIT_BEHIND);
}

static void what_is_undone_is_found_again(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	int64_t id;

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	run_without_indexes(f, "webhooks", "DELETE FROM webhooks WHERE id = 1");
	for (int i = 0; i < 2; i++) {
		fixture_begin(f);
		assert_int_equal(store_webhooks_ready(f->s, &id, 1, NULL), 0);
		if (i == 0)
			store_rollback(f->s);
		else
			fixture_commit(f);
		store_losses(f->s, note_loss, &losses);
		assert_int_equal(losses.n, i);
	}
	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	loss_note(f->s, STORE_LOSS_EVENT, 9, "default", "why");
	store_savepoint_undo(f->s);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
}

/* A call repairs a few, so that a turn ends. The caller gets the id of a missing row and calls again. */
static void many_that_are_lost_are_all_told(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	unsigned calls = 0;
	int64_t id;

	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(fixture_put(f, "gladly", NULL, NULL, 0, NOW + i), i + 1);
	run_without_indexes(f, "webhooks", "DELETE FROM webhooks");
	fixture_begin(f);
	while (store_webhooks_ready(f->s, &id, 1, NULL) > 0)
		calls++;
	assert_true(calls > 2);
	assert_true(calls < 100);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 2"), 300);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 257);
	assert_string_equal(losses.reason, "44 more rows like these");
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 257);
}

static void a_change_goes_on_where_an_index_lacks_the_row(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	run_without_indexes(f, "webhooks", "UPDATE webhooks SET conversation = 'c-2' WHERE id = 1");
	fixture_begin(f);
	MUST(store_webhook_done(f->s, 1, "events", err));
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1"), STORE_WEBHOOK_DONE);
}

static void pending_ones_that_wait_for_nothing_there_is_are_ready_after_a_start(void **state)
{
	struct fixture *f = *state;
	int64_t ids[4];

	for (unsigned char i = 1; i <= 3; i++)
		assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, i, NOW), i);
	fixture_sql(f, "UPDATE webhooks SET wait = 99 WHERE id = 1; UPDATE webhooks SET wait = -1 WHERE id = 2;"
		       "UPDATE webhooks SET ended = 5 WHERE id = 3");
	fixture_begin(f);
	assert_int_equal(store_webhooks_ready(f->s, ids, 4, NULL), 0);
	MUST(store_webhooks_restart(f->s, err));
	assert_int_equal(store_webhooks_ready(f->s, ids, 4, NULL), 3);
	fixture_commit(f);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int count_event(void *ctx, struct event *e)
{
	(void)e;
	(*(int *)ctx)++;
	return 0;
}

static void an_event_without_its_row_is_a_dead_letter(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	int n = 0;

	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) == 1);
	assert_true(fixture_queue(f, "b@example.com", 2, NOW) == 2);
	fixture_commit(f);
	run_without_indexes(f, "events", "DELETE FROM events WHERE id = 1");
	assert_int_equal(store_events_due(f->s, "default", NOW, 10, NULL, count_event, &n, NULL), 1);
	assert_int_equal(n, 1);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_int_equal(losses.kind, STORE_LOSS_EVENT);
	assert_string_equal(losses.name, "default");
	assert_int_equal(fixture_sql(f, "SELECT state FROM events WHERE id = 1"), EVENT_DEAD);
	assert_int_equal(store_events_due(f->s, "default", NOW, 10, NULL, count_event, &n, NULL), 0);
	/* The person's next event becomes the head, and the lost event can be queued again. */
	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 3, NOW) > 0);
	fixture_commit(f);
	assert_int_equal(store_events_due(f->s, "default", NOW, 10, NULL, count_event, &n, NULL), 0);
	assert_int_equal(n, 4);
}

static void an_event_that_only_the_unique_index_knows_is_queued(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) == 1);
	MUST(fixture_delivered(f->s, 1, 0, NOW, err));
	fixture_commit(f);
	run_without_indexes(f, "events", "DELETE FROM events WHERE id = 1");
	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) > 0);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) == 0);
	fixture_commit(f);
}

static void an_event_that_is_not_due_is_not_handed_out(void **state)
{
	struct fixture *f = *state;
	int n = 0;

	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) == 1);
	fixture_commit(f);
	run_without_indexes(f, "events", "UPDATE events SET state = 1, head = 0, ended = 5 WHERE id = 1");
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_events_due(f->s, "default", NOW, 10, NULL, count_event, &n, NULL), i == 0);
	assert_int_equal(n, 0);
	assert_int_equal(fixture_sql(f, "SELECT state FROM events WHERE id = 1"), EVENT_DELIVERED);
}

/* ---- conversations ----------------------------------------------------------------------------------------------- */

static void save(struct fixture *f, const char *conversation, enum ledger_state state, const char *email)
{
	struct ledger_entry e = {.state = state, .opened_ms = NOW, .opened_received_ms = NOW, .addressed = true};
	struct reached_list reached = {0};

	if (email)
		reached_add(&reached, "default", email, "In Gladly Conversation");
	MUST(store_conversation_save(f->s, "gladly", conversation, &e, &reached, NULL, err));
	reached_clear(&reached);
}

static void a_conversation_without_its_row_begins_anew(void **state)
{
	struct fixture *f = *state;
	struct reached_list reached = {0};
	struct losses losses = {0};
	int64_t n = 9;
	struct ledger_entry e;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, "a@example.com");
	save(f, "c-2", LEDGER_OPEN, "a@example.com");
	fixture_commit(f);
	run_without_indexes(f, "conversations", "DELETE FROM conversations WHERE conversation = 'c-2'");
	fixture_begin(f);
	MUST(store_conversation_load(f->s, "gladly", "c-2", &e, &reached, NULL, err));
	assert_int_equal(e.state, LEDGER_UNKNOWN);
	assert_int_equal(reached.n, 0);
	/* A new conversation with the lost one's id does not get its people. */
	save(f, "c-3", LEDGER_OPEN, NULL);
	MUST(store_conversation_load(f->s, "gladly", "c-3", &e, &reached, NULL, err));
	assert_int_equal(reached.n, 0);
	save(f, "c-2", LEDGER_OPEN, "b@example.com");
	MUST(store_conversation_load(f->s, "gladly", "c-2", &e, &reached, NULL, err));
	assert_int_equal(e.state, LEDGER_OPEN);
	assert_int_equal(reached.n, 1);
	reached_clear(&reached);
	MUST(store_flag_count(f->s, "default", "a@example.com", "In Gladly Conversation", NULL, NULL, &n, err));
	assert_int_equal(n, 1);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_true(losses.n <= 1); /* 0 where the id was used again before */
}

/* The row of a conversation decides, not an entry of the index. */
static void who_is_open_without_a_conversation_that_says_so_counts_for_nothing(void **state)
{
	static const char *const breaks[] = {
		"UPDATE conversations SET state = 2 WHERE id = 1",
		"UPDATE conversations SET people = x'' WHERE id = 1",
		"UPDATE conversations SET people = CAST(replace(CAST(people AS TEXT), 'a@', 'ba@') AS BLOB) WHERE id = "
		"1",
		"DELETE FROM conversations WHERE id = 1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		int64_t n = 9;

		fixture_begin(f);
		save(f, "c-1", LEDGER_OPEN, "a@example.com");
		save(f, "c-2", LEDGER_OPEN, "a@example.com");
		fixture_commit(f);
		fixture_sql(f, breaks[i]);
		MUST(store_flag_count(f->s, "default", "a@example.com", "In Gladly Conversation", NULL, NULL, &n, err));
		if (n != 1)
			fail_msg("%s: %" PRId64, breaks[i], n);
		fixture_begin(f);
		save(f, "c-1", LEDGER_OPEN, "a@example.com");
		save(f, "c-1", LEDGER_CLOSED, "a@example.com");
		fixture_commit(f);
		MUST(store_flag_count(f->s, "default", "a@example.com", "In Gladly Conversation", NULL, NULL, &n, err));
		assert_int_equal(n, 1);
	}
}

static void an_open_conversation_without_its_row_does_not_stop_expiry(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	char *name = NULL;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, "a@example.com");
	save(f, "c-2", LEDGER_OPEN, "b@example.com");
	fixture_commit(f);
	run_without_indexes(f, "conversations", "DELETE FROM conversations WHERE conversation = 'c-1'");
	fixture_begin(f);
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW, &name, err));
	assert_null(name); /* c-1 was repaired */
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW, &name, err));
	assert_string_equal(name, "c-2");
	free(name);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_int_equal(losses.kind, STORE_LOSS_CONVERSATION);
}

/* Otherwise the janitor would find its time over in each turn, and nothing to close. */
static void an_open_conversation_that_was_repaired_away_is_not_remembered(void **state)
{
	struct fixture *f = *state;
	char *name = NULL;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, "a@example.com");
	fixture_commit(f);
	run_without_indexes(f, "conversations", "DELETE FROM conversations WHERE conversation = 'c-1'");
	fixture_begin(f);
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), NOW);
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW, &name, err));
	assert_null(name); /* c-1 was repaired */
	assert_int_equal(store_conversation_oldest_open(f->s, "gladly", NOW, &name, NULL), -ENOENT);
	fixture_commit(f);
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), CLOCK_NEVER_MS);
}

static void who_was_open_in_a_lost_conversation_is_not_kept_for_ever(void **state)
{
	struct fixture *f = *state;
	char *name = NULL;
	int64_t n = 9;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, "a@example.com");
	fixture_commit(f);
	run_without_indexes(f, "conversations", "DELETE FROM conversations WHERE conversation = 'c-1'");
	fixture_begin(f);
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW, &name, err)); /* repaired */
	fixture_commit(f);
	fixture_begin(f);
	while (store_clean(f->s, 0, 0, NOW + 400 * CLOCK_DAY_MS, 100, NULL) > 0)
		;
	fixture_commit(f);
	MUST(store_paused_count(f->s, &n, err));
	assert_int_equal(n, 0);
	assert_int_equal(fixture_keys(f, KEY_OPEN_PERSON), 0);
}

/* As the janitor closes a conversation whose row does not read: with an empty entry. */
static void an_open_conversation_that_did_not_read_is_not_remembered_after_its_close(void **state)
{
	const struct ledger_entry closed = {.state = LEDGER_CLOSED, .closed_ms = NOW};
	struct fixture *f = *state;
	char *name = NULL;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, "a@example.com");
	fixture_commit(f);
	fixture_sql(f, "UPDATE conversations SET taken = x'00112233'");
	fixture_begin(f);
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), NOW);
	MUST(store_conversation_save(f->s, "gladly", "c-1", &closed, &(struct reached_list){0}, NULL, err));
	assert_int_equal(store_conversation_oldest_open(f->s, "gladly", NOW, &name, NULL), -ENOENT);
	fixture_commit(f);
	assert_int_equal(store_conversation_oldest_received_ms(f->s, "gladly"), CLOCK_NEVER_MS);
}

/* A webhook that waits for a time is in webhooks_due, but not in webhooks_state. */
static void a_webhook_that_one_index_lacks_is_still_due(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	store_close(f->s);
	f->s = NULL;
	db = connection(f);
	must_exec(db, "PRAGMA writable_schema = 1; CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name ="
		      " 'webhooks_state'; UPDATE webhooks SET state = 1;"
		      "DELETE FROM sqlite_schema WHERE name = 'webhooks_state'");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	fixture_sql(f, "UPDATE webhooks SET state = 0, wait = 1, not_before = 1795276800100");
	fixture_sql(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
	fixture_sql(f, "DROP TABLE kept");
	fixture_open(f);
	fixture_begin(f);
	assert_int_equal(store_webhooks_any_pending(f->s, NULL), 0);
	fixture_commit(f);
	assert_int_equal(store_webhooks_next_due_ms(f->s), NOW + 100);
	fixture_begin(f);
	MUST(store_webhooks_due(f->s, NOW + 100, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 1), STORE_WAIT_NONE);
}

/* Each repair is a change of its own: c-1 is repaired. c-2 is not found by its name, which c-3 has, too, and SQLite
 * refuses to change its row. */
static void a_mend_that_fails_leaves_the_one_before_it(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	struct err e = {0};
	char *name = NULL;

	fixture_begin(f);
	save(f, "c-1", LEDGER_OPEN, NULL);
	save(f, "c-2", LEDGER_OPEN, NULL);
	save(f, "c-3", LEDGER_CLOSED, NULL);
	fixture_commit(f);
	run_without_indexes(f, "conversations",
			    "DELETE FROM conversations WHERE conversation = 'c-1';"
			    "UPDATE conversations SET conversation = 'c-3' WHERE conversation = 'c-2';"
			    "INSERT INTO key_states VALUES (1, 2, 2)");
	fixture_mistype(f, "conversations", "closed", "UPDATE conversations SET closed = 'x'");
	fixture_begin(f);
	MUST(store_conversation_oldest_open(f->s, "gladly", NOW, &name, err));
	assert_null(name);
	assert_int_equal(store_conversation_oldest_open(f->s, "gladly", NOW, &name, &e), -EBADMSG);
	assert_null(name);
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	fixture_begin(f); /* c-1 is not found again */
	assert_int_equal(store_conversation_oldest_open(f->s, "gladly", NOW, &name, &e), -EBADMSG);
	fixture_commit(f);
}

/* ---- rows with a value of another type, which SQLite refuses to change ------------------------------------------- */

static void a_mistyped_webhook_can_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	fixture_mistype(f, "webhooks", "received", "UPDATE webhooks SET received = 'x'");
	fixture_begin(f);
	MUST(store_webhook_dead(f->s, 1, "it does not read", err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1 AND result = 'it does not read'"), 2);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts WHERE kind = 1 AND state = 0"), 0);
	assert_true(is_sound(f));
}

static void a_mistyped_webhook_that_is_to_go_on_is_a_dead_letter(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};

	for (unsigned char i = 1; i <= 3; i++)
		assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, i, NOW), i);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_RETRY, NOW + 1, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_BEHIND, 0, err));
	MUST(store_webhook_wait(f->s, 3, STORE_WAIT_BEHIND, 0, err));
	fixture_commit(f);
	fixture_mistype(f, "webhooks", "received", "UPDATE webhooks SET received = 'x' WHERE id < 3");
	fixture_begin(f);
	MUST(store_webhooks_due(f->s, NOW + 2, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks WHERE state = 2"), 2);
	assert_int_equal(fixture_wait_of(f, 3), STORE_WAIT_NONE);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 2);
	assert_string_equal(losses.name, "gladly");
	assert_non_null(strstr(losses.reason, "webhooks.received"));
}

static void a_mistyped_event_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};
	int64_t ids[4];

	fixture_begin(f);
	for (unsigned i = 0; i < 4; i++)
		ids[i] = fixture_queue(f, "jo@example.com", i, NOW);
	fixture_commit(f);
	fixture_mistype(f, "events", "created", "UPDATE events SET created = 'x' WHERE id IN (2, 3)");
	fixture_begin(f);
	MUST(fixture_delivered(f->s, ids[0], 0, NOW, err));
	fixture_commit(f);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 2);
	assert_int_equal(losses.kind, STORE_LOSS_EVENT);
	assert_int_equal(fixture_sql(f, "SELECT id FROM events WHERE head = 1"), ids[3]);
	/* A damaged dead letter does not prevent the delivery of a later event. */
	fixture_mistype(f, "events", "gap", "UPDATE events SET gap = 'x' WHERE id = 2");
	fixture_begin(f);
	MUST(fixture_delivered(f->s, ids[3], 0, NOW, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT later FROM events WHERE id = 3"), 1);
}

static void a_mistyped_event_that_was_sent_is_delivered(void **state)
{
	struct fixture *f = *state;
	struct event sent = {.account = (char *)(uintptr_t) "default", .email = (char *)(uintptr_t) "jo@example.com"};

	fixture_begin(f);
	sent.id = fixture_queue(f, "jo@example.com", 1, NOW);
	(void)fixture_queue(f, "jo@example.com", 2, NOW);
	fixture_commit(f);
	fixture_mistype(f, "events", "created", "UPDATE events SET created = 'x' WHERE id = 1");
	fixture_begin(f);
	MUST(store_event_delivered(f->s, &sent, 0, NOW, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE id = 1 AND state = 1 AND attempts = 1"), 1);
	assert_int_equal(fixture_sql(f, "SELECT id FROM events WHERE head = 1"), 2);
}

static void a_mistyped_event_that_is_due_too_late_stops_no_other(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	(void)fixture_queue(f, "jo@example.com", 0, NOW);
	(void)fixture_queue(f, "mo@example.com", 1, NOW);
	fixture_commit(f);
	fixture_sql(f, "UPDATE events SET due = 9000000000000");
	fixture_mistype(f, "events", "created", "UPDATE events SET created = 'x' WHERE id = 1");
	fixture_begin(f);
	MUST(store_events_cap_due(f->s, "default", NOW + 1000, NOW, 16, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT due FROM events WHERE id = 2"), NOW);
	assert_int_equal(fixture_sql(f, "SELECT state FROM events WHERE id = 1"), EVENT_DEAD);
}

static void a_source_that_is_no_text_stops_no_restart(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};

	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	assert_int_equal(fixture_put(f, "kustomer", "c-2", NULL, 2, NOW), 2);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_LOOKUP, 0, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_LOOKUP, 0, err));
	fixture_commit(f);
	fixture_mistype(f, "webhooks", "source", "UPDATE webhooks SET source = x'67' WHERE id = 1");
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1"), 2);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_non_null(strstr(losses.reason, "webhooks.source"));
}

static void a_mistyped_webhook_that_waits_for_nothing_there_is_stops_no_restart(void **state)
{
	struct fixture *f = *state;
	struct losses losses = {0};

	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c-2", NULL, 2, NOW), 2);
	fixture_mistype(f, "webhooks", "received", "UPDATE webhooks SET received = 'x', wait = 99 WHERE id = 1");
	fixture_sql(f, "UPDATE webhooks SET wait = 99 WHERE id = 2");
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT state FROM webhooks WHERE id = 1"), 2);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
	store_losses(f->s, note_loss, &losses);
	assert_int_equal(losses.n, 1);
	assert_non_null(strstr(losses.reason, "webhooks.received"));
}

static void a_source_with_a_nul_in_it_stops_no_restart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	assert_int_equal(fixture_put(f, "kustomer", "c-2", NULL, 2, NOW), 2);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_LOOKUP, 0, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_LOOKUP, 0, err));
	fixture_commit(f);
	fixture_sql(f, "UPDATE webhooks SET source = CAST(x'676c00646c79' AS TEXT) WHERE id = 1");
	fixture_begin(f);
	MUST(store_webhooks_restart(f->s, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 1), STORE_WAIT_NONE);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
}

static void a_webhook_that_waits_for_a_time_that_is_no_number_goes_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c-2", NULL, 2, NOW), 2);
	fixture_begin(f);
	MUST(store_webhook_wait(f->s, 1, STORE_WAIT_TIME, NOW + 1000, err));
	MUST(store_webhook_wait(f->s, 2, STORE_WAIT_RETRY, NOW + 1000, err));
	fixture_commit(f);
	fixture_mistype(f, "webhooks", "not_before", "UPDATE webhooks SET not_before = 'x'");
	fixture_begin(f);
	MUST(store_webhooks_cap_due(f->s, NOW + 5000, 16, err));
	fixture_commit(f);
	assert_int_equal(fixture_wait_of(f, 1), STORE_WAIT_NONE);
	assert_int_equal(fixture_wait_of(f, 2), STORE_WAIT_NONE);
	assert_int_equal(store_webhooks_next_due_ms(f->s), CLOCK_NEVER_MS);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 1 AND state = 0 AND wait = 0"), 2);
}

static void an_event_whose_url_is_no_text_is_passed_over(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	for (unsigned i = 0; i < 3; i++)
		(void)fixture_queue(f, "jo@example.com", i, NOW + i);
	fixture_commit(f);
	fixture_mistype(f, "events", "url", "UPDATE events SET url = x'68' WHERE id = 1");
	assert_int_equal(store_events_oldest_ms(f->s, "default"), NOW + 1);
	fixture_mistype(f, "events", "url", "UPDATE events SET url = x'68'");
	assert_int_equal(store_events_oldest_ms(f->s, "default"), 0);
}

static void an_event_whose_url_has_a_nul_in_it_is_looked_at_once(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	for (unsigned i = 0; i < 2; i++)
		(void)fixture_queue(f, "jo@example.com", i, NOW + i);
	fixture_commit(f);
	fixture_sql(f, "UPDATE events SET url = CAST(x'68740074703a' AS TEXT) WHERE id = 2");
	assert_int_equal(store_events_oldest_ms(f->s, "default"), NOW);
}

static void a_mistyped_row_past_its_time_stops_no_cleaning(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f);
	MUST(store_webhooks_due(f->s, NOW, err));
	save(f, "c-1", LEDGER_CLOSED, "a@example.com");
	save(f, "c-2", LEDGER_CLOSED, "b@example.com");
	fixture_commit(f);
	fixture_mistype(f, "conversations", "opened", "UPDATE conversations SET opened = 'x' WHERE id = 1");
	fixture_begin(f);
	MUST(store_clean(f->s, CLOCK_DAY_MS, 400 * CLOCK_DAY_MS, NOW + 2 * CLOCK_DAY_MS, 64, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM conversations WHERE people <> x''"), 0);
	assert_int_equal(fixture_sql(f, "SELECT id FROM conversations"), 2);
}

/* ---- rows that SQLite refuses ------------------------------------------------------------------------------------ */

/* SQLite refuses the second statement of this change. */
static int insert_half(struct fixture *f, struct err *e)
{
	struct webhook w = {
		.source = (char *)(uintptr_t) "gladly",
		.body = (char *)(uintptr_t) "{}",
		.body_len = 2,
		.received_ms = NOW,
	};

	return fixture_insert(f->s, &w, NULL, NULL, e);
}

static void a_change_that_failed_half_way_is_never_kept(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	fixture_sql(
		f,
		"CREATE TRIGGER no BEFORE INSERT ON webhook_bodies WHEN new.path = '' BEGIN SELECT RAISE(ABORT, 'no'); "
		"END");
	/* The savepoint is undone, and the changes before it stay. */
	fixture_begin(f);
	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	MUST(store_savepoint(f->s, err));
	assert_int_equal(insert_half(f, &e), -EBADMSG);
	assert_int_equal(store_savepoint_keep(f->s, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "half way"));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 1);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts WHERE kind = 1"), 1);
	/* After the caller undoes the savepoint the transaction can be committed. */
	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	assert_int_equal(insert_half(f, &e), -EBADMSG);
	store_savepoint_undo(f->s);
	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 2, NOW), 2);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 2);
	/* Without a savepoint the transaction is rolled back. */
	fixture_begin(f);
	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 3, NOW), 3);
	assert_int_equal(insert_half(f, &e), -EBADMSG);
	assert_int_equal(store_savepoint(f->s, &e), -EBADMSG);
	assert_int_equal(store_commit(f->s, &e), -EBADMSG);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 2);
	fixture_begin(f);
	assert_int_equal(insert_half(f, &e), -EBADMSG);
	store_rollback(f->s);
	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 3, NOW), 3);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts WHERE kind = 1"), 3);
}

static void a_statement_that_failed_alone_leaves_the_rest(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	fixture_sql(f, "CREATE TRIGGER no BEFORE UPDATE OF tries ON webhooks BEGIN SELECT RAISE(ABORT, 'no'); END");
	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	assert_int_equal(fixture_put(f, "gladly", "c-1", NULL, 1, NOW), 1);
	assert_int_equal(store_webhook_set_tries(f->s, 1, 1, &e), -EBADMSG);
	assert_int_equal(store_webhook_done(f->s, 7, "events", &e), -ENOENT);
	MUST(store_savepoint_keep(f->s, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 1);
}

static void a_row_that_sqlite_refuses_is_not_the_disks_fault(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	fixture_sql(f, "CREATE TRIGGER t BEFORE UPDATE ON webhooks BEGIN SELECT raise(ABORT, 'no'); END");
	fixture_reopen(f);
	fixture_begin(f);
	assert_int_equal(store_webhook_done(f->s, 1, "events", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "refuses a row"));
	store_rollback(f->s);
}

static void a_page_that_is_damaged_is_not_the_disks_fault(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {0};
	struct err e = {0};
	int64_t page;

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	page = fixture_sql(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'webhook_bodies'");
	fixture_damage_page(f, page);
	assert_int_equal(store_webhook_load(f->s, 1, &w, &e), -EUCLEAN);
	assert_non_null(strstr(e.text, "damaged"));
	fixture_begin(f);
	MUST(store_webhook_dead(f->s, 1, e.text, err));
	fixture_commit(f);
}

/* SQLite writes nothing more in a transaction that met the page. */
static void a_text_on_a_damaged_page_stops_no_cleaning(void **state)
{
	struct fixture *f = *state;
	int64_t id = fixture_put(f, "gladly", "c-1", "k-1", 1, NOW);
	unsigned failed = 0;
	struct err e = {0};

	fixture_begin(f);
	MUST(store_webhook_done(f->s, id, "events", err));
	fixture_commit(f);
	fixture_damage_page(f, fixture_sql(f, "SELECT rootpage FROM sqlite_schema WHERE name = 'webhook_bodies'"));
	for (int i = 0; i < 10; i++) {
		int r = store_begin(f->s, &e);

		assert_int_equal(r, 0);
		if (store_clean(f->s, 0, 0, NOW + 400 * CLOCK_DAY_MS, 100, &e) < 0 || store_commit(f->s, &e) < 0)
			failed++;
		store_rollback(f->s);
	}
	assert_in_range(failed, 0, 1);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 0);
}

/* The first row says if older schemas wrote events. */
static void events_are_queued_behind_a_damaged_page(void **state)
{
	struct fixture *f = *state;
	unsigned failed = 0;

	fixture_begin(f);
	for (unsigned n = 1; n <= 300; n++)
		(void)fixture_queue(f, n < 300 ? "a@example.com" : "b@example.com", n, NOW);
	fixture_commit(f);
	fixture_damage_page(f, fixture_leaf(f, "events", 0));
	for (unsigned n = 301; n <= 310; n++) {
		struct event event = {0};
		struct err e = {0};

		MUST(store_event_load(f->s, 300, &event, err));
		(void)snprintf(event.unique_id, sizeof(event.unique_id), "%032x", n);
		MUST(store_begin(f->s, err));
		if (store_event_insert(f->s, &event, 0, NOW, &e) < 0 || store_commit(f->s, &e) < 0)
			failed++;
		store_rollback(f->s);
		event_done(&event);
	}
	assert_in_range(failed, 0, 1);
}

static void a_counter_beyond_all_numbers_does_not_stop_commits(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	fixture_sql(f, "UPDATE counts SET n = 9223372036854775807");
	assert_int_equal(fixture_put(f, "gladly", "c-2", "k-1", 2, NOW), 2);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 1"), 1);
}

static void what_stands_under_a_new_id_is_nobodys(void **state)
{
	struct fixture *f = *state;

	fixture_sql(
		f, "INSERT INTO webhook_bodies VALUES (1, '', '', x'', x'', x''); INSERT INTO delivery_tail VALUES (1, "
		   "x'00', 'x')");
	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 1);
	assert_int_equal(fixture_put(f, "gladly", "c-1", "k-1", 1, NOW), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_webhook_without_its_row_is_a_dead_letter_once),
		TEST(an_entry_of_a_row_that_is_done_is_taken_out),
		TEST(what_is_lost_keeps_nobody_behind_it),
		TEST(those_behind_one_that_was_deleted_by_hand_go_on_with_the_next),
		TEST(what_is_undone_is_found_again),
		TEST(many_that_are_lost_are_all_told),
		TEST(a_change_goes_on_where_an_index_lacks_the_row),
		TEST(pending_ones_that_wait_for_nothing_there_is_are_ready_after_a_start),
		TEST(an_event_without_its_row_is_a_dead_letter),
		TEST(an_event_that_only_the_unique_index_knows_is_queued),
		TEST(an_event_that_is_not_due_is_not_handed_out),
		TEST(a_conversation_without_its_row_begins_anew),
		TEST(who_is_open_without_a_conversation_that_says_so_counts_for_nothing),
		TEST(an_open_conversation_without_its_row_does_not_stop_expiry),
		TEST(a_mend_that_fails_leaves_the_one_before_it),
		TEST(an_open_conversation_that_was_repaired_away_is_not_remembered),
		TEST(an_open_conversation_that_did_not_read_is_not_remembered_after_its_close),
		TEST(a_webhook_that_one_index_lacks_is_still_due),
		TEST(who_was_open_in_a_lost_conversation_is_not_kept_for_ever),
		TEST(a_mistyped_webhook_can_end),
		TEST(a_mistyped_webhook_that_is_to_go_on_is_a_dead_letter),
		TEST(a_mistyped_event_is_passed_over),
		TEST(a_mistyped_event_that_was_sent_is_delivered),
		TEST(a_mistyped_event_that_is_due_too_late_stops_no_other),
		TEST(a_source_that_is_no_text_stops_no_restart),
		TEST(a_mistyped_webhook_that_waits_for_nothing_there_is_stops_no_restart),
		TEST(a_source_with_a_nul_in_it_stops_no_restart),
		TEST(a_webhook_that_waits_for_a_time_that_is_no_number_goes_on),
		TEST(an_event_whose_url_is_no_text_is_passed_over),
		TEST(an_event_whose_url_has_a_nul_in_it_is_looked_at_once),
		TEST(a_mistyped_row_past_its_time_stops_no_cleaning),
		TEST(a_change_that_failed_half_way_is_never_kept),
		TEST(a_statement_that_failed_alone_leaves_the_rest),
		TEST(a_row_that_sqlite_refuses_is_not_the_disks_fault),
		TEST(a_page_that_is_damaged_is_not_the_disks_fault),
		TEST(a_text_on_a_damaged_page_stops_no_cleaning),
		TEST(events_are_queued_behind_a_damaged_page),
		TEST(a_counter_beyond_all_numbers_does_not_stop_commits),
		TEST(what_stands_under_a_new_id_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
