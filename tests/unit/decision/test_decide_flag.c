/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/decide_world.h"

#include <stdio.h>

static void a_repeat_before_the_commit_makes_the_same_events(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	static const char *const json[] = {"{'type':'opened','conversation':'c1','time':1795276800," JO_AND_AL "}",
					   "{'type':'closed','conversation':'c1','time':1795276900}"};
	char first[EVENT_UNIQUE_ID_LEN + 1];
	struct err err;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(world_try_post(w, s, json[i], false, &err), 0);
		assert_int_equal(w->last.events_n, 2);
		memcpy(first, w->last.events[1].unique_id, sizeof(first));
		assert_int_equal(world_try_post(w, s, json[i], true, &err), 0);
		assert_int_equal(w->last.events_n, 2);
		assert_string_equal(first, w->last.events[1].unique_id);
		/* After the commit it is a duplicate. */
		assert_int_equal(world_post(w, s, json[i])->result, DECIDE_DUPLICATE);
		assert_int_equal(w->last.events_n, 0);
	}
}

static bool is_waiting(const struct world *w, const char *email)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->conversations[i].entry.state == LEDGER_OPEN &&
		    reached_has(&w->conversations[i].reached, "default", email, GLADLY_FLAG))
			return true;
	return false;
}

/* Checks that the last event of each address has the ledger's flag. */
static void check_flags(const struct world *w, const char *what)
{
	static const char *const emails[] = {"jo@example.com", "al@example.org"};

	for (size_t k = 0; k < 2; k++) {
		const struct event *last = NULL;

		for (size_t i = 0; i < w->events_n; i++)
			if (strcmp(w->events[i].email, emails[k]) == 0)
				last = &w->events[i];
		if (!last ? is_waiting(w, emails[k])
			  : strcmp(json_text_member(last->profile, GLADLY_FLAG),
				   is_waiting(w, emails[k]) ? "true" : "false"))
			fail_msg("%s: the flag of %s is wrong at the end of %s", what, emails[k],
				 last ? last->profile : "nothing");
	}
}

static void two_conversations_keep_the_flag_until_both_are_closed(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	(void)world_say(w, s, "opened", "c1", 0, JO_AND_AL);
	d = world_say(w, s, "opened", "c2", 10, JO_AND_AL);
	assert_int_equal(d->events_n, 2);
	assert_string_equal(d->events[0].email, "jo@example.com");
	assert_string_equal(d->events[1].email, "al@example.org");
	assert_string_equal(PROPERTY(d, 1, "Open Conversations"), "2");
	d = world_say(w, s, "closed", "c1", 20, JO);
	assert_int_equal(d->events_n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(FLAG(d, i), "true");
		assert_string_equal(PROPERTY(d, i, "Open Conversations"), "1");
	}
	d = world_say(w, s, "closed", "c2", 30, JO);
	assert_int_equal(d->events_n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(FLAG(d, i), "false");
		assert_string_equal(PROPERTY(d, i, "Open Conversations"), "0");
	}
}

struct said {
	const char *type, *conversation;
	int at;
	const char *more;
};

/* Plays them in one of all orders, by its number, and checks the flags after each webhook. */
static void play_order(const struct source_policy *s, const struct said *all, size_t n, unsigned order)
{
	size_t left_n = n;
	char what[200] = "";
	size_t left[8];
	struct world w;

	for (size_t i = 0; i < n; i++)
		left[i] = i;
	world_start(&w);
	while (left_n > 0) {
		size_t k = order % left_n;
		const struct said *one = &all[left[k]];

		order /= (unsigned)left_n;
		left[k] = left[--left_n];
		(void)world_say(&w, s, one->type, one->conversation, one->at, one->more);
		(void)snprintf(what + strlen(what), sizeof(what) - strlen(what), " %s(%s)", one->type,
			       one->conversation);
		check_flags(&w, what);
	}
	for (size_t i = 0; i < w.n; i++)
		if (w.conversations[i].entry.state != LEDGER_CLOSED)
			fail_msg("%s: %s does not end closed", what, w.conversations[i].id);
	for (size_t i = 0; i < w.events_n; i++) /* no event twice */
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(w.events[i].unique_id, w.events[k].unique_id);
	world_end(&w);
}

static void the_flag_ends_right_in_every_order_of_arrival(void **unused)
{
	static const struct said two[] = {
		{"opened", "c1", 0, JO_AND_AL},
		{"opened", "c2", 10, JO_AND_AL},
		{"closed", "c1", 20, JO_AND_AL},
		{"closed", "c2", 30, JO_AND_AL},
	};
	static const struct said more[] = {
		{"opened", "c1", 0, JO},           {"opened", "c2", 10, JO_AND_AL}, {"closed", "c1", 20, JO_AND_AL},
		{"reopened", "c1", 25, JO_AND_AL}, {"closed", "c2", 30, ""},        {"closed", "c1", 40, JO},
	};
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, NULL);

	(void)unused;
	for (unsigned order = 0; order < 24; order++)
		play_order(s, two, 4, order);
	for (unsigned order = 0; order < 720; order++)
		play_order(s, more, 6, order);
	desk_close(&desk);
}

static void flags_are_counted_over_all_sources(void **unused)
{
	struct desk a, b;
	struct source_policy *gladly =
		desk_open(&a, "gladly", "", NULL, "In_Gladly_Conversation In_Support_Conversation");
	struct source_policy *zendesk = desk_open(&b, "zendesk", "", NULL, "In_Support_Conversation");
	struct world w;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	d = world_say(&w, gladly, "opened", "1", 0, JO);
	assert_string_equal(d->events[0].profile, "{\"In Gladly Conversation\":true,\"In Support Conversation\":true}");
	d = world_say(&w, zendesk, "opened", "1", 1, JO); /* the same id, of another source */
	assert_string_equal(d->events[0].profile, "{\"In Support Conversation\":true}");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "2");
	d = world_say(&w, gladly, "closed", "1", 2, "");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].profile,
			    "{\"In Gladly Conversation\":false,\"In Support Conversation\":true}");
	assert_string_equal(PROPERTY(d, 0, "Open Conversations"), "0"); /* of the first flag */
	d = world_say(&w, zendesk, "closed", "1", 3, "");
	assert_string_equal(d->events[0].profile, "{\"In Support Conversation\":false}");
	world_end(&w);
	desk_close(&a);
	desk_close(&b);
}

static void a_flag_that_was_renamed_is_taken_back_by_its_old_name(void **state)
{
	struct gladly *g = *state;
	struct source_policy *s = g->source;
	struct world *w = &g->world;
	const struct decision *d;

	(void)world_say(w, s, "opened", "c1", 0, JO);
	free(s->flags.items[0]);
	s->flags.items[0] = mem_str("Waiting");
	d = world_say(w, s, "closed", "c1", 1, "");
	assert_string_equal(d->events[0].profile, "{\"" GLADLY_FLAG "\":false}");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, gladly_setup, gladly_teardown)
		TEST(a_repeat_before_the_commit_makes_the_same_events),
		TEST(two_conversations_keep_the_flag_until_both_are_closed),
		cmocka_unit_test(the_flag_ends_right_in_every_order_of_arrival),
		cmocka_unit_test(flags_are_counted_over_all_sources),
		TEST(a_flag_that_was_renamed_is_taken_back_by_its_old_name),
	};

	return cmocka_run_group_tests_name("decide: flag", tests, NULL, NULL);
}
