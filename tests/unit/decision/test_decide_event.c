/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/decide_world.h"
#include "fixtures/named_rows.h"

/* Steps: type, conversation, seconds after T0, members of the webhook; then the decision (decide_world.h). */
/* clang-format off */
static const struct scenario scenarios[] = {
	{
		"a closing tells how long it took",
		.steps = {
			{"opened", "c1", 0, JO, DECIDE_EVENTS, {""}},
			{"closed", "c1", 100, "", DECIDE_EVENTS, {""}},
			{"reopened", "c1", 600, JO, DECIDE_EVENTS,
			 {"metric=reopened conversation in Gladly|Opened At=2026-11-21T16:10:00Z|Reopen Count=1|"
			  "Closed At=-|late=960000|flag=true"}},
			/* The webhook has no address, so it goes to those reached. */
			{"closed", "c1", 900, "'reason':'solved'", DECIDE_EVENTS,
			 {"metric=closed conversation in Gladly|email=jo@example.com|Opened At=2026-11-21T16:10:00Z|"
			  "Closed At=2026-11-21T16:15:00Z|Resolution Seconds=300|Total Seconds=900|Reopen Count=1|"
			  "Open Conversations=0|Reason=solved|flag=false|late=86400000"}},
		},
	},
	{
		"absent facts are left out",
		.steps = {{"closed", "c1", 0, JO ",'channel':null", DECIDE_EVENTS,
			   {"Channel=-|Reason=-|Opened At=-|Resolution Seconds=-|Total Seconds=-|Conversation URL=-|"
			    "Closed At=2026-11-21T16:00:00Z"}}},
	},
	{
		"the url of the conversation is told where it is known",
		.definition = "conversation_url: \"https://desk.example.com/{/conversation}\"\n",
		.steps = {{"opened", "c1", 0, JO, DECIDE_EVENTS, {"Conversation URL=https://desk.example.com/c1"}}},
	},
	{
		"a time that runs backwards is no fact",
		.steps = {
			/* The desk's clock is an hour ahead, and then set right. */
			{"opened", "c1", 7200, JO, DECIDE_EVENTS, {""}},
			{"closed", "c1", 3601, "", DECIDE_EVENTS,
			 {"flag=false|Resolution Seconds=-|Total Seconds=-|Opened At=-"}},
		},
	},
};
/* clang-format on */

static void an_opening_makes_the_documented_event(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1];
	char *want;

	w->waits_ms = 700; /* as for a lookup */
	d = world_say(w, s, "opened", "c1", 0, JO ",'channel':'chat','tags':['a','b'],'by':'customer','inbox':'7'");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_null(d->detail);
	assert_int_equal(d->events_n, 1);
	event_unique_id(id, "gladly", "c1", TRANSITION_OPENED, true, T0, "started conversation in Gladly",
			"jo@example.com");
	want = mem_fmt(
		"{\"Helpdesk\":\"Gladly\",\"Conversation ID\":\"c1\",\"Channel\":\"chat\",\"Tags\":[\"a\",\"b\"],"
		"\"Initiated By\":\"customer\",\"Inbox ID\":\"7\",\"Opened At\":\"2026-11-21T16:00:00Z\","
		"\"Reopen Count\":0,\"Open Conversations\":1,\"Event ID\":\"%s\"}",
		id);
	assert_string_equal(d->events[0].properties, want);
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":true}");
	assert_string_equal(d->events[0].unique_id, id);
	assert_string_equal(d->events[0].metric, "started conversation in Gladly");
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(d->events[0].account, "default");
	assert_string_equal(d->events[0].url, "https://a.klaviyo.com");
	assert_string_equal(d->events[0].source, "gladly");
	assert_string_equal(d->events[0].conversation, "c1");
	assert_int_equal(d->events[0].webhook, 1);
	assert_int_equal(d->events[0].transition, TRANSITION_OPENED);
	assert_int_equal(d->events[0].time_ms, T0);
	assert_int_equal(d->events[0].received_ms, T0 + CLOCK_HOUR_MS);
	assert_int_equal(d->events[0].created_ms, T0 + CLOCK_HOUR_MS + 700);
	assert_int_equal(d->events[0].late_ms, 15 * CLOCK_MINUTE_MS);
	assert_false(d->events[0].backfill);
	assert_false(d->events[0].has_value);
	assert_int_equal(d->events[0].state, EVENT_READY);
	free(want);
}

/* Times of an event are whole seconds, rounded down. Durations are the differences of the shown times. */
static void durations_are_the_differences_of_the_shown_times(void **unused)
{
	static const struct {
		int64_t opened_ms, closed_ms;
		const char *opened, *closed, *seconds;
	} cases[] = {
		{1900, 3000, "2026-11-21T16:00:01Z", "2026-11-21T16:00:03Z", "2"},
		{1000, 3999, "2026-11-21T16:00:01Z", "2026-11-21T16:00:03Z", "2"},
		{1999, 2000, "2026-11-21T16:00:01Z", "2026-11-21T16:00:02Z", "1"},
		{2000, 2999, "2026-11-21T16:00:02Z", "2026-11-21T16:00:02Z", "0"},
		{2999, 2999, "2026-11-21T16:00:02Z", "2026-11-21T16:00:02Z", "0"},
		{2999, 2001, "-", "2026-11-21T16:00:02Z", "-"}, /* out of order: which opening it ended is not known */
		{3000, 2999, "-", "2026-11-21T16:00:02Z", "-"},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;
		const struct decision *d;

		world_start(&w);
		(void)world_say_ms(&w, s, "opened", "c1", cases[i].opened_ms, JO);
		d = world_say_ms(&w, s, "closed", "c1", cases[i].closed_ms, "");
		assert_int_equal(d->events_n, 1);
		assert_string_equal(PROPERTY(d, 0, "Opened At"), cases[i].opened);
		assert_string_equal(PROPERTY(d, 0, "Closed At"), cases[i].closed);
		assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), cases[i].seconds);
		assert_string_equal(PROPERTY(d, 0, "Total Seconds"), cases[i].seconds);
		world_end(&w);
	}
	desk_close(&desk);
}

