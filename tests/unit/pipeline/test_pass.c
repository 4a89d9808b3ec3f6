/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/pass.h"

#include "fixtures/pipeline_stage.h"

#define OPEN "started conversation in Desk jo@example.com ready; "
#define CLOSED "closed conversation in Desk jo@example.com ready; "
#define MINUTE CLOCK_MINUTE_MS

/* Processes all ready webhooks at now_ms and commits, as one turn does. */
static void pass_all(struct stage *s, int64_t now_ms)
{
	struct err e = {0};
	int64_t id;

	s->tc.now_ms = now_ms;
	MUST(store_begin(s->store, err));
	MUST(store_webhooks_due(s->store, now_ms, err));
	for (unsigned i = 0; store_webhooks_ready(s->store, &id, 1, &e) == 1; i++) {
		assert_true(i < 100);
		MUST(pass_run(&s->tc, id, err));
	}
	MUST(store_commit(s->store, err));
	lookup_table_commit(s->tc.lookups, s->tc.courier);
}

static void answer(struct stage *s, const char *customer, enum lookup_outcome outcome, const char *text)
{
	struct lookup_answer a = {.source = (char *)"asked", .key = (char *)customer, .outcome = outcome};

	a.retry_after_ms = -1;
	(void)snprintf(a.reason.text, sizeof(a.reason.text), "%s", text);
	MUST(store_begin(s->store, err));
	if (outcome == LOOKUP_FOUND)
		addresses_add(&a.found.addresses, text, true);
	MUST(lookup_table_save_answer(&s->tc, &a, err));
	customer_done(&a.found);
	MUST(store_commit(s->store, err));
	lookup_table_commit(s->tc.lookups, s->tc.courier);
}

/* ---- the whole way ----------------------------------------------------------------------------------------------- */

static void opened_and_closed_make_their_events(void **state)
{
	struct stage *s = *state;
	int64_t opened = PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	int64_t closed = PUT(s, .source = "desk", .kind = "closed", .conversation = "1", .time_ms = NOW + 1);

	pass_all(s, NOW);
	assert_done(s, opened, "events");
	assert_done(s, closed, "events");
	assert_events(s, OPEN CLOSED);
}

static void what_does_not_read_is_a_dead_letter_with_its_reason(void **state)
{
	struct stage *s = *state;
	int64_t broken = PUT(s, .source = "desk", .body = "{\"s\":");
	int64_t good = PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");

	pass_all(s, NOW);
	assert_dead(s, broken, "");
	assert_done(s, good, "events");
}

/* Caches it as the turn that inserted it does, but with another address, which shows if the pass used the cache. */
static void keep_parsed(struct stage *s, int64_t id, const char *conversation)
{
	struct parsed_webhook *p = stage_parsed(s, &(struct post){.source = "desk",
								  .kind = "open",
								  .conversation = conversation,
								  .email = "kept@example.com"});

	p->webhook.id = id;
	parsed_cache_add(s->tc.cache, s->tc.config, p, false);
}

static void what_was_parsed_is_neither_loaded_nor_parsed(void **state)
{
	struct stage *s = *state;
	int64_t id = PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");

	keep_parsed(s, id, "1");
	pass_all(s, NOW);
	assert_done(s, id, "events");
	assert_events(s, "started conversation in Desk kept@example.com ready; ");
	assert_null(parsed_cache_take(s->tc.cache, id));
}

static void where_its_row_says_something_else_by_now_the_row_counts(void **state)
{
	struct stage *s = *state;
	int64_t marked = PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com");
	int64_t ended = PUT(s, .source = "desk", .kind = "open", .conversation = "2", .email = "jo@example.com");
	struct webhook w = {0};
	struct err e;

	keep_parsed(s, marked, "other");
	pass_all(s, NOW);
	assert_events(s, OPEN "started conversation in Desk jo@example.com ready; ");
	assert_null(parsed_cache_take(s->tc.cache, marked));
	MUST(store_webhook_load(s->store, ended, &w, err));
	assert_int_equal(store_webhook_is_pending(s->store, &w, &e), 0); /* it was pending before its pass */
	webhook_done(&w);
}

static void one_that_waits_is_parsed_once(void **state)
{
	struct stage *s = *state;
	int64_t held = PUT(s, .source = "settled", .kind = "closed", .conversation = "1");
	uint64_t before = json_reads();

	pass_all(s, NOW + SECOND);
	assert_waits(s, held, STORE_WAIT_TIME);
	assert_int_equal(json_reads() - before, 1);
	pass_all(s, NOW + 61 * SECOND);
	assert_done(s, held, "no");
	assert_int_equal(json_reads() - before, 1);
}

static void what_says_nothing_any_more_is_done_as_ignored(void **state)
{
	struct stage *s = *state;
	int64_t id = PUT(s, .source = "desk", .kind = "other", .conversation = "1");

	pass_all(s, NOW);
	assert_done(s, id, "ignored");
}

static void a_source_that_is_not_configured_keeps_its_webhooks(void **state)
{
	struct stage *s = *state;
	int64_t id = PUT(s, .source = "gone", .kind = "open", .conversation = "1");

	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_UNCONFIGURED);
}

static void an_opening_without_an_address_is_kept_and_made_good(void **state)
{
	struct stage *s = *state;
	int64_t opened = PUT(s, .source = "desk", .kind = "open", .conversation = "1");

	pass_all(s, NOW);
	assert_done(s, opened, "no address");
	PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "jo@example.com", .time_ms = NOW + 5);
	pass_all(s, NOW);
	assert_events(s, OPEN);
}

