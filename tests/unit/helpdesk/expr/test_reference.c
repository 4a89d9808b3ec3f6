/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/yaml.h"

#include <errno.h>

#include "base/percent.h"
#include "helpdesk/expr/reference.h"

static const char body[] =
	"{\"id\": 17, \"name\": \"Jo\", \"empty\": \"\", \"nothing\": null, \"yes\": true, \"price\": 10.50,"
	" \"big\": 9007199254740993, \"wide\": 1.5e9, \"a/b\": \"slash\", \"m~n\": \"tilde\","
	" \"emails\": [{\"a\": \"x@y.z\", \"main\": false}, {\"b\": 1}, {\"a\": \"p@q.r\", \"main\": true}],"
	" \"tags\": [\"one\", \"two\"], \"0\": \"zero\", \"by\": {\"k\": {\"v\": 1}, \"l\": {\"v\": 2}}}";

/* Returns all values of r as text, with bars between. */
static char *found(const char *reference, const struct eval_context *s)
{
	struct reference *r;
	struct values v;
	struct err e;
	struct buf b;

	if (reference_compile(reference, REFERENCE_NAMES, &r, &e) < 0)
		fail_msg("%s: %s", reference, e.text);
	buf_init(&b, 4096);
	reference_values(r, s, &v);
	for (size_t i = 0; i < v.n; i++) {
		CLEANUP(mem_freep) char *text = json_text(v.items[i]);

		buf_addf(&b, "%s%s", i > 0 ? "|" : "", text);
	}
	values_done(&v);
	reference_free(r);
	return buf_take(&b);
}

static void pointers_find_what_stands_there(void **state)
{
	static const struct {
		const char *reference, *found;
	} cases[] = {
		{"/id", "17"},
		{"/name", "\"Jo\""},
		{"/nothing", "null"},
		{"/missing", ""},
		{"/id/deeper", ""},
		{"/a~1b", "\"slash\""},
		{"/m~0n", "\"tilde\""},
		{"/tags/0", "\"one\""},
		{"/tags/1", "\"two\""},
		{"/tags/2", ""},
		{"/tags/01", ""},
		{"/tags/-", ""},
		{"/tags/one", ""},
		{"/0", "\"zero\""},
		{"/", ""},
		{"/tags", "[\"one\",\"two\"]"},
		{"root:/name", "\"Jo\""},
	};
	struct json_object *o = with_json(body);
	struct eval_context s = {.item = o, .root = o};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = found(cases[i].reference, &s);

		assert_string_equal(text, cases[i].found);
	}
	json_object_put(o);
}

static void a_star_stands_for_every_element_and_member(void **state)
{
	static const struct {
		const char *reference, *found;
	} cases[] = {
		{"/tags/*", "\"one\"|\"two\""},
		{"/emails/*/a", "\"x@y.z\"|\"p@q.r\""},
		{"/by/*/v", "1|2"},
		{"/name/*", ""},
		{"/missing/*", ""},
		{"/emails/*/missing/*", ""},
		{"/emails/*/*", "\"x@y.z\"|false|1|\"p@q.r\"|true"},
	};
	struct json_object *o = with_json(body);
	struct eval_context s = {.item = o, .root = o};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = found(cases[i].reference, &s);

		assert_string_equal(text, cases[i].found);
	}
	json_object_put(o);
}

static void at_most_so_many_values_are_found(void **state)
{
	struct json_object *o = json_object_new_array();
	struct eval_context s = {.item = o, .root = o};
	struct reference *r;
	struct values v;

	(void)state;
	for (int i = 0; i < 5000; i++)
		json_object_array_add(o, json_object_new_int(i));
	assert_int_equal(reference_compile("/*", REFERENCE_NO_NAMES, &r, NULL), 0);
	reference_values(r, &s, &v);
	assert_int_equal(v.n, VALUES_MAX);
	values_done(&v);
	reference_free(r);
	json_object_put(o);
}

