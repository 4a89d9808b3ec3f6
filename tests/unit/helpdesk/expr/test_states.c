/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/parse_result.h"

/* A desk whose rules post to URLs of their own, or whose body has a state. */
#define DESK                                                                                                 \
	"label: Desk\n"                                                                                      \
	"authenticate: {method: basic}\n"                                                                    \
	"conversation: /id\n"                                                                                \
	"states: {/state: {new: open, open: open, closed: closed, merged: closed, draft: ~, \"*\": open}}\n" \
	"opened:\n"                                                                                          \
	"  - {\"query:transition\": opened}\n"                                                               \
	"  - {\"query:transition\": {exists: false}, /state: {means: open}}\n"                               \
	"closed:\n"                                                                                          \
	"  - {\"query:transition\": closed}\n"                                                               \
	"  - {\"query:transition\": {exists: false}, /state: {means: closed}}\n"                             \
	"  - {\"query:transition\": {exists: false}, /deleted: true}\n"

/* The same with a definition of the source over it. */
static struct definition *laid_over(const char *base, const char *over)
{
	CLEANUP(node_freep) struct node *b = with_yaml(base);
	CLEANUP(node_freep) struct node *o = NULL;
	CLEANUP(node_freep) struct node *n = NULL;
	const struct definition_binding binding = {.overlaid = true};
	struct problems p = {0};
	struct definition *d;

	assert_int_equal(yaml_load("over.yaml", over, strlen(over), &o, &p), 0);
	n = definition_overlay(b, o, &p);
	d = definition_read(n, &binding, &p);
	assert_no_problem(&p);
	assert_non_null(d);
	return d;
}

static struct parse_result read_one(const struct definition *d, const char *body, const char *query)
{
	struct webhook w = {.received_ms = 1, .body = mem_str(body), .body_len = strlen(body)};
	struct parse_result r;

	w.source = mem_str("desk");
	w.path = mem_str("/webhooks/desk");
	w.query = mem_str(query);
	with_parse_result(d, &w, NULL, &r);
	webhook_done(&w);
	return r;
}

static const char *said(const struct parse_result *r)
{
	if (r->kind == PARSE_IGNORED)
		return "ignored";
	return r->kind == PARSE_SIGNAL ? transition_name(r->signal.transition) : "else";
}

struct says_case {
	const char *body, *query;
	const char *says;
	const char *unknown; /* the state, or NULL */
};

static void assert_says(const struct definition *d, const struct says_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct parse_result r = read_one(d, cases[i].body, cases[i].query ? cases[i].query : "");

		if (strcmp(said(&r), cases[i].says) != 0)
			fail_msg("%s?%s says %s, not %s", cases[i].body, cases[i].query, said(&r), cases[i].says);
		if (!text_is(r.unknown_state.text, cases[i].unknown))
			fail_msg("%s?%s has the unknown state %s, not %s", cases[i].body, cases[i].query,
				 r.unknown_state.text, cases[i].unknown);
		parse_result_done(&r);
	}
}
#define ASSERT_SAYS(d, cases) assert_says(d, cases, sizeof(cases) / sizeof(*(cases)))

static void a_state_that_nobody_names_is_unknown_and_read_as_before(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"state\": \"new\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"OPEN\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"Closed\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"merged\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"draft\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": \"wartet\"}", NULL, "opened", "wartet"},
		{"{\"id\": 1, \"state\": 7}", NULL, "opened", "7"},
		/* No state at all. */
		{"{\"id\": 1, \"state\": \"\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": null}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": {\"name\": \"x\"}}", NULL, "opened", NULL},
		{"{\"id\": 1}", NULL, "ignored", NULL},
		/* The result does not depend on it. */
		{"{\"id\": 1, \"state\": \"wartet\"}", "transition=closed", "closed", NULL},
		{"{\"id\": 1, \"state\": \"wartet\"}", "transition=opened", "opened", NULL},
		{"{\"id\": 1, \"state\": \"wartet\"}", "transition=other", "ignored", NULL},
		{"{\"id\": 1, \"state\": \"wartet\", \"deleted\": true}", NULL, "closed", NULL},
	};
	struct definition *d = with_definition(DESK, NULL);

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

static void a_source_says_in_one_line_what_its_own_states_mean(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"state\": \"erledigt\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"wartet\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"merged\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"closed\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"geparkt\"}", NULL, "opened", "geparkt"},
	};
	struct definition *d = laid_over(DESK, "states: {/state: {erledigt: closed, wartet: open, merged: open}}\n");

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