/* Once, although it was parsed more than once before its end. */
static void what_is_no_address_counts_when_the_webhook_is_done(void **state)
{
	struct stage *s = *state;

	metrics_reset();
	PUT(s, .source = "settled", .kind = "open", .conversation = "1", .email = "jo");
	PUT(s, .source = "desk", .kind = "open", .conversation = "1", .email = "kim@example; jo@example.com, x@y");
	pass_all(s, NOW);
	pending_metrics_publish(&s->pending, 0);
	assert_float_equal(metrics_get(METRIC_ADDRESSES_REFUSED, "settled", "no at sign", NULL), 0, 0);
	assert_float_equal(metrics_get(METRIC_ADDRESSES_REFUSED, "desk", "no domain dot", NULL), 2, 0);
	assert_events(s, OPEN);
	pass_all(s, NOW + 2 * MINUTE);
	pending_metrics_publish(&s->pending, 0);
	assert_float_equal(metrics_get(METRIC_ADDRESSES_REFUSED, "settled", "no at sign", NULL), 1, 0);
}

/* ---- lookups ----------------------------------------------------------------------------------------------------- */

static int64_t put_asked(struct stage *s, const char *kind, const char *conversation, const char *customer, int64_t at)
{
	return PUT(s, .source = "asked", .kind = kind, .conversation = conversation, .customer = customer,
		   .time_ms = at);
}

static void an_opening_asks_who_the_customer_is_and_waits_for_the_answer(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_LOOKUP);
	assert_int_equal(s->courier.lookups_n, 1);
	assert_string_equal(s->courier.lookups[0], "p1");
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, NOW);
	assert_done(s, id, "events");
	assert_events(s, OPEN);
	assert_int_equal(lookup_table_free_slots(s->tc.lookups, "asked"), 4);
}

static void a_customer_that_is_known_is_not_asked_for_again(void **state)
{
	struct stage *s = *state;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	put_asked(s, "open", "1", "p1", NOW);
	pass_all(s, NOW);
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	put_asked(s, "open", "2", "p1", NOW);
	pass_all(s, NOW + 9 * MINUTE);
	assert_int_equal(s->courier.lookups_n, 1);
	put_asked(s, "open", "3", "p1", NOW);
	pass_all(s, NOW + 11 * MINUTE);
	assert_int_equal(s->courier.lookups_n, 2);
}

static void what_comes_later_of_the_conversation_or_the_customer_waits_behind(void **state)
{
	struct stage *s = *state;
	int64_t first = put_asked(s, "open", "1", "p1", NOW);
	int64_t second = put_asked(s, "closed", "1", NULL, NOW + 1);
	int64_t third = put_asked(s, "open", "2", "p1", NOW);
	int64_t other = put_asked(s, "open", "3", "p2", NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	assert_waits(s, first, STORE_WAIT_LOOKUP);
	assert_waits(s, second, STORE_WAIT_BEHIND);
	assert_waits(s, third, STORE_WAIT_BEHIND);
	assert_waits(s, other, STORE_WAIT_LOOKUP);
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, NOW);
	assert_done(s, second, "events");
	assert_done(s, third, "events");
	assert_waits(s, other, STORE_WAIT_LOOKUP);
}

/* A useful answer about a customer for whom no webhook waits. */
static void useful(struct stage *s, int64_t now_ms)
{
	struct lookup_answer a = {.source = (char *)"asked", .key = (char *)"another", .outcome = LOOKUP_GONE};

	s->tc.now_ms = now_ms;
	MUST(store_begin(s->store, err));
	MUST(lookup_table_save_answer(&s->tc, &a, err));
	MUST(store_commit(s->store, err));
}

static void a_customer_who_is_gone_three_times_ends_without_an_address_and_is_made_good(void **state)
{
	struct stage *s = *state;
	int64_t first = put_asked(s, "open", "1", "p1", NOW);
	int64_t second = put_asked(s, "open", "2", "p1", NOW);
	int64_t now = NOW;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	for (unsigned i = 0; i < 3; i++) {
		pass_all(s, now);
		assert_waits(s, first, STORE_WAIT_LOOKUP);
		assert_waits(s, second, STORE_WAIT_BEHIND);
		assert_int_equal(s->courier.lookups_n, i + 1);
		answer(s, "p1", LOOKUP_GONE, "404: no such customer");
		pass_all(s, now);
		if (i == 2)
			break;
		assert_waits(s, first, STORE_WAIT_RETRY);
		assert_string_equal(stage_see(s, first).reason, "lookup: 404: no such customer");
		assert_int_equal(stage_see(s, first).row.asked, i + 1);
		now = stage_see(s, first).row.not_before_ms;
		assert_in_range(now, NOW + 1, NOW + 2 * MINUTE);
	}
	assert_done(s, first, "no address: lookup: 404: no such customer");
	assert_waits(s, second, STORE_WAIT_LOOKUP);
	assert_events(s, "");
	/* The conversation is open without an address: the next webhook with one makes the opening's events. */
	put_asked(s, "reopened", "1", "p9", NOW + 5);
	pass_all(s, now);
	answer(s, "p9", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, now);
	assert_events(s, OPEN);
}

static void what_a_customer_was_missed_by_is_forgotten_once_it_is_found(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t now;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	answer(s, "p1", LOOKUP_GONE, "404");
	pass_all(s, NOW);
	now = stage_see(s, id).row.not_before_ms;
	pass_all(s, now);
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, now);
	assert_done(s, id, "events");
	assert_events(s, OPEN);
}

