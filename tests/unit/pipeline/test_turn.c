/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/turn.h"

#include <errno.h>

#include "courier/pace.h"
#include "fixtures/clock.h"
#include "fixtures/log.h"
#include "fixtures/turn_play.h"
#include "pipeline/pass.h"
#include "pipeline/recovery.h"

/* Commits fail with commit_fails while it is set, after commits_left more commits. */
static int commit_fails;
static unsigned commits_left;
static struct health *shown; /* whose readiness is noted when a commit fails */
static bool was_ready;
int __real_store_commit(struct store *s, struct err *reterr);
int __wrap_store_commit(struct store *s, struct err *reterr);
int __wrap_store_commit(struct store *s, struct err *reterr)
{
	if (!commit_fails)
		return __real_store_commit(s, reterr);
	if (commits_left > 0) {
		commits_left--;
		return __real_store_commit(s, reterr);
	}
	store_rollback(s);
	was_ready = health_is_ready(shown);
	return err_set(reterr, commit_fails, "the disk is full");
}

/* The log lines about dead letters. */
static unsigned deaths_logged;
static int64_t death_of_event, death_of_webhook; /* the last one's */
static char death_reason[256];

static void note_death(int level, const struct log_about *about, const char *message)
{
	(void)level;
	if (!strstr(message, "dead letter"))
		return;
	deaths_logged++;
	death_of_event = about->event;
	death_of_webhook = about->webhook;
	(void)snprintf(death_reason, sizeof(death_reason), "%s", about->reason);
}

/* Runs `text` while SQLite does not know an index, so that the index is not updated. */
static void stage_hide_index(struct stage *s, const char *index, const char *text)
{
	char sql[1024];

	(void)snprintf(
		sql, sizeof(sql),
		"DROP TABLE IF EXISTS hidden; CREATE TABLE hidden AS SELECT * FROM sqlite_schema WHERE name = '%s';"
		"PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = '%s'",
		index, index);
	stage_spoil(s, sql);
	stage_spoil(s, text);
	stage_spoil(s, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM hidden;"
		       "DELETE FROM hidden");
}

/* Puts a text in place of a number, as a bad disk may: SQLite refuses each change of that row. */
static void stage_mistype(struct stage *s, const char *table, const char *column, int64_t id)
{
	char sql[512];

	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT',"
		       " ')'), ' %s INTEGER', ' %s BLOB') WHERE name = '%s'",
		       column, column, table);
	stage_spoil(s, sql);
	(void)snprintf(sql, sizeof(sql), "UPDATE %s SET %s = 'x' WHERE id = %lld", table, column, (long long)id);
	stage_spoil(s, sql);
	(void)snprintf(sql, sizeof(sql),
		       "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, ' %s BLOB',"
		       " ' %s INTEGER') || ' STRICT' WHERE name = '%s'",
		       column, column, table);
	stage_spoil(s, sql);
}

static int play_setup(void **state)
{
	struct play *p;

	commit_fails = 0;
	commits_left = 0;
	clocks = (struct test_clocks){0};
	deaths_logged = 0;
	log_line = note_death;
	*state = p = play_new();
	shown = p->health;
	return 0;
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */

struct sender {
	struct submission submission;
	struct submission_item item;
	unsigned answers;
	bool refused;
	enum submission_result result;
	int64_t id;
	bool was_committed; /* as another connection saw it when the answer came */
	struct stage *stage;
};

static int found_id(void *ctx, const struct store_webhook_row *row)
{
	struct sender *s = ctx;

	s->was_committed = s->was_committed || row->id == s->item.id;
	return 0;
}

static void answered(struct submission *submission)
{
	struct sender *s = submission->user;
	struct store_options o = {.path = s->stage->path};
	struct store *reader;

	s->answers++;
	s->refused = submission->refused;
	s->result = s->item.result;
	s->id = s->item.id;
	MUST(store_open(&o, STORE_READ, &reader, err));
	MUST(store_webhooks_page(reader, -1, 0, 500, found_id, s, err));
	store_close(reader);
	parsed_webhook_free(s->item.parsed);
	free(s->item.dead_reason);
}

static void submit(struct play *p, struct sender *s, struct post post)
{
	*s = (struct sender){.stage = p->stage};
	s->item.parsed = stage_parsed(p->stage, &post);
	s->submission = (struct submission){.items = &s->item, .n = 1, .answered = answered, .user = s};
	s->submission.message.kind = MESSAGE_SUBMISSION;
	turn_take(p->turn, &s->submission.message);
}
#define SUBMIT(p, s, ...) submit(p, s, (struct post){__VA_ARGS__})

static void deliver(struct play *p, int64_t event, enum outcome outcome, const char *reason, bool throttled)
{
	struct delivery_message *m = mem_new(1, sizeof(*m));

	m->message.kind = MESSAGE_DELIVERY;
	m->delivery = stage_delivery(p->stage, event);
	m->delivery->verdict.outcome = outcome;
	m->delivery->verdict.throttled = throttled;
	m->delivery->done_ms = clock_now_ms();
	(void)snprintf(m->delivery->verdict.reason, sizeof(m->delivery->verdict.reason), "%s", reason);
	turn_take(p->turn, &m->message);
}

static struct event event_now(struct play *p, int64_t id)
{
	struct event e = {0};

	MUST(store_event_load(p->stage->store, id, &e, err));
	return e;
}

static void put_opened(struct play *p, unsigned n, unsigned person)
{
	char conversation[16], email[32];

	(void)snprintf(conversation, sizeof(conversation), "%u", n);
	(void)snprintf(email, sizeof(email), "jo-%u@example.com", person);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = conversation, .email = email,
	    .received_ms = clock_now_ms(), .time_ms = clock_now_ms());
}

