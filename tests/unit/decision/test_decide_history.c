/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/decide_world.h"

#include <errno.h>
#include <stdio.h>

#include "fixtures/named_rows.h"

/* Steps: type, conversation, seconds after T0, members of the webhook; then the decision (decide_world.h). */
/* clang-format off */
static const struct scenario scenarios[] = {
	{
		"closed before opened goes out as history",
		.steps = {
			{"closed", "c1", 100, JO, DECIDE_EVENTS, {"flag=false|backfill=no"}},
			/* with the flag as it is now */
			{"opened", "c1", 0, JO, DECIDE_HISTORY,
			 {"metric=started conversation in Gladly|time=0|backfill=yes|flag=false|"
			  "Open Conversations=0|Opened At=2026-11-21T16:00:00Z"},
			 .ledger = "closed, reached 0"},
		},
	},
	{
		"a history closing goes to those reached with the flag as it is",
		.steps = {
			{"opened", "c1", 0, JO, DECIDE_EVENTS, {""}},
			/* its closing is still on the way */
			{"reopened", "c1", 100, JO, DECIDE_DUPLICATE},
			{"closed", "c1", 50, "'emails':['al@example.org']", DECIDE_HISTORY,
			 {"email=jo@example.com|flag=true|Open Conversations=1|backfill=yes"}},
			{"closed", "c1", 200, "", DECIDE_EVENTS, {""}},
			/* Those reached stay after the closing. */
			{"closed", "c1", 150, "", DECIDE_HISTORY, {"flag=false"}},
			/* Another conversation holds the flag. */
			{"opened", "c2", 300, JO, DECIDE_EVENTS, {""}},
			{"closed", "c1", 160, "", DECIDE_HISTORY, {"flag=true"}},
		},
	},
	{
		"history does not raise the flag of whom the opening did not reach",
		.steps = {
			{"opened", "c1", 100, JO, DECIDE_EVENTS, {""}},
			/* an earlier opening, with one address more: nothing would take back its flag */
			{"opened", "c1", 50, JO_AND_AL, DECIDE_HISTORY, {"flag=true", "flag=false"},
			 .ledger = "open, addressed, reached 1"},
		},
	},
	{
		"what is old goes by the account that it is for",
		.definition = DESK_STATES,
		.other = "channel: chat",
		.rest_is_other = true,
		.steps = {
			{"closed", "c1", 0, JO ",'channel':'chat','closed_at':'2026-11-21T15:00:00Z'",
			 DECIDE_EVENTS, {"account=default"}},
			{"closed", "c2", 0, JO ",'closed_at':'2026-11-21T15:00:00Z'", DECIDE_NOTHING},
		},
	},
	{
		"a state desk tells no history and no old closings",
		.definition = DESK_STATES,
		.steps = {
			{"closed", "c1", 100, JO, DECIDE_NOTHING, .detail = "closed before our time"},
			{"opened", "c1", 50, JO, DECIDE_NOTHING},
			/* young */
			{"closed", "c2", 100, JO ",'closed_at':'2026-11-21T15:00:00Z'", DECIDE_EVENTS, {""}},
			/* old */
			{"opened", "c3", 100, JO ",'created':'2026-11-20T15:00:00Z'", DECIDE_EVENTS, {"backfill=yes"}},
			{"opened", "c4", 3500, JO ",'created':'2026-11-21T16:59:00Z'", DECIDE_EVENTS, {"backfill=no"}},
		},
	},
};
/* clang-format on */

/* All webhooks are received at 17:00. */
static void what_makes_an_old_conversation_known_is_backfill_at_a_change_desk(void **unused)
{
	static const struct {
		const char *type, *times;
		bool want;
	} cases[] = {
		{"opened", "'created':'2026-11-21T16:45:30Z'", false},
		{"opened", "'created':'2026-11-21T16:44:30Z'", true},
		{"reopened", "'created':'2026-11-21T16:44:30Z'", false}, /* late.reopened is a minute more */
		{"reopened", "'created':'2026-11-20T16:44:00Z'", true},
		{"closed", "'created':'2019-11-21T16:00:00Z','closed_at':'2026-11-20T17:30:00Z'", false},
		{"closed", "'created':'2019-11-21T16:00:00Z','closed_at':'2026-11-20T16:30:00Z'", true},
		{"closed", "'created':'2019-11-21T16:00:00Z'", false},
	};
	struct desk desk, patient;
	struct source_policy *s = desk_open(&desk, "gladly", "created: /created\nclosed_at: /closed_at\n", NULL,
					    "In_Gladly_Conversation");
	/* A rule's `late` counts too. */
	struct source_policy *p =
		desk_open(&patient, "patient", "created: /created\nclosed_at: /closed_at\n",
			  "- {on: [opened, reopened, closed], send: told, late: never}\n", "In_Gladly_Conversation");
	struct world w;
	char more[200], id[8];

	(void)unused;
	world_start(&w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(more, sizeof(more), JO ",%s", cases[i].times);
		(void)snprintf(id, sizeof(id), "c%zu", i);
		w.now_ms = T0 + CLOCK_HOUR_MS;
		assert_int_equal(world_say(&w, s, cases[i].type, id, 3599, more)->events_n, 1);
		if (w.last.events[0].backfill != cases[i].want)
			fail_msg("%s, %s", cases[i].type, cases[i].times);
		assert_int_equal(world_say(&w, p, cases[i].type, id, 3599, more)->events_n, 1);
		assert_false(w.last.events[0].backfill);
	}
	/* A closing of an open conversation, and a reopening of a known one, are judged by their own time. */
	(void)world_say(&w, s, "opened", "c9", 3599, JO);
	assert_false(
		world_say(&w, s, "closed", "c9", 3600, JO ",'closed_at':'2019-11-21T16:30:00Z'")->events[0].backfill);
	assert_false(
		world_say(&w, s, "reopened", "c9", 3601, JO ",'created':'2019-11-21T16:30:00Z'")->events[0].backfill);
	world_end(&w);
	desk_close(&desk);
	desk_close(&patient);
}