/* Repeats the request until the webhook waits for something else. */
static unsigned ask_in_vain(struct stage *s, int64_t id, enum lookup_outcome outcome, unsigned most, bool others,
			    int64_t *now_ms)
{
	unsigned n = 0;

	while (n < most) {
		pass_all(s, *now_ms);
		assert_waits(s, id, STORE_WAIT_LOOKUP);
		answer(s, "p1", outcome, "HTML");
		n++;
		pass_all(s, *now_ms);
		if (stage_see(s, id).row.state != STORE_WEBHOOK_PENDING)
			break;
		assert_waits(s, id, STORE_WAIT_RETRY);
		*now_ms = stage_see(s, id).row.not_before_ms;
		if (others)
			useful(s, *now_ms);
	}
	return n;
}

static void ten_odd_answers_end_without_an_address_where_others_are_answered(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t now = NOW;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_ODD, 50, true, &now), 10);
	assert_done(s, id, "no address: lookup: HTML");
	assert_in_range(now, NOW, NOW + 30 * MINUTE);
}

static void odd_answers_end_nothing_where_nobody_else_is_answered(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t now = NOW;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	useful(s, NOW - 1);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_ODD, 30, false, &now), 30);
	assert_waits(s, id, STORE_WAIT_RETRY);
	assert_string_equal(stage_see(s, id).reason, "lookup: HTML");
	assert_int_equal(stage_see(s, id).row.asked, 30);
	useful(s, now);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_ODD, 30, false, &now), 1);
	assert_done(s, id, "no address");
}

static void trouble_of_the_helpdesk_never_counts_against_a_customer(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t now = NOW;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_RETRY, 30, true, &now), 30);
	assert_waits(s, id, STORE_WAIT_RETRY);
}

/* Wrong credentials concern all customers, even if others are answered in between. */
static void refused_credentials_never_count_against_a_customer(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t now = NOW;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_PARKED, 30, true, &now), 30);
	assert_waits(s, id, STORE_WAIT_RETRY);
	assert_int_equal(ask_in_vain(s, id, LOOKUP_ODD, 30, true, &now), 10);
	assert_done(s, id, "no address: lookup: HTML");
}

static void while_parked_only_those_are_asked_for_who_were_not_yet(void **state)
{
	struct stage *s = *state;
	int64_t asked = put_asked(s, "open", "1", "p1", NOW);
	int64_t first, second, late;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	lookup_table_window(s->tc.lookups, "asked", 1, true);
	answer(s, "p1", LOOKUP_PARKED, "401");
	first = put_asked(s, "open", "2", "p2", NOW);
	second = put_asked(s, "open", "3", "p3", NOW);
	pass_all(s, NOW);
	assert_waits(s, asked, STORE_WAIT_PARKED);
	assert_string_equal(stage_see(s, asked).reason, "lookup: 401");
	assert_waits(s, first, STORE_WAIT_LOOKUP);
	assert_waits(s, second, STORE_WAIT_SLOT);
	answer(s, "p2", LOOKUP_PARKED, "401");
	pass_all(s, NOW);
	assert_waits(s, first, STORE_WAIT_PARKED);
	/* A request that came too late for the window was not sent: the webhook still has no request. */
	late = put_asked(s, "open", "4", "p4", NOW);
	pass_all(s, NOW);
	answer(s, "p4", LOOKUP_LATE, "parked");
	pass_all(s, NOW);
	assert_waits(s, late, STORE_WAIT_SLOT);
	assert_int_equal(stage_see(s, late).row.asked, 0);
}

static void a_failed_lookup_is_asked_again_later_and_given_up_after_max_age(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t late = NOW + 15 * CLOCK_DAY_MS;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	answer(s, "p1", LOOKUP_RETRY, "503");
	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_RETRY);
	assert_in_range(stage_see(s, id).row.not_before_ms, NOW + 100, NOW + SECOND);
	pass_all(s, NOW + 2 * SECOND);
	assert_int_equal(s->courier.lookups_n, 2);
	s->tc.now_ms = late;
	answer(s, "p1", LOOKUP_RETRY, "503");
	pass_all(s, late);
	assert_dead(s, id, "503");
}

static void a_failed_lookup_is_not_given_up_within_an_hour_of_a_jump(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);
	int64_t late = NOW + 15 * CLOCK_DAY_MS;
	struct clock_guard guard;

	clock_guard_init(&guard, late, 0);
	s->tc.guard = &guard;
	s->tc.mono_ms = CLOCK_HOUR_MS - 1;
	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	s->tc.now_ms = late;
	answer(s, "p1", LOOKUP_RETRY, "503");
	pass_all(s, late);
	assert_waits(s, id, STORE_WAIT_RETRY);
	s->tc.mono_ms++;
	pass_all(s, late + 2 * SECOND);
	answer(s, "p1", LOOKUP_RETRY, "503");
	pass_all(s, late + 2 * SECOND);
	assert_dead(s, id, "503");
}

static void beyond_the_window_webhooks_wait_for_a_slot(void **state)
{
	struct stage *s = *state;
	char name[8];
	int64_t ids[6];

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	for (unsigned i = 0; i < 6; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		ids[i] = put_asked(s, "open", name, name, NOW);
	}
	pass_all(s, NOW);
	assert_waits(s, ids[3], STORE_WAIT_LOOKUP);
	assert_waits(s, ids[4], STORE_WAIT_SLOT);
	assert_waits(s, ids[5], STORE_WAIT_SLOT);
	assert_int_equal(s->courier.lookups_n, 4);
	assert_false(lookup_table_slots_are_wanted(&s->tc));
	lookup_table_window(s->tc.lookups, "asked", 5, false);
	assert_true(lookup_table_slots_are_wanted(&s->tc));
}