static void run(struct play *p)
{
	for (unsigned i = 0; i < 1000; i++)
		if (turn_run(p->turn) > clock_mono_ms())
			return;
	fail_msg("the turns do not come to rest");
}

static void wait_until(int64_t ms)
{
	int64_t left_ms = ms - clock_mono_ms();
	struct timespec t;

	if (left_ms <= 0)
		return;
	t = (struct timespec){.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
	(void)nanosleep(&t, NULL);
}

/* ---- submissions ------------------------------------------------------------------------------------------------- */

static void a_webhook_is_answered_once_and_after_its_commit(void **state)
{
	struct play *p = *state;
	struct sender first, again;

	play_start(p);
	SUBMIT(p, &first, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com",
	       .delivery = "d");
	SUBMIT(p, &again, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com",
	       .delivery = "d");
	run(p);
	assert_int_equal(first.answers, 1);
	assert_false(first.refused);
	assert_int_equal(first.result, SUBMISSION_ACCEPTED);
	assert_true(first.was_committed);
	assert_int_equal(again.answers, 1);
	assert_int_equal(again.result, SUBMISSION_DUPLICATE);
}

static void a_commit_that_fails_refuses_the_webhooks_and_stalls_the_courier(void **state)
{
	struct play *p = *state;
	struct sender first, second;
	struct err why;

	play_start(p);
	run(p);
	commit_fails = -ENOSPC;
	SUBMIT(p, &first, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	assert_true(turn_run(p->turn) > clock_mono_ms());
	assert_int_equal(first.answers, 1);
	assert_true(first.refused);
	assert_false(first.was_committed);
	assert_true(p->stage->courier.stalled);
	assert_false(health_is_ready(p->health));
	health_why_not(p->health, &why);
	assert_non_null(strstr(why.text, "full"));
	/* Until the next try, submissions are refused at once. */
	SUBMIT(p, &second, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	(void)turn_run(p->turn);
	assert_true(second.refused);
}

/* A later webhook gets the id of one that was rolled back. */
static void a_rolled_back_turn_forgets_what_it_had_read(void **state)
{
	struct play *p = *state;
	int64_t now_ms = clock_now_ms();
	struct sender first, second;

	play_start(p);
	run(p);
	commit_fails = -EIO;
	SUBMIT(p, &first, .source = "settled", .kind = "open", .conversation = "1", .email = "jo@example.com",
	       .time_ms = now_ms, .received_ms = now_ms);
	(void)turn_run(p->turn);
	assert_true(first.refused);
	commit_fails = 0;
	clocks.wall_ms = clocks.mono_ms = 61 * SECOND; /* it counts at once */
	SUBMIT(p, &second, .source = "settled", .kind = "open", .conversation = "1", .email = "al@example.com",
	       .time_ms = now_ms, .received_ms = now_ms);
	run(p);
	assert_false(second.refused);
	assert_int_equal(second.id, first.id);
	assert_events(p->stage, "started conversation in Desk al@example.com ready; ");
}

static void nobody_is_told_that_webhooks_are_taken_before_a_commit_works_again(void **state)
{
	struct play *p = *state;
	int64_t retry_ms;

	put_opened(p, 1, 1);
	play_start(p);
	run(p);
	commit_fails = -ENOSPC;
	retry_ms = turn_run(p->turn);
	assert_true(was_ready);
	wait_until(retry_ms);
	(void)turn_run(p->turn);
	assert_false(was_ready);
	assert_false(health_is_ready(p->health));
}

/* An item that is undone is not counted. All webhooks of a turn are inserted together at first, so one that comes
 * before the bad one is inserted twice. It is counted once. */
static void a_post_that_cannot_be_kept_is_refused_alone_and_counts_nothing(void **state)
{
	struct play *p = *state;
	struct submission_item items[2] = {0};
	struct sender before, bad, after, again;
	CLEANUP(mem_freep) char *large = mem_new(300 * 1024, 1);

	play_start(p);
	run(p);
	metrics_reset();
	SUBMIT(p, &before, .source = "desk", .kind = "open", .conversation = "2", .email = "jo@example.com",
	       .delivery = "a");
	SUBMIT(p, &bad, .source = "desk", .kind = "open", .conversation = "1", .email = "mo@example.com");
	memset(large, 'x', 300 * 1024 - 1);
	pairs_add(&bad.item.parsed->webhook.headers, "X-Large", large);
	items[1].parsed = bad.item.parsed;
	items[0].parsed = stage_parsed(p->stage, &(struct post){.source = "desk", .body = "{"});
	items[0].dead_reason = mem_str("unreadable");
	bad.submission.items = items;
	bad.submission.n = 2;
	SUBMIT(p, &after, .source = "desk", .kind = "open", .conversation = "3", .email = "al@example.com",
	       .delivery = "b");
	SUBMIT(p, &again, .source = "desk", .kind = "open", .conversation = "2", .email = "jo@example.com",
	       .delivery = "a");
	run(p);
	assert_int_equal(before.answers, 1);
	assert_int_equal(bad.answers, 1);
	assert_int_equal(after.answers, 1);
	assert_true(bad.refused);
	assert_false(before.refused || after.refused || again.refused);
	assert_int_equal(before.result, SUBMISSION_ACCEPTED);
	assert_int_equal(after.result, SUBMISSION_ACCEPTED);
	assert_int_equal(again.result, SUBMISSION_DUPLICATE);
	assert_true(before.was_committed && after.was_committed);
	assert_done(p->stage, before.id, "events");
	assert_done(p->stage, after.id, "events");
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"started conversation in Desk al@example.com ready; ");
	assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "dead", NULL), 0, 0);
	assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "events", NULL), 2, 0);
	parsed_webhook_free(items[0].parsed);
	free(items[0].dead_reason);
}

