/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "fixtures/store.h"

/* ---- counters ---------------------------------------------------------------------------------------------------- */

struct counted {
	struct fixture *f;
	int64_t sum;
};

static void check_event_count(void *ctx, const char *account, enum event_state state, int64_t n)
{
	struct counted *t = ctx;
	char text[128];

	snprintf(text, sizeof(text), "SELECT count(*) FROM events WHERE account = '%s' AND state = %d", account,
		 (int)state);
	assert_int_equal(n, fixture_sql(t->f, text));
	t->sum += n;
}

static void check_webhook_count(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
				int64_t n)
{
	struct counted *t = ctx;
	char text[128];

	snprintf(text, sizeof(text), "SELECT count(*) FROM webhooks WHERE source = '%s' AND state = %d AND wait = %d",
		 source, (int)state, (int)why);
	assert_int_equal(n, fixture_sql(t->f, text));
	t->sum += n;
}

static void check_conversation_count(void *ctx, const char *source, int64_t open)
{
	struct counted *t = ctx;
	char text[128];

	snprintf(text, sizeof(text), "SELECT count(*) FROM conversations WHERE source = '%s' AND state = 1", source);
	assert_int_equal(open, fixture_sql(t->f, text));
	t->sum += open;
}

static void check_unaddressed_count(void *ctx, const char *source, int64_t open)
{
	struct counted *t = ctx;
	char text[128];

	snprintf(text, sizeof(text),
		 "SELECT count(*) FROM conversations WHERE source = '%s' AND state = 1 AND addressed = 0", source);
	assert_int_equal(open, fixture_sql(t->f, text));
	t->sum += open;
}

static void recount(struct fixture *f)
{
	struct counted t = {.f = f};

	store_event_counts(f->s, check_event_count, &t);
	assert_int_equal(t.sum, fixture_sql(f, "SELECT count(*) FROM events"));
	t.sum = 0;
	store_webhook_counts(f->s, check_webhook_count, &t);
	assert_int_equal(t.sum, fixture_sql(f, "SELECT count(*) FROM webhooks"));
	t.sum = 0;
	store_conversation_counts(f->s, check_conversation_count, &t);
	assert_int_equal(t.sum, fixture_sql(f, "SELECT count(*) FROM conversations WHERE state = 1"));
	t.sum = 0;
	store_unaddressed_counts(f->s, check_unaddressed_count, &t);
	assert_int_equal(t.sum, fixture_sql(f, "SELECT count(*) FROM conversations WHERE state = 1 AND addressed = 0"));
}

/* Returns store_events_retrying's reason for the account "default", or NULL. The caller owns it. */
static char *retrying(struct fixture *f, int64_t oldest_ms)
{
	char *reason = NULL;
	int64_t oldest = -1;

	if (store_events_retrying(f->s, "default", &oldest, &reason) == 0) {
		assert_null(reason);
		assert_int_equal(oldest, -1);
		return NULL;
	}
	assert_int_equal(oldest, oldest_ms);
	return reason;
}

static const char *const names[] = {"gladly", "zendesk", "intercom"};

static void change_conversation(struct fixture *f, unsigned *seed)
{
	struct ledger_entry e = {.state = rand_r(seed) % 2 ? LEDGER_OPEN : LEDGER_CLOSED,
				 .as_of_ms = NOW,
				 .opened_ms = NOW,
				 .opened_received_ms = NOW,
				 .addressed = rand_r(seed) % 2 == 0};
	struct reached_list reached = {0};
	char name[16];

	snprintf(name, sizeof(name), "c%d", rand_r(seed) % 8);
	reached_add(&reached, "default", "jo@example.com", "In Support");
	MUST(store_conversation_save(f->s, names[rand_r(seed) % 3], name, &e, &reached, NULL, err));
	reached_clear(&reached);
}

/* Makes one change of any kind. A change of an ended webhook or event fails and must change nothing. False: SQLite
 * refused the change of a row. */
