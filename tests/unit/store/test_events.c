/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "fixtures/store.h"

static void delivered(struct fixture *f, int64_t id, int64_t gap_ms, int64_t now_ms)
{
	MUST(fixture_delivered(f->s, id, gap_ms, now_ms, err));
}

static void dead(struct fixture *f, int64_t id, int64_t now_ms)
{
	MUST(store_event_dead(f->s, id, "rejected", now_ms, err));
}

static bool revive(struct fixture *f, int64_t id, int64_t now_ms)
{
	bool later = false;

	MUST(store_event_revive(f->s, id, now_ms, &later, err));
	return later;
}

/* Asserts that exactly these events are due, in this order. 0 ends the list. */
#define assert_due(f, now_ms, ...) assert_due_are(f, now_ms, (const int64_t[]){__VA_ARGS__, 0}, __LINE__)
static void assert_due_are(struct fixture *f, int64_t now_ms, const int64_t *want, int line)
{
	struct fixture_ids due = fixture_due(f, "default", now_ms);
	size_t n = 0;

	while (want[n])
		n++;
	if (due.n != n || (n > 0 && memcmp(due.ids, want, n * sizeof(*want)) != 0))
		fail_msg("line %d: %zu are due, the first is %lld", line, due.n, due.n ? (long long)due.ids[0] : 0);
}

/* ---- keeping ----------------------------------------------------------------------------------------------------- */

/* Queues an event of the account eu with values in all columns. */
static struct event queue_full(struct fixture *f)
{
	struct event e = {
		.account = mem_str("eu"),
		.url = mem_str(URL),
		.email = mem_str("jo@example.com"),
		.metric = mem_str("closed conversation in Gladly"),
		.unique_id = "00112233445566778899aabbccddeeff",
		.source = mem_str("gladly"),
		.conversation = mem_str("c-1"),
		.webhook = 12,
		.transition = TRANSITION_CLOSED,
		.time_ms = NOW - 5,
		.received_ms = NOW - 3,
		.properties = mem_str("{\"Tags\":[\"a\"]}"),
		.profile = mem_str(FLAG_FALSE),
		.has_value = true,
		.value = 12.5,
		.backfill = true,
		.late_ms = 900000,
	};

	MUST(store_event_insert(f->s, &e, 2000, NOW, err));
	return e;
}

static void assert_full(const struct event *e)
{
	assert_string_equal(e->account, "eu");
	assert_string_equal(e->url, URL);
	assert_string_equal(e->email, "jo@example.com");
	assert_string_equal(e->metric, "closed conversation in Gladly");
	assert_string_equal(e->unique_id, "00112233445566778899aabbccddeeff");
	assert_string_equal(e->source, "gladly");
	assert_string_equal(e->conversation, "c-1");
	assert_int_equal(e->webhook, 12);
	assert_int_equal(e->transition, TRANSITION_CLOSED);
	assert_int_equal(e->time_ms, NOW - 5);
	assert_int_equal(e->received_ms, NOW - 3);
	assert_string_equal(e->properties, "{\"Tags\":[\"a\"]}");
	assert_string_equal(e->profile, FLAG_FALSE);
	assert_true(e->has_value);
	assert_true(e->value == 12.5);
	assert_true(e->backfill);
	assert_int_equal(e->late_ms, 900000);
	assert_int_equal(e->state, EVENT_READY);
	assert_int_equal(e->created_ms, NOW);
	assert_int_equal(e->due_ms, NOW);
	assert_int_equal(e->attempts, 0);
	assert_null(e->reason);
}

static void an_event_comes_back_as_it_was_queued(void **state)
{
	struct fixture *f = *state;
	struct event back = {0};
	struct event e;

	fixture_begin(f);
	e = queue_full(f);
	fixture_commit(f);
	fixture_reopen(f);
	MUST(store_event_load(f->s, e.id, &back, err));
	assert_full(&back);
	event_done(&back);
	fixture_begin(f);
	MUST(store_event_retry(f->s, e.id, 3, NOW + 4000, "503 from Klaviyo", err));
	MUST(store_event_rewrite(f->s, e.id, FLAG_TRUE, "{}", false, err));
	fixture_commit(f);
	back = (struct event){0};
	MUST(store_event_load(f->s, e.id, &back, err));
	assert_int_equal(back.attempts, 3);
	assert_int_equal(back.due_ms, NOW + 4000);
	assert_string_equal(back.reason, "503 from Klaviyo");
	assert_string_equal(back.profile, FLAG_TRUE);
	assert_false(back.backfill);
	event_done(&back);
	event_done(&e);
}

