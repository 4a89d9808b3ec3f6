/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/decide_world.h"
#include "fixtures/matcher.h"
#include "fixtures/named_rows.h"

/* Steps: type, conversation, seconds after T0, members of the webhook; then the decision (decide_world.h). */
/* clang-format off */
static const struct scenario scenarios[] = {
	{
		"test addresses are marked and never start a flow",
		.test_emails = "al@example.org",
		.steps = {
			{"opened", "c1", 0, JO_AND_AL, DECIDE_EVENTS,
			 {"Test=-|backfill=no", "Test=true|backfill=yes"}},
			{"closed", "c1", 1, "", DECIDE_EVENTS, {"", "Test=true|backfill=yes"}},
		},
	},
	{
		"the same person in two accounts has two flags",
		.other = "Channel: chat",
		.steps = {
			{"opened", "c1", 0, JO ",'channel':'chat'", DECIDE_EVENTS, {""}},
			{"opened", "c2", 1, JO, DECIDE_EVENTS, {"Open Conversations=1"}},
			{"closed", "c1", 2, "", DECIDE_EVENTS, {"account=other|flag=false"}},
		},
	},
	{
		"an opening without address is made good",
		.steps = {
			{"opened", "c1", 0, "'emails':['','no address',null]", DECIDE_NO_ADDRESS,
			 .ledger = "open, reached 0"},
			{"identified", "c1", 50, JO, DECIDE_EVENTS,
			 {"metric=started conversation in Gladly|email=jo@example.com|id=opened@0|time=0|"
			  "Opened At=2026-11-21T16:00:00Z|flag=true"}},
			/* older than the address, newer than the opening */
			{"closed", "c1", 40, "", DECIDE_EVENTS, {"email=jo@example.com"}},
		},
	},
	{
		"a closing that brings the first address goes to it",
		.ignore_emails = "acme.com",
		.steps = {
			{"opened", "c1", 0, "", DECIDE_NO_ADDRESS},
			{"closed", "c1", 60, "'emails':['sam@acme.com','jo@example.com']", DECIDE_EVENTS,
			 {"metric=closed conversation in Gladly|email=jo@example.com|Resolution Seconds=60|"
			  "flag=false"},
			 .ledger = "closed, reached 0"},
			{"opened", "c2", 0, "", DECIDE_NO_ADDRESS},
			{"closed", "c2", 60, "", DECIDE_NOTHING, .detail = "no well-formed address came with it"},
			{"opened", "c3", 0, "'emails':['kim@example','+49 170 1234567']", DECIDE_NO_ADDRESS,
			 .detail = "no well-formed address came with it, but *** (no at sign), k***@example (no "
				   "domain dot)"},
		},
	},
};
/* clang-format on */

static void ignored_addresses_get_nothing(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	strings_add_words(&s->ignore_emails, "noreply@* acme.com");
	d = world_say(w, s, "opened", "c1", 0, "'emails':['noreply@example.com','sam@acme.com']");
	assert_int_equal(d->result, DECIDE_IGNORED);
	assert_string_equal(d->detail, "n***@example.com is in ignore_emails; s***@acme.com is in ignore_emails");
	assert_int_equal(d->events_n, 0);
	assert_int_equal(d->reached.n, 0);
	assert_true(d->entry.addressed); /* not "no address yet" */
	assert_int_equal(world_say(w, s, "identified", "c1", 1, JO)->result, DECIDE_NOTHING);
	d = world_say(w, s, "closed", "c1", 2, JO);
	assert_int_equal(d->result, DECIDE_NOTHING);
	assert_int_equal(d->events_n, 0);
	/* One of two addresses is ignored. */
	d = world_say(w, s, "opened", "c2", 3, "'emails':['sam@acme.com','jo@example.com']");
	assert_int_equal(d->result, DECIDE_EVENTS);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].email, "jo@example.com");
	/* Those reached by an opening get the closing, whatever the list says by then. */
	strings_add_words(&s->ignore_emails, "example.com");
	d = world_say(w, s, "closed", "c2", 4, "");
	assert_int_equal(d->events_n, 1);
}