/* A turn that is rolled back wakes nothing. The next turn does. */
static void those_that_waited_for_a_parked_source_go_on_though_a_turn_failed(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);

	lookup_table_window(s->tc.lookups, "asked", 1, true);
	MUST(store_begin(s->store, err));
	MUST(store_webhook_wait(s->store, id, STORE_WAIT_PARKED, 0, err));
	MUST(store_commit(s->store, err));
	lookup_table_window(s->tc.lookups, "asked", 4, false);
	MUST(store_begin(s->store, err));
	MUST(lookup_table_wake_slots(&s->tc, err));
	store_rollback(s->store);
	lookup_table_rollback(s->tc.lookups);
	assert_waits(s, id, STORE_WAIT_PARKED);
	MUST(store_begin(s->store, err));
	MUST(lookup_table_wake_slots(&s->tc, err));
	MUST(store_commit(s->store, err));
	lookup_table_commit(s->tc.lookups, s->tc.courier);
	assert_waits(s, id, STORE_WAIT_NONE);
	/* After the commit there is nothing left to wake. */
	MUST(store_begin(s->store, err));
	MUST(store_webhook_wait(s->store, id, STORE_WAIT_PARKED, 0, err));
	MUST(lookup_table_wake_slots(&s->tc, err));
	MUST(store_commit(s->store, err));
	assert_waits(s, id, STORE_WAIT_PARKED);
}

static void parked_lookups_hold_openings_but_no_closing_of_one_that_was_reached(void **state)
{
	struct stage *s = *state;
	int64_t closed, again, opened;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	put_asked(s, "open", "1", "p1", NOW);
	pass_all(s, NOW);
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, NOW);
	lookup_table_window(s->tc.lookups, "asked", 0, false);
	closed = put_asked(s, "closed", "1", "p1", NOW + 1);
	again = put_asked(s, "closed", "1", "p1", NOW + 2);
	opened = put_asked(s, "open", "2", "p1", NOW + 2);
	pass_all(s, NOW + CLOCK_HOUR_MS); /* the cache is too old by then */
	assert_done(s, closed, "events");
	assert_done(s, again, "duplicate");
	assert_waits(s, opened, STORE_WAIT_SLOT);
	assert_events(s, OPEN CLOSED);
}

static void a_parked_webhook_waits_without_end(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	lookup_table_window(s->tc.lookups, "asked", 1, true);
	answer(s, "p1", LOOKUP_PARKED, "401");
	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_PARKED);
	pass_all(s, NOW + 30 * CLOCK_DAY_MS);
	assert_waits(s, id, STORE_WAIT_PARKED);
	/* A failed probe does not end the webhook, at any age. */
	for (unsigned i = 0; i < 2; i++) {
		MUST(store_begin(s->store, err));
		MUST(store_webhooks_wake(s->store, "asked", STORE_WAIT_PARKED, NULL, err));
		MUST(store_commit(s->store, err));
		lookup_table_window(s->tc.lookups, "asked", 1, false);
		pass_all(s, NOW + 30 * CLOCK_DAY_MS);
		assert_waits(s, id, STORE_WAIT_LOOKUP);
		lookup_table_window(s->tc.lookups, "asked", 1, true);
		answer(s, "p1", i == 0 ? LOOKUP_PARKED : LOOKUP_ODD, "401");
		pass_all(s, NOW + 30 * CLOCK_DAY_MS);
		assert_waits(s, id, STORE_WAIT_PARKED);
	}
}

static void without_a_customer_there_is_nobody_to_ask(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", NULL, NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	assert_done(s, id, "no address");
	assert_int_equal(s->courier.lookups_n, 0);
}

static void a_turn_that_is_rolled_back_asks_nothing_and_forgets_no_answer(void **state)
{
	struct stage *s = *state;
	int64_t id = put_asked(s, "open", "1", "p1", NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	MUST(store_begin(s->store, err));
	MUST(pass_run(&s->tc, id, err));
	store_rollback(s->store);
	lookup_table_rollback(s->tc.lookups);
	assert_int_equal(s->courier.lookups_n, 0);
	assert_int_equal(lookup_table_free_slots(s->tc.lookups, "asked"), 4);
	pass_all(s, NOW);
	assert_int_equal(s->courier.lookups_n, 1);
	answer(s, "p1", LOOKUP_GONE, "404");
	MUST(store_begin(s->store, err));
	MUST(pass_run(&s->tc, id, err));
	store_rollback(s->store);
	lookup_table_rollback(s->tc.lookups);
	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_RETRY);
	assert_int_equal(stage_see(s, id).row.asked, 1);
	assert_int_equal(s->courier.lookups_n, 1);
}

/* ---- lookups that ask about more than the customer --------------------------------------------------------------- */

/* A customer's address, and an agent's name that the events show. */
#define NAMED                                                                                                          \
	"  asked: {definition: {" STAGE_DESK                                                                           \
	", attributes: {Agent: \"{agent}\"}, lookup: [{url: \"{base_url}/{/p}\", "                                     \
	"authenticate: basic, emails: /mail, optional: true}, {url: \"{base_url}/agents/{/a}\", authenticate: basic, " \
	"take: {agent: /name}, optional: true}]}, lookup: {base_url: \"http://127.0.0.1:9\", user: u, password: "      \
	"secret}}\n"

static void use_named(struct stage *s)
{
	parsed_cache_clear(s->tc.cache);
	generation_unref(s->generation);
	s->generation = stage_configure(s, STAGE_KLAVIYO "sources:\n" NAMED);
	s->tc.generation = s->generation;
	s->tc.config = s->generation->config;
	lookup_table_window(s->tc.lookups, "asked", 4, false);
}