/* A duplicate item, also of the same request, does not make the others refused. */
static void the_items_of_one_post_go_in_together_each_with_its_own_result(void **state)
{
	static const char *const conversations[] = {"1", "2", "1", "3"}, *const deliveries[] = {"a", "b", "a", "c"};
	static const enum submission_result results[] = {SUBMISSION_ACCEPTED, SUBMISSION_DUPLICATE,
							 SUBMISSION_DUPLICATE, SUBMISSION_ACCEPTED};
	struct play *p = *state;
	struct submission_item items[4] = {0};
	struct sender sender;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "2", .email = "mo@example.com",
	    .delivery = "b");
	SUBMIT(p, &sender, .source = "desk", .kind = "open", .conversation = "9");
	for (size_t i = 0; i < 4; i++) {
		items[i].parsed = stage_parsed(p->stage, &(struct post){.source = "desk",
									.kind = "open",
									.conversation = conversations[i],
									.email = "jo@example.com",
									.delivery = deliveries[i]});
	}
	sender.submission.items = items;
	sender.submission.n = 4;
	run(p);
	assert_int_equal(sender.answers, 1);
	assert_false(sender.refused);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(items[i].result, results[i]);
		if (results[i] == SUBMISSION_ACCEPTED)
			assert_done(p->stage, items[i].id, "events");
		parsed_webhook_free(items[i].parsed);
	}
	assert_int_equal(stage_events(p->stage).n, 3);
}

/* `written` counts changes of webhooks that were there already. */
static void stage_count_updates(struct stage *s)
{
	stage_spoil(s, "CREATE TABLE written (id INTEGER); CREATE TRIGGER webhook_written AFTER UPDATE ON webhooks"
		       " BEGIN INSERT INTO written VALUES (new.id); END");
}

static void a_new_webhook_is_decided_before_it_is_inserted(void **state)
{
	struct play *p = *state;
	struct sender opened, closed, held, asked;

	clocks_stop(clock_now_ms(), clock_mono_ms()); /* the turn has time for all of them */
	play_start(p);
	run(p);
	stage_count_updates(p->stage);
	SUBMIT(p, &opened, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	SUBMIT(p, &closed, .source = "desk", .kind = "closed", .conversation = "1", .time_ms = NOW + SECOND);
	run(p);
	assert_done(p->stage, opened.id, "events");
	assert_done(p->stage, closed.id, "events");
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"closed conversation in Desk jo@example.com ready; ");
	assert_int_equal(stage_count(p->stage, "SELECT count(*) FROM written"), 0);
	SUBMIT(p, &held, .source = "settled", .kind = "open", .conversation = "1", .email = "jo@example.com",
	       .received_ms = clock_now_ms(), .time_ms = clock_now_ms());
	SUBMIT(p, &asked, .source = "asked", .kind = "open", .conversation = "1", .customer = "p-1");
	run(p);
	assert_waits(p->stage, held.id, STORE_WAIT_TIME);
	assert_waits(p->stage, asked.id, STORE_WAIT_SLOT);
}

static void a_new_webhook_waits_behind_a_pending_one(void **state)
{
	struct play *p = *state;
	struct sender first, same_conversation, same_customer, other;

	clocks_stop(clock_now_ms(), clock_mono_ms()); /* the turn has time for all of them */
	play_start(p);
	SUBMIT(p, &first, .source = "asked", .kind = "open", .conversation = "1", .customer = "p-1");
	SUBMIT(p, &same_conversation, .source = "asked", .kind = "closed", .conversation = "1",
	       .email = "jo@example.com", .time_ms = NOW + SECOND);
	run(p);
	SUBMIT(p, &same_customer, .source = "asked", .kind = "open", .conversation = "2", .customer = "p-1",
	       .email = "jo@example.com");
	SUBMIT(p, &other, .source = "asked", .kind = "open", .conversation = "3", .customer = "p-3",
	       .email = "mo@example.com");
	run(p);
	assert_waits(p->stage, first.id, STORE_WAIT_SLOT);
	assert_waits(p->stage, same_conversation.id, STORE_WAIT_BEHIND);
	assert_waits(p->stage, same_customer.id, STORE_WAIT_BEHIND);
	assert_done(p->stage, other.id, "events");
}

static void a_new_webhook_that_cannot_be_decided_is_a_dead_letter_and_stops_no_other(void **state)
{
	struct play *p = *state;
	struct sender good, bad, last;

	put_opened(p, 7, 7);
	clocks_stop(clock_now_ms(), clock_mono_ms()); /* the turn has time for all of them */
	play_start(p);
	run(p);
	metrics_reset();
	stage_mistype(p->stage, "conversations", "closed", 1);
	SUBMIT(p, &good, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	SUBMIT(p, &bad, .source = "desk", .kind = "closed", .conversation = "7", .received_ms = clock_now_ms(),
	       .time_ms = clock_now_ms());
	SUBMIT(p, &last, .source = "desk", .kind = "open", .conversation = "2", .email = "al@example.com");
	run(p);
	assert_false(good.refused || bad.refused || last.refused);
	assert_done(p->stage, good.id, "events");
	assert_dead(p->stage, bad.id, "closed");
	assert_done(p->stage, last.id, "events");
	assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "events", NULL), 2, 0);
	assert_float_equal(metrics_get(METRIC_WEBHOOK_RESULTS, "desk", "dead", NULL), 1, 0);
	assert_int_equal(deaths_logged, 1);
}