static void headers_and_query_are_found_by_name(void **state)
{
	struct pairs headers = {0};
	struct pairs query = {0};
	struct eval_context s = {.headers = &headers, .query = &query};
	CLEANUP(mem_freep) char *event = NULL;
	CLEANUP(mem_freep) char *two = NULL;
	CLEANUP(mem_freep) char *decoded = NULL;
	CLEANUP(mem_freep) char *odd = NULL;
	CLEANUP(mem_freep) char *exact = NULL;

	(void)state;
	pairs_add(&headers, "X-Event", "convo.created");
	pairs_add(&headers, "X-Odd", "\xff");
	percent_read_query("transition=closed&a=1&a=2&name=J%c3%b6+B", &query);
	event = found("header:x-event", &s);
	assert_string_equal(event, "\"convo.created\"");
	two = found("query:a", &s);
	assert_string_equal(two, "\"1\"|\"2\"");
	decoded = found("query:name", &s);
	assert_string_equal(decoded, "\"J\u00f6 B\"");
	odd = found("header:X-Odd", &s); /* not UTF-8: counts as absent */
	assert_string_equal(odd, "");
	exact = found("query:missing", &s);
	assert_string_equal(exact, "");
	pairs_done(&headers);
	pairs_done(&query);
}

static void broken_queries_stay_as_they_came(void **state)
{
	static const struct {
		const char *raw, *name, *value;
	} cases[] = {
		{"a=%zz", "a", "%zz"}, {"a=%4", "a", "%4"}, {"a=%00b", "a", "%00b"}, {"a=%ff", "a", "%ff"},
		{"&&a=1&", "a", "1"},  {"a", "a", ""},      {"a=b=c", "a", "b=c"},   {"%61=x", "a", "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pairs p = {0};

		percent_read_query(cases[i].raw, &p);
		assert_int_equal(p.n, 1);
		assert_string_equal(pairs_get(&p, cases[i].name), cases[i].value);
		pairs_done(&p);
	}
}

static void names_are_parameters_then_taken_then_properties(void **state)
{
	struct pairs names = {0};
	struct pairs taken = {0};
	struct json_object *properties = with_json("{\"Tags\": [\"a\"], \"Agent\": \"exact\", \"agent\": \"other\"}");
	CLEANUP(properties_done) struct properties list;
	struct eval_context s = {.names = &names, .taken = &taken, .properties = &list};
	CLEANUP(mem_freep) char *own = NULL;
	CLEANUP(mem_freep) char *took = NULL;
	CLEANUP(mem_freep) char *tags = NULL;
	CLEANUP(mem_freep) char *agent = NULL;
	CLEANUP(mem_freep) char *none = NULL;

	(void)state;
	properties_init(&list);
	properties_set_members(&list, properties);
	pairs_add(&names, "base_url", "https://a.example");
	pairs_add(&taken, "base_url", "stolen");
	pairs_add(&taken, "tags", "took");
	own = found("base_url", &s);
	assert_string_equal(own, "\"https://a.example\"");
	took = found("tags", &s);
	assert_string_equal(took, "\"took\"");
	s.taken = NULL;
	tags = found("tags", &s);
	assert_string_equal(tags, "[\"a\"]");
	agent = found("Agent", &s);
	assert_string_equal(agent, "\"exact\"");
	none = found("nobody", &s);
	assert_string_equal(none, "");
	pairs_done(&names);
	pairs_done(&taken);
	json_object_put(properties);
}

static void impossible_references_are_told(void **state)
{
	static const char *const cases[] = {
		"", "content/id", "/a~2b", "/a~", "header:", "header:a b", "query:", "root:", "/*/*/*/*/*",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reference *r = NULL;
		struct err e = {0};

		assert_int_equal(reference_compile(cases[i], REFERENCE_NO_NAMES, &r, &e), -EINVAL);
		assert_true(strlen(e.text) > 10);
		assert_null(r);
	}
}

static void overlong_references_are_told(void **state)
{
	struct reference *r = NULL;
	char deep[101], longer[600];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		deep[i] = i % 2 ? 'a' : '/';
	deep[100] = '\0';
	assert_int_equal(reference_compile(deep, REFERENCE_NO_NAMES, &r, NULL), -EINVAL);
	memset(longer, 'a', sizeof(longer));
	longer[0] = '/';
	longer[599] = '\0';
	assert_int_equal(reference_compile(longer, REFERENCE_NO_NAMES, &r, NULL), -EINVAL);
}

static void a_scalar_is_the_first_that_says_something(void **state)
{
	static const struct {
		const char *reference, *text;
	} cases[] = {
		{"/id", "17"},
		{"/price", "10.50"},
		{"/big", "9007199254740993"},
		{"/yes", "true"},
		{"/empty", NULL},
		{"/nothing", NULL},
		{"/tags", NULL},
		{"/by", NULL},
		{"/missing", NULL},
		{"/wide", "1500000000"},
		{"/emails/*/a", "x@y.z"},
	};
	struct json_object *o = with_json(body);
	struct eval_context s = {.item = o, .root = o};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = NULL;
		struct reference *r;

		assert_int_equal(reference_compile(cases[i].reference, REFERENCE_NO_NAMES, &r, NULL), 0);
		text = reference_scalar(r, &s);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		else
			assert_null(text);
		reference_free(r);
	}
	json_object_put(o);
}