static void durations_after_a_reopening_run_from_the_openings_that_were_shown(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	s->expire_after_ms = CLOCK_DAY_MS;
	d = world_say_ms(w, s, "opened", "c1", 1900, JO);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:01Z");
	(void)world_say_ms(w, s, "closed", "c1", 5000, "");
	d = world_say_ms(w, s, "reopened", "c1", 7800, JO);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:07Z");
	d = world_say_ms(w, s, "closed", "c1", 9100, "");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "2");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "8");
	d = world_say_ms(w, s, "closed", "c1", 6000, ""); /* history: which opening it ended is not known */
	assert_int_equal(d->result, DECIDE_HISTORY);
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "-");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "-");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "5");
	(void)world_say_ms(w, s, "reopened", "c1", 11900, JO);
	w->now_ms += 2 * CLOCK_DAY_MS;
	d = world_expire(w, s, "c1"); /* a day after the receipt, which was an hour and five seconds after T0 */
	assert_string_equal(PROPERTY(d, 0, "Opened At"), "2026-11-21T16:00:11Z");
	assert_string_equal(PROPERTY(d, 0, "Closed At"), "2026-11-22T17:00:05Z");
	assert_string_equal(PROPERTY(d, 0, "Resolution Seconds"), "89994");
	assert_string_equal(PROPERTY(d, 0, "Total Seconds"), "90004");
}

static void a_rule_reads_the_duration_that_the_event_shows(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(
		&desk, "[default, {on: closed, when: {Resolution Seconds: 2}, send: \"quick {Resolution Seconds}\"}]");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)world_say_ms(&w, s, "opened", "c1", 1900, JO);
	d = world_say_ms(&w, s, "closed", "c1", 3000, "");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[1].metric, "quick 2");
	world_end(&w);
	desk_close(&desk);
}

static void a_webhook_without_time_goes_by_its_receipt(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;
	char id[EVENT_UNIQUE_ID_LEN + 1];

	d = world_post(w, s, "{'type':'opened','conversation':'c1'," JO "}");
	event_unique_id(id, "gladly", "c1", TRANSITION_OPENED, false, T0 + CLOCK_HOUR_MS,
			"started conversation in Gladly", "jo@example.com");
	assert_string_equal(d->events[0].unique_id, id);
	assert_int_equal(d->events[0].time_ms, T0 + CLOCK_HOUR_MS);
	/* The same for a late address. */
	(void)world_post(w, s, "{'type':'opened','conversation':'c2'}");
	event_unique_id(id, "gladly", "c2", TRANSITION_OPENED, false, T0 + CLOCK_HOUR_MS + CLOCK_SECOND_MS,
			"started conversation in Gladly", "jo@example.com");
	d = world_post(w, s, "{'type':'identified','conversation':'c2'," JO "}");
	assert_string_equal(d->events[0].unique_id, id);
}

/* An opening, a late address, a closing and its repeat, a reopening, history, and an expiry. */
static void play_every_transition(struct world *w, const struct source_policy *s, int64_t start_ms)
{
	world_start(w);
	w->now_ms = start_ms;
	(void)world_say(w, s, "opened", "c1", 0, JO);
	(void)world_say(w, s, "opened", "c2", 1, "");
	(void)world_say(w, s, "identified", "c2", 9, JO_AND_AL);
	(void)world_say(w, s, "closed", "c1", 20, "");
	(void)world_say(w, s, "closed", "c1", 20, "");
	(void)world_say(w, s, "reopened", "c1", 30, JO);
	(void)world_say(w, s, "closed", "c1", 25, JO); /* history */
	(void)world_say(w, s, "opened", "c1", 26, JO); /* history */
	(void)world_say(w, s, "closed", "c1", 40, "");
	(void)world_say(w, s, "closed", "c3", 50, JO); /* of a conversation that was not known */
}

/* The store keeps events by time and unique_id, so a repeat must have the time of the first, whenever it comes. */
static void what_comes_again_has_its_unique_id_and_its_time(void **state)
{
	struct gladly *g = *state;
	struct world again;

	play_every_transition(&g->world, g->source, T0 + CLOCK_HOUR_MS);
	play_every_transition(&again, g->source, T0 + 2 * CLOCK_HOUR_MS + 345);
	assert_true(again.events_n >= 8);
	assert_int_equal(again.events_n, g->world.events_n);
	for (size_t i = 0; i < again.events_n; i++) {
		assert_string_equal(again.events[i].unique_id, g->world.events[i].unique_id);
		assert_int_equal(again.events[i].time_ms, g->world.events[i].time_ms);
		assert_int_not_equal(again.events[i].received_ms, g->world.events[i].received_ms);
	}
	world_end(&again);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gladly_setup, gladly_teardown)
		TEST(an_opening_makes_the_documented_event),
		cmocka_unit_test(durations_are_the_differences_of_the_shown_times),
		TEST(durations_after_a_reopening_run_from_the_openings_that_were_shown),
		cmocka_unit_test(a_rule_reads_the_duration_that_the_event_shows),
		TEST(a_webhook_without_time_goes_by_its_receipt),
		TEST(what_comes_again_has_its_unique_id_and_its_time),
	};

	return NAMED_ROWS_RUN("decide: event", NAMED_ROWS(scenarios, scenario_holds, NULL, NULL), cases);
}