static void results_outlive_a_failed_commit(void **state)
{
	struct play *p = *state;
	int64_t retry_ms;

	put_opened(p, 1, 1);
	play_start(p);
	play_window(p, 48);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	commit_fails = -EIO;
	deliver(p, p->stage->courier.sent[0], OUTCOME_DELIVERED, "", false);
	retry_ms = turn_run(p->turn);
	assert_events(p->stage, "started conversation in Desk jo-1@example.com ready; ");
	commit_fails = 0;
	wait_until(retry_ms);
	run(p);
	assert_events(p->stage, "started conversation in Desk jo-1@example.com delivered; ");
	assert_false(p->stage->courier.stalled);
	assert_true(health_is_ready(p->health));
	assert_int_equal(p->stage->courier.sent_n, 1);
}

static void one_that_is_ended_by_anothers_pass_is_not_taken_up_in_the_same_turn(void **state)
{
	struct play *p = *state;
	int64_t now_ms = clock_now_ms();
	struct sender opened, closed, again;

	play_start(p);
	SUBMIT(p, &opened, .source = "settled", .kind = "open", .conversation = "1", .email = "jo@example.com",
	       .time_ms = now_ms - CLOCK_HOUR_MS, .received_ms = now_ms);
	run(p);
	SUBMIT(p, &closed, .source = "settled", .kind = "closed", .conversation = "1", .time_ms = now_ms - 2,
	       .received_ms = now_ms);
	SUBMIT(p, &again, .source = "settled", .kind = "reopened", .conversation = "1", .time_ms = now_ms - 1,
	       .received_ms = now_ms);
	run(p);
	assert_true(health_is_ready(p->health));
	assert_done(p->stage, closed.id, "settled");
	assert_done(p->stage, again.id, "settled");
}

static void what_settle_looks_at_is_kept_while_the_webhook_is_pending(void **state)
{
	struct play *p = *state;
	int64_t now_ms = clock_now_ms();
	struct sender held, undated, other, ended;

	play_start(p);
	SUBMIT(p, &held, .source = "settled", .kind = "open", .conversation = "1", .time_ms = now_ms - 5,
	       .received_ms = now_ms);
	SUBMIT(p, &undated, .source = "settled", .received_ms = now_ms, .body = "{\"s\": \"open\", \"c\": \"2\"}");
	SUBMIT(p, &other, .source = "asked", .kind = "open", .conversation = "1", .customer = "jo");
	SUBMIT(p, &ended, .source = "settled", .kind = "open", .conversation = "3", .email = "jo@example.com",
	       .time_ms = now_ms - CLOCK_HOUR_MS, .received_ms = now_ms);
	run(p);
	assert_waits(p->stage, other.id, STORE_WAIT_SLOT);
	assert_done(p->stage, ended.id, "events");
	assert_int_equal(stage_count(p->stage, "SELECT count(*) FROM webhook_times"), 2);
	assert_int_equal(stage_count(p->stage, "SELECT time FROM webhook_times WHERE undated = 0"), now_ms - 5);
	assert_int_equal(stage_count(p->stage, "SELECT id FROM webhook_times WHERE undated = 0"), held.id);
	assert_int_equal(stage_count(p->stage, "SELECT time FROM webhook_times WHERE undated = 1"), now_ms);
	assert_int_equal(stage_count(p->stage, "SELECT id FROM webhook_times WHERE undated = 1"), undated.id);
}

/* ---- deliveries -------------------------------------------------------------------------------------------------- */

static void no_more_events_are_lent_than_the_window_says_and_none_twice(void **state)
{
	struct play *p = *state;

	for (unsigned i = 0; i < 20; i++)
		put_opened(p, i, i);
	play_start(p);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 0);
	play_window(p, 8);
	run(p);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 8);
	deliver(p, p->stage->courier.sent[0], OUTCOME_DELIVERED, "", false);
	deliver(p, p->stage->courier.sent[1], OUTCOME_DELIVERED, "", false);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 10);
	for (size_t i = 0; i < p->stage->courier.sent_n; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(p->stage->courier.sent[i], p->stage->courier.sent[k]);
	play_window(p, 0);
	deliver(p, p->stage->courier.sent[2], OUTCOME_DELIVERED, "", false);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 10);
}

static void a_persons_next_event_goes_after_the_earlier_one_is_committed(void **state)
{
	struct play *p = *state;

	put_opened(p, 1, 1);
	put_opened(p, 2, 1);
	play_start(p);
	play_window(p, 48);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	deliver(p, p->stage->courier.sent[0], OUTCOME_DELIVERED, "", false);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
}

static void one_that_does_not_read_lets_its_persons_next_go_at_once(void **state)
{
	struct play *p = *state;

	put_opened(p, 1, 1);
	put_opened(p, 2, 1);
	play_start(p);
	run(p);
	stage_spoil(p->stage, "UPDATE event_bodies SET profile = 'no JSON' WHERE id = 1");
	play_window(p, 48);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	assert_int_equal(p->stage->courier.sent[0], 2);
	assert_events(p->stage, "started conversation in Desk jo-1@example.com dead; "
				"started conversation in Desk jo-1@example.com ready; ");
}

static void each_outcome_leaves_its_event_as_the_design_says(void **state)
{
	static const struct {
		enum outcome outcome;
		bool throttled;
		enum event_state state;
		unsigned attempts;
		bool later, reason;
	} rows[] = {
		{OUTCOME_DELIVERED, false, EVENT_DELIVERED, 1, false, false},
		{OUTCOME_RETRY, false, EVENT_READY, 1, true, true},
		{OUTCOME_RETRY, true, EVENT_READY, 0, false, true},
		{OUTCOME_REJECT, false, EVENT_DEAD, 1, false, true},
		{OUTCOME_PARK, false, EVENT_READY, 0, false, true},
		{OUTCOME_SINGLE, false, EVENT_READY, 0, false, true},
	};
	struct play *p = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		put_opened(p, i, i);
	play_start(p);
	play_window(p, 48);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, sizeof(rows) / sizeof(*rows));
	play_window(p, 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		deliver(p, p->stage->courier.sent[i], rows[i].outcome, "what Klaviyo said", rows[i].throttled);
	run(p);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct event e = event_now(p, p->stage->courier.sent[i]);

		assert_int_equal(e.state, rows[i].state);
		assert_int_equal(e.attempts, rows[i].attempts);
		if (rows[i].state == EVENT_READY)
			assert_int_equal(e.due_ms > clock_now_ms(), rows[i].later);
		assert_int_equal(e.reason && strcmp(e.reason, "what Klaviyo said") == 0, rows[i].reason);
		event_done(&e);
	}
}