/* The preset's matchers still ask for it. */
static void a_source_may_leave_no_state_of_a_meaning(void **state)
{
	static const struct says_case means[] = {
		{"{\"id\": 1, \"state\": \"open\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"new\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": \"other\"}", NULL, "ignored", "other"},
		{"{\"id\": 1, \"state\": \"open\"}", "transition=opened", "opened", NULL},
	};
	static const struct says_case negated[] = {
		{"{\"id\": 1, \"type\": \"moved\", \"state\": \"closed\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"type\": \"moved\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"type\": \"end\"}", NULL, "closed", NULL},
	};
	struct definition *d = laid_over(DESK, "states: {/state: {new: ~, open: closed, \"*\": ~}}\n");

	(void)state;
	ASSERT_SAYS(d, means);
	definition_free(d);
	d = laid_over("label: Desk\n"
		      "authenticate: {method: basic}\n"
		      "conversation: /id\n"
		      "states: {/state: {closed: closed}}\n"
		      "opened: {/type: moved, /state: {not: {means: closed}}}\n"
		      "closed: {/type: end}\n",
		      "states: {/state: {closed: ~}}\n");
	ASSERT_SAYS(d, negated);
	definition_free(d);
}

static void a_state_that_a_condition_names_is_known(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"state\": \"done\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"spam\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"resolved-7\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"is {{open}}\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"asleep\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": \"never\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": \"other\"}", NULL, "ignored", "other"},
	};
	struct definition *d = with_definition("label: Desk\n"
					       "authenticate: {method: basic}\n"
					       "conversation: /id\n"
					       "states: {/state: {asleep: }}\n"
					       "opened: {/state: {contains: \"{{\", not: never}}\n"
					       "closed: [{/state: [done, spam]}, {/state: {matches: \"^resolved\"}}]\n",
					       NULL);

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

static void what_is_not_named_means_what_the_star_says(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"state\": \"a\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"b\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"state\": \"c\"}", NULL, "closed", "c"},
		{"{\"id\": 1, \"state\": \"*\"}", NULL, "closed", "*"},
		{"{\"id\": 1}", NULL, "opened", NULL},
	};
	struct definition *d = with_definition("label: Desk\n"
					       "authenticate: {method: basic}\n"
					       "conversation: /id\n"
					       "states: {/state: {a: open, b: between, \"*\": closed}}\n"
					       "opened: {/state: {not: {means: between}}}\n"
					       "closed: {/state: {means: closed}}\n"
					       "reopened: {/state: {means: [open, closed]}, /again: true}\n",
					       NULL);

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

/* The first matcher that holds decides: a state behind it does not matter. */
static void a_state_behind_the_matcher_that_holds_is_not_looked_at(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"kind\": \"deleted\", \"state\": \"x\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"kind\": \"changed\", \"state\": \"x\"}", NULL, "ignored", "x"},
		{"{\"id\": 1, \"kind\": \"note\", \"state\": \"x\"}", NULL, "ignored", NULL},
		{"{\"id\": 1, \"kind\": \"test\", \"state\": \"x\"}", NULL, "else", NULL},
		{"{\"id\": 1, \"kind\": \"changed\", \"parts\": [{\"state\": \"on\"}, {\"state\": \"y\"}]}", NULL,
		 "opened", "y"},
	};
	struct definition *d = with_definition("label: Desk\n"
					       "authenticate: {method: basic}\n"
					       "conversation: /id\n"
					       "states: {/state: {on: open}, /parts/*/state: {on: open}}\n"
					       "ping: {/kind: test}\n"
					       "opened:\n"
					       "  - {/kind: changed, /state: {means: [open]}}\n"
					       "  - {/kind: changed, /parts/*/state: {means: open}}\n"
					       "closed: {/kind: deleted}\n",
					       NULL);

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

/* A former version's setup text advised this: no matcher asks for the meanings of the preset's states any more. */
static void matchers_of_a_source_replace_those_that_ask_for_meanings(void **state)
{
	static const struct says_case cases[] = {
		{"{\"id\": 1, \"state\": \"closed\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"mine\"}", NULL, "closed", NULL},
		{"{\"id\": 1, \"state\": \"open\"}", NULL, "opened", NULL},
		{"{\"id\": 1, \"state\": \"other\"}", NULL, "opened", "other"},
	};
	struct definition *d = laid_over(DESK, "closed: [{/state: [closed, mine]}]\n"
					       "opened: [{/state: {exists: true, not: [closed, mine]}}]\n");

	(void)state;
	ASSERT_SAYS(d, cases);
	definition_free(d);
}

