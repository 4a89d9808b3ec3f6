/* SPDX-License-Identifier: MIT */
/* The need of a lookup, and the key that equal requests share. */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/lookup_plan.h"
#include "fixtures/parse_result.h"
#include "fixtures/webhook.h"

/* Returns the need of a first parse of that body; key: NULL, or owned by the caller. */
static enum lookup_need need_of(const struct definition *d, const char *body, char **key)
{
	struct webhook w = with_webhook(body, "", 1);
	struct lookup_plan *q = NULL;
	enum lookup_need need;
	struct parse_result r;
	struct err e;

	with_parse_result(d, &w, NULL, &r);
	if (r.kind != PARSE_SIGNAL)
		fail_msg("%s: %s", body, r.reason);
	need = !r.signal.wants_lookup  ? LOOKUP_NEED_NOTHING
	       : r.signal.lookup_shows ? LOOKUP_NEED_NAMES
				       : LOOKUP_NEED_ADDRESS;
	assert_int_equal(r.signal.wants_lookup, r.signal.lookup_key != NULL);
	/* Where there is a need, the first request can be made. */
	if (r.signal.wants_lookup)
		assert_int_equal(with_lookup_plan(d, &w, &q, &e), 0);
	lookup_plan_free(q);
	*key = mem_str(r.signal.lookup_key);
	parse_result_done(&r);
	webhook_done(&w);
	return need;
}

static enum lookup_need wish_only(const struct definition *d, const char *members)
{
	CLEANUP(mem_freep) char *body = mem_fmt("{\"type\":\"opened\",\"id\":1%s}", members);
	CLEANUP(mem_freep) char *key = NULL;

	return need_of(d, body, &key);
}

static char *key_for(const struct definition *d, const char *members)
{
	CLEANUP(mem_freep) char *body = mem_fmt("{\"type\":\"opened\",\"id\":1%s}", members);
	char *key;

	assert_int_not_equal(need_of(d, body, &key), LOOKUP_NEED_NOTHING);
	return key;
}

static void assert_key(const struct definition *d, const char *members, const char *wanted)
{
	CLEANUP(mem_freep) char *key = key_for(d, members);

	assert_string_equal(key, wanted);
}

static void assert_same(const struct definition *d, const char *a, const char *b, bool same)
{
	CLEANUP(mem_freep) char *one = key_for(d, a);
	CLEANUP(mem_freep) char *two = key_for(d, b);

	if (text_is(one, two) != same)
		fail_msg("%s: %s; %s: %s", a, one, b, two);
}

#define STEP(url, rest) "- {url: \"{base_url}" url "\", authenticate: bearer, " rest "}\n"
#define DESK BARE_DEFINITION "customer: /who\nemails: /mail\n"
#define MAIL ",\"mail\":\"jo@example.com\""

static void an_address_is_asked_for_where_there_is_none(void **state)
{
	struct definition *d =
		with_definition(DESK "lookup:\n" STEP("/c/{/who}", "emails: /e, take: {x: /x}"), "https://x");

	(void)state;
	assert_int_equal(wish_only(d, ",\"who\":7"), LOOKUP_NEED_ADDRESS);
	assert_int_equal(wish_only(d, ",\"who\":7" MAIL), LOOKUP_NEED_NOTHING);
	assert_int_equal(wish_only(d, ""), LOOKUP_NEED_NOTHING);
	assert_int_equal(wish_only(d, ",\"who\":\"..\""), LOOKUP_NEED_NOTHING);
	definition_free(d);
}

static void names_are_asked_for_where_something_shows_them(void **state)
{
	static const struct {
		const char *members;
		enum lookup_need off, on;
	} cases[] = {
		{",\"who\":7", LOOKUP_NEED_ADDRESS, LOOKUP_NEED_ADDRESS},
		{",\"who\":7,\"agent\":3", LOOKUP_NEED_ADDRESS, LOOKUP_NEED_NAMES},
		{",\"who\":7,\"agent\":3" MAIL, LOOKUP_NEED_NOTHING, LOOKUP_NEED_NAMES},
		{",\"who\":7" MAIL, LOOKUP_NEED_NOTHING, LOOKUP_NEED_NOTHING},
		/* The first is required and cannot be asked: the walk ends before the second. */
		{",\"agent\":3" MAIL, LOOKUP_NEED_NOTHING, LOOKUP_NEED_NOTHING},
	};
	CLEANUP(node_freep)
	struct node *n =
		with_yaml(DESK "parameters: {names: [\"off\", \"on\"]}\nattributes: {Agent: \"{agent}\"}\n"
			       "lookup:\n" STEP("/c/{/who}", "emails: /e")
				       STEP("/a/{/agent}", "take: {agent: /n}, when: {names: \"on\"}, optional: true"));
	CLEANUP(node_freep) struct node *with = with_yaml("{names: \"on\"}");

	(void)state;
	for (size_t on = 0; on < 2; on++) {
		const struct definition_binding binding = {.base_url = "https://x", .with = on ? with : NULL};
		struct problems p = {0};
		struct definition *d = definition_read(n, &binding, &p);

		assert_no_problem(&p);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			assert_int_equal(wish_only(d, cases[i].members), on ? cases[i].on : cases[i].off);
		definition_free(d);
	}
}

