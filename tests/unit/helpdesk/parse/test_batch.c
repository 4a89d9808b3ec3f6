/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/parse_result.h"

#include "base/buf.h"
#include "helpdesk/parse/batch.h"

/* A desk with its items at this place; NULL: one item in a body. */
static struct definition *desk(const char *each)
{
	CLEANUP(mem_freep) char *line = each ? mem_fmt("each: \"%s\"\n", each) : mem_str("");
	CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s", BARE_DEFINITION, line);

	return with_definition(yaml, NULL);
}

/* Returns the items of a body, one on a line. */
static char *split(const struct definition *d, const char *body)
{
	size_t len = strlen(body);
	CLEANUP(mem_freep) char *exact = mem_grow(NULL, len > 0 ? len : 1, 1);
	struct batch *b = NULL;
	size_t item_len;
	struct buf lines;
	struct err e;

	/* The text has no NUL behind it: only the given length may be read. */
	memcpy(exact, body, len);
	if (batch_open(d, NULL, exact, len, &b, &e) < 0)
		fail_msg("%s: %s", body, e.text);
	buf_init(&lines, 1 << 20);
	for (size_t i = 0; i < batch_items(b); i++) {
		CLEANUP(mem_freep) char *item = batch_item(b, i, &item_len);

		assert_int_equal(strlen(item), item_len);
		buf_addf(&lines, "%s\n", item);
	}
	batch_close(b);
	return buf_take(&lines);
}