static void what_was_not_sent_is_lent_again(void **state)
{
	struct play *p = *state;
	struct delivery_message *m = mem_new(1, sizeof(*m));

	put_opened(p, 1, 1);
	play_start(p);
	play_window(p, 48);
	run(p);
	m->message.kind = MESSAGE_DELIVERY;
	m->delivery = stage_delivery(p->stage, p->stage->courier.sent[0]);
	m->delivery->returned = true;
	turn_take(p->turn, &m->message);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
	assert_int_equal(p->stage->courier.sent[0], p->stage->courier.sent[1]);
}

static void undelivered_beyond_max_age_is_a_dead_letter(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 15 * CLOCK_DAY_MS;
	struct event e;

	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	play_start(p);
	play_window(p, 48);
	run(p);
	deliver(p, p->stage->courier.sent[0], OUTCOME_PARK, "401", false);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS; /* before that the clock is not trusted */
	deliver(p, p->stage->courier.sent[1], OUTCOME_RETRY, "503", false);
	run(p);
	e = event_now(p, p->stage->courier.sent[0]);
	assert_int_equal(e.state, EVENT_DEAD);
	assert_string_equal(e.reason, "undelivered for 14 d: 503");
	event_done(&e);
}

static void take_generation(struct play *p, const char *yaml)
{
	struct generation_message *m = mem_new(1, sizeof(*m));

	m->message.kind = MESSAGE_GENERATION;
	m->generation = stage_configure(p->stage, yaml);
	turn_take(p->turn, &m->message);
}

static void after_a_change_of_url_what_was_queued_before_is_never_sent(void **state)
{
	struct play *p = *state;

	for (unsigned i = 0; i < 150; i++)
		put_opened(p, i, i);
	play_start(p);
	run(p);
	take_generation(
		p,
		"klaviyo: {api_key: pk_test, url: \"http://127.0.0.1:10\", person_gap: 0s}\nsources:\n" STAGE_SOURCES);
	play_window(p, 48);
	put_opened(p, 1000, 1000);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 1);
	assert_int_equal(p->stage->courier.sent[0], 151);
	for (int64_t id = 1; id <= 151; id++) {
		struct event e = event_now(p, id);

		assert_int_equal(e.state, id == 151 ? EVENT_READY : EVENT_DEAD);
		event_done(&e);
	}
}

/* An event that Klaviyo accepted is delivered, whatever happened to it meanwhile. */
static void a_2xx_that_comes_after_a_change_of_url_still_counts(void **state)
{
	struct play *p = *state;

	for (unsigned i = 0; i < 2; i++)
		put_opened(p, i, i);
	play_start(p);
	play_window(p, 48);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 2);
	take_generation(p, "klaviyo: {api_key: pk_test, url: \"http://127.0.0.1:10\"}\nsources:\n" STAGE_SOURCES);
	run(p);
	assert_events(p->stage, "started conversation in Desk jo-0@example.com dead; "
				"started conversation in Desk jo-1@example.com dead; ");
	deliver(p, p->stage->courier.sent[0], OUTCOME_DELIVERED, "", false);
	deliver(p, p->stage->courier.sent[1], OUTCOME_RETRY, "503", false);
	run(p);
	assert_events(p->stage, "started conversation in Desk jo-0@example.com delivered; "
				"started conversation in Desk jo-1@example.com dead; ");
	put_opened(p, 3, 0);
	run(p);
	assert_int_equal(p->stage->courier.sent_n, 3);
}

static void after_a_reload_what_waits_is_read_by_the_new_definition(void **state)
{
	static const char body[] = "{\"s\":\"open\",\"c\":\"1\",\"e\":\"jo@example.com\",\"f\":\"al@example.com\"}";
	struct play *p = *state;
	struct sender sender;

	play_start(p);
	run(p);
	SUBMIT(p, &sender, .source = "settled", .body = body, .received_ms = clock_now_ms());
	run(p);
	assert_waits(p->stage, sender.id, STORE_WAIT_TIME);
	take_generation(p, STAGE_KLAVIYO
			"sources:\n  settled: {definition: {label: Desk, opened: {/s: open}, closed: {/s: closed}, "
			"conversation: /c, emails: /f, authenticate: {method: none}}}\n");
	run(p);
	assert_events(p->stage, "started conversation in Desk al@example.com ready; ");
}

static void a_source_that_is_configured_again_gets_its_webhooks_taken_up(void **state)
{
	struct play *p = *state;

	play_start(p);
	run(p);
	take_generation(p, STAGE_KLAVIYO "sources:\n  other: {definition: {" STAGE_DESK "}}\n");
	put_opened(p, 1, 1);
	run(p);
	assert_waits(p->stage, 1, STORE_WAIT_UNCONFIGURED);
	take_generation(p, STAGE_KLAVIYO "sources:\n" STAGE_SOURCES);
	run(p);
	assert_done(p->stage, 1, "events");
	assert_int_equal(p->stage->courier.generations, 2);
}

/* ---- crashes ----------------------------------------------------------------------------------------------------- */

static unsigned tries_of(struct play *p, int64_t id)
{
	unsigned tries;

	MUST(store_webhook_tries(p->stage->store, id, &tries, err));
	return tries;
}