static void an_account_has_each_unique_id_once(void **state)
{
	struct fixture *f = *state;
	struct event bad = {.account = mem_str("default"), .email = mem_str("jo@example.com"), .metric = mem_str("m")};
	struct err e = {0};
	int64_t id;

	fixture_begin(f);
	id = fixture_queue(f, "jo@example.com", 1, NOW);
	assert_true(id > 0);
	assert_int_equal(fixture_queue(f, "jo@example.com", 1, NOW), 0);
	assert_int_equal(fixture_queue(f, "al@example.com", 1, NOW), 0);
	assert_true(fixture_queue_to(f, "eu", URL, "jo@example.com", 1, true, 0, NOW) > 0);
	delivered(f, id, 0, NOW);
	assert_int_equal(fixture_queue(f, "jo@example.com", 1, NOW), 0);
	strcpy(bad.unique_id, "0011223344556677889 AABBCCDDEEFF");
	assert_int_equal(store_event_insert(f->s, &bad, 0, NOW, &e), -EINVAL);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events"), 2);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM event_bodies"), 2);
	event_done(&bad);
}

struct handed_out {
	struct event e;
	int n;
};

static int hand_out(void *ctx, struct event *e)
{
	struct handed_out *to = ctx;

	event_done(&to->e);
	to->e = *e;
	*e = (struct event){0};
	to->n++;
	return 0;
}

static void an_event_that_was_just_queued_is_handed_out_without_a_read(void **state)
{
	struct fixture *f = *state;
	struct handed_out out = {.n = 0};
	struct event e;
	const char *metric;

	fixture_begin(f);
	e = queue_full(f);
	metric = e.metric;
	store_event_keep(f->s, &e);
	assert_null(e.metric);
	event_done(&e);
	fixture_commit(f);
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_ptr_equal(out.e.metric, metric);
	assert_full(&out.e);
	/* The next time it is read. */
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_int_equal(out.n, 2);
	assert_full(&out.e);
	event_done(&out.e);
}

/* Queues an event, which is held in memory, and returns its id. */
static int64_t queue_kept(struct fixture *f)
{
	struct event e = queue_full(f);
	int64_t id = e.id;

	store_event_keep(f->s, &e);
	event_done(&e);
	return id;
}

static void an_event_that_was_changed_is_not_handed_out_from_memory(void **state)
{
	struct fixture *f = *state;
	struct handed_out out = {.n = 0};
	int64_t id, undone;

	fixture_begin(f);
	id = queue_kept(f);
	MUST(store_event_retry(f->s, id, 1, NOW, NULL, err));
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_int_equal(out.e.attempts, 1);
	store_rollback(f->s);

	fixture_begin(f);
	assert_int_equal(queue_kept(f), id);
	MUST(store_event_rewrite(f->s, id, FLAG_TRUE, "{}", false, err));
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_string_equal(out.e.profile, FLAG_TRUE);
	store_rollback(f->s);

	fixture_begin(f);
	assert_int_equal(queue_kept(f), id);
	dead(f, id, NOW);
	(void)revive(f, id, NOW);
	MUST(store_event_rewrite(f->s, id, FLAG_TRUE, "{}", false, err));
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_string_equal(out.e.profile, FLAG_TRUE);
	store_rollback(f->s);

	/* Another event gets the id of one that was undone. */
	fixture_begin(f);
	MUST(store_savepoint(f->s, err));
	undone = queue_kept(f);
	store_savepoint_undo(f->s);
	assert_int_equal(fixture_queue_to(f, "eu", URL, "al@example.com", 7, true, 0, NOW), undone);
	MUST(store_events_due(f->s, "eu", NOW, 10, NULL, hand_out, &out, err));
	assert_string_equal(out.e.email, "al@example.com");
	fixture_commit(f);
	event_done(&out.e);
}