static int64_t put_named(struct stage *s, const char *kind, const char *conversation, const char *members, int64_t at)
{
	CLEANUP(mem_freep)
	char *body = mem_fmt("{\"s\":\"%s\",\"c\":\"%s\",\"t\":%lld%s}", kind, conversation, (long long)at, members);

	return PUT(s, .source = "asked", .body = body);
}

static void answer_to(struct stage *s, const char *key, enum lookup_outcome outcome)
{
	struct lookup_answer a = {
		.source = (char *)"asked", .key = (char *)key, .outcome = outcome, .retry_after_ms = -1};

	MUST(store_begin(s->store, err));
	if (outcome == LOOKUP_FOUND) {
		addresses_add(&a.found.addresses, "jo@example.com", true);
		pairs_add(&a.found.taken, "agent", "Ann");
	}
	MUST(lookup_table_save_answer(&s->tc, &a, err));
	customer_done(&a.found);
	MUST(store_commit(s->store, err));
	lookup_table_commit(s->tc.lookups, s->tc.courier);
	pass_all(s, s->tc.now_ms);
}

static void an_answer_about_one_agent_says_nothing_of_another(void **state)
{
	struct stage *s = *state;
	int64_t first, second, third;

	use_named(s);
	first = put_named(s, "open", "1", ",\"p\":\"p1\",\"a\":1", NOW);
	second = put_named(s, "open", "2", ",\"p\":\"p1\",\"a\":2", NOW);
	third = put_named(s, "open", "3", ",\"p\":\"p1\",\"a\":1", NOW);
	pass_all(s, NOW);
	assert_waits(s, first, STORE_WAIT_LOOKUP);
	assert_waits(s, second, STORE_WAIT_BEHIND);
	assert_int_equal(s->courier.lookups_n, 1);
	answer_to(s, s->courier.lookups[0], LOOKUP_FOUND);
	assert_done(s, first, "events");
	assert_waits(s, second, STORE_WAIT_LOOKUP);
	assert_waits(s, third, STORE_WAIT_BEHIND);
	assert_int_equal(s->courier.lookups_n, 2);
	assert_string_not_equal(s->courier.lookups[0], s->courier.lookups[1]);
	answer_to(s, s->courier.lookups[1], LOOKUP_FOUND);
	assert_done(s, second, "events");
	assert_done(s, third, "events"); /* its answer is there: the first one's */
	assert_int_equal(s->courier.lookups_n, 2);
}

static void who_waits_for_an_answer_that_is_no_customers_is_found_again(void **state)
{
	struct stage *s = *state;
	int64_t first, second, other;

	use_named(s);
	first = put_named(s, "open", "1", ",\"a\":1", NOW);
	pass_all(s, NOW);
	second = put_named(s, "open", "2", ",\"a\":1", NOW);
	other = put_named(s, "open", "3", ",\"a\":2", NOW);
	pass_all(s, NOW);
	assert_waits(s, second, STORE_WAIT_LOOKUP);
	assert_int_equal(s->courier.lookups_n, 2);
	answer_to(s, s->courier.lookups[0], LOOKUP_FOUND);
	assert_done(s, first, "events");
	assert_done(s, second, "events");
	assert_waits(s, other, STORE_WAIT_LOOKUP);
	assert_int_equal(s->courier.lookups_n, 2);
}

static void an_answer_to_what_a_reload_no_longer_asks_is_asked_for_anew(void **state)
{
	struct stage *s = *state;
	int64_t id = put_named(s, "open", "1", ",\"p\":\"p1\",\"a\":1", NOW);

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	pass_all(s, NOW);
	assert_string_equal(s->courier.lookups[0], "p1");
	use_named(s); /* by now the key contains the agent's name */
	answer_to(s, "p1", LOOKUP_FOUND);
	assert_waits(s, id, STORE_WAIT_RETRY);
	pass_all(s, NOW + 2 * SECOND);
	assert_int_equal(s->courier.lookups_n, 2);
	answer_to(s, s->courier.lookups[1], LOOKUP_FOUND);
	assert_done(s, id, "events");
	assert_events(s, OPEN);
}

static void one_question_a_customer_whatever_it_asks(void **state)
{
	struct stage *s = *state;
	struct lookup_table *t = s->tc.lookups;
	struct webhook asks = {.id = 1, .source = mem_str("asked"), .customer = mem_str("p1")};
	struct webhook asks_again = {.id = 1, .source = mem_str("asked"), .customer = mem_str("p1")};
	struct webhook same = {.id = 2, .source = (char *)"asked", .customer = (char *)"p1"};
	struct webhook other = {.id = 3, .source = (char *)"asked", .customer = (char *)"p2"};
	struct webhook none = {.id = 4, .source = (char *)"asked"};
	struct lookup_answer a = {.source = (char *)"asked", .key = (char *)"p1#1", .outcome = LOOKUP_GONE};

	lookup_table_window(t, "asked", 4, false);
	lookup_table_ask(t, "p1#1", parsed_webhook_unparsed(&asks), NULL, true, NULL);
	assert_true(lookup_table_attach(t, "p1#2", &same));
	assert_false(lookup_table_attach(t, "p2#1", &other));
	assert_false(lookup_table_attach(t, "#1", &none));
	assert_string_equal(lookup_table_answered(t, &a), "p1");
	lookup_table_commit(t, s->tc.courier);
	/* A webhook whose stored customer differs waits, too. Then no customer is returned. */
	lookup_table_ask(t, "p1#1", parsed_webhook_unparsed(&asks_again), NULL, true, NULL);
	assert_true(lookup_table_attach(t, "p1#1", &other));
	assert_null(lookup_table_answered(t, &a));
}