static void an_expiry_closes_for_all_reached(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const int64_t deadline_ms = T0 + CLOCK_HOUR_MS + 30 * CLOCK_DAY_MS;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1];

	(void)world_say(w, s, "opened", "c1", 0, JO_AND_AL);
	w->now_ms = deadline_ms - 1;
	d = world_expire(w, s, "c1");
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_int_equal(d->entry.state, LEDGER_OPEN);
	w->now_ms = deadline_ms + 5000;
	d = world_expire(w, s, "c1");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_int_equal(d->entry.state, LEDGER_CLOSED);
	assert_int_equal(d->events_n, 2);
	event_unique_id(id, "gladly", "c1", TRANSITION_EXPIRED, true, deadline_ms, "closed conversation in Gladly",
			"jo@example.com");
	assert_string_equal(d->events[0].unique_id, id);
	assert_int_equal(d->events[0].time_ms, deadline_ms);
	assert_int_equal(d->events[0].received_ms, deadline_ms + 5000);
	assert_int_equal(d->events[0].webhook, 0);
	assert_true(d->events[0].backfill);
	assert_string_equal(PROPERTY(d, 0, "Reason"), "expired");
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:00Z");
	assert_string_equal(FLAG(d, 0), "false");
	assert_string_equal(FLAG(d, 1), "false");
}

static void what_the_view_fails_with_is_passed_on(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	struct err err;

	w->queries_fail = true;
	assert_int_equal(world_try_post(w, s, "{'type':'opened','conversation':'c1'," JO_AND_AL "}", true, &err), -EIO);
	assert_string_equal(err.text, "the store is gone");
	assert_int_equal(w->last.events_n, 0);
}

static void explain_tells_the_whole_way_without_full_addresses(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	struct buf explain;

	strings_add_words(&s->ignore_emails, "acme.com");
	buf_init(&explain, 100000);
	w->explain = &explain;
	(void)world_say(w, s, "opened", "c1", 0, "'emails':['sam@acme.com','jo@example.com']");
	assert_non_null(strstr(explain.data, "conversation unknown, opened → open"));
	assert_non_null(strstr(explain.data, "account: default"));
	assert_non_null(strstr(explain.data, "s***@acme.com: in ignore_emails"));
	assert_non_null(strstr(explain.data, "event: \"started conversation in Gladly\" for j***@example.com"));
	assert_non_null(strstr(explain.data, w->last.events[0].unique_id));
	assert_null(strstr(explain.data, "sam@"));
	assert_null(strstr(explain.data, "jo@"));
	buf_clear(&explain);
	(void)world_say(w, s, "opened", "c1", -5, JO);
	assert_non_null(strstr(explain.data,
			       "newest time from the helpdesk 2026-11-21T16:00:00Z, newest receipt without a "
			       "time none; opened counts as older → history"));
	buf_clear(&explain);
	(void)world_say(w, s, "opened", "c1", 5, JO);
	assert_non_null(strstr(explain.data, "known already"));
	buf_done(&explain);
}

static void results_have_names(void **unused)
{
	(void)unused;
	assert_string_equal(decide_result_name(DECIDE_EVENTS), "events");
	assert_string_equal(decide_result_name(DECIDE_HISTORY), "history");
	assert_string_equal(decide_result_name(DECIDE_DUPLICATE), "duplicate");
	assert_string_equal(decide_result_name(DECIDE_NO_ADDRESS), "no address");
	assert_string_equal(decide_result_name(DECIDE_DROPPED), "dropped");
	assert_string_equal(decide_result_name(DECIDE_IGNORED), "ignored");
	assert_string_equal(decide_result_name(DECIDE_NOTHING), "nothing");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gladly_setup, gladly_teardown)
		cmocka_unit_test(what_makes_an_old_conversation_known_is_backfill_at_a_change_desk),
		TEST(an_expiry_closes_for_all_reached),
		TEST(what_the_view_fails_with_is_passed_on),
		TEST(explain_tells_the_whole_way_without_full_addresses),
		cmocka_unit_test(results_have_names),
	};

	return NAMED_ROWS_RUN("decide: history", NAMED_ROWS(scenarios, scenario_holds, NULL, NULL), cases);
}