/* The column unique_id is in the order of the events' times, also before 1970. */
static void unique_ids_are_kept_in_the_order_of_time(void **state)
{
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, NOW - 1, NOW, NOW + 256, INT64_MAX};
	struct fixture *f = *state;
	struct event e = {.account = mem_str("default"),
			  .email = mem_str("jo@example.com"),
			  .metric = mem_str("m"),
			  .source = mem_str("gladly")};

	fixture_begin(f);
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		(void)snprintf(e.unique_id, sizeof(e.unique_id), "%02zx000000000000000000000000000000", 100 - i);
		e.time_ms = times[i];
		MUST(store_event_insert(f->s, &e, 0, NOW, err));
		assert_int_equal(store_event_insert(f->s, &e, 0, NOW, NULL), 1);
	}
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE length(unique_id) = 24"), 8);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events a JOIN events b ON b.id > a.id"
					" WHERE a.unique_id >= b.unique_id"),
			 0);
	event_done(&e);
}

/* ---- order of a person ------------------------------------------------------------------------------------------- */

static void a_person_has_one_event_due_at_a_time_in_order(void **state)
{
	struct fixture *f = *state;
	int64_t a1, a2, a3, b1;

	fixture_begin(f);
	a1 = fixture_queue(f, "a@example.com", 1, NOW);
	a2 = fixture_queue(f, "a@example.com", 2, NOW + 1);
	b1 = fixture_queue(f, "b@example.com", 3, NOW + 2);
	a3 = fixture_queue(f, "a@example.com", 4, NOW + 3);
	assert_due(f, NOW + 10, a1, b1);
	/* Each account has a queue of its own. */
	assert_int_equal(fixture_due(f, "eu", NOW + 10).n, 0);
	delivered(f, a1, 0, NOW + 20);
	assert_due(f, NOW + 20, b1, a2);
	MUST(store_event_retry(f->s, a2, 1, NOW + 1000, "timeout", err));
	assert_due(f, NOW + 999, b1);
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW + 999), NOW + 1000);
	assert_due(f, NOW + 1000, b1, a2);
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW + 1000), CLOCK_NEVER_MS);
	dead(f, a2, NOW + 1000);
	delivered(f, b1, 0, NOW + 1000);
	assert_due(f, NOW + 1000, a3);
	delivered(f, a3, 0, NOW + 1001);
	assert_due(f, NOW + 9999, 0);
	fixture_commit(f);
}

static void the_longest_due_comes_first(void **state)
{
	struct fixture *f = *state;
	struct fixture_ids due = {.n = 0};
	int64_t a, b, c;

	fixture_begin(f);
	a = fixture_queue(f, "a@example.com", 1, NOW);
	b = fixture_queue(f, "b@example.com", 2, NOW);
	c = fixture_queue(f, "c@example.com", 3, NOW);
	MUST(store_event_retry(f->s, a, 1, NOW + 50, NULL, err));
	assert_due(f, NOW + 60, b, c, a);
	MUST(store_events_due(f->s, "default", NOW + 60, 2, NULL, fixture_add_id, &due, err));
	assert_int_equal(due.n, 2);
	assert_int_equal(due.ids[1], c);
	fixture_commit(f);
}