static void a_name_behind_a_name_is_worth_the_way(void **state)
{
	struct definition *d =
		with_definition(DESK "attributes: {Team: \"{team}\"}\n"
				     "lookup:\n" STEP("/t/{/id}", "take: {agent: /agent}")
					     STEP("/a/{agent}", "take: {team: /team}, when: {agent: {exists: true}}"),
				"https://x");

	(void)state;
	assert_int_equal(wish_only(d, MAIL), LOOKUP_NEED_NAMES);
	definition_free(d);
}

static void a_question_about_the_customer_is_known_by_the_id(void **state)
{
	struct definition *d = with_definition(
		DESK "lookup:\n" STEP("/c/{/who}", "emails: /e, take: {org: /org}, headers: {X-Who: \"{/who}\"}")
			STEP("/o/{org}", "take: {x: /x}, when: {org: {exists: true}}"),
		"https://x");

	(void)state;
	assert_key(d, ",\"who\":7", "7");
	assert_key(d, ",\"who\":\"a#b\",\"agent\":3", "a#b");
	definition_free(d);
}

static void what_else_a_question_holds_makes_it_another(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{",\"who\":7,\"agent\":3", ",\"who\":7,\"agent\":3,\"other\":1", true},
		{",\"who\":7,\"agent\":3", ",\"who\":7,\"agent\":4", false},
		{",\"who\":7,\"agent\":3", ",\"who\":8,\"agent\":3", false},
		{",\"who\":7,\"agent\":3", ",\"who\":7", false},
		{",\"who\":7,\"agent\":7", ",\"who\":7", false}, /* two requests differ from one */
		{",\"who\":7", ",\"who\":7,\"agent\":\"\"", true},
		{",\"who\":1,\"agent\":23", ",\"who\":12,\"agent\":3", false},
		{",\"who\":7,\"vip\":true", ",\"who\":7", false}, /* of the same, with one more step */
		{",\"who\":7,\"vip\":true", ",\"who\":7,\"vip\":true", true},
		{",\"who\":7,\"lang\":\"en\"", ",\"who\":7,\"lang\":\"de\"", false},
	};
	struct definition *d = with_definition(
		DESK "lookup:\n" STEP("/c/{/who}", "emails: /e, headers: {X-Lang: \"{/lang}\"}, optional: true")
			STEP("/a/{/agent}", "take: {agent: /n}, optional: true")
				STEP("/v/{/who}", "take: {vip: /n}, when: {/vip: true}"),
		"https://x");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_same(d, cases[i].a, cases[i].b, cases[i].same);
	definition_free(d);
}

/* It uses no value of its own; the two differ only in whether it is asked. */
static void a_step_that_the_webhook_decides_on_makes_it_another(void **state)
{
	struct definition *d = with_definition(DESK "lookup:\n" STEP("/c/{/who}", "emails: /e")
						       STEP("/v/{/who}", "take: {vip: /n}, when: {/vip: true}"),
					       "https://x");

	(void)state;
	assert_key(d, ",\"who\":7", "7");
	assert_same(d, ",\"who\":7,\"vip\":true", ",\"who\":7", false);
	assert_same(d, ",\"who\":7,\"vip\":true", ",\"who\":7,\"vip\":true,\"x\":1", true);
	assert_same(d, ",\"who\":7,\"vip\":false", ",\"who\":7", true);
	definition_free(d);
}