static bool change(struct fixture *f, unsigned *seed, unsigned step)
{
	const char *name = names[rand_r(seed) % 3];
	int64_t id = rand_r(seed) % 300 + 1;
	int64_t now = NOW + step;
	bool later;
	struct err e;
	int r = 0;

	switch (rand_r(seed) % 14) {
	case 0:
	case 1:
		fixture_put(f, name, "c", "p", 0, now);
		break;
	case 2:
		r = store_webhook_done(f->s, id, "events", &e);
		break;
	case 3:
		r = store_webhook_dead(f->s, id, "bad", &e);
		break;
	case 4:
		r = store_webhook_revive(f->s, id, &e);
		break;
	case 5:
		r = store_webhook_wait(f->s, id, (enum store_wait)(rand_r(seed) % (STORE_WAIT_LAST + 1)), now + 50, &e);
		break;
	case 6:
		r = rand_r(seed) % 2 ? store_webhooks_due(f->s, now, &e) : store_webhooks_restart(f->s, &e);
		break;
	case 7:
	case 8:
		fixture_queue_to(f, name, URL, rand_r(seed) % 2 ? "a@x.org" : "b@x.org", step, true, 0, now);
		break;
	case 9:
		r = fixture_delivered(f->s, id, 0, now, &e);
		break;
	case 10:
		r = store_event_dead(f->s, id, "rejected", now, &e);
		break;
	case 11:
		r = store_event_revive(f->s, id, now, &later, &e);
		break;
	case 12:
		change_conversation(f, seed);
		break;
	default:
		r = rand_r(seed) % 8 ? 0 : store_clean(f->s, 300, 300, now, 20, &e);
		break;
	}
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		fail_msg("step %u: %s", step, e.text);
	return r != -EBADMSG;
}

static void counters_equal_a_recount_after_any_history(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 991;
	unsigned step = 0;

	for (int turn = 0; turn < 150; turn++) {
		fixture_begin(f);
		for (int i = 0; i < 15; i++) {
			bool undo = rand_r(&seed) % 6 == 0;

			MUST(store_savepoint(f->s, err));
			assert_true(change(f, &seed, step++));
			assert_true(change(f, &seed, step++));
			fixture_savepoint_end(f, undo);
		}
		fixture_end(f, rand_r(&seed) % 8 == 0);
		if (turn % 10 == 0)
			recount(f);
		if (turn % 50 == 0)
			fixture_reopen(f);
	}
	recount(f);
}