static void the_gap_lies_between_requests_that_change_the_flag(void **state)
{
	enum {
		GAP = 2000
	};
	struct fixture *f = *state;
	int64_t on, on2, off, next;

	fixture_begin(f);
	on = fixture_queue_to(f, "default", URL, "a@example.com", 1, true, GAP, NOW);
	on2 = fixture_queue_to(f, "default", URL, "a@example.com", 2, true, GAP, NOW);
	off = fixture_queue_to(f, "default", URL, "a@example.com", 3, false, GAP, NOW);
	delivered(f, on, GAP, NOW + 100);
	assert_due(f, NOW + 100, on2); /* the flag does not change: due at once */
	delivered(f, on2, GAP, NOW + 200);
	assert_due(f, NOW + 200 + GAP - 1, 0);
	assert_int_equal(store_events_next_due_ms(f->s, "default", NOW + 200), NOW + 200 + GAP);
	assert_due(f, NOW + 200 + GAP, off);
	delivered(f, off, GAP, NOW + 3000);
	/* An event that is queued when the queue is empty keeps the gap too, if the flag changes. */
	next = fixture_queue_to(f, "default", URL, "a@example.com", 4, false, GAP, NOW + 3100);
	assert_due(f, NOW + 3100, next);
	dead(f, next, NOW + 3100);
	next = fixture_queue_to(f, "default", URL, "a@example.com", 5, true, GAP, NOW + 3200);
	assert_due(f, NOW + 4999, 0);
	assert_due(f, NOW + 5000, next);
	delivered(f, next, GAP, NOW + 5000);
	next = fixture_queue_to(f, "default", URL, "a@example.com", 6, false, GAP, NOW + 7000);
	assert_due(f, NOW + 7000, next);
	fixture_commit(f);
}

static void the_gap_counts_from_a_delivery_since_there_was_one(void **state)
{
	enum {
		GAP = 2000
	};
	struct fixture *f = *state;
	int64_t first, second, third;

	fixture_begin(f);
	first = fixture_queue_to(f, "default", URL, "a@example.com", 1, true, 0, NOW);
	second = fixture_queue_to(f, "default", URL, "a@example.com", 2, true, 0, NOW);
	third = fixture_queue_to(f, "default", URL, "b@example.com", 3, true, GAP, NOW);
	delivered(f, first, 0, NOW);
	/* The account gets a gap, which the second event did not have when it was queued, and loses it. */
	delivered(f, second, GAP, NOW + 100);
	delivered(f, third, 0, NOW + 100);
	for (unsigned n = 0; n < 2; n++) {
		const char *email = n == 0 ? "a@example.com" : "b@example.com";
		int64_t next = fixture_queue_to(f, "default", URL, email, 4 + n, false, GAP, NOW + 200);

		assert_due(f, NOW + 100 + GAP - 1, 0);
		assert_due(f, NOW + 100 + GAP, next);
		delivered(f, next, GAP, NOW + 100 + GAP);
	}
	fixture_commit(f);
}

static void a_death_does_not_shorten_the_gap(void **state)
{
	enum {
		GAP = 2000
	};
	struct fixture *f = *state;
	int64_t on, same, off;

	fixture_begin(f);
	on = fixture_queue_to(f, "default", URL, "a@example.com", 1, true, GAP, NOW);
	same = fixture_queue_to(f, "default", URL, "a@example.com", 2, true, GAP, NOW);
	off = fixture_queue_to(f, "default", URL, "a@example.com", 3, false, GAP, NOW);
	delivered(f, on, GAP, NOW);
	dead(f, same, NOW + 100);
	assert_due(f, NOW + GAP - 1, 0);
	assert_due(f, NOW + GAP, off);
	fixture_commit(f);
}

/* ---- reviving ---------------------------------------------------------------------------------------------------- */

static void a_revived_event_takes_its_old_place(void **state)
{
	struct fixture *f = *state;
	struct event back = {0};
	struct err e = {0};
	int64_t a, b, c;

	fixture_begin(f);
	a = fixture_queue(f, "a@example.com", 1, NOW);
	b = fixture_queue(f, "a@example.com", 2, NOW);
	c = fixture_queue(f, "a@example.com", 3, NOW);
	assert_int_equal(store_event_revive(f->s, a, NOW, &(bool){false}, &e), -ENOENT);
	MUST(store_event_retry(f->s, a, 7, NOW + 5, "timeout", err));
	dead(f, a, NOW + 10);
	/* b may be in flight, so a waits for it and is sent after it. */
	assert_true(revive(f, a, NOW + 20));
	assert_due(f, NOW + 20, b);
	MUST(store_event_load(f->s, a, &back, err));
	assert_int_equal(back.attempts, 0);
	assert_int_equal(back.state, EVENT_READY);
	event_done(&back);
	delivered(f, b, 0, NOW + 30);
	assert_due(f, NOW + 30, a);
	delivered(f, a, 0, NOW + 40);
	assert_due(f, NOW + 40, c);
	fixture_commit(f);
}

