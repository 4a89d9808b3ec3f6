/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include "base/buf.h"
#include "helpdesk/expr/body.h"

/* Compiles a definition's `body`; problems go to p. */
static enum body_form form_of(const char *yaml, struct problems *p)
{
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);

	return body_form_compile(n, p);
}

static void the_forms_are_json_form_and_both(void **state)
{
	static const struct {
		const char *yaml;
		enum body_form form;
	} cases[] = {
		{"json", BODY_JSON},
		{"form", BODY_FORM},
		{"[json, form]", BODY_EITHER},
		{"[form, json]", BODY_EITHER},
	};
	struct problems p = {0};

	(void)state;
	assert_int_equal(body_form_compile(NULL, &p), BODY_JSON);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(form_of(cases[i].yaml, &p), cases[i].form);
	assert_no_problem(&p);
}

static void other_forms_are_told(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"xml", "expected one of json, form"},
		{"fomr", "did you mean \"form\"?"},
		{"JSON", "did you mean \"json\"?"},
		{"{json: form}", "expected one of json, form"},
		{"[json]", "[json, form]"},
		{"[]", "[json, form]"},
		{"[form, form]", "[json, form]"},
		{"[json, form, json]", "[json, form]"},
		{"[json, [form]]", "expected one of"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct problems p = {0};

		(void)form_of(cases[i].yaml, &p);
		assert_problem(&p, cases[i].says);
	}
}