/* The same id in another URL is another request. */
static void the_url_that_is_asked_makes_it_another(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION
		"customer: [/who, /ticket/who]\nemails: /mail\nattributes: {Agent: \"{agent}\"}\nlookup:\n"
		"- {url: [\"{base_url}/c/{/who}\", \"{base_url}/d/{/ticket/who}\"], authenticate: bearer, "
		"emails: /e, take: {next: /n}}\n"
		"- {url: [\"{base_url}/n/{next}\", \"{base_url}/a/{/agent}\"], authenticate: bearer, "
		"take: {agent: /a}, optional: true}\n",
		"https://x");

	(void)state;
	assert_same(d, ",\"who\":7", ",\"ticket\":{\"who\":7}", false);
	assert_same(d, ",\"ticket\":{\"who\":7}", ",\"ticket\":{\"who\":7},\"x\":1", true);
	assert_same(d, ",\"ticket\":{\"who\":7}", ",\"ticket\":{\"who\":8}", false);
	/* The second is asked where the first has the values. A request for the case that a name is not taken counts
	 * too. */
	assert_same(d, ",\"who\":7,\"ticket\":{\"who\":8}", ",\"who\":7,\"ticket\":{\"who\":9}", true);
	assert_same(d, ",\"who\":7,\"agent\":1", ",\"who\":7,\"agent\":2", false);
	assert_key(d, ",\"who\":7", "7");
	assert_int_equal(wish_only(d, ",\"ticket\":{\"who\":7}"), LOOKUP_NEED_NAMES);
	assert_int_equal(wish_only(d, ",\"ticket\":{\"who\":\"..\"}"), LOOKUP_NEED_NOTHING);
	definition_free(d);
}

static void who_has_an_address_shares_no_answer_that_may_lack_one(void **state)
{
	static const struct {
		const char *steps;
		bool same;
	} cases[] = {
		{STEP("/c/{/who}", "emails: /e, take: {vip: /n}, optional: true"), false},
		{STEP("/c/{/who}", "take: {vip: /n}, optional: true") STEP("/e/{vip}", "emails: /e"), false},
		{STEP("/c/{/who}", "take: {vip: /n}, optional: true") STEP("/e", "emails: /e, when: {vip: a}"), false},
		{STEP("/c/{/who}", "emails: /e, take: {vip: /n}"), true},
		{STEP("/c/{/who}", "emails: /e") STEP("/v/{/who}", "take: {vip: /n}, optional: true"), true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *yaml = mem_fmt(DESK "attributes: {Vip: \"{vip}\"}\nlookup:\n%s", cases[i].steps);
		struct definition *d = with_definition(yaml, "https://x");

		assert_same(d, ",\"who\":7", ",\"who\":7" MAIL, cases[i].same);
		definition_free(d);
	}
}

static void without_a_customer_the_questions_themselves_are_the_key(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "lookup:\n" STEP("/t/{/id}", "take: {c: /c}, when: {/kind: t}")
					STEP("/c/{c}", "emails: /e, when: {c: {exists: true}, /tags/*: x}"),
				"https://x");
	CLEANUP(mem_freep) char *a = NULL;
	CLEANUP(mem_freep) char *b = NULL;
	CLEANUP(mem_freep) char *c = NULL;

	(void)state;
	assert_int_equal(need_of(d, "{\"type\":\"opened\",\"id\":1,\"kind\":\"t\",\"tags\":[\"y\",\"x\"]}", &a),
			 LOOKUP_NEED_ADDRESS);
	assert_int_equal(need_of(d, "{\"type\":\"closed\",\"id\":1,\"kind\":\"t\",\"tags\":[\"y\",\"x\"]}", &b),
			 LOOKUP_NEED_ADDRESS);
	assert_int_equal(need_of(d, "{\"type\":\"opened\",\"id\":1,\"kind\":\"t\",\"tags\":[\"y\",\"z\"]}", &c),
			 LOOKUP_NEED_ADDRESS);
	assert_int_equal(a[0], '#');
	assert_string_equal(a, b);
	assert_string_not_equal(a, c); /* it is not known yet whether the second is asked; that depends on the tags */
	assert_same(d, ",\"kind\":\"t\"", ",\"kind\":\"T\"", true);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_asked_for_where_there_is_none),
		cmocka_unit_test(names_are_asked_for_where_something_shows_them),
		cmocka_unit_test(a_name_behind_a_name_is_worth_the_way),
		cmocka_unit_test(a_question_about_the_customer_is_known_by_the_id),
		cmocka_unit_test(what_else_a_question_holds_makes_it_another),
		cmocka_unit_test(a_step_that_the_webhook_decides_on_makes_it_another),
		cmocka_unit_test(the_url_that_is_asked_makes_it_another),
		cmocka_unit_test(who_has_an_address_shares_no_answer_that_may_lack_one),
		cmocka_unit_test(without_a_customer_the_questions_themselves_are_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