static void set_tries(struct play *p, int64_t id, unsigned tries)
{
	MUST(store_begin(p->stage->store, err));
	MUST(store_webhook_set_tries(p->stage->store, id, tries, err));
	MUST(store_commit(p->stage->store, err));
}

static void three_crashes_make_a_dead_letter_of_one_webhook_and_of_no_other(void **state)
{
	struct play *p = *state;

	for (unsigned i = 1; i <= 3; i++)
		put_opened(p, i, i);
	set_tries(p, 1, 2);
	set_tries(p, 2, 3);
	play_start(p);
	run(p);
	assert_done(p->stage, 1, "events");
	assert_dead(p->stage, 2, "three crashes");
	assert_done(p->stage, 3, "events");
	assert_int_equal(tries_of(p, 1), 0);
	assert_int_equal(tries_of(p, 3), 0);
}

/* Starts, counts the attempts, and loses their results with the process. */
static void crash_in_a_try(struct play *p)
{
	play_start(p);
	commit_fails = -EIO;
	commits_left = 1;
	(void)turn_run(p->turn);
	commit_fails = 0;
	turn_free(TAKE(p->turn));
}

static void a_crash_in_the_middle_of_a_try_is_counted_for_that_webhook_alone(void **state)
{
	struct play *p = *state;

	put_opened(p, 1, 1);
	put_opened(p, 2, 2);
	crash_in_a_try(p); /* in the batch of both */
	assert_int_equal(tries_of(p, 1), 1);
	assert_int_equal(tries_of(p, 2), 1);
	put_opened(p, 3, 3);
	crash_in_a_try(p); /* in the first one's own try */
	assert_int_equal(tries_of(p, 1), 2);
	assert_int_equal(tries_of(p, 2), 1);
	assert_int_equal(tries_of(p, 3), 0);
	assert_waits(p->stage, 1, STORE_WAIT_NONE);
	assert_int_equal(stage_events(p->stage).n, 0);
	play_start(p);
	run(p);
	for (int64_t id = 1; id <= 3; id++) {
		assert_int_equal(tries_of(p, id), 0);
		assert_done(p->stage, id, "events");
	}
}

/* Three crashes in the same webhook's try: the first in a batch, the others alone. */
static void a_webhook_that_ends_the_process_thrice_is_the_only_dead_letter(void **state)
{
	struct play *p = *state;

	for (unsigned i = 1; i <= RECOVERY_BATCH + 2; i++)
		put_opened(p, i, i);
	for (unsigned i = 0; i < 3; i++)
		crash_in_a_try(p);
	assert_int_equal(tries_of(p, 1), 3);
	play_start(p);
	run(p);
	assert_dead(p->stage, 1, "three crashes");
	for (int64_t id = 2; id <= RECOVERY_BATCH + 2; id++) {
		assert_int_equal(tries_of(p, id), 0);
		assert_done(p->stage, id, "events");
	}
}

static void a_disk_that_fails_again_and_again_is_no_crash(void **state)
{
	struct play *p = *state;

	put_opened(p, 1, 1);
	play_start(p);
	commit_fails = -ENOSPC;
	for (unsigned i = 0; i < 4; i++) {
		commits_left = i == 0; /* the first turn's count; no result of an attempt fits */
		wait_until(turn_run(p->turn));
		assert_int_equal(tries_of(p, 1), 1);
	}
	commit_fails = 0;
	run(p);
	assert_done(p->stage, 1, "events");
	assert_int_equal(tries_of(p, 1), 0);
}