static void an_item_is_the_body_with_the_list_cut_down_to_it(void **state)
{
	static const struct {
		const char *each, *body, *items;
	} cases[] = {
		{"", "[{\"id\":1},{\"id\":2}]", "[{\"id\":1}]\n[{\"id\":2}]\n"},
		{"", " [ 1 , \"two\" , null , [3, [4]] , {} ] ",
		 " [1] \n [\"two\"] \n [null] \n [[3, [4]]] \n [{}] \n"},
		{"/events", "{\"app\":7,\"events\":[{\"a\":1},{\"a\":2}],\"v\":\"x\"}",
		 "{\"app\":7,\"events\":[{\"a\":1}],\"v\":\"x\"}\n{\"app\":7,\"events\":[{\"a\":2}],\"v\":\"x\"}\n"},
		{"/a/b", "{\"b\":[9],\"a\":{\"c\":{\"b\":[8]},\"b\":[1,2]}}",
		 "{\"b\":[9],\"a\":{\"c\":{\"b\":[8]},\"b\":[1]}}\n{\"b\":[9],\"a\":{\"c\":{\"b\":[8]},\"b\":[2]}}\n"},
		{"/1/x", "[{\"x\":[0]},{\"x\":[1,2]},3]", "[{\"x\":[0]},{\"x\":[1]},3]\n[{\"x\":[0]},{\"x\":[2]},3]\n"},
		{"/0", "{\"0\":[1,2]}", "{\"0\":[1]}\n{\"0\":[2]}\n"},
		{"/e", "{\"x\":\"]}\\\",[\\\\\",\"e\":[\"a]\\\"b\",\"\\\\\"]}",
		 "{\"x\":\"]}\\\",[\\\\\",\"e\":[\"a]\\\"b\"]}\n{\"x\":\"]}\\\",[\\\\\",\"e\":[\"\\\\\"]}\n"},
		{"/\u00e4~1~0", "{\"\u00e4/~\":[1,2]}", "{\"\u00e4/~\":[1]}\n{\"\u00e4/~\":[2]}\n"},
		{"/ab", "{\"\\u0061b\":[1,2]}", "{\"\\u0061b\":[1]}\n{\"\\u0061b\":[2]}\n"},
		{"/e", "{\"e\":[1,2,3],\"e\":[4,5]}", "{\"e\":[1,2,3],\"e\":[4]}\n{\"e\":[1,2,3],\"e\":[5]}\n"},
		{"/e", "{\"e\":[18446744073709551615,1.50,1E3,-0]}",
		 "{\"e\":[18446744073709551615]}\n{\"e\":[1.50]}\n{\"e\":[1E3]}\n{\"e\":[-0]}\n"},
		{"/e", "{\"e\":[9400111899223334445556,1e400,\"a\nb\x01\"]}",
		 "{\"e\":[9400111899223334445556]}\n{\"e\":[1e400]}\n{\"e\":[\"a\nb\x01\"]}\n"},
		{"", "\xef\xbb\xbf[1,2]", "\xef\xbb\xbf[1]\n\xef\xbb\xbf[2]\n"},
		{"/e", "\xef\xbb\xbf {\"e\":[1,2]}", "\xef\xbb\xbf {\"e\":[1]}\n\xef\xbb\xbf {\"e\":[2]}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct definition *d = desk(cases[i].each);
		CLEANUP(mem_freep) char *items = split(d, cases[i].body);

		assert_string_equal(items, cases[i].items);
		definition_free(d);
	}
}

static void a_single_item_stays_as_it_came(void **state)
{
	static const char body[] = " { \"e\" : [ { \"id\" : 1 } ] } \n";
	struct definition *d = desk("/e");
	CLEANUP(mem_freep) char *items = split(d, body);
	CLEANUP(mem_freep) char *expected = mem_fmt("%s\n", body);

	(void)state;
	assert_string_equal(items, expected);
	definition_free(d);
}

static void an_empty_list_has_no_item(void **state)
{
	struct definition *d = desk("/e");
	CLEANUP(mem_freep) char *items = split(d, "{\"e\": [ ]}");

	(void)state;
	assert_string_equal(items ? items : "", "");
	definition_free(d);
}

static void without_each_a_body_is_one_item_whatever_it_is(void **state)
{
	static const char *const bodies[] = {"", "{", "[1, 2]", "a=1&b=2", "\xff"};
	struct definition *d = desk(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		CLEANUP(mem_freep) char *items = split(d, bodies[i]);
		CLEANUP(mem_freep) char *expected = mem_fmt("%s\n", bodies[i]);

		assert_string_equal(items, expected);
	}
	definition_free(d);
}

static void a_body_without_the_list_cannot_be_taken_apart(void **state)
{
	static const struct {
		const char *each, *body, *says;
	} cases[] = {
		{"/e", "{}", "no list of items at /e"},
		{"/e", "[1]", "no list of items at /e"},
		{"/e", "{\"e\":{}}", "no list of items at /e"},
		{"/e", "{\"e\":null}", "no list of items at /e"},
		{"/e", "{\"e\":[1],\"e\":2}", "no list of items at /e"},
		{"/e", "{\"x\":{\"e\":[1]}}", "no list of items at /e"},
		{"/e/0", "{\"e\":[]}", "no list of items at /e/0"},
		{"/e/01", "{\"e\":[1,[2]]}", "no list of items at /e/01"},
		{"/e/x", "{\"e\":\"x\"}", "no list of items at /e/x"},
		{"", "{\"e\":[]}", "no list of items at the top"},
		{"", "17", "no list of items at the top"},
		{"", "null", "no list of items at the top"},
		{"/e", "", "the body is not JSON"},
		{"/e", "{\"e\":[1,]}", "the body is not JSON"},
		{"/e", "{\"e\":[1,2}", "the body is not JSON"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct definition *d = desk(cases[i].each);
		struct batch *b = NULL;
		struct err e;

		if (batch_open(d, NULL, cases[i].body, strlen(cases[i].body), &b, &e) == 0)
			fail_msg("%s is taken apart", cases[i].body);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%s: %s", cases[i].body, e.text);
		assert_null(b);
		definition_free(d);
	}
}

static void a_form_is_no_list(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "body: [json, form]\neach: /e\n", NULL);
	struct batch *b = NULL;
	struct err e;

	(void)state;
	assert_true(batch_open(d, NULL, "e=1&e=2", 7, &b, &e) < 0);
	assert_non_null(strstr(e.text, "no list of items at /e"));
	definition_free(d);
}

/* {"rest":"xx…","e":[1,1,…]} */
static void body_of(struct buf *b, size_t rest, size_t items)
{
	buf_init(b, 1 << 22);
	buf_adds(b, "{\"rest\":\"");
	for (size_t i = 0; i < rest; i++)
		buf_addc(b, 'x');
	buf_adds(b, "\",\"e\":[1");
	for (size_t i = 1; i < items; i++)
		buf_adds(b, ",1");
	buf_adds(b, "]}");
}

static void what_is_too_much_is_one_webhook_that_cannot_be_read(void **state)
{
	static const struct {
		size_t rest, items;
		const char *says; /* NULL: it is split */
	} cases[] = {
		{10, BATCH_ITEMS_MAX, NULL},
		{10, BATCH_ITEMS_MAX + 1, "more than 1000 items at /e"},
		{60 * 1024, BATCH_ITEMS_MAX, NULL},
		{1024 * 1024, BATCH_ITEMS_MAX, "would take 1000 MiB; the limit is 64"},
		{1024 * 1024, 60, NULL},
	};
	struct definition *d = desk("/e");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct webhook w = {.received_ms = 1};
		struct batch *b = NULL;
		struct parse_result result;
		struct buf body;
		struct err e;

		body_of(&body, cases[i].rest, cases[i].items);
		if (!cases[i].says) {
			assert_int_equal(batch_open(d, NULL, body.data, body.len, &b, &e), 0);
			assert_int_equal(batch_items(b), cases[i].items);
			batch_close(b);
		} else {
			assert_true(batch_open(d, NULL, body.data, body.len, &b, &e) < 0);
			if (!strstr(e.text, cases[i].says))
				fail_msg("%s", e.text);
			w.body = body.data;
			w.body_len = body.len;
			with_parse_result(d, &w, NULL, &result);
			assert_int_equal(result.kind, PARSE_UNREADABLE);
			assert_non_null(strstr(result.reason, "1000 are the most, and 64 MiB together"));
			parse_result_done(&result);
		}
		buf_done(&body);
	}
	definition_free(d);
}

