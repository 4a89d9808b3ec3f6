/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/decide_world.h"

#include <errno.h>

#include "fixtures/named_rows.h"

/* Steps: type, conversation, seconds after T0, members of the webhook; then the decision (decide_world.h). */
/* clang-format off */
static const struct scenario scenarios[] = {
	{
		"a dropped opening reaches nobody",
		.rules = "- when: {Initiated By: agent}\n  drop: outbound\n- default\n",
		.steps = {
			{"opened", "c1", 10, JO ",'by':'agent'", DECIDE_DROPPED, .detail = "outbound",
			 .ledger = "open, addressed, reached 0"},
			{"identified", "c1", 11, JO, DECIDE_NOTHING},
			{"closed", "c1", 12, JO, DECIDE_NOTHING, .detail = "its opening reached nobody"},
			/* history of a dropped conversation */
			{"closed", "c1", 5, JO, DECIDE_NOTHING},
			/* The closing of an unknown conversation may be dropped. */
			{"closed", "c2", 12, JO ",'by':'agent'", DECIDE_DROPPED},
			/* A closing that has someone to reach may not. */
			{"opened", "c3", 10, JO ",'by':'customer'", DECIDE_EVENTS, {""}},
			{"closed", "c3", 12, "'by':'agent'", DECIDE_EVENTS, {"metric=closed conversation in Gladly"}},
		},
	},
	{
		"what no rule sends reaches and is closed by the shipped rule",
		.rules = "- on: opened\n  when: {Channel: chat}\n  send: \"chat\"\n"
			 "- on: closed\n  when: {Channel: chat}\n  send: \"chat closed\"\n",
		.steps = {
			{"opened", "c1", 0, JO ",'channel':'email'", DECIDE_NOTHING, .detail = "no rule sends for it",
			 .ledger = "open, addressed, reached 1"},
			{"closed", "c1", 1, "'channel':'email'", DECIDE_EVENTS,
			 {"metric=closed conversation in Gladly"}},
		},
	},
	{
		"who was sent something before the drop is reached",
		.rules = "- default\n- when: {Initiated By: agent}\n  drop: outbound\n- on: opened\n  send: \"x\"\n",
		.steps = {
			{"opened", "c1", 0, JO ",'by':'agent'", DECIDE_EVENTS, {""}},
			{"closed", "c1", 1, "", DECIDE_EVENTS, {"flag=false"}},
		},
	},
	{
		"every rule makes its event for every address",
		.rules = "- default\n"
			 "- on: closed\n  when: {Tags: {contains: refund}}\n  send: \"refund {reason}\"\n"
			 "- on: closed\n  send: \"closed conversation in {label}\"\n",
		.steps = {
			{"opened", "c1", 0, JO_AND_AL, DECIDE_EVENTS, {"", ""}},
			/* The third rule's event would be that of the first. */
			{"closed", "c1", 1, "'tags':['refund'],'reason':'broken'", DECIDE_EVENTS,
			 {"email=jo@example.com|metric=closed conversation in Gladly",
			  "email=jo@example.com|metric=refund broken", "email=al@example.org",
			  "metric=refund broken"}},
		},
	},
	{
		"a rule sees how many conversations the person has",
		.rules = "- default\n- on: closed\n  when: {Open Conversations: 0}\n  send: \"all solved\"\n",
		.steps = {
			{"opened", "c1", 0, JO_AND_AL, DECIDE_EVENTS, {"", ""}},
			{"opened", "c2", 0, JO, DECIDE_EVENTS, {""}},
			/* jo has another open conversation */
			{"closed", "c1", 1, "", DECIDE_EVENTS,
			 {"", "", "metric=all solved|email=al@example.org"}},
		},
	},
	{
		"what a rule adds lies over the rest but for flag and id",
		.rules = "- on: opened\n  send: \"x\"\n"
			 "  properties: {Channel: \"web {channel}\", Event ID: fake, New: \"1\"}\n"
			 "  profile: {In Gladly Conversation: \"no\", Last Desk: \"{label}\"}\n"
			 "  value: 2.5\n  late: 1h\n"
			 "- default\n",
		.steps = {{"opened", "c1", 0, JO ",'channel':'chat'", DECIDE_EVENTS,
			   {"Channel=web chat|New=1|flag=true|Last Desk=Gladly|value=2.5|late=3600000",
			    /* The additions stay that rule's. */
			    "Channel=chat|profile={\"" GLADLY_FLAG "\":true}|late=900000"}}},
	},
	{
		"a rule that cannot name its metric stops no other",
		.rules = "- on: [opened, closed]\n  send: \"in {Channel}\"\n- default\n",
		.steps = {
			{"opened", "c1", 0, JO, DECIDE_EVENTS, {"metric=started conversation in Gladly"},
			 .detail = "rules[0]: the metric \"in {Channel}\" cannot be named: nothing usable at Channel"},
			{"closed", "c1", 60, JO ",'channel':'chat'", DECIDE_EVENTS, {"metric=in chat", ""},
			 .detail = "-"},
		},
	},
};
/* clang-format on */

static void a_metric_that_cannot_be_named_fails_its_webhook_only(void **unused)
{
	struct desk desk;
	struct source_policy *s = desk_plain(&desk, "- on: [opened, closed, expired]\n  send: \"in {Channel}\"\n");
	struct world w;
	struct err err;
	const struct decision *d;

	(void)unused;
	world_start(&w);
	(void)world_say(&w, s, "opened", "c1", 0, JO ",'channel':'chat'");
	assert_int_equal(
		world_try_post(&w, s, "{'type':'opened','conversation':'c2','time':1795276800," JO "}", true, &err),
		-EBADMSG);
	assert_int_equal(err.code, -EBADMSG);
	assert_non_null(strstr(err.text, "Channel"));
	assert_int_equal(w.last.events_n, 0);
	/* Those reached get the closing all the same. */
	d = world_say(&w, s, "closed", "c1", 60, JO);
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	assert_string_equal(FLAG(d, 0), "false");
	assert_non_null(strstr(d->detail, "cannot be named"));
	(void)world_say(&w, s, "reopened", "c1", 120, JO ",'channel':'chat'");
	w.now_ms += 31 * CLOCK_DAY_MS;
	d = world_expire(&w, s, "c1");
	assert_int_equal(d->events_n, 1);
	assert_string_equal(d->events[0].metric, "closed conversation in Gladly");
	world_end(&w);
	desk_close(&desk);
}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(a_metric_that_cannot_be_named_fails_its_webhook_only),
	};

	return NAMED_ROWS_RUN("decide: rules", NAMED_ROWS(scenarios, scenario_holds, NULL, NULL), cases);
}
