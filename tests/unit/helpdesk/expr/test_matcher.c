/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/matcher.h"
#include "fixtures/yaml.h"

static const char body[] =
	"{\"type\": \"Conversation/CLOSED\", \"status\": 4, \"price\": 1.5, \"open\": false, \"none\": null,"
	" \"empty\": \"\", \"tags\": [\"refund\", \"VIP\"], \"none_list\": [], \"who\": {\"a\": 1},"
	" \"subject\": \"Where is my Refund?\", \"list\": [{\"s\": \"x\"}, {\"s\": \"y\"}]}";

struct match_case {
	const char *yaml;
	bool holds;
};

static void assert_matches(const struct match_case *cases, size_t n)
{
	struct json_object *o = with_json(body);
	struct eval_context s = {.item = o, .root = o};

	for (size_t i = 0; i < n; i++) {
		struct matcher *m = with_matcher(cases[i].yaml);

		if (matcher_holds(m, &s) != cases[i].holds)
			fail_msg("%s should%s hold", cases[i].yaml, cases[i].holds ? "" : " not");
		matcher_free(m);
	}
	json_object_put(o);
}
#define ASSERT_MATCHES(cases) assert_matches(cases, sizeof(cases) / sizeof(*(cases)))

static void a_scalar_is_compared_as_text_without_case(void **state)
{
	static const struct match_case cases[] = {
		{"/type: CONVERSATION/CLOSED", true},
		{"/type: CONVERSATION/CLOSE", false},
		{"/status: 4", true},
		{"/status: \"4\"", true},
		{"/status: 40", false},
		{"/price: 1.5", true},
		{"/open: false", true},
		{"/open: FALSE", true},
		{"/open: \"no\"", false},
		{"/empty: \"\"", true},
		{"/none: \"\"", false},
		{"/none: \"null\"", false},
		{"/missing: \"\"", false},
		{"/who: 1", false},
		{"/who/a: 1", true},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void a_list_is_one_of(void **state)
{
	static const struct match_case cases[] = {
		{"/status: [3, 4, 5]", true},
		{"/status: [3, 5]", false},
		{"/type: [x, conversation/closed]", true},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void of_several_values_one_must_hold(void **state)
{
	static const struct match_case cases[] = {
		{"/list/*/s: y", true}, {"/list/*/s: z", false},       {"/tags/*: vip", true},
		{"/tags: vip", true},   {"/list/*/missing: y", false}, {"/none_list/*: x", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void not_holds_where_none_does(void **state)
{
	static const struct match_case cases[] = {
		{"/status: {not: 4}", false},
		{"/status: {not: 5}", true},
		{"/status: {not: [4, 5]}", false},
		{"/status: {not: [5, 6]}", true},
		{"/list/*/s: {not: x}", false},
		{"/list/*/s: {not: z}", true},
		{"/missing: {not: x}", true},
		{"/missing: {not: x, exists: true}", false},
		{"/type: {not: CONVERSATION/closed}", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void exists_sees_what_is_not_null(void **state)
{
	static const struct match_case cases[] = {
		{"/type: {exists: true}", true},         {"/type: {exists: false}", false},
		{"/none: {exists: true}", false},        {"/none: {exists: false}", true},
		{"/missing: {exists: true}", false},     {"/missing: {exists: false}", true},
		{"/empty: {exists: true}", true},        {"/who: {exists: true}", true},
		{"/none_list/*: {exists: true}", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void contains_means_an_element_or_a_part(void **state)
{
	static const struct match_case cases[] = {
		{"/tags: {contains: Refund}", true},
		{"/tags: {contains: fund}", false}, /* of a list: whole elements */
		{"/tags: {contains: [x, vip]}", true},
		{"/subject: {contains: refund}", true},
		{"/subject: {contains: [shipping, REFUND]}", true},
		{"/subject: {contains: shipping}", false},
		{"/tags/*: {contains: fun}", true},
		{"/missing: {contains: x}", false},
		{"/who: {contains: a}", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void matches_is_an_extended_regex_without_case(void **state)
{
	static const struct match_case cases[] = {
		{"/type: {matches: \"^conversation/(closed|ended)$\"}", true},
		{"/type: {matches: \"^closed\"}", false},
		{"/status: {matches: \"^[45]$\"}", true},
		{"/tags/*: {matches: \"^v\"}", true},
		{"/missing: {matches: \".*\"}", false},
		{"/none: {matches: \".*\"}", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void all_of_a_mapping_and_one_of_a_list(void **state)
{
	static const struct match_case cases[] = {
		{"{/status: 4, /open: false}", true},
		{"{/status: 4, /open: true}", false},
		{"[{/status: 5}, {/open: false}]", true},
		{"[{/status: 5}, {/open: true}]", false},
		{"[{/status: 4, /open: true}, {/type: {matches: closed}, /tags: refund}]", true},
		{"/subject: {contains: refund, not: x, exists: true, matches: \"\\\\?$\"}", true},
		{"/subject: {contains: refund, not: x, exists: true, matches: \"!$\"}", false},
	};

	(void)state;
	ASSERT_MATCHES(cases);
}

static void properties_are_named_without_case(void **state)
{
	struct json_object *members = with_json("{\"Initiated By\": \"agent\", \"Tags\": [\"refund\"]}");
	CLEANUP(properties_done) struct properties properties;
	struct eval_context s = {.properties = &properties};
	struct matcher *agent = with_matcher("initiated by: AGENT");
	struct matcher *tags = with_matcher("Tags: {contains: refund}");
	struct matcher *other = with_matcher("Channel: email");

	(void)state;
	properties_init(&properties);
	properties_set_members(&properties, members);
	assert_true(matcher_holds(agent, &s));
	assert_true(matcher_holds(tags, &s));
	assert_false(matcher_holds(other, &s));
	matcher_free(agent);
	matcher_free(tags);
	matcher_free(other);
	json_object_put(members);
}

static void a_huge_text_is_looked_at_in_its_beginning(void **state)
{
	const size_t len = 1 << 20;
	CLEANUP(mem_freep) char *text = mem_new(len + 1, 1);
	struct json_object *o = json_object_new_object();
	struct eval_context s = {.item = o, .root = o};
	struct matcher *start = with_matcher("/t: {matches: \"^(a+)+\"}");
	struct matcher *end = with_matcher("/t: {matches: \"b$\"}");
	struct matcher *part = with_matcher("/t: {contains: ab}");

	(void)state;
	memset(text, 'a', len);
	text[len - 1] = 'b';
	json_set_str(o, "t", text);
	assert_true(matcher_holds(start, &s));
	assert_false(matcher_holds(end, &s));
	assert_true(matcher_holds(part, &s));
	matcher_free(start);
	matcher_free(end);
	matcher_free(part);
	json_object_put(o);
}

static void mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"type: x", "no reference"},
		{"{}", "mapping from references"},
		{"[]", "1 to 100 matchers"},
		{"just text", "not text"},
		{"[x]", "not text"},
		{"/type: {contain: x}", "did you mean \"contains\"?"},
		{"/type: {}", "expected one of"},
		{"/type:", "{exists: false}"},
		{"/type: []", "empty list"},
		{"/type: [[a]]", "not a list"},
		{"/type: {exists: maybe}", "true or false"},
		{"/type: {matches: \"(\"}", "regular expression"},
		{"/type: {matches: [a]}", "regular expression"},
		{"/type: {matches: \"a++++++++++++++++++++++++++++++\"}", "repeats its parts too often"},
		{"/type: {not: {contains: x}}", "not a mapping"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_yaml(cases[i].yaml);
		struct problems p = {0};

		assert_null(matcher_compile(n, REFERENCE_NO_NAMES, &p));
		assert_int_equal(p.items[0].line, 1);
		assert_problem(&p, cases[i].says);
	}
}

static void explaining_says_what_was_asked_and_seen(void **state)
{
	struct json_object *o = with_json("{\"type\": \"OPENED\", \"mail\": \"jo@example.com\", \"l\": [1, 2]}");
	struct eval_context s = {.item = o, .root = o};
	struct matcher *m =
		with_matcher("[{/type: CLOSED, /status: 1}, {/mail: x}, {/l/*: 3}, {/type: [opened, x], /gone: y}]");
	struct matcher *good = with_matcher("{/type: opened, /l/*: {not: 3}}");
	struct buf b, d;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&d, 4096);
	matcher_explain(m, &s, &b);
	assert_string_equal(b.data, "/type is CLOSED: no, there is \"OPENED\"\n"
				    "/mail is x: no, there is a text with an at sign\n"
				    "/l/* is 3: no, there is 1 and 1 more\n"
				    "/type is one of opened, x: yes\n"
				    "/gone is y: no, there is nothing\n");
	buf_clear(&b);
	matcher_explain(good, &s, &b);
	assert_string_equal(b.data, "/type is opened: yes\n/l/* is not 3: yes\n");
	matcher_describe(m, &d);
	assert_string_equal(d.data, "/type is CLOSED and /status is 1, or /mail is x, or /l/* is 3, or /type is one of "
				    "opened, x and /gone is y");
	buf_done(&b);
	buf_done(&d);
	matcher_free(m);
	matcher_free(good);
	json_object_put(o);
}

static void count_headers(void *ctx, const struct reference *r)
{
	if (reference_header(r))
		++*(int *)ctx;
}

static void explaining_a_no_says_what_is_there_instead(void **state)
{
	CLEANUP(node_freep)
	struct node *n = with_yaml("- {/type: closed, /by: agent}\n- {/type: opened, /tags/*: [vip, gold]}\n");
	struct json_object *o = with_json("{\"type\": \"opened\", \"tags\": [\"new\", \"b2b\"]}");
	const struct eval_context s = {.item = o, .root = o};
	struct problems p = {0};
	struct matcher *m = matcher_compile(n, REFERENCE_NO_NAMES, &p);
	struct buf b;

	(void)state;
	assert_no_problem(&p);
	buf_init(&b, 1024);
	assert_false(matcher_holds(m, &s));
	matcher_explain_no(m, &s, &b);
	assert_string_equal(b.data, "/type: there is \"opened\"; /tags/*: there is \"new\" and 1 more");
	buf_done(&b);
	matcher_free(m);
	json_object_put(o);
}

static void references_are_told_for_what_must_be_kept(void **state)
{
	struct matcher *m = with_matcher("[{header:X-A: 1, /b: 2}, {header:X-C: 3}]");
	int headers = 0;

	(void)state;
	matcher_references(m, count_headers, &headers);
	assert_int_equal(headers, 2);
	matcher_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scalar_is_compared_as_text_without_case),
		cmocka_unit_test(a_list_is_one_of),
		cmocka_unit_test(of_several_values_one_must_hold),
		cmocka_unit_test(not_holds_where_none_does),
		cmocka_unit_test(exists_sees_what_is_not_null),
		cmocka_unit_test(contains_means_an_element_or_a_part),
		cmocka_unit_test(matches_is_an_extended_regex_without_case),
		cmocka_unit_test(all_of_a_mapping_and_one_of_a_list),
		cmocka_unit_test(properties_are_named_without_case),
		cmocka_unit_test(a_huge_text_is_looked_at_in_its_beginning),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(explaining_says_what_was_asked_and_seen),
		cmocka_unit_test(explaining_a_no_says_what_is_there_instead),
		cmocka_unit_test(references_are_told_for_what_must_be_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
