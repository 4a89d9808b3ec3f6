/* SPDX-License-Identifier: MIT */
/*
 * One sample: its forms, and setting its values.
 */
#include <config.h>

#include "fixtures/yaml.h"

#include "base/clock.h"
#include "helpdesk/definition/sample.h"

#define NOW INT64_C(1763740800123) /* 2025-11-21T16:00:00.123Z */

static struct sample compiled(const char *yaml, enum body_form form)
{
	CLEANUP(node_freep) struct node *n = with_yaml(yaml);
	struct problems p = {0};
	struct sample s = {0};

	sample_compile(&s, n, form, &p);
	assert_no_problem(&p);
	return s;
}

static void a_body_is_text_or_yaml(void **state)
{
	static const struct {
		enum body_form form;
		const char *yaml, *body;
	} cases[] = {
		{BODY_JSON, "'{\"id\": 1}'", "{\"id\": 1}"},
		{BODY_JSON, "|\n  {\"id\":\n   1}\n\n", "{\"id\":\n 1}"},
		{BODY_JSON, "[1, \"2\", true, ~]", "[1,\"2\",true,null]"},
		{BODY_FORM, "a=b&c=%C3%BC+x", "a=b&c=%C3%BC+x"},
		{BODY_FORM, "{id: 7, ok: true, name: \"a b&c\"}", "id=7&ok=true&name=a+b%26c"},
		{BODY_FORM, "{id: , tags: [x, y]}", "id=&tags=x&tags=y"},
		{BODY_EITHER, "'{\"id\": 1}'", "{\"id\": 1}"},
		{BODY_EITHER, "id=1", "id=1"},
		{BODY_EITHER, "[1]", "[1]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sample s = compiled(cases[i].yaml, cases[i].form);
		struct json_object *is = NULL;
		struct json_object *should = NULL;

		assert_int_equal(body_read(cases[i].form, s.body, strlen(s.body), &is, NULL, NULL), 0);
		assert_int_equal(body_read(cases[i].form, cases[i].body, strlen(cases[i].body), &should, NULL, NULL),
				 0);
		assert_true(json_object_equal(is, should));
		assert_string_equal(s.query, "");
		json_object_put(is);
		json_object_put(should);
		sample_done(&s);
	}
}

static void headers_and_query_stand_beside_the_body(void **state)
{
	struct sample s =
		compiled("{body: {id: 1}, headers: {X-Event: created, X-Id: 7}, query: \"a=1&b=2\"}", BODY_JSON);
	struct sample copy;

	(void)state;
	sample_copy(&copy, &s);
	sample_done(&s);
	assert_string_equal(pairs_get(&copy.headers, "x-event"), "created");
	assert_string_equal(pairs_get(&copy.headers, "X-Id"), "7");
	assert_string_equal(copy.query, "a=1&b=2");
	sample_done(&copy);
}

/* A desk may have a member "body": it is the sample's body only together with headers, query or says. */
static void a_member_called_body_alone_is_the_desks(void **state)
{
	struct sample s = compiled("{body: {id: 1}, event: x}", BODY_JSON);

	(void)state;
	assert_non_null(strstr(s.body, "\"event\""));
	sample_done(&s);
}

static void mistakes_are_told(void **state)
{
	static const struct {
		enum body_form form;
		const char *yaml, *says;
	} cases[] = {
		{BODY_JSON, "~", "a webhook's body, not nothing"},
		{BODY_JSON, "{body: , query: a=b}", "a webhook's body, not nothing"},
		{BODY_JSON, "'{'", "not JSON"},
		{BODY_JSON, "a=b", "not JSON"},
		{BODY_FORM, "'{\"id\": 1}'", "form"},
		{BODY_FORM, "a=%", "form"},
		{BODY_FORM, "{a: {b: c}}", "holds text, not a mapping"},
		{BODY_FORM, "{a: [[b]]}", "holds text, not a list"},
		{BODY_FORM, "[a]", "fields (a mapping)"},
		{BODY_JSON, "{body: {a: b}, headers: [x]}", "from names to values"},
		{BODY_JSON, "{body: {a: b}, headers: {X: [y]}}", "expected text"},
		{BODY_JSON, "{body: {a: b}, query: {x: y}}", "query as text"},
		{BODY_JSON, "{body: {a: b}, query: \"?a=b\"}", "query as text"},
		{BODY_JSON, "{body: {a: b}, query: a=b, header: {X: y}}", "did you mean \"headers\"?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(node_freep) struct node *n = with_yaml(cases[i].yaml);
		struct problems p = {0};
		struct sample s = {0};

		sample_compile(&s, n, cases[i].form, &p);
		assert_problem(&p, cases[i].says);
		sample_done(&s);
	}
}

/* Each format, the text for now, and the precision that it keeps. */
static void a_time_is_written_as_the_sample_writes_it(void **state)
{
	static const struct {
		const char *like, *becomes;
		int64_t reads_ms;
	} cases[] = {
		{"2020-01-01T00:00:00Z", "2025-11-21T16:00:00Z", NOW - 123},
		{"2020-01-01T00:00:00", "2025-11-21T16:00:00", NOW - 123},
		{"2020-01-01T00:00Z", "2025-11-21T16:00:00Z", NOW - 123},
		{"2020-01-01T00:00:00.5Z", "2025-11-21T16:00:00.123Z", NOW},
		{"2020-01-01T00:00:00.000Z", "2025-11-21T16:00:00.123Z", NOW},
		{"2020-01-01T00:00:00,123456+00:00", "2025-11-21T16:00:00,123000+00:00", NOW},
		{"2020-01-01T00:00:00.123456789Z", "2025-11-21T16:00:00.123000000Z", NOW},
		{"2017-12-14 20:09:19 +0530", "2025-11-21 21:30:00 +0530", NOW - 123},
		{"2017-12-14T20:09:19-08:00", "2025-11-21T08:00:00-08:00", NOW - 123},
		{"2017-12-14T20:09:19-08", "2025-11-21T08:00:00-08", NOW - 123},
		{"2017-12-14 20:09:19 UTC", "2025-11-21 16:00:00 UTC", NOW - 123},
		{"2017-12-14t20:09:19z", "2025-11-21t16:00:00z", NOW - 123},
		{" 2017-12-14 20:09:19Z ", "2025-11-21 16:00:00Z", NOW - 123},
		{"1500000000", "1763740800", NOW - 123},
		{"1500000000.5", "1763740800.123", NOW},
		{"1500000000.123456", "1763740800.123000", NOW},
		{"1500000000000", "1763740800123", NOW},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = sample_time(cases[i].like, NOW);
		int64_t ms;

		assert_non_null(text);
		assert_string_equal(text, cases[i].becomes);
		assert_int_equal(clock_parse(text, strlen(text), &ms), 0);
		assert_int_equal(ms, cases[i].reads_ms);
	}
	for (const char *const *no = (const char *const[]){"", "yesterday", "2020-01-01", "e-17", NULL}; *no; no++)
		assert_null(sample_time(*no, NOW));
}

static void a_header_is_replaced_or_added(void **state)
{
	struct pairs headers = {0};

	(void)state;
	pairs_add(&headers, "X-A", "1");
	sample_set_header(&headers, "x-a", "2");
	sample_set_header(&headers, "X-B", "3");
	assert_int_equal(headers.n, 2);
	assert_string_equal(headers.items[0].value, "2");
	assert_string_equal(pairs_get(&headers, "x-b"), "3");
	pairs_done(&headers);
}

static void a_query_keeps_what_was_not_meant(void **state)
{
	static const struct {
		const char *query, *becomes;
	} cases[] = {
		{"", "id=a%20%26%2F"},
		{"id=1", "id=a%20%26%2F"},
		{"transition=closed&id=1&x=%C3%BC", "transition=closed&id=a%20%26%2F&x=%C3%BC"},
		{"transition=closed", "transition=closed&id=a%20%26%2F"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sample s = {.query = mem_str(cases[i].query)};

		sample_set_query(&s, "id", "a &/");
		assert_string_equal(s.query, cases[i].becomes);
		sample_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_text_or_yaml),
		cmocka_unit_test(headers_and_query_stand_beside_the_body),
		cmocka_unit_test(a_member_called_body_alone_is_the_desks),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(a_time_is_written_as_the_sample_writes_it),
		cmocka_unit_test(a_header_is_replaced_or_added),
		cmocka_unit_test(a_query_keeps_what_was_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