static void a_batch_that_does_not_fit_on_the_disk_becomes_smaller(void **state)
{
	struct play *p = *state;

	for (unsigned i = 1; i <= 3; i++)
		put_opened(p, i, i);
	play_start(p);
	commit_fails = -ENOSPC;
	commits_left = 1; /* the count of all; their results do not fit */
	wait_until(turn_run(p->turn));
	assert_int_equal(tries_of(p, 3), 1);
	commits_left = 1; /* the result of one fits */
	wait_until(turn_run(p->turn));
	assert_done(p->stage, 1, "events");
	assert_waits(p->stage, 2, STORE_WAIT_NONE);
	commit_fails = 0;
	run(p);
	for (int64_t id = 1; id <= 3; id++) {
		assert_done(p->stage, id, "events");
		assert_int_equal(tries_of(p, id), 0);
	}
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static void a_row_with_a_value_of_another_type_is_a_dead_letter_and_stops_no_other(void **state)
{
	struct play *p = *state;

	for (unsigned i = 1; i <= 4; i++)
		put_opened(p, i, i);
	stage_mistype(p->stage, "webhooks", "received", 1);
	stage_mistype(p->stage, "webhooks", "tries", 2);
	play_start(p);
	run(p);
	assert_dead(p->stage, 1, "received");
	assert_done(p->stage, 2, "events");
	assert_done(p->stage, 4, "events");
	assert_int_equal(deaths_logged, 1);
	stage_mistype(p->stage, "events", "created", 1);
	stage_mistype(p->stage, "events", "gap", 2);
	play_window(p, PACE_WINDOW);
	run(p);
	assert_true(health_is_ready(p->health));
	assert_int_equal(p->stage->courier.sent_n, 2); /* the second is unreadable, the others are sent */
	assert_int_equal(deaths_logged, 2);
	deliver(p, 2, OUTCOME_RETRY, "503", false);
	run(p);
	assert_true(health_is_ready(p->health));
	assert_int_equal(deaths_logged, 3);
	assert_int_equal(death_of_event, 2);
}

/* The next turn repeats what was rolled back. */
static void a_death_is_told_once_and_after_its_commit(void **state)
{
	struct play *p = *state;
	struct sender sender;

	play_start(p);
	put_opened(p, 1, 1);
	play_window(p, PACE_WINDOW);
	run(p);
	put_opened(p, 2, 2);
	stage_spoil(p->stage, "UPDATE webhook_bodies SET headers = x'01' WHERE id = 2");
	commit_fails = -ENOSPC;
	deliver(p, 1, OUTCOME_REJECT, "email is not valid", false);
	for (unsigned i = 0; i < 3; i++) {
		(void)turn_run(p->turn);
		clocks_advance(10 * SECOND);
	}
	assert_int_equal(deaths_logged, 0);
	commit_fails = 0;
	SUBMIT(p, &sender, .source = "desk", .kind = "open", .conversation = "3", .email = "mo@example.com");
	run(p);
	assert_dead(p->stage, 2, "headers");
	assert_int_equal(deaths_logged, 2);
	assert_int_equal(death_of_event, 0);
	assert_int_equal(death_of_webhook, 2);
	assert_non_null(strstr(death_reason, "headers"));
}

/* ---- expiry ------------------------------------------------------------------------------------------------------ */

static void what_is_open_too_long_is_closed_as_expired(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;
	struct event e;

	put_opened(p, 2, 2);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	play_start(p);
	run(p);
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS; /* before that the clock is not trusted */
	run(p);
	assert_events(p->stage, "started conversation in Desk jo-2@example.com ready; "
				"started conversation in Desk jo@example.com ready; "
				"closed conversation in Desk jo@example.com ready backfill; ");
	e = event_now(p, 3);
	assert_int_equal(e.transition, TRANSITION_EXPIRED);
	assert_int_equal(e.time_ms, then + 30 * CLOCK_DAY_MS);
	assert_non_null(strstr(e.properties, "\"expired\""));
	event_done(&e);
}

/* A damaged row must not keep later conversations open, nor end the daemon. */
static void a_conversation_that_does_not_read_is_closed_without_a_word(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;

	play_start(p);
	for (unsigned i = 1; i <= 2; i++)
		PUT(p->stage, .source = "desk", .kind = "open", .conversation = i == 1 ? "1" : "2",
		    .email = "jo@example.com", .time_ms = then, .received_ms = then);
	MUST(store_begin(p->stage->store, err));
	p->stage->tc.now_ms = then;
	MUST(pass_run(&p->stage->tc, 1, err));
	MUST(store_commit(p->stage->store, err));
	stage_spoil(p->stage, "UPDATE conversations SET taken = x'01'");
	run(p);
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS; /* before that the clock is not trusted */
	run(p);
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"started conversation in Desk jo@example.com ready; "
				"closed conversation in Desk jo@example.com ready backfill; ");
}

/* The store must not remember it as the oldest open one: the turns would find its time over again and again. */
static void the_turns_come_to_rest_after_a_conversation_that_does_not_read(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	run(p);
	stage_spoil(p->stage, "UPDATE conversations SET taken = x'01'");
	run(p);
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	run(p);
}

static void the_turns_come_to_rest_after_a_conversation_without_its_row(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	run(p);
	stage_hide_index(p->stage, "conversations_open", "DELETE FROM conversations WHERE conversation = '1'");
	run(p);
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	run(p);
}

/* The index of keys lacks the row, so a new one with that name is closed. */
static void a_conversation_that_is_not_found_by_name_does_not_expire_for_ever(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	run(p);
	stage_spoil(
		p->stage,
		"INSERT INTO conversations SELECT 99, source, 'lost', state, as_of, first_opened, opened,"
		" opened_received - 1, closed, reopen_count, addressed, taken, changed, clear, as_of_received, newest,"
		" x'', x'' FROM conversations; INSERT INTO key_states VALUES (1, 99, 99)");
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	run(p);
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"closed conversation in Desk jo@example.com ready backfill; ");
}

/* The row of an index entry is missing, and is repaired. The next one's row cannot be changed. */
static void a_conversation_that_cannot_be_mended_stops_no_commit(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;
	int64_t id;

	play_start(p);
	for (unsigned i = 0; i < 2; i++)
		PUT(p->stage, .source = "desk", .kind = "open", .conversation = i == 0 ? "1" : "2",
		    .email = "jo@example.com", .time_ms = then + i, .received_ms = then + i);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "other", .email = "jo@example.com");
	run(p);
	stage_hide_index(p->stage, "conversations_open", "DELETE FROM conversations WHERE conversation = '1'");
	/* It is not found by its name, which another one has. */
	stage_spoil(p->stage, "UPDATE conversations SET conversation = 'other' WHERE conversation = '2';"
			      "INSERT INTO key_states VALUES (1, 2, 2)");
	stage_mistype(p->stage, "conversations", "closed", 2);
	id = PUT(p->stage, .source = "desk", .kind = "open", .conversation = "3", .email = "mo@example.com");
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	for (unsigned i = 0; i < 3; i++, clocks_advance(2 * CLOCK_MINUTE_MS))
		run(p);
	assert_false(p->stage->courier.stalled);
	assert_true(health_is_ready(p->health));
	assert_done(p->stage, id, "events");
	/* A repaired row stays repaired. */
	assert_int_equal(stage_count(p->stage, "SELECT count(*) FROM conversations INDEXED BY conversations_open"
					       " WHERE state = 1 AND source = 'desk'"),
			 3);
}