/* A stored webhook keeps the result of its first parse, so the warning is not repeated. */
static void a_second_reading_knows_no_unknown_state(void **state)
{
	struct definition *d = with_definition(DESK, NULL);
	struct webhook w = {.received_ms = 1, .body = mem_str("{\"id\": 1, \"state\": \"x\"}")};
	struct parse_result r;

	(void)state;
	w.body_len = strlen(w.body);
	w.query = mem_str("");
	with_parse_result(d, &w, NULL, &r);
	assert_string_equal(r.unknown_state.text, "x");
	parse_result_save(&r, &w);
	parse_result_done(&r);
	with_parse_result(d, &w, NULL, &r);
	assert_null(r.unknown_state.text);
	parse_result_done(&r);
	webhook_done(&w);
	definition_free(d);
}

/* Each shipped definition whose matchers compare a state: a state of a shop or vendor is parsed as before, and
 * reported. */
static void every_desk_with_states_tells_one_that_it_does_not_know(void **state)
{
	static const struct {
		const char *preset, *event, *query,
			*body; /* event: the header that names it and its value; NULL: none */
		const char *says;
	} cases[] = {
		{"zammad", NULL, "", "{\"ticket\": {\"id\": 1, \"state\": \"x\"}}", "opened"},
		{"freshdesk", NULL, "", "{\"freshdesk_webhook\": {\"ticket_id\": 1, \"ticket_status\": \"x\"}}",
		 "opened"},
		{"gorgias", NULL, "", "{\"ticket\": {\"id\": 1, \"status\": \"x\"}}", "ignored"},
		{"gorgias", NULL, "", "{\"id\": 1, \"status\": \"x\"}", "ignored"},
		{"helpscout", "X-HelpScout-Event", "", "{\"id\": 1, \"status\": \"x\"}", "ignored"},
		{"freescout", "X-FreeScout-Event", "", "{\"id\": 1, \"status\": \"x\"}", "ignored"},
		{"groove", NULL, "", "{\"number\": 1, \"state\": \"x\"}", "ignored"},
		{"zendesktrigger", NULL, "", "{\"id\": 1, \"status\": \"x\"}", "ignored"},
		{"zendesktrigger", NULL, "", "{\"id\": 1, \"transition\": \"x\"}", "ignored"},
		{"zendesk", NULL, "",
		 "{\"type\": \"zen:event-type:ticket.status_changed\", \"event\": {\"previous\": \"OPEN\", "
		 "\"current\": \"x\"},"
		 " \"detail\": {\"id\": \"1\"}}",
		 "ignored"},
		{"zendesk", NULL, "",
		 "{\"type\": \"zen:event-type:ticket.created\", \"detail\": {\"id\": \"1\", \"status\": \"x\"}}",
		 "opened"},
		{"chatwoot", NULL, "", "{\"event\": \"conversation_status_changed\", \"id\": 1, \"status\": \"x\"}",
		 "reopened"},
		{"crisp", NULL, "",
		 "{\"event\": \"session:set_state\", \"data\": {\"session_id\": \"s\", \"state\": \"x\"}}", "ignored"},
		{"hubspot", NULL, "",
		 "[{\"subscriptionType\": \"ticket.propertyChange\", \"propertyName\": \"hs_pipeline_stage\","
		 " \"propertyValue\": \"x\", \"objectId\": 1}]",
		 "ignored"},
		{"hubspot", NULL, "",
		 "[{\"subscriptionType\": \"conversation.propertyChange\", \"propertyName\": \"status\","
		 " \"propertyValue\": \"x\", \"objectId\": 1}]",
		 "ignored"},
		{"kustomer", NULL, "",
		 "{\"name\": \"kustomer.conversation.update\", \"data\": {\"id\": \"1\"},"
		 " \"changes\": {\"attributes\": {\"status\": {\"before\": \"done\", \"after\": \"x\"}}}}",
		 "reopened"},
		{"intercom", NULL, "",
		 "{\"topic\": \"conversation.user.replied\", \"data\": {\"item\": {\"id\": \"1\", \"state\": \"x\"}}}",
		 "reopened"},
		{"front", NULL, "", "{\"type\": \"inbound\", \"conversation\": {\"id\": \"c\", \"status\": \"x\"}}",
		 "opened"},
		{"front", NULL, "",
		 "{\"type\": \"ticket_status_update\", \"conversation\": {\"id\": \"c\", \"status_category\": \"x\"}}",
		 "ignored"},
		{"generic", NULL, "", "{\"conversation\": \"1\", \"transition\": \"x\"}", "ignored"},
		/* Desks whose rules have the state in their URLs. */
		{"generic", NULL, "transition=x", "{\"conversation\": \"1\"}", "ignored"},
		{"zammad", NULL, "transition=x", "{\"ticket\": {\"id\": 1, \"state\": \"open\"}}", "ignored"},
		{"freshdesk", NULL, "transition=x", "{\"freshdesk_webhook\": {\"ticket_id\": 1}}", "ignored"},
		{"gorgias", NULL, "transition=x", "{\"ticket\": {\"id\": 1, \"status\": \"open\"}}", "ignored"},
		{"zendesktrigger", NULL, "transition=x", "{\"id\": 1, \"status\": \"open\"}", "ignored"},
		{"liveagent", NULL, "transition=x", "{\"conversation\": \"1\"}", "ignored"},
		{"missive", NULL, "transition=x", "{\"conversation\": {\"id\": \"1\"}}", "ignored"},
		{"trengo", NULL, "transition=x", "ticket_id=1", "ignored"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_preset(cases[i].preset);
		struct webhook w = {.received_ms = INT64_C(1763740800000), .body = mem_str(cases[i].body)};
		struct problems p = {0};
		struct definition *d = definition_read(n, NULL, &p);
		struct parse_result r;

		assert_no_problem(&p);
		assert_non_null(d);
		w.body_len = strlen(w.body);
		w.path = mem_str("/webhooks/desk");
		w.query = mem_str(cases[i].query);
		if (cases[i].event)
			pairs_add(&w.headers, cases[i].event, "convo.status");
		with_parse_result(d, &w, NULL, &r);
		if (strcmp(said(&r), cases[i].says) != 0 || !text_is(r.unknown_state.text, "x"))
			fail_msg("%s: %s?%s says %s, with the unknown state %s", cases[i].preset, cases[i].body,
				 cases[i].query, said(&r), r.unknown_state.text);
		parse_result_done(&r);
		webhook_done(&w);
		definition_free(d);
	}
}

static void mistakes_in_states_are_told_with_their_place(void **state)
{
	static const struct {
		const char *yaml, *says;
		unsigned line; /* behind the five of BARE_DEFINITION */
	} cases[] = {
		{"states: [open]", "expected a mapping from references to states", 6},
		{"states: open", "expected a mapping from references to states", 6},
		{"states:\n  /type: [open, closed]", "expected a mapping from states to what they mean", 7},
		{"states:\n  type: {open: }", "no reference", 7},
		{"states:\n  /state: {open: }", "no matcher of this definition looks at \"/state\"", 7},
		{"states:\n  /type:\n    new: {a: b}", "expected what the state means", 8},
		{"states:\n  /type:\n    new: \"\"", "expected what the state means", 8},
		{"states:\n  /type:\n    new: ~\n    New: ~", "stands here twice", 9},
		{"states:\n  /type:\n    new: open", "expected ~, and the state in `opened` or `closed`", 8},
		{"states:\n  /type:\n    new: open\n    done: closd\nreopened: {/type: {means: open}}",
		 "no matcher of this definition asks for {means: closd} of /type: expected open, or ~", 9},
		{"states:\n  /type:\n    new: open\nreopened: {/type: {means: opne}}", "did you mean \"open\"?", 9},
		{"states:\n  /type:\n    new: open\nreopened: {/type: {not: {means: x}}}", "expected one of open", 9},
		{"states: {/type: {}}\nreopened: {/type: {means: open}}", "gives no state of \"/type\" a meaning", 7},
		{"reopened: {/type: {means: open}}", "which `states` does not list", 6},
		{"states: {/type: {new: open}}\nreopened: {/type: {means: open, exists: true}}", "stands alone", 7},
		{"states: {/type: {new: open}}\nreopened: {/type: {not: {means: open, x: y}}}", "stands alone", 7},
		{"states: {/type: {new: open}}\nreopened: [{/type: {means: {a: b}}}]", "not a mapping", 7},
		{"states: {/type: {new: open}}\nreopened: [{/type: {means: [[open]]}}]", "not a list", 7},
		{"states: {/type: {new: open}}\nreopened: {/type: {not: [{means: open}]}}", "expected text", 7},
		{"states: {/type: {new: open, \"*\": open}}\nreopened: {/type: {not: {means: open}}}",
		 "cannot be asked for within `not`", 7},
		{"states: {/type: {\"*\": open}}", "expected ~, and", 6},
		/* In another file no matcher asks for it. */
		{"challenge: {when: {/type: {means: open}}}", "unknown key \"means\"", 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s\n", BARE_DEFINITION, cases[i].yaml);
		CLEANUP(node_freep) struct node *n = with_yaml(yaml);
		struct problems p = {0};
		bool there = false;

		assert_null(definition_read(n, NULL, &p));
		for (size_t k = 0; k < p.n; k++)
			there = there || (p.items[k].line == cases[i].line && strstr(p.items[k].text, cases[i].says));
		if (!there) {
			problems_print(&p, stderr);
			fail_msg("%s: no error in line %u says \"%s\"", cases[i].yaml, cases[i].line, cases[i].says);
		}
		problems_done(&p);
	}
}

static char *described(const char *text, const char *reference, const char *meanings)
{
	CLEANUP(mem_freep) char *copy = mem_str(text);
	const struct unknown_state u = {.text = copy, .reference = reference, .meanings = meanings};
	struct buf to;

	buf_init(&to, 2000);
	unknown_state_describe(&u, "desk", "the webhook is ignored", &to);
	return buf_take(&to);
}

static void the_warning_names_state_place_and_remedy(void **state)
{
	static const struct {
		const char *text, *reference, *meanings, *says;
	} cases[] = {
		{"wartet", "/ticket/state", "open or closed",
		 "the state \"wartet\" at /ticket/state is not one that the definition knows (the webhook is ignored): "
		 "say in sources.desk.definition what it means, as in states: {/ticket/state: {\"wartet\": open}} "
		 "(open or closed, or ~ for nothing)"},
		{"x y", "/s", "",
		 "in closed or opened, or correct it where it is sent; where it means nothing, states: {/s: {\"x y\": "
		 "~}}"},
		{"a\"b", "/s", "open", "states: {/s: {\"STATE\": open}} (open, or ~ for nothing)"},
		{"jo@example.com", "/s", "open", "the state \"a text with an at sign\" at /s"},
		{"*", "/s", "open", "the state \"*\" at /s"},
		{"*", "/s", "open", "states: {/s: {\"STATE\": open}} (open, or ~ for nothing)"},
		{"a\nb", "/s", "open", "the state \"a?b\" at /s"},
		{"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
		 "9",
		 "/s", "open",
		 "the state \"01234567890123456789012345678901234567890123456789012345678901234567890123456789…\" at"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = described(cases[i].text, cases[i].reference, cases[i].meanings);

		if (!strstr(text, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", text, cases[i].says);
	}
}

/* The record of warnings is compared with this mark. */
static void the_mark_changes_with_what_states_mean_and_with_nothing_else(void **state)
{
	struct definition *a = with_definition(DESK, NULL);
	struct definition *same = laid_over(DESK, "label: Other\ntime: /at\n");
	struct definition *other = laid_over(DESK, "states: {/state: {wartet: open}}\n");
	struct definition *closes = laid_over(DESK, "reopened: {/state: again}\n");

	(void)state;
	assert_memory_equal(definition_about(a)->states_mark, definition_about(same)->states_mark, DIGEST_SHA256_BYTES);
	assert_memory_not_equal(definition_about(a)->states_mark, definition_about(other)->states_mark,
				DIGEST_SHA256_BYTES);
	assert_memory_not_equal(definition_about(a)->states_mark, definition_about(closes)->states_mark,
				DIGEST_SHA256_BYTES);
	definition_free(a);
	definition_free(same);
	definition_free(other);
	definition_free(closes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_that_nobody_names_is_unknown_and_read_as_before),
		cmocka_unit_test(a_source_says_in_one_line_what_its_own_states_mean),
		cmocka_unit_test(a_source_may_leave_no_state_of_a_meaning),
		cmocka_unit_test(a_state_that_a_condition_names_is_known),
		cmocka_unit_test(what_is_not_named_means_what_the_star_says),
		cmocka_unit_test(a_state_behind_the_matcher_that_holds_is_not_looked_at),
		cmocka_unit_test(matchers_of_a_source_replace_those_that_ask_for_meanings),
		cmocka_unit_test(a_second_reading_knows_no_unknown_state),
		cmocka_unit_test(every_desk_with_states_tells_one_that_it_does_not_know),
		cmocka_unit_test(mistakes_in_states_are_told_with_their_place),
		cmocka_unit_test(the_warning_names_state_place_and_remedy),
		cmocka_unit_test(the_mark_changes_with_what_states_mean_and_with_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