static void assert_reads(enum body_form f, const char *text, const char *expected)
{
	CLEANUP(mem_freep) char *exact = mem_new(strlen(text) + 1, 1);
	CLEANUP(mem_freep) char *shown = NULL;
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct err e;

	/* The text has no NUL behind it: only the given length may be read. */
	memcpy(exact, text, strlen(text));
	exact = mem_grow(exact, strlen(text) > 0 ? strlen(text) : 1, 1);
	if (body_read(f, exact, strlen(text), &o, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	shown = json_text(o);
	assert_string_equal(shown, expected);
}

static void a_form_becomes_a_flat_object_of_texts(void **state)
{
	static const struct {
		const char *text, *object;
	} cases[] = {
		{"a=1", "{\"a\":\"1\"}"},
		{"a=1&b=two", "{\"a\":\"1\",\"b\":\"two\"}"},
		{"a=", "{\"a\":\"\"}"},
		{"a&b=2", "{\"a\":\"\",\"b\":\"2\"}"},
		{"=1", "{\"\":\"1\"}"},
		{"&&a=1&&b=2&", "{\"a\":\"1\",\"b\":\"2\"}"},
		{"a=1=2", "{\"a\":\"1=2\"}"},
		{"a=x+y%20z%2Bw", "{\"a\":\"x y z+w\"}"},
		{"a%5Bb%5D=1&a[c]=2", "{\"a[b]\":\"1\",\"a[c]\":\"2\"}"},
		{"ticket%2Fid=7", "{\"ticket/id\":\"7\"}"},
		{"a=%c3%a4%C3%96", "{\"a\":\"\u00e4\u00d6\"}"},
		{"a=\u00e4", "{\"a\":\"\u00e4\"}"},
		{"a=1&a=2", "{\"a\":[\"1\",\"2\"]}"},
		{"a=1&b=x&a=2&a=3", "{\"a\":[\"1\",\"2\",\"3\"],\"b\":\"x\"}"},
		{"A=1&a=2", "{\"A\":\"1\",\"a\":\"2\"}"},
		{"a=1;b=2", "{\"a\":\"1;b=2\"}"},
		{"a=one\nline%0aor+more", "{\"a\":\"one\\nline\\nor more\"}"},
		{"a=1\r\n", "{\"a\":\"1\"}"},
		{"a={\"x\":1}", "{\"a\":\"{\\\"x\\\":1}\"}"},
		{"\xef\xbb\xbf"
		 "a=1&b=2",
		 "{\"a\":\"1\",\"b\":\"2\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_reads(BODY_FORM, cases[i].text, cases[i].object);
		assert_reads(BODY_EITHER, cases[i].text, cases[i].object);
	}
}

static void either_is_told_by_the_first_letter(void **state)
{
	(void)state;
	assert_reads(BODY_EITHER, "{\"a\": 1}", "{\"a\":1}");
	assert_reads(BODY_EITHER, " \r\n\t[1, 2]", "[1,2]");
	assert_reads(BODY_EITHER, "%7Ba%7D=1", "{\"{a}\":\"1\"}");
	assert_reads(BODY_EITHER, "\xef\xbb\xbf{\"a\": 1}", "{\"a\":1}");
	assert_reads(BODY_JSON, "\xef\xbb\xbf {\"a\": \"x\ny\"}", "{\"a\":\"x\\ny\"}");
	assert_reads(BODY_JSON, "17", "17");
	assert_reads(BODY_JSON, "null", "null");
}

static void what_cannot_be_read_says_why(void **state)
{
	static const struct {
		enum body_form form;
		const char *text, *says;
	} cases[] = {
		{BODY_JSON, "a=1", "the body is not JSON: line 1 column 1"},
		{BODY_JSON, "", "the body is not JSON: line 1 column 1: nothing there"},
		{BODY_JSON, "{", "the body is not JSON"},
		{BODY_EITHER, "{\"a\":1", "the body is not JSON"},
		{BODY_EITHER, "[a=1]", "the body is not JSON"},
		{BODY_FORM, "{\"a\": 1}", "expected a form, not JSON"},
		{BODY_FORM, "\n [1]", "expected a form, not JSON"},
		{BODY_FORM, "\xef\xbb\xbf{}", "expected a form, not JSON"},
		{BODY_FORM, "\xef\xbb\xbf", "there is no field in it"},
		{BODY_JSON, "\xef\xbb\xbf", "the body is not JSON: line 1 column 1: nothing there"},
		{BODY_JSON, "{\"a\":\"M\xfcller\"}", "the body is not JSON: line 1 column 8: not UTF-8"},
		{BODY_JSON, "{\"a\":NaN}", "the body is not JSON: line 1 column 6: NaN and Infinity are no JSON"},
		{BODY_FORM, "", "the body is no form: there is no field in it"},
		{BODY_FORM, " \n", "there is no field in it"},
		{BODY_EITHER, "<xml/>",
		 "the body is neither JSON, which begins with { or [, nor a form: there is no field in it"},
		{BODY_EITHER, "null", "there is no field in it"},
		{BODY_FORM, "a=1&b=100%", "field 2 is not percent-encoded UTF-8"},
		{BODY_FORM, "a=%4", "field 1 is not percent-encoded"},
		{BODY_FORM, "a=%zz", "field 1 is not percent-encoded"},
		{BODY_FORM, "a=%+1", "field 1 is not percent-encoded"},
		{BODY_FORM, "a%=1", "field 1 is not percent-encoded"},
		{BODY_FORM, "a=%00", "field 1 is not percent-encoded"},
		{BODY_FORM, "a%00b=1", "field 1 is not percent-encoded"},
		{BODY_FORM, "a=%ff", "field 1 is not percent-encoded UTF-8"},
		{BODY_FORM, "a=%e4", "field 1 is not percent-encoded UTF-8"},
		{BODY_FORM, "a=\xe4", "field 1 is not percent-encoded UTF-8"},
		{BODY_FORM, "a=%c3&b=%a4", "field 1 is not percent-encoded UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = NULL;
		struct err e;

		if (body_read(cases[i].form, cases[i].text, strlen(cases[i].text), &o, NULL, &e) == 0)
			fail_msg("%s is read", cases[i].text);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_null(o);
	}
}

static void the_content_type_says_where_both_forms_are_taken(void **state)
{
	static const struct {
		const char *type;
		bool json;
	} types[] = {
		{"application/json", true},
		{"application/json; charset=utf-8", true},
		{"APPLICATION/JSON", true},
		{"application/problem+json", true},
		{"text/json;x=y", true},
		{"application/x-www-form-urlencoded", false},
		{"application/jsonlines", false},
		{"json", false},
		{"text/plain; a=application/json", false},
		{"", false},
		{NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (body_type_is_json(types[i].type) != types[i].json)
			fail_msg("%s", types[i].type);
		assert_int_equal(body_form_of(BODY_EITHER, types[i].type), types[i].json ? BODY_JSON : BODY_EITHER);
		assert_int_equal(body_form_of(BODY_FORM, types[i].type), BODY_FORM);
		assert_int_equal(body_form_of(BODY_JSON, types[i].type), BODY_JSON);
	}
}

static void a_nul_inside_a_form_is_not_read(void **state)
{
	struct json_object *o = NULL;
	struct err e;

	(void)state;
	assert_true(body_read(BODY_FORM, "a=1\0&b=2", 8, &o, NULL, &e) < 0);
	assert_true(body_read(BODY_FORM, "a=1", 0, &o, NULL, &e) < 0);
}

static void a_form_of_too_many_fields_is_not_read(void **state)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *more = NULL;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < BODY_FIELDS_MAX; i++)
		buf_addf(&b, "&a=%d", i);
	assert_int_equal(body_read(BODY_FORM, b.data, b.len, &o, NULL, &e), 0);
	assert_int_equal(json_object_array_length(json_member(o, "a")), BODY_FIELDS_MAX);
	buf_adds(&b, "&b=1");
	assert_true(body_read(BODY_FORM, b.data, b.len, &more, NULL, &e) < 0);
	assert_non_null(strstr(e.text, "more than 1000 fields"));
	buf_done(&b);
}

static void a_tree_is_written_in_the_form_of_another_text(void **state)
{
	static const struct {
		enum body_form form;
		const char *like, *tree, *text, *type;
	} cases[] = {
		{BODY_JSON, "", "{\"a\": [1, 2.50]}", "{\"a\":[1,2.50]}", "application/json"},
		{BODY_EITHER, " {}", "{\"a\": 1}", "{\"a\":1}", "application/json"},
		{BODY_EITHER, "a=1", "{\"a\": 1}", "a=1", "application/x-www-form-urlencoded"},
		{BODY_FORM, "", "{\"a[b]\": \"x y+\u00e4\", \"c\": [\"1\", \"2\"], \"d\": null, \"e\": {\"f\": 1}}",
		 "a%5Bb%5D=x%20y%2B%C3%A4&c=1&c=2", "application/x-www-form-urlencoded"},
		{BODY_FORM, "", "{}", "", "application/x-www-form-urlencoded"},
		{BODY_FORM, "", "[1]", "", "application/x-www-form-urlencoded"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = with_json(cases[i].tree);
		CLEANUP(mem_freep) char *text = body_write(cases[i].form, cases[i].like, o);

		assert_string_equal(text, cases[i].text);
		assert_string_equal(body_type(cases[i].form, cases[i].like), cases[i].type);
		json_object_put(o);
	}
}

static void a_form_reads_back_as_it_was_written(void **state)
{
	static const char tree[] = "{\"\":\"x\",\"a&b\":\"=\",\"\u00e4\":[\"1\",\"\"],\"t\":\"line\\nend%41\"}";
	struct json_object *o = with_json(tree);
	CLEANUP(mem_freep) char *text = body_write(BODY_FORM, "", o);

	(void)state;
	assert_reads(BODY_FORM, text, tree);
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_are_json_form_and_both),
		cmocka_unit_test(other_forms_are_told),
		cmocka_unit_test(a_form_becomes_a_flat_object_of_texts),
		cmocka_unit_test(either_is_told_by_the_first_letter),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(the_content_type_says_where_both_forms_are_taken),
		cmocka_unit_test(a_nul_inside_a_form_is_not_read),
		cmocka_unit_test(a_form_of_too_many_fields_is_not_read),
		cmocka_unit_test(a_tree_is_written_in_the_form_of_another_text),
		cmocka_unit_test(a_form_reads_back_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