static void an_item_is_read_as_the_list_says(void **state)
{
	static const char body[] = "{\"app\":\"shop\",\"events\":["
				   "{\"type\":\"opened\",\"id\":18446744073709551615,\"n\":1.50},"
				   "{\"type\":\"closed\",\"id\":2,\"at\":1763740800},{\"type\":\"other\",\"id\":3}]}";
	static const struct {
		enum parse_result_kind kind;
		enum transition transition;
		const char *conversation, *attributes;
	} expected[] = {
		{PARSE_SIGNAL, TRANSITION_OPENED, "shop-18446744073709551615", "{\"App\":\"shop\",\"N\":1.50}"},
		{PARSE_SIGNAL, TRANSITION_CLOSED, "shop-2", "{\"App\":\"shop\"}"},
		{PARSE_IGNORED, TRANSITION_NONE, NULL, NULL},
	};
	struct definition *d = with_definition("label: D\nauthenticate: {method: basic}\neach: /events\n"
					       "opened: {/type: opened}\nclosed: {/type: closed, root:/app: shop}\n"
					       "conversation: \"{root:/app}-{/id}\"\ntime: /at\n"
					       "attributes: {App: root:/app, N: /n, Whole: root:/events}\n",
					       NULL);
	struct batch *b = NULL;

	(void)state;
	assert_int_equal(batch_open(d, NULL, body, strlen(body), &b, NULL), 0);
	assert_int_equal(batch_items(b), 3);
	for (size_t i = 0; i < 3; i++) {
		struct webhook w = {.received_ms = INT64_C(1763740800000)};
		CLEANUP(mem_freep) char *attributes = NULL;
		struct parse_result r;

		w.body = batch_item(b, i, &w.body_len);
		with_parse_result(d, &w, NULL, &r);
		assert_int_equal(r.kind, expected[i].kind);
		if (r.kind == PARSE_SIGNAL) {
			attributes = json_text(r.signal.attributes);
			assert_int_equal(r.signal.transition, expected[i].transition);
			assert_string_equal(r.signal.conversation, expected[i].conversation);
			assert_string_equal(attributes, expected[i].attributes);
			assert_int_equal(r.has_delivery, i == 1); /* by its content, as it has a time */
		}
		parse_result_done(&r);
		free(w.body);
	}
	batch_close(b);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_item_is_the_body_with_the_list_cut_down_to_it),
		cmocka_unit_test(a_single_item_stays_as_it_came),
		cmocka_unit_test(an_empty_list_has_no_item),
		cmocka_unit_test(without_each_a_body_is_one_item_whatever_it_is),
		cmocka_unit_test(a_body_without_the_list_cannot_be_taken_apart),
		cmocka_unit_test(a_form_is_no_list),
		cmocka_unit_test(what_is_too_much_is_one_webhook_that_cannot_be_read),
		cmocka_unit_test(an_item_is_read_as_the_list_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