/* Not even without an event: that concerns its source, not the commit. */
static void a_conversation_that_cannot_be_closed_stops_nobody_else(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	PUT(p->stage, .source = "asked", .kind = "open", .conversation = "1", .email = "mo@example.com",
	    .time_ms = then, .received_ms = then);
	run(p);
	stage_spoil(p->stage, "CREATE TRIGGER t BEFORE UPDATE ON conversations WHEN old.id = 1"
			      " BEGIN SELECT raise(ABORT, 'no'); END;"
			      "CREATE TRIGGER u BEFORE INSERT ON conversations WHEN new.id = 1"
			      " BEGIN SELECT raise(ABORT, 'no'); END");
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	run(p);
	put_opened(p, 2, 2);
	run(p);
	assert_true(health_is_ready(p->health));
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"started conversation in Desk mo@example.com ready; "
				"closed conversation in Desk mo@example.com ready backfill; "
				"started conversation in Desk jo-2@example.com ready; ");
	stage_spoil(p->stage, "DROP TRIGGER t; DROP TRIGGER u");
	clocks_advance(2 * CLOCK_MINUTE_MS);
	run(p);
	assert_int_equal(stage_events(p->stage).n, 5);
}

/* The other source's conversation becomes too old during the pause that the failure causes. */
static void a_conversation_that_cannot_be_closed_pauses_only_its_source(void **state)
{
	struct play *p = *state;
	int64_t then = clock_now_ms() - 31 * CLOCK_DAY_MS;
	int64_t later = clock_now_ms() + CLOCK_HOUR_MS + 10 * SECOND - 30 * CLOCK_DAY_MS;

	play_start(p);
	PUT(p->stage, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = then,
	    .received_ms = then);
	PUT(p->stage, .source = "asked", .kind = "open", .conversation = "1", .email = "mo@example.com",
	    .time_ms = later, .received_ms = later);
	run(p);
	stage_spoil(p->stage, "CREATE TRIGGER t BEFORE UPDATE ON conversations WHEN old.id = 1"
			      " BEGIN SELECT raise(ABORT, 'no'); END;"
			      "CREATE TRIGGER u BEFORE INSERT ON conversations WHEN new.id = 1"
			      " BEGIN SELECT raise(ABORT, 'no'); END");
	clocks.wall_ms = clocks.mono_ms = CLOCK_HOUR_MS;
	run(p);
	assert_int_equal(stage_events(p->stage).n, 2);
	clocks_advance(20 * SECOND);
	run(p);
	assert_events(p->stage, "started conversation in Desk jo@example.com ready; "
				"started conversation in Desk mo@example.com ready; "
				"closed conversation in Desk mo@example.com ready backfill; ");
	clocks_advance(20 * SECOND); /* the success of one source does not end the other's pause */
	stage_spoil(p->stage, "DROP TRIGGER t; DROP TRIGGER u");
	run(p);
	assert_int_equal(stage_events(p->stage).n, 3);
	clocks_advance(30 * SECOND);
	run(p);
	assert_int_equal(stage_events(p->stage).n, 4);
}

#define PLAYED(fn) cmocka_unit_test_setup_teardown(fn, play_setup, play_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAYED(a_webhook_is_answered_once_and_after_its_commit),
		PLAYED(a_commit_that_fails_refuses_the_webhooks_and_stalls_the_courier),
		PLAYED(a_rolled_back_turn_forgets_what_it_had_read),
		PLAYED(nobody_is_told_that_webhooks_are_taken_before_a_commit_works_again),
		PLAYED(a_post_that_cannot_be_kept_is_refused_alone_and_counts_nothing),
		PLAYED(the_items_of_one_post_go_in_together_each_with_its_own_result),
		PLAYED(a_new_webhook_is_decided_before_it_is_inserted),
		PLAYED(a_new_webhook_waits_behind_a_pending_one),
		PLAYED(a_new_webhook_that_cannot_be_decided_is_a_dead_letter_and_stops_no_other),
		PLAYED(results_outlive_a_failed_commit),
		PLAYED(one_that_is_ended_by_anothers_pass_is_not_taken_up_in_the_same_turn),
		PLAYED(what_settle_looks_at_is_kept_while_the_webhook_is_pending),
		PLAYED(no_more_events_are_lent_than_the_window_says_and_none_twice),
		PLAYED(a_persons_next_event_goes_after_the_earlier_one_is_committed),
		PLAYED(one_that_does_not_read_lets_its_persons_next_go_at_once),
		PLAYED(each_outcome_leaves_its_event_as_the_design_says),
		PLAYED(what_was_not_sent_is_lent_again),
		PLAYED(undelivered_beyond_max_age_is_a_dead_letter),
		PLAYED(after_a_change_of_url_what_was_queued_before_is_never_sent),
		PLAYED(a_2xx_that_comes_after_a_change_of_url_still_counts),
		PLAYED(after_a_reload_what_waits_is_read_by_the_new_definition),
		PLAYED(a_source_that_is_configured_again_gets_its_webhooks_taken_up),
		PLAYED(three_crashes_make_a_dead_letter_of_one_webhook_and_of_no_other),
		PLAYED(a_crash_in_the_middle_of_a_try_is_counted_for_that_webhook_alone),
		PLAYED(a_webhook_that_ends_the_process_thrice_is_the_only_dead_letter),
		PLAYED(a_disk_that_fails_again_and_again_is_no_crash),
		PLAYED(a_batch_that_does_not_fit_on_the_disk_becomes_smaller),
		PLAYED(a_row_with_a_value_of_another_type_is_a_dead_letter_and_stops_no_other),
		PLAYED(a_death_is_told_once_and_after_its_commit),
		PLAYED(what_is_open_too_long_is_closed_as_expired),
		PLAYED(a_conversation_that_is_not_found_by_name_does_not_expire_for_ever),
		PLAYED(a_conversation_that_cannot_be_mended_stops_no_commit),
		PLAYED(a_conversation_that_cannot_be_closed_stops_nobody_else),
		PLAYED(a_conversation_that_cannot_be_closed_pauses_only_its_source),
		PLAYED(a_conversation_that_does_not_read_is_closed_without_a_word),
		PLAYED(the_turns_come_to_rest_after_a_conversation_that_does_not_read),
		PLAYED(the_turns_come_to_rest_after_a_conversation_without_its_row),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false); /* log lines come to this program only */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