static void a_closing_that_needs_no_address_asks_for_names_but_waits_for_nothing_else(void **state)
{
	static const enum lookup_outcome failures[] = {LOOKUP_GONE, LOOKUP_RETRY, LOOKUP_PARKED, LOOKUP_ODD};
	struct stage *s = *state;
	int64_t closed;

	use_named(s);
	put_named(s, "open", "1", ",\"p\":\"p1\",\"e\":\"jo@example.com\"", NOW);
	pass_all(s, NOW);
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		closed = put_named(s, "closed", "1", ",\"p\":\"p1\",\"a\":7", NOW + 2 * (int64_t)i + 1);
		pass_all(s, NOW);
		assert_waits(s, closed, STORE_WAIT_LOOKUP);
		answer_to(s, s->courier.lookups[s->courier.lookups_n - 1], failures[i]);
		assert_done(s, closed, "events");
		put_named(s, "reopened", "1", ",\"p\":\"p1\",\"e\":\"jo@example.com\"", NOW + 2 * (int64_t)i + 2);
		pass_all(s, NOW);
	}
	assert_int_equal(s->courier.lookups_n, 4);
	lookup_table_window(s->tc.lookups, "asked", 0, false);
	closed = put_named(s, "closed", "1", ",\"p\":\"p1\",\"a\":7", NOW + 20);
	pass_all(s, NOW);
	assert_done(s, closed, "events");
	assert_int_equal(s->courier.lookups_n, 4);
}

static void an_opening_that_holds_its_address_loses_nothing_but_the_name(void **state)
{
	static const enum lookup_outcome failures[] = {LOOKUP_GONE, LOOKUP_RETRY, LOOKUP_PARKED, LOOKUP_ODD};
	struct stage *s = *state;
	int64_t opened;

	use_named(s);
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		CLEANUP(mem_freep) char *conversation = mem_fmt("%zu", i);

		opened = put_named(s, "open", conversation, ",\"a\":7,\"e\":\"jo@example.com\"", NOW);
		pass_all(s, NOW);
		assert_waits(s, opened, STORE_WAIT_LOOKUP);
		answer_to(s, s->courier.lookups[s->courier.lookups_n - 1], failures[i]);
		assert_done(s, opened, "events");
	}
	lookup_table_window(s->tc.lookups, "asked", 1, false);
	put_named(s, "open", "5", ",\"a\":8,\"e\":\"jo@example.com\"", NOW);
	opened = put_named(s, "open", "6", ",\"a\":9,\"e\":\"jo@example.com\"", NOW);
	pass_all(s, NOW);
	assert_done(s, opened, "events");
}

/* A dead letter of an unreadable webhook has no conversation. Once it is readable, others wait for it. */
static void one_that_reads_by_now_keeps_its_place_in_the_order(void **state)
{
	struct stage *s = *state;
	int64_t id, later;
	struct webhook w;

	lookup_table_window(s->tc.lookups, "asked", 4, false);
	id = PUT(s, .source = "asked", .body = "{");
	pass_all(s, NOW);
	assert_dead(s, id, "JSON");
	stage_spoil(s,
		    "UPDATE webhook_bodies SET body = x'7b2273223a226f70656e222c2263223a2231222c2270223a227031227d'");
	MUST(store_begin(s->store, err));
	MUST(store_webhook_revive(s->store, id, err));
	MUST(store_commit(s->store, err));
	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_LOOKUP);
	MUST(store_webhook_load(s->store, id, &w, err));
	assert_true(w.read);
	assert_string_equal(w.conversation, "1");
	assert_string_equal(w.customer, "p1");
	webhook_done(&w);
	later = put_asked(s, "closed", "1", NULL, NOW + 1);
	pass_all(s, NOW);
	assert_waits(s, later, STORE_WAIT_BEHIND);
	answer(s, "p1", LOOKUP_FOUND, "jo@example.com");
	pass_all(s, NOW);
	assert_done(s, later, "events");
}

/* ---- settle ------------------------------------------------------------------------------------------------------ */

static int64_t put_settled(struct stage *s, const char *kind, const char *conversation, int64_t at, int64_t received)
{
	return PUT(s, .source = "settled", .kind = kind, .conversation = conversation, .email = "jo@example.com",
		   .time_ms = at, .received_ms = received);
}

static void an_opening_is_held_until_it_has_lasted(void **state)
{
	struct stage *s = *state;
	int64_t id = put_settled(s, "open", "1", NOW, NOW);

	pass_all(s, NOW);
	assert_waits(s, id, STORE_WAIT_TIME);
	assert_int_equal(stage_see(s, id).row.not_before_ms, NOW + MINUTE);
	pass_all(s, NOW + MINUTE - 1);
	assert_events(s, "");
	pass_all(s, NOW + MINUTE);
	assert_done(s, id, "events");
	assert_events(s, OPEN);
}

static void an_opposite_within_the_time_ends_both_where_the_state_says_so_already(void **state)
{
	struct stage *s = *state;
	int64_t closed, reopened;

	put_settled(s, "open", "1", NOW - 10 * MINUTE, NOW - 10 * MINUTE);
	pass_all(s, NOW);
	closed = put_settled(s, "closed", "1", NOW, NOW);
	pass_all(s, NOW);
	assert_waits(s, closed, STORE_WAIT_TIME);
	reopened = put_settled(s, "reopened", "1", NOW + 30 * SECOND, NOW + 30 * SECOND);
	pass_all(s, NOW + 30 * SECOND);
	assert_done(s, closed, "settled");
	assert_done(s, reopened, "settled");
	pass_all(s, NOW + 9 * MINUTE);
	assert_events(s, OPEN);
}