static void text_with_a_nul_is_as_absent(void **state)
{
	struct json_object *o = with_json("{\"a\": [\"x\\u0000y\", \"z\"]}");
	struct eval_context s = {.item = o, .root = o};
	CLEANUP(mem_freep) char *text = NULL;
	struct reference *r;

	(void)state;
	assert_int_equal(reference_compile("/a/*", REFERENCE_NO_NAMES, &r, NULL), 0);
	text = reference_scalar(r, &s);
	assert_string_equal(text, "z");
	reference_free(r);
	json_object_put(o);
}

static void parallel_values_stay_beside_each_other(void **state)
{
	struct json_object *o = with_json(body);
	struct eval_context s = {.item = o, .root = o};
	struct reference *a;
	struct reference *main_mark;
	struct values v, marks;

	(void)state;
	assert_int_equal(reference_compile("/emails/*/a", REFERENCE_NO_NAMES, &a, NULL), 0);
	assert_int_equal(reference_compile("/emails/*/main", REFERENCE_NO_NAMES, &main_mark, NULL), 0);
	reference_sibling_values(a, main_mark, &s, &v, &marks);
	assert_int_equal(v.n, 2); /* the element between has no address and must not shift the marks */
	assert_int_equal(marks.n, 2);
	assert_false(json_object_get_boolean(marks.items[0]));
	assert_true(json_object_get_boolean(marks.items[1]));
	values_done(&v);
	values_done(&marks);
	reference_free(a);
	reference_free(main_mark);
	json_object_put(o);
}

static void a_value_is_put_where_the_reference_points(void **state)
{
	static const struct {
		const char *before, *reference, *text, *after;
		bool put;
	} cases[] = {
		{"{\"id\":1}", "/id", "22", "{\"id\":22}", true},
		{"{\"id\":1}", "/id", "x", "{\"id\":\"x\"}", true},
		{"{\"id\":\"1\"}", "/id", "22", "{\"id\":\"22\"}", true},
		{"{}", "/a/b", "v", "{\"a\":{\"b\":\"v\"}}", true},
		{"{\"a\":null}", "/a/b", "v", "{\"a\":{\"b\":\"v\"}}", true},
		{"{\"l\":[{\"a\":1},{\"a\":2}]}", "/l/*/a", "9", "{\"l\":[{\"a\":9},{\"a\":9}]}", true},
		{"{}", "/l/*/a", "v", "{\"l\":[{\"a\":\"v\"}]}", true},
		{"{\"l\":[\"a\"]}", "/l/0", "b", "{\"l\":[\"b\"]}", true},
		{"{\"l\":[\"a\"]}", "/l/7", "b", "{\"l\":[\"a\"]}", false},
		{"{\"id\":1}", "/id/deeper", "b", "{\"id\":1}", false},
		{"{\"id\":1}", "header:X", "b", "{\"id\":1}", false},
		{"[]", "/0", "b", "[]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = with_json(cases[i].before);
		const struct eval_context s = {.item = o, .root = o};
		CLEANUP(mem_freep) char *after = NULL;
		struct reference *r;

		assert_int_equal(reference_compile(cases[i].reference, REFERENCE_NO_NAMES, &r, NULL), 0);
		assert_int_equal(reference_put(r, &s, cases[i].text), cases[i].put);
		after = json_text(o);
		assert_string_equal(after, cases[i].after);
		reference_free(r);
		json_object_put(o);
	}
}

static void the_root_is_written_where_it_is(void **state)
{
	struct json_object *root = with_json("{\"app\":1,\"e\":[{\"id\":2}]}");
	struct eval_context s = {.root = root, .item = json_object_array_get_idx(json_member(root, "e"), 0)};
	CLEANUP(mem_freep) char *after = NULL;
	struct reference *of_root;
	struct reference *of_item;

	(void)state;
	assert_int_equal(reference_compile("root:/app", REFERENCE_NO_NAMES, &of_root, NULL), 0);
	assert_int_equal(reference_compile("/id", REFERENCE_NO_NAMES, &of_item, NULL), 0);
	assert_true(reference_put(of_root, &s, "8"));
	assert_true(reference_put(of_item, &s, "9"));
	after = json_text(root);
	assert_string_equal(after, "{\"app\":8,\"e\":[{\"id\":9}]}");
	reference_free(of_root);
	reference_free(of_item);
	json_object_put(root);
}

static void a_list_of_items_is_a_plain_pointer(void **state)
{
	static const struct {
		const char *text, *keys; /* NULL keys: refused */
	} cases[] = {
		{"", ""},           {"/a", "a "},   {"/a/0/b~1c", "a 0 b/c "},
		{"/", " "},         {"a", NULL},    {"root:/a", NULL},
		{"header:X", NULL}, {"/a/*", NULL}, {"/a~", NULL},
	};
	struct json_object *o = with_json("{\"a\":1}");
	const struct eval_context s = {.item = o, .root = o};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reference *r = NULL;
		char keys[64] = "";
		struct values v;
		struct err e;

		if (!cases[i].keys) {
			assert_true(reference_compile_array(cases[i].text, &r, &e) < 0);
			assert_true(strlen(e.text) > 0);
			continue;
		}
		assert_int_equal(reference_compile_array(cases[i].text, &r, &e), 0);
		for (size_t k = 0; reference_key(r, k); k++)
			strcat(strcat(keys, reference_key(r, k)), " ");
		assert_string_equal(keys, cases[i].keys);
		assert_string_equal(reference_text(r), cases[i].text);
		reference_values(r, &s, &v);
		assert_int_equal(v.n, i <= 1);
		if (i == 0)
			assert_ptr_equal(v.items[0], o);
		values_done(&v);
		reference_free(r);
	}
	json_object_put(o);
}