static void a_revived_event_goes_at_once_where_nobody_waits(void **state)
{
	struct fixture *f = *state;
	int64_t a, b;

	fixture_begin(f);
	a = fixture_queue_to(f, "default", URL, "a@example.com", 1, false, 2000, NOW);
	dead(f, a, NOW);
	assert_false(revive(f, a, NOW + 10));
	assert_due(f, NOW + 10, a);
	dead(f, a, NOW + 10);
	b = fixture_queue_to(f, "default", URL, "a@example.com", 2, true, 2000, NOW + 20);
	delivered(f, b, 2000, NOW + 30);
	/* A revived event keeps the person's gap. */
	assert_true(revive(f, a, NOW + 40));
	assert_due(f, NOW + 2029, 0);
	assert_due(f, NOW + 2030, a);
	fixture_commit(f);
}

static void that_a_later_one_was_delivered_is_known_after_it_was_cleaned_away(void **state)
{
	struct fixture *f = *state;
	int64_t first, second, third;

	fixture_begin(f);
	first = fixture_queue(f, "a@example.com", 1, NOW);
	second = fixture_queue(f, "a@example.com", 2, NOW);
	third = fixture_queue(f, "a@example.com", 3, NOW);
	dead(f, first, NOW);
	delivered(f, second, 0, NOW);
	dead(f, third, NOW);
	MUST(store_clean(f->s, CLOCK_DAY_MS, CLOCK_DAY_MS, NOW + 9 * CLOCK_DAY_MS, 100, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE state = 1"), 0);
	fixture_begin(f);
	assert_true(revive(f, first, NOW + 9 * CLOCK_DAY_MS));
	delivered(f, first, 0, NOW + 9 * CLOCK_DAY_MS);
	/* The event that was delivered now is older than the third. */
	assert_false(revive(f, third, NOW + 9 * CLOCK_DAY_MS));
	fixture_commit(f);
}

/* ---- other URLs, the oldest, ends -------------------------------------------------------------------------------- */

static void events_of_another_url_become_dead_letters_a_few_at_a_time(void **state)
{
	struct fixture *f = *state;
	int64_t mine;

	fixture_begin(f);
	for (unsigned i = 0; i < 7; i++)
		fixture_queue_to(f, "default", i % 2 ? "http://127.0.0.1:9090" : "https://z.example", "a@example.com",
				 i, true, 0, NOW);
	mine = fixture_queue(f, "a@example.com", 100, NOW);
	fixture_queue_to(f, "default", "", "b@example.com", 101, true, 0, NOW);
	fixture_queue_to(f, "eu", "https://z.example", "a@example.com", 102, true, 0, NOW);
	assert_int_equal(store_events_dead_of_other_url(f->s, "default", URL, "sandbox", NOW, 5, NULL), 5);
	assert_int_equal(store_events_dead_of_other_url(f->s, "default", URL, "sandbox", NOW, 5, NULL), 2);
	assert_int_equal(store_events_dead_of_other_url(f->s, "default", URL, "sandbox", NOW, 5, NULL), 0);
	assert_int_equal(fixture_due(f, "default", NOW).n, 2);
	assert_int_equal(fixture_due(f, "default", NOW).ids[0], mine);
	assert_int_equal(fixture_due(f, "eu", NOW).n, 1);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE state = 2 AND reason = 'sandbox'"), 7);
}

static void the_oldest_ready_event_is_found_whatever_its_url(void **state)
{
	struct fixture *f = *state;
	int64_t a, b, c;

	fixture_begin(f);
	assert_int_equal(store_events_oldest_ms(f->s, "default"), 0);
	a = fixture_queue_to(f, "default", "https://z.example", "a@example.com", 1, true, 0, NOW);
	b = fixture_queue_to(f, "default", "", "a@example.com", 2, true, 0, NOW + 5);
	c = fixture_queue_to(f, "default", URL, "c@example.com", 3, true, 0, NOW + 9);
	assert_int_equal(store_events_oldest_ms(f->s, "default"), NOW);
	delivered(f, a, 0, NOW + 10);
	assert_int_equal(store_events_oldest_ms(f->s, "default"), NOW + 5);
	dead(f, b, NOW + 10);
	assert_int_equal(store_events_oldest_ms(f->s, "default"), NOW + 9);
	delivered(f, c, 0, NOW + 10);
	assert_int_equal(store_events_oldest_ms(f->s, "default"), 0);
	fixture_commit(f);
}

static void what_has_ended_does_not_end_again(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	int64_t a;

	fixture_begin(f);
	a = fixture_queue(f, "a@example.com", 1, NOW);
	delivered(f, a, 0, NOW);
	assert_int_equal(fixture_delivered(f->s, a, 0, NOW, &e), -ENOENT);
	assert_int_equal(store_event_dead(f->s, a, "late", NOW, &e), -ENOENT);
	assert_int_equal(store_event_retry(f->s, a, 1, NOW, "late", &e), -ENOENT);
	assert_int_equal(fixture_delivered(f->s, a + 1, 0, NOW, &e), -ENOENT);
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT n FROM counts WHERE kind = 3 AND state = 1"), 1);
}

static void a_bad_event_becomes_a_dead_letter_and_stops_nobody(void **state)
{
	static const char *const breaks[] = {
		"UPDATE events SET unique_id = x'00' WHERE id = 1",
		"UPDATE event_bodies SET transition = 17 WHERE id = 1",
		"UPDATE event_bodies SET backfill = 5 WHERE id = 1",
		"UPDATE event_bodies SET properties = '{\"a\":' WHERE id = 1",
		"UPDATE event_bodies SET properties = '[]' WHERE id = 1",
		"UPDATE event_bodies SET profile = 'true' WHERE id = 1",
		"DELETE FROM event_bodies WHERE id = 1",
	};
	struct fixture *f = *state;
	struct event back = {0};
	struct err e = {0};

	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		fixture_begin(f);
		assert_int_equal(fixture_queue(f, "a@example.com", 1, NOW), 1);
		assert_int_equal(fixture_queue(f, "a@example.com", 2, NOW), 2);
		assert_int_equal(fixture_queue(f, "b@example.com", 3, NOW), 3);
		fixture_commit(f);
		fixture_sql(f, breaks[i]);
		assert_int_equal(store_event_load(f->s, 1, &back, &e), -EBADMSG);
		/* No transaction is open here. */
		assert_due(f, NOW, 3);
		assert_due(f, NOW, 2, 3);
		if (fixture_sql(
			    f,
			    "SELECT count(*) FROM events WHERE id = 1 AND state = 2 AND reason LIKE '%does not read: "
			    "its %'") != 1)
			fail_msg("%s", breaks[i]);
		fixture_sql(f, "DELETE FROM events; DELETE FROM event_bodies; DELETE FROM last_ids");
		fixture_reopen(f); /* a store that runs gives no id again */
	}
}

/* ---- against a model --------------------------------------------------------------------------------------------- */

enum {
	PEOPLE = 5,
	EVENTS = 400
};

struct model {
	struct {
		int64_t id;
		int person;
		enum event_state state;
		bool head;
	} items[EVENTS];
	int n;
};

static void model_promote(struct model *m, int person)
{
	for (int i = 0; i < m->n; i++) {
		if (m->items[i].person == person && m->items[i].state == EVENT_READY) {
			m->items[i].head = true;
			return;
		}
	}
}

static bool model_waits(const struct model *m, int person)
{
	for (int i = 0; i < m->n; i++)
		if (m->items[i].person == person && m->items[i].state == EVENT_READY)
			return true;
	return false;
}

static void model_check(const struct model *m, struct fixture *f, unsigned step)
{
	struct fixture_ids due = fixture_due(f, "default", INT64_MAX / 2);
	size_t heads = 0;

	for (int i = 0; i < m->n; i++) {
		bool is = false;

		for (size_t j = 0; j < due.n; j++)
			is = is || due.ids[j] == m->items[i].id;
		heads += m->items[i].head;
		if (is != m->items[i].head)
			fail_msg("step %u: event %d", step, i);
	}
	assert_int_equal(heads, due.n);
}

static void random_ends_and_revivals_keep_one_head_a_person(void **state)
{
	struct fixture *f = *state;
	struct model m = {.n = 0};
	unsigned seed = 4242;

	fixture_begin(f);
	for (unsigned step = 0; step < 3000; step++) {
		int what = rand_r(&seed) % 6;
		int i = m.n ? rand_r(&seed) % m.n : 0;

		if (what < 2 && m.n < EVENTS) {
			int person = rand_r(&seed) % PEOPLE;
			char email[32];

			snprintf(email, sizeof(email), "p%d@example.com", person);
			m.items[m.n].id = fixture_queue(f, email, step, NOW + step);
			m.items[m.n].person = person;
			m.items[m.n].head = !model_waits(&m, person);
			m.items[m.n++].state = EVENT_READY;
		} else if (what < 5 && m.n > 0 && m.items[i].state == EVENT_READY) {
			bool was = m.items[i].head;

			m.items[i].state = what == 2 ? EVENT_DEAD : EVENT_DELIVERED;
			m.items[i].head = false;
			if (what == 2)
				dead(f, m.items[i].id, NOW + step);
			else
				delivered(f, m.items[i].id, 0, NOW + step);
			if (was)
				model_promote(&m, m.items[i].person);
		} else if (what == 5 && m.n > 0 && m.items[i].state == EVENT_DEAD) {
			m.items[i].head = !model_waits(&m, m.items[i].person);
			m.items[i].state = EVENT_READY;
			revive(f, m.items[i].id, NOW + step);
		}
		if (step % 50 == 0) {
			model_check(&m, f, step);
			fixture_commit(f);
			fixture_begin(f);
		}
	}
	model_check(&m, f, 3000);
	fixture_commit(f);
}

/* An event is deleted by hand while it is in flight. */
static void an_id_is_not_given_again_after_a_deletion_by_hand(void **state)
{
	struct fixture *f = *state;
	struct event sent = {0};
	struct err e = {0};

	fixture_begin(f);
	assert_int_equal(fixture_queue(f, "jo@example.com", 1, NOW), 1);
	fixture_commit(f);
	MUST(store_event_load(f->s, 1, &sent, err));
	fixture_sql(f, "DELETE FROM event_bodies; DELETE FROM events");
	fixture_begin(f);
	(void)fixture_queue(f, "al@example.com", 2, NOW);
	fixture_commit(f);
	fixture_begin(f);
	if (store_event_delivered(f->s, &sent, 0, NOW, &e) < 0)
		assert_int_equal(e.code, -ENOENT);
	fixture_commit(f);
	event_done(&sent);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM events WHERE state = 0 AND email = 'al@example.com'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(an_event_comes_back_as_it_was_queued),
		TEST(an_id_is_not_given_again_after_a_deletion_by_hand),
		TEST(an_event_that_was_just_queued_is_handed_out_without_a_read),
		TEST(an_event_that_was_changed_is_not_handed_out_from_memory),
		TEST(an_account_has_each_unique_id_once),
		TEST(unique_ids_are_kept_in_the_order_of_time),
		TEST(a_person_has_one_event_due_at_a_time_in_order),
		TEST(the_longest_due_comes_first),
		TEST(the_gap_lies_between_requests_that_change_the_flag),
		TEST(the_gap_counts_from_a_delivery_since_there_was_one),
		TEST(a_death_does_not_shorten_the_gap),
		TEST(a_revived_event_takes_its_old_place),
		TEST(a_revived_event_goes_at_once_where_nobody_waits),
		TEST(that_a_later_one_was_delivered_is_known_after_it_was_cleaned_away),
		TEST(events_of_another_url_become_dead_letters_a_few_at_a_time),
		TEST(the_oldest_ready_event_is_found_whatever_its_url),
		TEST(what_has_ended_does_not_end_again),
		TEST(a_bad_event_becomes_a_dead_letter_and_stops_nobody),
		TEST(random_ends_and_revivals_keep_one_head_a_person),
	};

	return cmocka_run_group_tests_name("store_events", tests, NULL, NULL);
}