static void an_opposite_after_the_time_ends_nothing_even_if_it_is_worked_on_late(void **state)
{
	struct stage *s = *state;
	int64_t opened = put_settled(s, "open", "1", NOW, NOW);
	int64_t closed = put_settled(s, "closed", "1", NOW + 2 * MINUTE, NOW + 2 * MINUTE);

	pass_all(s, NOW + 2 * MINUTE);
	assert_done(s, opened, "events");
	assert_waits(s, closed, STORE_WAIT_TIME);
	pass_all(s, NOW + 3 * MINUTE);
	assert_events(s, OPEN CLOSED);
}

static void an_older_one_goes_before_a_held_one(void **state)
{
	struct stage *s = *state;
	int64_t closed = put_settled(s, "closed", "1", NOW, NOW);
	int64_t opened;

	pass_all(s, NOW);
	assert_waits(s, closed, STORE_WAIT_TIME);
	opened = put_settled(s, "open", "1", NOW - 5 * MINUTE, NOW);
	pass_all(s, NOW);
	assert_done(s, opened, "events");
	pass_all(s, NOW + MINUTE);
	assert_events(s, OPEN CLOSED);
}

static void the_same_again_waits_behind_a_held_one_and_is_a_duplicate(void **state)
{
	struct stage *s = *state;
	int64_t again;

	put_settled(s, "open", "1", NOW, NOW);
	pass_all(s, NOW);
	again = put_settled(s, "open", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	assert_waits(s, again, STORE_WAIT_BEHIND);
	pass_all(s, NOW + MINUTE);
	assert_done(s, again, "duplicate");
	assert_events(s, OPEN);
}

static void a_held_one_holds_no_other_conversation(void **state)
{
	struct stage *s = *state;
	int64_t held = put_settled(s, "open", "1", NOW, NOW);
	int64_t other = put_settled(s, "open", "2", NOW - MINUTE, NOW);

	pass_all(s, NOW);
	assert_waits(s, held, STORE_WAIT_TIME);
	assert_done(s, other, "events");
}

static void three_in_a_row_leave_the_last_one_held(void **state)
{
	struct stage *s = *state;
	int64_t third;

	put_settled(s, "open", "1", NOW - 10 * MINUTE, NOW - 10 * MINUTE);
	put_settled(s, "closed", "1", NOW, NOW);
	pass_all(s, NOW);
	put_settled(s, "reopened", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	third = put_settled(s, "closed", "1", NOW + 2 * SECOND, NOW + 2 * SECOND);
	pass_all(s, NOW + 2 * SECOND);
	assert_waits(s, third, STORE_WAIT_TIME);
	pass_all(s, NOW + 2 * MINUTE);
	assert_events(s, OPEN CLOSED);
}

/* An ended webhook's time counts as seen, so earlier ones that count would become history. */
static void nothing_is_ended_before_what_came_earlier_and_counts_has_met_the_ledger(void **state)
{
	struct stage *s = *state;
	int64_t opened = put_settled(s, "open", "1", NOW - 10 * MINUTE, NOW);
	int64_t closed, again, end;

	MUST(store_begin(s->store, err));
	MUST(store_webhook_wait(s->store, opened, STORE_WAIT_LOOKUP, 0, err));
	MUST(store_commit(s->store, err));
	closed = put_settled(s, "closed", "1", NOW - 5 * MINUTE, NOW);
	again = put_settled(s, "reopened", "1", NOW, NOW);
	end = put_settled(s, "closed", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	assert_waits(s, closed, STORE_WAIT_BEHIND);
	assert_waits(s, again, STORE_WAIT_BEHIND);
	assert_waits(s, end, STORE_WAIT_BEHIND);
	MUST(store_begin(s->store, err));
	MUST(store_webhooks_wake(s->store, "settled", STORE_WAIT_LOOKUP, NULL, err));
	MUST(store_commit(s->store, err));
	pass_all(s, NOW + SECOND);
	assert_events(s, OPEN CLOSED);
	assert_done(s, opened, "events");
	assert_done(s, closed, "events");
	assert_done(s, again, "settled");
	assert_done(s, end, "settled");
}

/* A webhook of an older version, or from before the source had `settle`, has no time: stage_put() stores none. The
 * first parse stores it, and no body is parsed again. */
static void a_neighbour_without_a_time_is_read_once(void **state)
{
	struct stage *s = *state;
	int64_t opened = put_settled(s, "open", "1", NOW, NOW);
	int64_t again = put_settled(s, "open", "1", NOW + 1, NOW + 1);
	int64_t closed;

	pass_all(s, NOW + 1);
	assert_waits(s, opened, STORE_WAIT_TIME);
	assert_waits(s, again, STORE_WAIT_BEHIND);
	assert_int_equal(stage_count(s, "SELECT count(*) FROM webhook_times"), 2);
	stage_spoil(s, "UPDATE webhook_bodies SET body = CAST('{}' AS BLOB)");
	closed = put_settled(s, "closed", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	assert_done(s, opened, "settled");
	assert_done(s, again, "settled");
	assert_done(s, closed, "settled");
	assert_int_equal(stage_count(s, "SELECT count(*) FROM webhook_times"), 0);
}

static void a_neighbour_that_does_not_read_keeps_nobody_waiting(void **state)
{
	struct stage *s = *state;
	int64_t opened = put_settled(s, "open", "1", NOW, NOW);
	int64_t closed;

	pass_all(s, NOW);
	assert_waits(s, opened, STORE_WAIT_TIME);
	stage_spoil(s, "UPDATE webhook_bodies SET body = CAST('{}' AS BLOB)");
	parsed_cache_clear(s->tc.cache);
	closed = put_settled(s, "closed", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	assert_waits(s, opened, STORE_WAIT_TIME);
	assert_waits(s, closed, STORE_WAIT_TIME);
	pass_all(s, NOW + 2 * MINUTE);
	assert_dead(s, opened, "no conversation");
	assert_done(s, closed, "events");
}

#define MANY 70

/* With any number of pending ones: the oldest that a closing ends, the newest, and those between. */
static void more_than_64_neighbours_are_all_ended(void **state)
{
	struct stage *s = *state;
	int64_t opened[MANY], closed;

	for (int i = 0; i < MANY; i++)
		opened[i] = put_settled(s, "open", "1", NOW + i, NOW + i);
	pass_all(s, NOW + MANY);
	assert_waits(s, opened[0], STORE_WAIT_TIME);
	for (int i = 1; i < MANY; i++)
		assert_waits(s, opened[i], STORE_WAIT_BEHIND);
	closed = put_settled(s, "closed", "1", NOW + SECOND, NOW + SECOND);
	pass_all(s, NOW + SECOND);
	for (int i = 0; i < MANY; i++)
		assert_done(s, opened[i], "settled");
	assert_done(s, closed, "settled");
	pass_all(s, NOW + 9 * MINUTE);
	assert_events(s, "");
}

/* The first of many is ended by the newest one, which is not among the first 64 neighbours. */
static void more_than_64_neighbours_hide_no_newer_one(void **state)
{
	struct stage *s = *state;
	int64_t first = put_settled(s, "open", "1", NOW, NOW);
	int64_t closed;

	for (int i = 1; i < MANY; i++)
		put_settled(s, "open", "1", NOW + 2 * SECOND + i, NOW + 2 * SECOND + i);
	closed = put_settled(s, "closed", "1", NOW + SECOND, NOW + 3 * SECOND);
	pass_all(s, NOW + 3 * SECOND);
	assert_done(s, first, "settled");
	assert_done(s, closed, "settled");
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(opened_and_closed_make_their_events),
		STAGED(what_does_not_read_is_a_dead_letter_with_its_reason),
		STAGED(what_was_parsed_is_neither_loaded_nor_parsed),
		STAGED(where_its_row_says_something_else_by_now_the_row_counts),
		STAGED(one_that_waits_is_parsed_once),
		STAGED(what_says_nothing_any_more_is_done_as_ignored),
		STAGED(a_source_that_is_not_configured_keeps_its_webhooks),
		STAGED(an_opening_without_an_address_is_kept_and_made_good),
		STAGED(what_is_no_address_counts_when_the_webhook_is_done),
		STAGED(an_opening_asks_who_the_customer_is_and_waits_for_the_answer),
		STAGED(a_customer_that_is_known_is_not_asked_for_again),
		STAGED(what_comes_later_of_the_conversation_or_the_customer_waits_behind),
		STAGED(a_customer_who_is_gone_three_times_ends_without_an_address_and_is_made_good),
		STAGED(what_a_customer_was_missed_by_is_forgotten_once_it_is_found),
		STAGED(ten_odd_answers_end_without_an_address_where_others_are_answered),
		STAGED(odd_answers_end_nothing_where_nobody_else_is_answered),
		STAGED(trouble_of_the_helpdesk_never_counts_against_a_customer),
		STAGED(refused_credentials_never_count_against_a_customer),
		STAGED(while_parked_only_those_are_asked_for_who_were_not_yet),
		STAGED(a_failed_lookup_is_asked_again_later_and_given_up_after_max_age),
		STAGED(a_failed_lookup_is_not_given_up_within_an_hour_of_a_jump),
		STAGED(beyond_the_window_webhooks_wait_for_a_slot),
		STAGED(those_that_waited_for_a_parked_source_go_on_though_a_turn_failed),
		STAGED(parked_lookups_hold_openings_but_no_closing_of_one_that_was_reached),
		STAGED(a_parked_webhook_waits_without_end),
		STAGED(without_a_customer_there_is_nobody_to_ask),
		STAGED(a_turn_that_is_rolled_back_asks_nothing_and_forgets_no_answer),
		STAGED(an_answer_about_one_agent_says_nothing_of_another),
		STAGED(who_waits_for_an_answer_that_is_no_customers_is_found_again),
		STAGED(an_answer_to_what_a_reload_no_longer_asks_is_asked_for_anew),
		STAGED(one_question_a_customer_whatever_it_asks),
		STAGED(a_closing_that_needs_no_address_asks_for_names_but_waits_for_nothing_else),
		STAGED(an_opening_that_holds_its_address_loses_nothing_but_the_name),
		STAGED(one_that_reads_by_now_keeps_its_place_in_the_order),
		STAGED(an_opening_is_held_until_it_has_lasted),
		STAGED(an_opposite_within_the_time_ends_both_where_the_state_says_so_already),
		STAGED(an_opposite_after_the_time_ends_nothing_even_if_it_is_worked_on_late),
		STAGED(an_older_one_goes_before_a_held_one),
		STAGED(the_same_again_waits_behind_a_held_one_and_is_a_duplicate),
		STAGED(a_held_one_holds_no_other_conversation),
		STAGED(three_in_a_row_leave_the_last_one_held),
		STAGED(nothing_is_ended_before_what_came_earlier_and_counts_has_met_the_ledger),
		STAGED(a_neighbour_without_a_time_is_read_once),
		STAGED(a_neighbour_that_does_not_read_keeps_nobody_waiting),
		STAGED(more_than_64_neighbours_are_all_ended),
		STAGED(more_than_64_neighbours_hide_no_newer_one),
	};

	log_setup(LOG_FORMAT_TEXT, LOG_CRIT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