static void only_the_primary_address_where_so_configured(void **unused)
{
	static const struct {
		const char *more, *want;
	} cases[] = {
		{"'emails':['jo@example.com','al@example.org'],'primary':[false,true]", "al@example.org"},
		{"'emails':['jo@example.com','al@example.org'],'primary':[false,false]", "jo@example.com"},
		{"'emails':['jo@example.com','al@example.org']", "jo@example.com"},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	s->emails_primary = true;
	for (size_t i = 0; i < 3; i++) {
		struct world w;
		const struct decision *d;

		world_start(&w);
		d = world_say(&w, s, "opened", "c1", 0, cases[i].more);
		assert_int_equal(d->events_n, 1);
		assert_string_equal(d->events[0].email, cases[i].want);
		assert_int_equal(d->reached.n, 1);
		world_end(&w);
	}
	desk_close(&desk);
}

static void the_account_is_chosen_at_the_opening_and_kept(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	s->accounts_n = 3;
	g->desk.choices[0] = (struct account_choice){.when = with_matcher("channel: chat"), .account = &other_account};
	g->desk.choices[1] = (struct account_choice){.when = with_matcher("/inbox: 7"), .account = NULL};
	g->desk.choices[2] = (struct account_choice){.account = &main_account};
	d = world_say(w, s, "opened", "c1", 0, JO ",'channel':'Chat'");
	assert_string_equal(d->events[0].account, "other");
	assert_string_equal(d->events[0].url, "https://other.example.com");
	assert_int_equal(d->events[0].late_ms, 1);
	d = world_say(w, s, "closed", "c1", 1, "'channel':'email'");
	assert_string_equal(d->events[0].account, "other");
	assert_int_equal(d->events[0].late_ms, 3);
	d = world_say(w, s, "reopened", "c1", 2, JO ",'channel':'email'"); /* the account is chosen again */
	assert_string_equal(d->events[0].account, "default");
	assert_int_equal(d->reached.n, 1);
	d = world_say(w, s, "closed", "c1", 3, "'channel':'chat'");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].account, "default");
	d = world_say(w, s, "opened", "c2", 4, JO ",'inbox':'7'");
	assert_int_equal(d->result, DECIDE_IGNORED);
	assert_string_equal(d->detail, "j***@example.com has no account");
	s->accounts_n = 2; /* no choice holds */
	d = world_say(w, s, "opened", "c3", 5, JO);
	assert_int_equal(d->result, DECIDE_IGNORED);
}

static void reached_in_two_accounts_gets_the_closing_in_both(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	(void)world_say(w, s, "opened", "c1", 0, JO);
	reached_add(&w->conversations[0].reached, "other", "jo@example.com", GLADLY_FLAG);
	reached_add(&w->conversations[0].reached, "default", "jo@example.com", "Waiting");
	d = world_say(w, s, "closed", "c1", 1, "");
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[0].account, "default");
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":false,\"Waiting\":false}");
	assert_string_equal(d->events[1].account, "other");
	assert_string_equal(d->events[1].profile, "{\"" GLADLY_FLAG "\":false}");
	assert_string_equal(d->events[0].unique_id, d->events[1].unique_id);
}

static void a_closing_waits_for_an_account_that_is_gone(void **state)
{
	const struct account_policy spare = {.name = "other", .url = "https://new.example.com"};
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	g->desk.choices[0].account = &other_account;
	(void)world_say(w, s, "opened", "c1", 0, JO);
	(void)world_say(w, s, "opened", "c2", 0, JO);
	g->desk.choices[0].account = &main_account;
	d = world_say(w, s, "closed", "c1", 1, "");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].account, "other");
	assert_string_equal(d->events[0].url, "");
	assert_int_equal(d->events[0].late_ms, CLOCK_DAY_MS);
	w->spare = &spare; /* the account exists, but this source does not name it any more */
	d = world_say(w, s, "closed", "c2", 1, "");
	assert_string_equal(d->events[0].url, "https://new.example.com");
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gladly_setup, gladly_teardown)
		TEST(ignored_addresses_get_nothing),
		cmocka_unit_test(only_the_primary_address_where_so_configured),
		TEST(the_account_is_chosen_at_the_opening_and_kept),
		TEST(reached_in_two_accounts_gets_the_closing_in_both),
		TEST(a_closing_waits_for_an_account_that_is_gone),
	};

	return NAMED_ROWS_RUN("decide: people", NAMED_ROWS(scenarios, scenario_holds, NULL, NULL), cases);
}