static void what_kind_a_reference_is_can_be_asked(void **state)
{
	static const struct {
		const char *text, *header, *query, *name;
	} cases[] = {
		{"/a", NULL, NULL, NULL},         {"root:/a", NULL, NULL, NULL},    {"header:X-A", "X-A", NULL, NULL},
		{"query:a b", NULL, "a b", NULL}, {"region", NULL, NULL, "region"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reference *r;

		assert_int_equal(reference_compile(cases[i].text, REFERENCE_NAMES, &r, NULL), 0);
		assert_true(text_is(reference_header(r), cases[i].header));
		assert_true(text_is(reference_query(r), cases[i].query));
		assert_true(text_is(reference_name(r), cases[i].name));
		reference_free(r);
	}
}

static void only_pointers_of_one_top_stand_beside_each_other(void **state)
{
	static const struct {
		const char *a, *b;
		bool sibling;
	} cases[] = {
		{"/a/*/e", "/a/*/p", true},      {"/a", "/b/c", true},        {"root:/a/*", "root:/b/*", true},
		{"/a/*", "/a", false},           {"/a/*/b/*", "/a/*", false}, {"/a", "root:/a", false},
		{"header:A", "header:B", false}, {"/a", "query:a", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reference *a;
		struct reference *b;

		assert_int_equal(reference_compile(cases[i].a, REFERENCE_NO_NAMES, &a, NULL), 0);
		assert_int_equal(reference_compile(cases[i].b, REFERENCE_NO_NAMES, &b, NULL), 0);
		assert_int_equal(reference_is_sibling(a, b), cases[i].sibling);
		assert_int_equal(reference_is_sibling(b, a), cases[i].sibling);
		reference_free(a);
		reference_free(b);
	}
}

/* A text of the context is not copied; the caller owns any other result. */
static void looking_borrows_what_is_text(void **state)
{
	static const struct {
		const char *reference, *text;
		bool borrowed;
	} cases[] = {
		{"/name", "Jo", true},      {"/tags/*", "one", true},   {"root:/name", "Jo", true},
		{"/id", "17", false},       {"/price", "10.50", false}, {"/wide", "1500000000", false},
		{"/yes", "true", false},    {"header:X-A", "a", true},  {"query:q", "v", true},
		{"who", "parameter", true}, {"took", "taken", true},    {"Prop", "property", true},
		{"/empty", NULL, true},     {"/nothing", NULL, true},   {"/tags", NULL, true},
		{"header:X-B", NULL, true}, {"blank", NULL, true},      {"hollow", NULL, true},
		{"list", NULL, true},       {"json", "text", true},     {"double", "2.50", false},
		{"number", "-7", false},    {"flag", "true", false},    {"at", "2026-11-21T09:00:00Z", false},
	};
	CLEANUP(json_putp) struct json_object *o = NULL;
	CLEANUP(json_putp)
	struct json_object *members = with_json("{\"json\":\"text\",\"double\":2.50,\"list\":[\"a\"]}");
	CLEANUP(properties_done) struct properties properties;
	CLEANUP(pairs_done) struct pairs headers = {0};
	CLEANUP(pairs_done) struct pairs query = {0};
	CLEANUP(pairs_done) struct pairs names = {0};
	CLEANUP(pairs_done) struct pairs taken = {0};
	struct eval_context context = {
		.headers = &headers, .query = &query, .names = &names, .taken = &taken, .properties = &properties};

	(void)state;
	assert_int_equal(json_read(body, strlen(body), &o, NULL), 0);
	context.item = context.root = o;
	pairs_add(&headers, "X-A", "a");
	pairs_add(&query, "q", "v");
	pairs_add(&names, "who", "parameter");
	pairs_add(&names, "blank", "");
	pairs_add(&taken, "took", "taken");
	pairs_add(&taken, "who", "not this one");
	pairs_add(&taken, "blank", "nor this one: the parameter is there, and empty");
	properties_init(&properties);
	properties_set_text(&properties, "prop", "property");
	properties_set_text(&properties, "hollow", "");
	properties_set_int(&properties, "number", -7);
	properties_set_bool(&properties, "flag", true);
	properties_set_time(&properties, "at", INT64_C(1795251600000));
	properties_set_members(&properties, members);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *own = NULL;
		CLEANUP(mem_freep) char *copy = NULL;
		struct reference *r = NULL;
		const char *text;

		assert_int_equal(reference_compile(cases[i].reference, REFERENCE_NAMES, &r, NULL), 0);
		text = reference_peek(r, &context, &own);
		assert_true(text_is(text, cases[i].text));
		assert_true(cases[i].borrowed ? own == NULL : own == text);
		copy = reference_scalar(r, &context);
		assert_true(text_is(copy, cases[i].text));
		assert_true(!copy || copy != text);
		reference_free(r);
	}
}

/* One value stands in the struct, several in a list; both must work alike. */
static void one_value_takes_no_list(void **state)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	static const struct {
		const char *reference;
		size_t n;
	} cases[] = {{"/missing", 0}, {"/id", 1}, {"/nothing", 1}, {"/tags/*", 2}, {"/emails/*", 3}};

	(void)state;
	assert_int_equal(json_read(body, strlen(body), &o, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct eval_context s = {.item = o};
		struct reference *r = NULL;
		struct values v;

		assert_int_equal(reference_compile(cases[i].reference, REFERENCE_NAMES, &r, NULL), 0);
		reference_values(r, &s, &v);
		assert_int_equal(v.n, cases[i].n);
		assert_int_equal(v.items == &v.only, cases[i].n == 1);
		values_done(&v);
		assert_int_equal(v.n, 0);
		reference_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_find_what_stands_there),
		cmocka_unit_test(a_star_stands_for_every_element_and_member),
		cmocka_unit_test(at_most_so_many_values_are_found),
		cmocka_unit_test(headers_and_query_are_found_by_name),
		cmocka_unit_test(broken_queries_stay_as_they_came),
		cmocka_unit_test(names_are_parameters_then_taken_then_properties),
		cmocka_unit_test(impossible_references_are_told),
		cmocka_unit_test(overlong_references_are_told),
		cmocka_unit_test(a_scalar_is_the_first_that_says_something),
		cmocka_unit_test(text_with_a_nul_is_as_absent),
		cmocka_unit_test(parallel_values_stay_beside_each_other),
		cmocka_unit_test(a_value_is_put_where_the_reference_points),
		cmocka_unit_test(the_root_is_written_where_it_is),
		cmocka_unit_test(a_list_of_items_is_a_plain_pointer),
		cmocka_unit_test(what_kind_a_reference_is_can_be_asked),
		cmocka_unit_test(only_pointers_of_one_top_stand_beside_each_other),
		cmocka_unit_test(looking_borrows_what_is_text),
		cmocka_unit_test(one_value_takes_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