static void counters_equal_a_recount_where_rows_take_no_change(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 1771;
	unsigned step = 0;

	for (int turn = 0; turn < 150; turn++) {
		fixture_begin(f);
		for (int i = 0; i < 15; i++) {
			MUST(store_savepoint(f->s, err));
			if (change(f, &seed, step++) && change(f, &seed, step++))
				MUST(store_savepoint_keep(f->s, err));
			else
				store_savepoint_undo(f->s);
		}
		fixture_commit(f);
		if (turn % 4 == 0) {
			fixture_mistype(
				f, "webhooks", "received",
				"UPDATE webhooks SET received = 'x' WHERE id % 5 = 2 OR (state = 0 AND wait > 0)");
			fixture_mistype(f, "events", "created", "UPDATE events SET created = 'x' WHERE id % 5 = 2");
			recount(f);
		}
	}
	recount(f);
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

struct page {
	int64_t ids[64];
	size_t n;
	size_t stop_at;
	char *last_reason;
};

static int turn_page(void *ctx, const struct event *e)
{
	struct page *p = ctx;

	p->ids[p->n++] = e->id;
	free(p->last_reason);
	p->last_reason = mem_str(e->reason);
	return p->n == p->stop_at;
}

static void events_are_paged_by_state_newest_first(void **state)
{
	struct fixture *f = *state;
	struct page p = {.n = 0};

	fixture_begin(f);
	for (unsigned i = 1; i <= 30; i++)
		assert_int_equal(fixture_queue(f, "a@example.com", i, NOW), i);
	for (int64_t id = 1; id <= 20; id++) {
		if (id % 2)
			MUST(fixture_delivered(f->s, id, 0, NOW, err));
		else
			MUST(store_event_dead(f->s, id, "profile is invalid", NOW, err));
	}
	fixture_commit(f);
	assert_int_equal(store_events_page(f->s, -1, 0, 20, turn_page, &p, NULL), 20);
	assert_int_equal(p.ids[0], 30);
	assert_int_equal(p.ids[19], 11);
	p.n = 0;
	assert_int_equal(store_events_page(f->s, -1, 11, 20, turn_page, &p, NULL), 10);
	assert_int_equal(p.ids[0], 10);
	p.n = 0;
	assert_int_equal(store_events_page(f->s, EVENT_READY, 0, 20, turn_page, &p, NULL), 10);
	assert_int_equal(p.ids[9], 21);
	p.n = 0;
	assert_int_equal(store_events_page(f->s, EVENT_DELIVERED, 12, 3, turn_page, &p, NULL), 3);
	assert_int_equal(p.ids[0], 11);
	assert_int_equal(p.ids[2], 7);
	p.n = 0;
	assert_int_equal(store_events_page(f->s, EVENT_DEAD, 12, 3, turn_page, &p, NULL), 3);
	assert_int_equal(p.ids[0], 10);
	assert_string_equal(p.last_reason, "profile is invalid");
	p.n = 0;
	p.stop_at = 2;
	assert_int_equal(store_events_page(f->s, -1, 0, 20, turn_page, &p, NULL), 2);
	/* The readable columns of a damaged row are shown. */
	fixture_sql(f,
		    "UPDATE event_bodies SET properties = 'x' WHERE id = 30; DELETE FROM event_bodies WHERE id = 29");
	p.n = 0;
	assert_int_equal(store_events_page(f->s, -1, 0, 20, turn_page, &p, NULL), 2);
	assert_int_equal(p.ids[1], 29);
	free(p.last_reason);
}

/* No index holds ready events by their ids alone. */
static void ready_events_of_all_accounts_and_urls_come_newest_first(void **state)
{
	static const char *const urls[] = {"", "http://127.0.0.1:9090", URL};
	struct fixture *f = *state;
	struct page p = {.n = 0};
	int64_t before = 0;

	fixture_begin(f);
	for (unsigned i = 1; i <= 18; i++)
		assert_int_equal(
			fixture_queue_to(f, i % 2 ? "default" : "eu", urls[i % 3], "a@example.com", i, true, 0, NOW),
			i);
	MUST(fixture_delivered(f->s, 13, 0, NOW, err));
	fixture_commit(f);
	for (int64_t id = 18; id > 0; before = p.ids[p.n - 1]) {
		p.n = 0;
		assert_int_equal(store_events_page(f->s, EVENT_READY, before, 5, turn_page, &p, NULL), id == 2 ? 2 : 5);
		for (unsigned i = 0; i < p.n; i++) {
			id -= id == 13; /* it was delivered */
			assert_int_equal(p.ids[i], id--);
		}
	}
	p.n = 0;
	assert_int_equal(store_events_page(f->s, EVENT_READY, before, 5, turn_page, &p, NULL), 0);
	free(p.last_reason);
}

struct rows {
	struct store_webhook_row rows[16];
	char reason[16][32];
	size_t n;
};

static int turn_row(void *ctx, const struct store_webhook_row *row)
{
	struct rows *to = ctx;

	snprintf(to->reason[to->n], sizeof(to->reason[0]), "%s", row->reason ? row->reason : "-");
	to->rows[to->n++] = *row;
	return 0;
}

static void webhooks_are_paged_with_what_they_wait_for(void **state)
{
	struct fixture *f = *state;
	struct rows p = {.n = 0};
	int64_t id[6];

	for (int i = 0; i < 6; i++)
		id[i] = fixture_put(f, "gladly", "c", "p", 0, NOW + i);
	fixture_begin(f);
	MUST(store_webhook_done(f->s, id[0], "no address", err));
	MUST(store_webhook_dead(f->s, id[1], "404", err));
	MUST(store_webhook_wait(f->s, id[2], STORE_WAIT_TIME, NOW + 500, err));
	MUST(store_webhook_wait(f->s, id[4], STORE_WAIT_SLOT, 0, err));
	fixture_commit(f);
	assert_int_equal(store_webhooks_page(f->s, -1, 0, 16, turn_row, &p, NULL), 6);
	assert_int_equal(p.rows[0].id, id[5]);
	assert_string_equal(p.reason[5], "no address");
	p.n = 0;
	assert_int_equal(store_webhooks_page(f->s, STORE_WEBHOOK_PENDING, 0, 16, turn_row, &p, NULL), 4);
	assert_int_equal(p.rows[0].id, id[5]);
	assert_int_equal(p.rows[1].id, id[4]);
	assert_int_equal(p.rows[1].wait, STORE_WAIT_SLOT);
	assert_int_equal(p.rows[3].id, id[2]);
	assert_int_equal(p.rows[3].wait, STORE_WAIT_TIME);
	assert_int_equal(p.rows[3].not_before_ms, NOW + 500);
	assert_int_equal(p.rows[3].received_ms, NOW + 2);
	p.n = 0;
	assert_int_equal(store_webhooks_page(f->s, STORE_WEBHOOK_PENDING, id[4], 1, turn_row, &p, NULL), 1);
	assert_int_equal(p.rows[0].id, id[3]);
	p.n = 0;
	assert_int_equal(store_webhooks_page(f->s, STORE_WEBHOOK_DEAD, 0, 16, turn_row, &p, NULL), 1);
	assert_string_equal(p.reason[0], "404");
	p.n = 0;
	assert_int_equal(store_webhooks_page(f->s, STORE_WEBHOOK_DONE, 0, 16, turn_row, &p, NULL), 1);
}

static void every_wait_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i <= STORE_WAIT_LAST; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(store_wait_name((enum store_wait)i),
						store_wait_name((enum store_wait)j));
	assert_string_equal(store_wait_name((enum store_wait)99), "unknown");
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static int meet_webhook(void *ctx, const struct store_neighbour *n)
{
	(void)ctx;
	(void)n;
	return 0;
}

static int pass_by(void *ctx, const struct store_webhook_row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

/* Calls all functions that a turn, a timer or a clean-up calls, and those whose cost grows with undone work. */
static void use_hot_functions(struct fixture *f)
{
	unsigned char mark[STORE_MARK_BYTES] = {0};
	unsigned seed = 5;
	struct store *s = f->s;
	struct ledger_entry entry = {0};
	struct reached_list reached = {0};
	struct customer customer = {0};
	struct customer back = {0};
	struct webhook w = {0};
	char *conversation = NULL;
	struct store_lookups lookups;
	int64_t id, n;
	unsigned count;
	bool later;

	fixture_begin(f);
	for (unsigned i = 0; i < 400; i++)
		change(f, &seed, i);
	id = fixture_put(f, "gladly", "c", "p", 99, NOW);
	fixture_put(f, "gladly", "c", "p", 99, NOW);
	MUST(store_webhook_load(s, id, &w, err));
	MUST(store_webhook_is_behind(s, &w, err));
	MUST(store_webhook_is_pending(s, &w, err));
	MUST(store_webhook_save_signal(s, &w, err));
	webhook_done(&w);
	w = (struct webhook){
		.id = INT64_MAX, .source = mem_str("new"), .conversation = mem_str("n"), .customer = mem_str("n")};
	MUST(store_webhook_is_behind(s, &w, err));
	webhook_done(&w);
	MUST(store_webhook_wait(s, id, STORE_WAIT_BEHIND, 0, err));
	MUST(store_webhook_tries(s, id, &count, err));
	MUST(store_webhook_set_tries(s, id, 1, err));
	MUST(store_webhook_lookups(s, id, &lookups, err));
	MUST(store_webhook_count_lookup(s, id, STORE_LOOKUP_ODD, "x", NOW, &lookups, err));
	MUST(store_webhooks_waiting_page(s, STORE_WAIT_BEHIND, 16, pass_by, NULL, err));
	MUST(store_lookups_save_worked(s, "gladly", mark, err));
	MUST(store_lookups_worked(s, "gladly", mark, err));
	MUST(store_webhooks_page(s, STORE_WEBHOOK_PENDING, 0, 16, pass_by, NULL, err));
	MUST(store_webhooks_wake(s, "gladly", STORE_WAIT_LOOKUP, "p", err));
	MUST(store_webhooks_wake(s, "gladly", STORE_WAIT_LOOKUP, NULL, err));
	MUST(store_webhooks_wake_slot(s, "gladly", 1, err));
	MUST(store_webhook_wake_parked(s, "gladly", &n, err));
	MUST(store_webhooks_ready(s, &n, 1, err));
	MUST(store_webhooks_due(s, NOW, err));
	MUST(store_webhooks_recheck(s, STORE_WAIT_TIME, err));
	MUST(store_webhooks_cap_due(s, NOW, 10, err));
	(void)store_webhooks_next_due_ms(s);
	(void)store_webhook_last_id(s);
	(void)store_newest_ms(s);
	MUST(store_webhook_save_time(s, id, NOW, false, err));
	MUST(store_webhooks_of_conversation(s, "gladly", "c", meet_webhook, NULL, err));
	MUST(store_webhook_dead(s, id, "x", err));
	MUST(store_webhook_revive(s, id, err));
	MUST(store_conversation_load(s, "gladly", "c1", &entry, &reached, NULL, err));
	reached_clear(&reached);
	MUST(store_flag_count(s, "default", "jo@example.com", "In Support", "gladly", "c1", &n, err));
	if (store_conversation_oldest_open(s, "gladly", NOW, &conversation, NULL) < 0)
		assert_null(conversation);
	free(conversation);
	(void)store_conversation_oldest_received_ms(s, "gladly");
	MUST(store_customer_save(s, "gladly", "p", &customer, NOW, err));
	MUST(store_customer_load(s, "gladly", "p", 0, &back, err));
	customer_done(&back);
	fixture_queue_to(f, "one", URL, "q@x.org", 5000, true, 1000, NOW);
	id = fixture_queue_to(f, "one", URL, "q@x.org", 5001, true, 1000, NOW);
	(void)fixture_due(f, "one", NOW);
	(void)store_events_next_due_ms(s, "one", NOW);
	MUST(store_events_cap_due(s, "one", NOW, NOW, 10, err));
	MUST(store_event_retry(s, id, 1, NOW, "x", err));
	MUST(store_event_rewrite(s, id, "{}", "{}", true, err));
	MUST(store_event_dead(s, id, "x", NOW, err));
	MUST(store_event_revive(s, id, NOW, &later, err));
	MUST(store_event_dead(s, id, "x", NOW, err));
	MUST(fixture_delivered(s, id - 1, 1000, NOW, err));
	MUST(store_event_revive(s, id, NOW, &later, err));
	MUST(store_events_dead_of_other_url(s, "one", "http://127.0.0.1", "x", NOW, 5, err));
	(void)store_events_oldest_ms(s, "one");
	free(retrying(f, 0));
	fixture_queue_to(f, "one", URL, "q@x.org", 5003, true, 1000, NOW);
	(void)store_events_oldest_ms(s, "one");
	MUST(store_clean(s, 0, 0, NOW + CLOCK_DAY_MS, 1000, err));
	fixture_commit(f);
	fixture_begin(f);
	change_conversation(f, &seed);
	change_conversation(f, &seed);
	MUST(store_clean(s, 0, 100 * CLOCK_DAY_MS, NOW + 10 * CLOCK_DAY_MS, 1000, err));
	fixture_commit(f);
	MUST(store_can_accept(s, err));
}

static void events_tried_in_vain_are_told_with_their_oldest_and_latest_reason(void **state)
{
	struct fixture *f = *state;
	char *reason;
	int64_t id[3];

	fixture_begin(f);
	for (unsigned i = 0; i < 3; i++)
		id[i] = fixture_queue(f, i == 0 ? "a@x.org" : i == 1 ? "b@x.org" : "c@x.org", i, NOW + i);
	fixture_queue(f, "a@x.org", 3, NOW + 3);
	MUST(store_event_retry(f->s, id[2], 0, NOW + 9000, "throttled", err));
	assert_null(retrying(f, 0));
	MUST(store_event_retry(f->s, id[0], 2, NOW + 1000, "503", err));
	MUST(store_event_retry(f->s, id[1], 1, NOW + 2000, "no route", err));
	reason = retrying(f, NOW);
	assert_string_equal(reason, "no route");
	free(reason);
	MUST(fixture_delivered(f->s, id[0], 0, NOW + 5000, err));
	free(retrying(f, NOW + 1));
	MUST(store_event_dead(f->s, id[1], "rejected", NOW + 5000, err));
	assert_null(retrying(f, 0));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT attempts FROM events WHERE email = 'a@x.org' AND state = 1"), 3);
	assert_int_equal(fixture_sql(f, "SELECT attempts FROM events WHERE email = 'b@x.org'"), 1);
}

struct plans {
	struct fixture *f;
	int n;
};

static void check_plan(void *ctx, const char *sql_text)
{
	/* This statement reads from the oldest on, and stops at the first that is too young. */
	static const char *const allowed[] = {"SELECT id, received FROM deliveries ORDER BY id",
					      "SELECT count(*) FROM sqlite_schema",
					      "SELECT kind, merged, merging FROM key_states"};
	struct plans *p = ctx;
	char *explain;
	sqlite3_stmt *stmt;

	if (strncmp(sql_text, "PRAGMA", 6) == 0)
		return;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (strncmp(sql_text, allowed[i], strlen(allowed[i])) == 0)
			return;
	p->n++;
	explain = mem_fmt("EXPLAIN QUERY PLAN %s", sql_text);
	assert_int_equal(sqlite3_prepare_v2(p->f->s->db, explain, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(stmt, 3);
		bool sorts = strstr(detail, "TEMP B-TREE") != NULL;
		bool scans = strncmp(detail, "SCAN", 4) == 0;

		/* Only the pending webhooks of one conversation or customer are sorted. */
		if (sorts && (strstr(sql_text, " ORDER BY id LIMIT ?4) i ") || strstr(sql_text, "customer = ?2")))
			sorts = false;
		if (strcmp(detail, "SCAN CONSTANT ROW") == 0) /* no table: a SELECT without FROM */
			scans = false;
		/* A scan of a subquery's result, which the subquery found by an index. */
		if (strcmp(detail, "SCAN i") == 0 && strstr(sql_text, " ORDER BY id LIMIT ?4) i "))
			scans = false;
		if (scans || strstr(detail, "AUTOMATIC") || sorts)
			fail_msg("%s\n  %s", sql_text, detail);
	}
	sqlite3_finalize(stmt);
	free(explain);
}

static void no_statement_of_a_turn_reads_a_table_from_end_to_end(void **state)
{
	struct fixture *f = *state;
	struct plans p = {.f = f};

	use_hot_functions(f);
	store_each_statement(f->s, check_plan, &p);
	assert_true(p.n >= 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(counters_equal_a_recount_after_any_history),
		TEST(counters_equal_a_recount_where_rows_take_no_change),
		TEST(events_are_paged_by_state_newest_first),
		TEST(ready_events_of_all_accounts_and_urls_come_newest_first),
		TEST(webhooks_are_paged_with_what_they_wait_for),
		TEST(every_wait_has_a_name_of_its_own),
		TEST(events_tried_in_vain_are_told_with_their_oldest_and_latest_reason),
		TEST(no_statement_of_a_turn_reads_a_table_from_end_to_end),
	};

	return cmocka_run_group_tests_name("store_read", tests, NULL, NULL);
}
