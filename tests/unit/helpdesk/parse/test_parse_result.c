/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "fixtures/definition.h"
#include "fixtures/parse_result.h"

#include "base/clock.h"
#include "helpdesk/expr/property_value.h"

#define RECEIVED_MS INT64_C(1763740800000) /* 2025-11-21T16:00:00Z */

static struct webhook webhook_of(const char *body, size_t len)
{
	struct webhook w = {.received_ms = RECEIVED_MS, .body = mem_dup(body, len), .body_len = len};

	w.source = mem_str("desk");
	w.path = mem_str("/webhooks/desk");
	w.query = mem_str("");
	return w;
}

/* Parses one body by one definition; the caller frees the result. */
static struct parse_result read_body(const struct definition *d, const char *body)
{
	struct webhook w = webhook_of(body, strlen(body));
	struct parse_result r;

	with_parse_result(d, &w, NULL, &r);
	webhook_done(&w);
	return r;
}

static void gladlys_webhooks_are_signals(void **state)
{
	static const struct {
		const char *type;
		enum parse_result_kind kind;
		enum transition transition;
	} cases[] = {
		{"CONVERSATION/CREATED", PARSE_SIGNAL, TRANSITION_OPENED},
		{"CONVERSATION/REOPENED", PARSE_SIGNAL, TRANSITION_REOPENED},
		{"CONVERSATION/CLOSED", PARSE_SIGNAL, TRANSITION_CLOSED},
		{"PING", PARSE_PING, TRANSITION_NONE},
		{"CONTACT/ENDED", PARSE_IGNORED, TRANSITION_NONE},
		{"CONVERSATION_STATUS/UPDATED", PARSE_IGNORED, TRANSITION_NONE},
		{"", PARSE_IGNORED, TRANSITION_NONE},
	};
	struct definition *d = with_gladly();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *body = mem_fmt(
			"{\"id\": \"e\", \"type\": \"%s\", \"timestamp\": \"2025-11-21T15:59:58.07Z\", \"content\":"
			" {\"conversationId\": \"c1\", \"customerId\": \"p1\"}}",
			cases[i].type);
		struct parse_result r = read_body(d, body);

		assert_int_equal(r.kind, cases[i].kind);
		if (r.kind == PARSE_SIGNAL) {
			assert_int_equal(r.signal.transition, cases[i].transition);
			assert_string_equal(r.signal.conversation, "c1");
			assert_string_equal(r.signal.customer, "p1");
			assert_true(r.signal.has_time);
			assert_int_equal(r.signal.time_ms, RECEIVED_MS - 1930);
			assert_true(r.signal.wants_lookup);
			assert_null(r.signal.conversation_url);
			assert_int_equal(json_object_object_length(r.signal.attributes), 0);
		}
		parse_result_done(&r);
	}
	definition_free(d);
}

static void what_is_no_json_is_unreadable(void **state)
{
	static const char *const cases[] = {
		"", " ", "{", "not json", "{\"a\":1} x", "{\"a\": \"\xff\"}", "{\"type\":\"opened\","};
	struct definition *d = with_definition(BARE_DEFINITION, NULL);
	struct parse_result r;
	struct buf deep;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		r = read_body(d, cases[i]);
		assert_int_equal(r.kind, PARSE_UNREADABLE);
		assert_non_null(strstr(r.reason, "the body is not JSON"));
		assert_false(r.has_delivery);
		parse_result_done(&r);
	}
	buf_init(&deep, 1 << 20);
	for (int i = 0; i < 500000; i++)
		buf_addc(&deep, '[');
	r = read_body(d, deep.data);
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	parse_result_done(&r);
	buf_done(&deep);
	definition_free(d);
}

static void odd_json_is_no_trouble(void **state)
{
	static const struct {
		const char *body;
		enum parse_result_kind kind;
	} cases[] = {
		{"null", PARSE_IGNORED},
		{"17", PARSE_IGNORED},
		{"\"opened\"", PARSE_IGNORED},
		{"[]", PARSE_IGNORED},
		{"[{\"type\":\"opened\",\"id\":1}]", PARSE_IGNORED},
		{"{\"type\":\"closed\",\"type\":\"opened\",\"id\":1}", PARSE_SIGNAL}, /* the last one counts */
		{"{\"type\":\"opened\",\"id\":\"\\ud800\"}", PARSE_SIGNAL},
		{"{\"type\":\"opened\\u0000\",\"id\":1}", PARSE_IGNORED},
		{"{\"type\":\"opened\",\"id\":\"a\\u0000b\"}", PARSE_UNREADABLE},
		{"{\"type\":[\"opened\"],\"id\":1}", PARSE_SIGNAL},
		{"{\"type\":{\"opened\":1},\"id\":1}", PARSE_IGNORED},
	};
	struct definition *d = with_definition(BARE_DEFINITION, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct parse_result r = read_body(d, cases[i].body);

		if (r.kind != cases[i].kind)
			fail_msg("%s reads as %d: %s", cases[i].body, (int)r.kind, r.reason);
		if (r.kind == PARSE_SIGNAL) {
			assert_int_equal(r.signal.transition, TRANSITION_OPENED);
			assert_true(text_is_utf8(r.signal.conversation, strlen(r.signal.conversation)));
		}
		parse_result_done(&r);
	}
	definition_free(d);
}

static void a_conversation_must_be_named(void **state)
{
	static const struct {
		const char *id, *reason;
	} cases[] = {
		{"null", "no conversation: nothing at /id"},
		{"\"\"", "no conversation: nothing at /id"},
		{"{\"x\": 1}", "/id holds an object, not an id"},
		{"[1]", "/id holds a list, not an id"},
		{"[]", "/id holds a list, not an id"},
	};
	struct definition *d = with_definition(BARE_DEFINITION "delivery: /event\n", NULL);
	CLEANUP(mem_freep) char *body = NULL;
	CLEANUP(mem_freep) char *id = mem_new(514, 1);
	struct parse_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *text = mem_fmt("{\"type\": \"opened\", \"event\": \"e\", \"id\": %s}", cases[i].id);

		r = read_body(d, text);
		assert_int_equal(r.kind, PARSE_UNREADABLE);
		assert_non_null(strstr(r.reason, cases[i].reason));
		assert_true(r.has_delivery);
		assert_null(r.signal.conversation);
		parse_result_done(&r);
	}
	memset(id, 'x', 513);
	body = mem_fmt("{\"type\": \"opened\", \"id\": \"%s\"}", id);
	r = read_body(d, body);
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	assert_non_null(strstr(r.reason, "513 bytes"));
	parse_result_done(&r);
	definition_free(d);
}

static void ids_are_read_as_text(void **state)
{
	static const struct {
		const char *id, *text;
	} cases[] = {
		{"17", "17"},
		{"\"17\"", "17"},
		{"-3", "-3"},
		{"9223372036854775807", "9223372036854775807"},
		{"10.50", "10.50"},
		{"true", "true"},
		{"\"a b/c\"", "a b/c"},
		{"\"\\u00e4\"", "\u00e4"},
		{"18446744073709551615", "18446744073709551615"},
	};
	struct definition *d = with_definition(BARE_DEFINITION "customer: /id\n", NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\": \"opened\", \"id\": %s}", cases[i].id);
		struct parse_result r = read_body(d, body);

		assert_int_equal(r.kind, PARSE_SIGNAL);
		assert_string_equal(r.signal.conversation, cases[i].text);
		assert_string_equal(r.signal.customer, cases[i].text);
		parse_result_done(&r);
	}
	definition_free(d);
}

static void a_missing_customer_is_none(void **state)
{
	static const char *const none[] = {"null", "\"\"", "\"a\\u0000\""};
	static const char *const odd[] = {"{}", "[\"x\"]"};
	struct definition *d = with_definition(BARE_DEFINITION "customer: /c\n", NULL);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\": \"opened\", \"id\": 1, \"c\": %s}", none[i]);
		struct parse_result r = read_body(d, body);

		assert_int_equal(r.kind, PARSE_SIGNAL);
		assert_null(r.signal.customer);
		parse_result_done(&r);
	}
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\": \"opened\", \"id\": 1, \"c\": %s}", odd[i]);
		struct parse_result r = read_body(d, body);

		assert_int_equal(r.kind, PARSE_UNREADABLE);
		parse_result_done(&r);
	}
	definition_free(d);
}

static void times_are_read_or_told_impossible(void **state)
{
	static const struct {
		const char *at;
		int64_t ms;         /* 0: the receipt */
		const char *reason; /* NULL: readable */
	} cases[] = {
		{"\"2025-11-21T15:00:00Z\"", RECEIVED_MS - CLOCK_HOUR_MS, NULL},
		{"\"2025-11-21 16:00:00 +0100\"", RECEIVED_MS - CLOCK_HOUR_MS, NULL},
		{"1763740800", RECEIVED_MS, NULL},
		{"1763740800.25", RECEIVED_MS + 250, NULL},
		{"\"1763740800123\"", RECEIVED_MS + 123, NULL},
		{"1763740800123", RECEIVED_MS + 123, NULL},
		{"\"2025-11-21T16:00:00.1Z\"", RECEIVED_MS + 100, NULL},
		{"\"2025-11-21T16:00:00.123456789Z\"", RECEIVED_MS + 123, NULL},
		{"\"2025-11-21T16:00:00,25Z\"", RECEIVED_MS + 250, NULL},
		{"\"2025-11-21T21:30:00+05:30\"", RECEIVED_MS, NULL},
		{"\"2025-11-21T10:00:00.000-0600\"", RECEIVED_MS, NULL},
		{"\"2025-11-21T17:00:00+01\"", RECEIVED_MS, NULL},
		{"\"2025-11-21 16:00:00 UTC\"", RECEIVED_MS, NULL},
		{"\"2025-11-21 16:00:00\"", RECEIVED_MS, NULL},
		{"\"2025-11-21 16:00\"", RECEIVED_MS, NULL},
		{"\" 2025-11-21T16:00:00z \"", RECEIVED_MS, NULL},
		{"\"1763740800\"", RECEIVED_MS, NULL},
		{"\"1763740800.5\"", RECEIVED_MS + 500, NULL},
		{"1763740800.123456", RECEIVED_MS + 123, NULL},
		{"1.7637408e9", RECEIVED_MS, NULL},
		{"1763740800000.7", RECEIVED_MS, NULL},
		{"\"2025-11-22T15:59:59Z\"", RECEIVED_MS + CLOCK_DAY_MS - 1000, NULL},
		{"null", 0, NULL},
		{"\"\"", 0, NULL},
		{"\"2025-11-22T16:00:01Z\"", 0, "more than a day after"},
		{"\"9999-12-31T23:59:59Z\"", 0, "more than a day after"},
		{"999999999999999", 0, "more than a day after"},
		{"\"1989-12-31T23:59:59Z\"", 0, "before 1990"},
		{"0", 0, "before 1990"},
		{"\"2025-11-21\"", 0, "no time that can be read"},
		{"\"2025-11-21T16:00:00.1234567890Z\"", 0, "no time that can be read"},
		{"\"2025-02-29T16:00:00Z\"", 0, "no time that can be read"},
		{"\"21/11/2025 16:00\"", 0, "no time that can be read"},
		{"\"yesterday\"", 0, "/at holds \"yesterday\", which is no time"},
		{"\"jo@example.com\"", 0, "a text with an at sign"},
		{"-5", 0, "no time that can be read"},
		{"true", 0, "no time that can be read"},
		{"{}", 0, "/at holds an object"},
		{"[1763740800]", 0, "/at holds a list"},
		{"1e300", 0, "no time that can be read"},
	};
	struct definition *d = with_definition(BARE_DEFINITION "time: /at\n", NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\": \"opened\", \"id\": 1, \"at\": %s}", cases[i].at);
		struct parse_result r = read_body(d, body);

		if (cases[i].reason) {
			assert_int_equal(r.kind, PARSE_UNREADABLE);
			if (!strstr(r.reason, cases[i].reason))
				fail_msg("%s: %s", cases[i].at, r.reason);
			assert_null(strstr(r.reason, "jo@"));
		} else {
			assert_int_equal(r.kind, PARSE_SIGNAL);
			assert_int_equal(r.signal.has_time, cases[i].ms != 0);
			assert_int_equal(r.signal.time_ms, cases[i].ms != 0 ? cases[i].ms : RECEIVED_MS);
		}
		parse_result_done(&r);
	}
	definition_free(d);
}

static void how_old_a_state_is_never_makes_it_unreadable(void **state)
{
	struct definition *d =
		with_definition(BARE_DEFINITION "reports: state\ncreated: /made\nclosed_at: /done\n", NULL);
	struct parse_result r;

	(void)state;
	assert_true(definition_about(d)->reports_state);
	r = read_body(d, "{\"type\": \"closed\", \"id\": 1, \"made\": 1763700000, \"done\": \"2025-11-21T12:00:00Z\"}");
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_int_equal(r.signal.created_ms, INT64_C(1763700000000));
	assert_int_equal(r.signal.closed_at_ms, RECEIVED_MS - 4 * CLOCK_HOUR_MS);
	parse_result_done(&r);
	r = read_body(d, "{\"type\": \"closed\", \"id\": 1, \"made\": \"soon\", \"done\": {}}");
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_int_equal(r.signal.created_ms, 0);
	assert_int_equal(r.signal.closed_at_ms, 0);
	parse_result_done(&r);
	definition_free(d);
}

static void the_more_final_matcher_counts(void **state)
{
	struct definition *d =
		with_definition("label: D\nauthenticate: {method: basic}\nconversation: /id\n"
				"ping: {/ping: true}\nopened: {/event: created}\nreopened: {/was: solved}\n"
				"closed: {/status: solved}\nidentified: {/mail: {exists: true}}\n",
				NULL);
	static const struct {
		const char *body;
		enum parse_result_kind kind;
		enum transition transition;
	} cases[] = {
		{"{\"id\":1,\"event\":\"created\"}", PARSE_SIGNAL, TRANSITION_OPENED},
		{"{\"id\":1,\"event\":\"created\",\"status\":\"Solved\"}", PARSE_SIGNAL, TRANSITION_CLOSED},
		{"{\"id\":1,\"event\":\"created\",\"was\":\"solved\"}", PARSE_SIGNAL, TRANSITION_REOPENED},
		{"{\"id\":1,\"mail\":\"x\"}", PARSE_SIGNAL, TRANSITION_NONE},
		{"{\"id\":1,\"event\":\"created\",\"mail\":\"x\"}", PARSE_SIGNAL, TRANSITION_OPENED},
		{"{\"id\":1,\"status\":\"solved\",\"ping\":true}", PARSE_PING, TRANSITION_NONE},
		{"{\"id\":1}", PARSE_IGNORED, TRANSITION_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct parse_result r = read_body(d, cases[i].body);

		assert_int_equal(r.kind, cases[i].kind);
		assert_int_equal(r.signal.transition, cases[i].transition);
		parse_result_done(&r);
	}
	definition_free(d);
}

static void a_replay_says_what_the_first_reading_said(void **state)
{
	static const char body[] = "{\"type\": \"other\", \"id\": 1}";
	struct definition *d = with_definition(BARE_DEFINITION, NULL);
	struct webhook w = webhook_of(body, strlen(body));
	struct parse_result r;

	(void)state;
	w.read = true;
	w.transition = TRANSITION_CLOSED;
	with_parse_result(d, &w, NULL, &r);
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_int_equal(r.signal.transition, TRANSITION_CLOSED);
	parse_result_done(&r);
	w.transition = TRANSITION_NONE;
	with_parse_result(d, &w, NULL, &r);
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_int_equal(r.signal.transition, TRANSITION_NONE);
	parse_result_done(&r);
	webhook_done(&w);
	definition_free(d);
}

static void marking_keeps_what_was_read(void **state)
{
	static const char body[] = "{\"type\": \"opened\", \"id\": 1, \"event\": \"e\", \"who\": \"p\"}";
	struct definition *d = with_definition(BARE_DEFINITION "delivery: /event\ncustomer: /who\n", NULL);
	struct webhook w = webhook_of(body, strlen(body));
	struct webhook copy;
	struct parse_result r;

	(void)state;
	pairs_add(&w.headers, "X-A", "1");
	with_parse_result(d, &w, NULL, &r);
	parse_result_save(&r, &w);
	parse_result_save(&r, &w); /* again, as in a replay */
	webhook_copy(&copy, &w);
	webhook_done(&w);
	assert_true(copy.read);
	assert_int_equal(copy.transition, TRANSITION_OPENED);
	assert_string_equal(copy.conversation, "1");
	assert_string_equal(copy.customer, "p");
	assert_true(copy.has_delivery);
	assert_memory_equal(copy.delivery, r.delivery, sizeof(r.delivery));
	assert_string_equal(copy.body, body);
	assert_string_equal(pairs_get(&copy.headers, "x-a"), "1");
	webhook_done(&copy);
	parse_result_done(&r);
	definition_free(d);
}

/* ---- deliveries -------------------------------------------------------------------------------------------------- */

/* Gets the delivery of a webhook; false where it has none. */
static bool delivery_of(const struct definition *d, const char *body, const char *path, const char *query,
			unsigned char out[DIGEST_DELIVERY_BYTES])
{
	struct webhook w = {.received_ms = RECEIVED_MS};
	struct parse_result r;
	bool has;

	w.body = mem_str(body);
	w.body_len = strlen(body);
	w.path = mem_str(path);
	w.query = mem_str(query);
	with_parse_result(d, &w, NULL, &r);
	assert_int_equal(r.kind, PARSE_SIGNAL);
	has = r.has_delivery;
	memcpy(out, r.delivery, DIGEST_DELIVERY_BYTES);
	parse_result_done(&r);
	webhook_done(&w);
	return has;
}

static void a_delivery_is_known_by_its_id(void **state)
{
	static const char first[] = "{\"type\":\"opened\",\"id\":1,\"event\":\"e1\",\"try\":1}";
	static const char again[] = "{\"type\":\"opened\",\"id\":1,\"event\":\"e1\",\"try\":2}";
	static const char other[] = "{\"type\":\"opened\",\"id\":1,\"event\":\"e2\",\"try\":1}";
	struct definition *d = with_definition(BARE_DEFINITION "delivery: /event\n", NULL);
	struct digest *digest = digest_new();
	unsigned char a[DIGEST_DELIVERY_BYTES], b[DIGEST_DELIVERY_BYTES], c[DIGEST_DELIVERY_BYTES];
	unsigned char sha[DIGEST_SHA256_BYTES];

	(void)state;
	assert_true(delivery_of(d, first, "/p", "", a));
	assert_true(delivery_of(d, again, "/q", "x=1", b));
	assert_true(delivery_of(d, other, "/p", "", c));
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
	digest_add(digest, "e1", 2);
	digest_end(digest, sha);
	assert_memory_equal(a, sha, sizeof(a));
	definition_free(d);
}

static void without_an_id_all_of_it_is_the_delivery(void **state)
{
	static const char timed[] = "{\"type\":\"opened\",\"id\":1,\"at\":1763740800}";
	static const char spaced[] = "{\"type\":\"opened\",\"id\":1, \"at\":1763740800}";
	static const char untimed[] = "{\"type\":\"opened\",\"id\":1}";
	struct definition *d = with_definition(BARE_DEFINITION "time: /at\n", NULL);
	struct definition *none = with_definition(BARE_DEFINITION, NULL);
	struct definition *either = with_definition(BARE_DEFINITION "time: /at\ndelivery: /event\n", NULL);
	unsigned char a[DIGEST_DELIVERY_BYTES], b[DIGEST_DELIVERY_BYTES];

	(void)state;
	assert_true(delivery_of(d, timed, "/p", "a=1", a));
	assert_true(delivery_of(d, timed, "/p", "a=1", b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, timed, "/p", "a=2", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, timed, "/pa", "=1", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, spaced, "/p", "a=1", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(delivery_of(either, timed, "/p", "a=1", b));
	assert_memory_equal(a, b, sizeof(a));
	assert_false(delivery_of(d, untimed, "/p", "", b));
	assert_false(delivery_of(none, timed, "/p", "", b));
	definition_free(d);
	definition_free(none);
	definition_free(either);
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static void assert_attributes(const char *attributes, const char *body, const char *expected)
{
	CLEANUP(mem_freep) char *yaml = mem_fmt("%sattributes: %s\n", BARE_DEFINITION, attributes);
	CLEANUP(mem_freep) char *whole = mem_fmt("{\"type\":\"opened\",\"id\":1,%s}", body);
	CLEANUP(mem_freep) char *text = NULL;
	struct definition *d = with_definition(yaml, NULL);
	struct parse_result r = read_body(d, whole);

	assert_int_equal(r.kind, PARSE_SIGNAL);
	text = json_text(r.signal.attributes);
	assert_string_equal(text, expected);
	parse_result_done(&r);
	definition_free(d);
}

static void without_attributes_in_the_definition_there_are_none(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION, NULL);
	struct parse_result r = read_body(d, "{\"type\":\"opened\",\"id\":1}");

	(void)state;
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_null(r.signal.attributes);
	parse_result_done(&r);
	definition_free(d);
}

static void attributes_are_flat_and_absent_facts_are_absent(void **state)
{
	static const struct {
		const char *attributes, *body, *expected;
	} cases[] = {
		{"{A: /a}", "\"a\":\"x\"", "{\"A\":\"x\"}"},
		{"{A: /a}", "\"a\":12", "{\"A\":12}"},
		{"{A: /a}", "\"a\":1.5", "{\"A\":1.5}"},
		{"{A: /a}", "\"a\":false", "{\"A\":false}"},
		{"{A: /a}", "\"a\":null", "{}"},
		{"{A: /a}", "\"a\":\"\"", "{}"},
		{"{A: /a}", "\"a\":{\"b\":1}", "{}"},
		{"{A: /a}", "\"a\":[]", "{}"},
		{"{A: /a}", "\"a\":\"x\\u0000y\"", "{}"},
		{"{A: /b}", "\"a\":1", "{}"},
		{"{A: /a}", "\"a\":[\"x\",2,null,{},\"\",true]", "{\"A\":[\"x\",\"2\",\"true\"]}"},
		{"{A: /a/*/n}", "\"a\":[{\"n\":\"x\"},{},{\"n\":\"y\"}]", "{\"A\":[\"x\",\"y\"]}"},
		{"{A: /a/*/n}", "\"a\":[{\"n\":\"x\"}]", "{\"A\":[\"x\"]}"},
		{"{A: /a/*/n}", "\"a\":[]", "{}"},
		{"{A: \"{/a} of {/b}\"}", "\"a\":1,\"b\":\"two\"", "{\"A\":\"1 of two\"}"},
		{"{A: \"{/a} of {/b}\"}", "\"a\":1", "{}"},
		{"{Inbox ID: /a}", "\"a\":7", "{\"Inbox ID\":\"7\"}"},
		{"{ID: /a}", "\"a\":9007199254740993", "{\"ID\":\"9007199254740993\"}"},
		{"{Tag IDs: /a}", "\"a\":7", "{\"Tag IDs\":7}"},
		{"{A: /a, B: /b, C: /c}", "\"c\":3,\"a\":1", "{\"A\":1,\"C\":3}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_attributes(cases[i].attributes, cases[i].body, cases[i].expected);
}

static void a_mapping_gives_values_other_words(void **state)
{
	static const char map[] = "{By: {/t: {CUSTOMER: customer, AGENT: agent, \"4\": four, BOT: , \"*\": system}}}";

	(void)state;
	assert_attributes(map, "\"t\":\"Agent\"", "{\"By\":\"agent\"}");
	assert_attributes(map, "\"t\":4", "{\"By\":\"four\"}");
	assert_attributes(map, "\"t\":\"RULE\"", "{\"By\":\"system\"}");
	assert_attributes(map, "\"t\":\"BOT\"", "{}");
	assert_attributes(map, "\"t\":null", "{}");
	assert_attributes(map, "\"x\":1", "{}");
	assert_attributes("{By: {/t: {A: a}}}", "\"t\":\"B\"", "{}");
}

static void a_mapping_gives_each_of_a_list_other_words(void **state)
{
	(void)state;
	assert_attributes("{T: {/t/*/x: {A: a, B: b, C: }}}",
			  "\"t\":[{\"x\":\"b\"},{\"x\":\"Z\"},{\"x\":\"C\"},{\"x\":\"a\"}]", "{\"T\":[\"b\",\"a\"]}");
	assert_attributes("{T: {/t/*: {A: a, \"4\": four, \"*\": other}}}", "\"t\":[4,\"Z\",null,\"A\"]",
			  "{\"T\":[\"four\",\"other\",\"a\"]}");
	assert_attributes("{T: {/t: {A: a}}}", "\"t\":[\"A\"]", "{\"T\":[\"a\"]}");
	assert_attributes("{T: {/t: {A: a}}}", "\"t\":[\"B\"]", "{}");
	assert_attributes("{T: {/t: {A: a, \"*\": x}}}", "\"t\":[]", "{}");
}

/* ---- elements of a list ------------------------------------------------------------------------------------------ */

static void some_elements_of_a_list_can_be_left_out(void **state)
{
#define TAGS                                                                                                \
	"\"t\":[{\"n\":\"a\",\"private\":false},{\"n\":\"b\",\"private\":true},{\"n\":\"c\"},{\"n\":\"d\"," \
	"\"private\":\"TRUE\"}]"
	static const struct {
		const char *attributes, *body, *expected;
	} cases[] = {
		{"{T: {each: /t, when: {/private: {not: true}}, use: /n}}", TAGS, "{\"T\":[\"a\",\"c\"]}"},
		{"{T: {each: /t, when: {/private: true}, use: /n}}", TAGS, "{\"T\":[\"b\",\"d\"]}"},
		{"{T: {each: /t, when: [{/n: a}, {/n: D}], use: /n}}", TAGS, "{\"T\":[\"a\",\"d\"]}"},
		{"{T: {each: /t, use: /n}}", TAGS, "{\"T\":[\"a\",\"b\",\"c\",\"d\"]}"},
		{"{T: {each: /t, when: {/n: z}, use: /n}}", TAGS, "{}"},
		/* No list, an empty list, and a value that is no list. */
		{"{T: {each: /x, use: /n}}", TAGS, "{}"},
		{"{T: {each: /t, use: /n}}", "\"t\":[]", "{}"},
		{"{T: {each: /t, use: /n}}", "\"t\":null", "{}"},
		{"{T: {each: /t, use: /n}}", "\"t\":\"a\"", "{}"},
		{"{T: {each: /t, use: /n}}", "\"t\":[null,1,\"a\",[],{}]", "{}"},
		/* The members of an object, as with a star. */
		{"{T: {each: /t, when: {/on: true}, use: /n}}",
		 "\"t\":{\"x\":{\"n\":\"a\",\"on\":true},\"y\":{\"n\":\"b\",\"on\":false},\"z\":{\"n\":\"c\",\"on\":"
		 "true}}",
		 "{\"T\":[\"a\",\"c\"]}"},
		/* Several values of an element, templates, references outside the list. */
		{"{T: {each: /t, use: /n/*}}", "\"t\":[{\"n\":[\"a\",\"b\"]},{\"n\":[]},{\"n\":[\"b\",\"c\"]}]",
		 "{\"T\":[\"a\",\"b\",\"c\"]}"},
		{"{T: {each: /t, use: \"{/f} {/l}\"}}", "\"t\":[{\"f\":\"Jo\",\"l\":\"Vale\"},{\"f\":\"Al\"}]",
		 "{\"T\":[\"Jo Vale\"]}"},
		{"{T: {each: /t, use: \"{root:/p}-{/n}\"}}", "\"p\":7,\"t\":[{\"n\":1},{\"n\":2}]",
		 "{\"T\":[\"7-1\",\"7-2\"]}"},
		{"{T: {each: /t, when: {\"root:/p\": 7}, use: /n}}", "\"p\":7,\"t\":[{\"n\":1}]", "{\"T\":[\"1\"]}"},
		/* In a list of references: where one gives nothing, the next counts. */
		{"{T: [{each: /t, when: {/n: z}, use: /n}, {each: /u, use: /n}, /v]}", TAGS ",\"u\":[{\"n\":\"e\"}]",
		 "{\"T\":[\"e\"]}"},
		{"{T: [{each: /t, when: {/n: z}, use: /n}, {each: /u, use: /n}, /v]}", TAGS ",\"v\":[\"f\"]",
		 "{\"T\":[\"f\"]}"},
		/* {when, use} may stand alone, too. */
		{"{T: {when: {/v: 1}, use: /n}}", "\"v\":1,\"n\":\"a\"", "{\"T\":\"a\"}"},
		{"{T: {when: {/v: 1}, use: /n}}", "\"v\":2,\"n\":\"a\"", "{}"},
	};
#undef TAGS

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_attributes(cases[i].attributes, cases[i].body, cases[i].expected);
}

static void a_list_holds_a_text_once(void **state)
{
	static const struct {
		const char *attributes, *body, *expected;
	} cases[] = {
		{"{T: /t}", "\"t\":[\"b\",\"a\",\"b\",\"B\",\"a\"]", "{\"T\":[\"b\",\"a\",\"B\"]}"},
		{"{T: /t/*}", "\"t\":[7,\"7\",8.5,true,\"true\"]", "{\"T\":[\"7\",\"8.5\",\"true\"]}"},
		{"{T: /t/*/n}", "\"t\":[{\"n\":\"x\"},{\"n\":\"y\"},{\"n\":\"x\"}]", "{\"T\":[\"x\",\"y\"]}"},
		{"{T: {each: /t, use: /n}}", "\"t\":[{\"n\":\"x\"},{\"n\":\"x\"}]", "{\"T\":[\"x\"]}"},
		{"{T: {/t: {A: one, B: one, \"*\": other}}}", "\"t\":[\"a\",\"b\",\"c\",\"d\"]",
		 "{\"T\":[\"one\",\"other\"]}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_attributes(cases[i].attributes, cases[i].body, cases[i].expected);
}

/* Repeats do not count towards the limit. */
static void a_list_is_cut_behind_a_hundred_texts(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION "attributes: {T: /t, E: {each: /e, use: /n}, W: {/t: {x: y, \"*\": z}}}\n", NULL);
	CLEANUP(mem_freep) char *body = NULL;
	struct parse_result r;
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	buf_adds(&b, "{\"type\":\"opened\",\"id\":1,\"t\":[");
	for (int i = 0; i < 240; i++)
		buf_addf(&b, "%s%d", i > 0 ? "," : "", i / 2);
	buf_adds(&b, "],\"e\":[");
	for (int i = 0; i < 400; i++)
		buf_addf(&b, "%s{\"n\":%d}", i > 0 ? "," : "", i / 2);
	buf_adds(&b, "]}");
	body = buf_take(&b);
	r = read_body(d, body);
	assert_int_equal(r.kind, PARSE_SIGNAL);
	for (const char *const *name = (const char *const[]){"T", "E", NULL}; *name; name++) {
		struct json_object *list = json_member(r.signal.attributes, *name);

		assert_int_equal(json_object_array_length(list), PROPERTY_LIST_MAX);
		assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 99)), "99");
	}
	assert_int_equal(json_object_array_length(json_member(r.signal.attributes, "W")), 1);
	parse_result_done(&r);
	definition_free(d);
}

/* More elements cannot make patterns read more: 8192 bytes of all of them, and 256 elements. */
static void what_elements_may_cost_is_bounded(void **state)
{
	struct definition *d = with_definition(
		BARE_DEFINITION
		"attributes: {M: {each: /e, when: {/t: {matches: \"x$\"}}, use: /n}, A: {each: /e, use: /k}}\n",
		NULL);
	CLEANUP(mem_freep) char *body = NULL;
	CLEANUP(mem_freep) char *text = NULL;
	struct json_object *list;
	struct parse_result r;
	struct buf b;

	(void)state;
	buf_init(&b, 1000000);
	buf_adds(&b, "{\"type\":\"opened\",\"id\":1,\"e\":[");
	for (int i = 0; i < 300; i++) {
		buf_addf(&b, "%s{\"n\":%d,\"t\":\"", i > 0 ? "," : "", i);
		for (int k = 0; k < 999; k++)
			buf_addc(&b, 'y');
		buf_addf(&b, "x\",\"%s\":%d}", i < 250 ? "z" : "k", i);
	}
	buf_adds(&b, "]}");
	body = buf_take(&b);
	r = read_body(d, body);
	assert_int_equal(r.kind, PARSE_SIGNAL);
	text = json_text(json_member(r.signal.attributes, "M"));
	assert_string_equal(text, "[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]");
	list = json_member(r.signal.attributes, "A");
	assert_int_equal(json_object_array_length(list), 6);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 5)), "255");
	parse_result_done(&r);
	definition_free(d);
}

static void of_several_mappings_the_first_that_gives_a_word_counts(void **state)
{
	static const char map[] = "{By: [{/t/a: {\"true\": agent, \"false\": customer}}, {/a: {\"true\": agent, "
				  "\"false\": customer}}, /by]}";

	(void)state;
	assert_attributes(map, "\"t\":{\"a\":true}", "{\"By\":\"agent\"}");
	assert_attributes(map, "\"a\":true", "{\"By\":\"agent\"}");
	assert_attributes(map, "\"t\":{\"a\":false},\"a\":true", "{\"By\":\"customer\"}");
	assert_attributes(map, "\"t\":{\"a\":\"?\"},\"a\":false", "{\"By\":\"customer\"}");
	assert_attributes(map, "\"a\":null,\"by\":\"rule\"", "{\"By\":\"rule\"}");
	assert_attributes(map, "\"x\":1", "{}");
	assert_attributes("{N ID: [{/a: {x: \"7\"}}, /b]}", "\"b\":8", "{\"N ID\":\"8\"}");
}

static void long_attributes_are_cut_at_a_letter(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "attributes: {T: /t, L: /l}\n", NULL);
	struct json_object *list;
	const char *text;
	struct parse_result r;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 22);
	buf_adds(&b, "{\"type\":\"opened\",\"id\":1,\"t\":\"x");
	for (int i = 0; i < 1 << 19; i++)
		buf_adds(&b, "\u00e4");
	buf_adds(&b, "\",\"l\":[0");
	for (int i = 1; i < 5000; i++)
		buf_addf(&b, ",%d", i);
	buf_adds(&b, "]}");
	r = read_body(d, b.data);
	text = json_member_str(r.signal.attributes, "T");
	assert_int_equal(strlen(text), 999);
	assert_true(text_is_utf8(text, strlen(text)));
	list = json_member(r.signal.attributes, "L");
	assert_int_equal(json_object_array_length(list), 100);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 99)), "99");
	parse_result_done(&r);
	buf_done(&b);
	definition_free(d);
}

/* Characters of one to four bytes, one of them across the thousandth byte. */
static void a_text_is_cut_between_two_characters(void **state)
{
	static const struct {
		const char *character;
		size_t before, left; /* bytes */
	} cases[] = {
		{"a", 1000, 1000},         {"\u00e4", 998, 1000},      {"\u00e4", 999, 999},
		{"\u20ac", 997, 1000},     {"\u20ac", 998, 998},       {"\u20ac", 999, 999},
		{"\U0001f600", 996, 1000}, {"\U0001f600", 997, 997},   {"\U0001f600", 998, 998},
		{"\U0001f600", 999, 999},  {"\U0001f600", 1000, 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *text = mem_new(1100, 1);
		CLEANUP(json_putp) struct json_object *cut = NULL;

		memset(text, 'x', cases[i].before);
		memcpy(text + cases[i].before, cases[i].character, strlen(cases[i].character));
		memset(text + strlen(text), 'y', 5);
		cut = property_value_text(text);
		assert_int_equal(json_object_get_string_len(cut), cases[i].left);
		assert_true(text_is_utf8(json_object_get_string(cut), cases[i].left));
	}
}

static void addresses_come_from_webhook_and_customer(void **state)
{
	static const char body[] =
		"{\"type\":\"opened\",\"id\":1,\"m\":[{\"e\":\"Jo <Jo@Example.com>\"},{\"e\":null},{\"e\":\"\"},"
		"{\"e\":\"nobody\"},{\"e\":\"al@example.com\",\"p\":true},{\"e\":5},{\"e\":\"x@y.z\",\"p\":\"1\"}]}";
	struct definition *d = with_definition(BARE_DEFINITION "emails: /m/*/e\nprimary: /m/*/p\n", NULL);
	struct webhook w = webhook_of(body, strlen(body));
	struct customer c = {0};
	struct parse_result r;

	(void)state;
	assert_true(addresses_add(&c.addresses, "jo@example.com", true));
	assert_true(addresses_add(&c.addresses, "more@example.com", false));
	with_parse_result(d, &w, &c, &r);
	assert_int_equal(r.signal.addresses.n, 4);
	assert_string_equal(r.signal.addresses.items[0].email, "jo@example.com");
	assert_true(r.signal.addresses.items[0].primary); /* by the customer */
	assert_string_equal(r.signal.addresses.items[1].email, "al@example.com");
	assert_true(r.signal.addresses.items[1].primary);
	assert_string_equal(r.signal.addresses.items[2].email, "x@y.z");
	assert_true(r.signal.addresses.items[2].primary);
	assert_string_equal(r.signal.addresses.items[3].email, "more@example.com");
	parse_result_done(&r);
	customer_done(&c);
	webhook_done(&w);
	definition_free(d);
}

/* ---- lists of references, forms, items --------------------------------------------------------------------------- */

#define LISTS                                                                                                          \
	"label: D\nauthenticate: {method: basic}\nopened: {/type: opened}\nclosed: {/type: closed}\n"                  \
	"conversation: [/ticket/id, \"{/account}-{/id}\", query:ticket, /id]\ntime: [/ticket/at, /at]\n"               \
	"customer: [/ticket/who, /who]\ndelivery: [header:X-Delivery, /event]\nemails: [/mail, /ticket/cc/*, /more]\n" \
	"attributes: {Team: [/ticket/team, \"{/org} {/unit}\", /team], Tags: [/tags/*/n, /tags], N ID: [/a, /b]}\n"

static void the_first_of_a_list_that_finds_something_counts(void **state)
{
	static const struct {
		const char *members, *conversation, *customer, *emails, *attributes;
		int64_t ms;
	} cases[] = {
		{"\"id\":1", "1", NULL, "", "{}", 0},
		{"\"id\":1,\"ticket\":{\"id\":\"\"}", "1", NULL, "", "{}", 0},
		{"\"id\":1,\"ticket\":{\"id\":null}", "1", NULL, "", "{}", 0},
		{"\"id\":1,\"account\":9", "9-1", NULL, "", "{}", 0},
		{"\"id\":1,\"account\":9,\"ticket\":{\"id\":7,\"who\":\"a\"},\"who\":\"b\"", "7", "a", "", "{}", 0},
		{"\"id\":1,\"who\":5,\"at\":1763740800", "1", "5", "", "{}", RECEIVED_MS},
		{"\"id\":1,\"ticket\":{\"at\":1763740801},\"at\":1763740800", "1", NULL, "", "{}", RECEIVED_MS + 1000},
		{"\"id\":1,\"mail\":\"jo@example.com\",\"more\":\"al@example.com\"", "1", NULL, "jo@example.com", "{}",
		 0},
		{"\"id\":1,\"mail\":\"Jo\",\"ticket\":{\"cc\":[\"x\",\"al@example.com\",\"b@example.com\"]}", "1", NULL,
		 "al@example.com b@example.com", "{}", 0},
		{"\"id\":1,\"ticket\":{\"cc\":[]},\"more\":[\"al@example.com\",null,\"b@example.com\"]", "1", NULL,
		 "al@example.com b@example.com", "{}", 0},
		{"\"id\":1,\"team\":3,\"tags\":[\"x\",2]", "1", NULL, "", "{\"Team\":3,\"Tags\":[\"x\",\"2\"]}", 0},
		{"\"id\":1,\"team\":3,\"org\":\"o\",\"unit\":\"u\",\"tags\":[{\"n\":\"y\"}]", "1", NULL, "",
		 "{\"Team\":\"o u\",\"Tags\":[\"y\"]}", 0},
		{"\"id\":1,\"ticket\":{\"team\":\"t\"},\"org\":\"o\",\"unit\":\"u\"", "1", NULL, "", "{\"Team\":\"t\"}",
		 0},
		{"\"id\":1,\"a\":{\"x\":1},\"b\":7", "1", NULL, "", "{\"N ID\":\"7\"}", 0},
		{"\"id\":1,\"a\":false,\"b\":7,\"team\":\"\"", "1", NULL, "", "{\"N ID\":\"false\"}", 0},
	};
	struct definition *d = with_definition(LISTS, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\":\"opened\",%s}", cases[i].members);
		CLEANUP(mem_freep) char *text = NULL;
		struct parse_result r = read_body(d, body);
		struct buf emails;

		if (r.kind != PARSE_SIGNAL)
			fail_msg("%s: %s", body, r.reason);
		buf_init(&emails, 1024);
		for (size_t k = 0; k < r.signal.addresses.n; k++)
			buf_addf(&emails, "%s%s", k > 0 ? " " : "", r.signal.addresses.items[k].email);
		text = json_text(r.signal.attributes);
		assert_string_equal(r.signal.conversation, cases[i].conversation);
		assert_true(text_is(r.signal.customer, cases[i].customer));
		assert_string_equal(emails.data, cases[i].emails);
		assert_string_equal(text, cases[i].attributes);
		assert_int_equal(r.signal.has_time, cases[i].ms != 0);
		assert_int_equal(r.signal.time_ms, cases[i].ms != 0 ? cases[i].ms : RECEIVED_MS);
		buf_done(&emails);
		parse_result_done(&r);
	}
	definition_free(d);
}

static void some_of_a_list_count_for_some_webhooks_only(void **state)
{
	static const char yaml[] =
		"label: D\nauthenticate: {method: basic}\nopened: {/type: opened}\nclosed: {/type: closed}\n"
		"conversation: /id\ntime: [{when: {/type: opened}, use: /made}, {when: {header:X-A: [b, c]}, use: "
		"/at}]\n"
		"attributes: {Team: [{when: {/type: closed}, use: \"{/team} x\"}, /team], "
		"Made: [{when: {/type: opened}, use: /made}]}\n";
	static const struct {
		const char *members, *header, *team;
		int64_t ms;
	} cases[] = {
		{"\"type\":\"opened\",\"made\":1763740801,\"at\":1763740802", NULL, "t", 1763740801000},
		{"\"type\":\"opened\",\"at\":1763740802", "C", "t", 1763740802000},
		{"\"type\":\"opened\",\"at\":1763740802", "d", "t", 0},
		{"\"type\":\"closed\",\"made\":1763740801", "b", "t x", 0},
		{"\"type\":\"closed\",\"made\":1763740801,\"at\":\"2025-11-21T16:00:03Z\"", "b", "t x", 1763740803000},
	};
	struct definition *d = with_definition(yaml, NULL);

	(void)state;
	assert_true(definition_stores_header(d, "X-A"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"id\":1,\"team\":\"t\",%s}", cases[i].members);
		struct webhook w = {.body = body, .body_len = strlen(body), .received_ms = RECEIVED_MS};
		struct parse_result r;

		if (cases[i].header)
			pairs_add(&w.headers, "X-A", cases[i].header);
		with_parse_result(d, &w, NULL, &r);
		assert_int_equal(r.kind, PARSE_SIGNAL);
		assert_int_equal(r.signal.has_time, cases[i].ms != 0);
		if (cases[i].ms != 0)
			assert_int_equal(r.signal.time_ms, cases[i].ms);
		assert_string_equal(json_member_str(r.signal.attributes, "Team"), cases[i].team);
		assert_int_equal(json_member_int(r.signal.attributes, "Made", 0), i == 0 ? 1763740801 : 0);
		parse_result_done(&r);
		pairs_done(&w.headers);
	}
	definition_free(d);
}

static void a_list_that_finds_nothing_names_all_of_it(void **state)
{
	static const struct {
		const char *members, *reason;
	} cases[] = {
		{"\"x\":1", "no conversation: nothing at /ticket/id or {/account}-{/id} or query:ticket or /id"},
		{"\"id\":[1]", "or /id holds a list, not an id"},
		{"\"id\":1,\"at\":\"soon\"", "/ticket/at or /at holds \"soon\", which is no time"},
		{"\"id\":1,\"who\":{}", "/ticket/who or /who holds an object, not an id"},
	};
	struct definition *d = with_definition(LISTS, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\":\"opened\",%s}", cases[i].members);
		struct parse_result r = read_body(d, body);

		assert_int_equal(r.kind, PARSE_UNREADABLE);
		if (!strstr(r.reason, cases[i].reason))
			fail_msg("%s", r.reason);
		parse_result_done(&r);
	}
	definition_free(d);
}

/* Where the definition says that two bodies are never equal, no time is needed. */
static void the_body_is_the_delivery_where_the_definition_says_so(void **state)
{
	static const char first[] = "{\"type\":\"opened\",\"id\":1,\"message\":7}";
	static const char timed[] = "{\"type\":\"opened\",\"id\":1,\"message\":7,\"at\":1763740800}";
	static const char closed[] = "{\"type\":\"closed\",\"id\":1,\"message\":7}";
	static const char bare[] = "{\"type\":\"opened\",\"id\":1}";
	static const char named[] = "{\"type\":\"opened\",\"id\":1,\"message\":7,\"event\":\"e1\"}";
	static const char same_name[] = "{\"type\":\"opened\",\"id\":1,\"event\":\"e1\"}";
	struct definition *d = with_definition(BARE_DEFINITION "delivery: body\n", NULL);
	struct definition *by_time = with_definition(BARE_DEFINITION "time: /at\n", NULL);
	struct definition *some = with_definition(
		BARE_DEFINITION "delivery: [/event, {when: {/message: {exists: true}}, use: body}]\n", NULL);
	unsigned char a[DIGEST_DELIVERY_BYTES], b[DIGEST_DELIVERY_BYTES];

	(void)state;
	assert_true(delivery_of(d, first, "/p", "a=1", a));
	assert_true(delivery_of(d, first, "/p", "a=1", b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, first, "/p", "a=2", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, first, "/q", "a=1", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(delivery_of(d, closed, "/p", "a=1", b));
	assert_memory_not_equal(a, b, sizeof(a));

	/* Digests made because of a time, before the definition said so, stay valid. */
	assert_true(delivery_of(d, timed, "/p", "a=1", a));
	assert_true(delivery_of(by_time, timed, "/p", "a=1", b));
	assert_memory_equal(a, b, sizeof(a));

	assert_true(delivery_of(some, first, "/p", "a=1", a));
	assert_true(delivery_of(d, first, "/p", "a=1", b));
	assert_memory_equal(a, b, sizeof(a));
	assert_false(delivery_of(some, bare, "/p", "a=1", b));
	assert_true(delivery_of(some, named, "/p", "a=1", a));
	assert_true(delivery_of(some, same_name, "/p", "a=2", b));
	assert_memory_equal(a, b, sizeof(a));
	definition_free(d);
	definition_free(by_time);
	definition_free(some);
}

static void an_unreadable_body_is_a_delivery_too(void **state)
{
	static const char body[] = "{\"type\":\"opened\"}";
	struct definition *d = with_definition(BARE_DEFINITION "delivery: body\n", NULL);
	struct parse_result r = read_body(d, body);

	(void)state;
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	assert_true(r.has_delivery);
	parse_result_done(&r);
	definition_free(d);
}

static void a_delivery_may_stand_in_a_header_or_in_the_body(void **state)
{
	static const char body[] = "{\"type\":\"opened\",\"id\":1,\"event\":\"e1\"}";
	struct definition *d = with_definition(LISTS, NULL);
	struct webhook w = webhook_of(body, strlen(body));
	unsigned char by_body[DIGEST_DELIVERY_BYTES];
	struct parse_result r;

	(void)state;
	assert_true(definition_stores_header(d, "x-delivery"));
	with_parse_result(d, &w, NULL, &r);
	assert_true(r.has_delivery);
	memcpy(by_body, r.delivery, sizeof(by_body));
	parse_result_done(&r);
	pairs_add(&w.headers, "X-Delivery", "e2");
	with_parse_result(d, &w, NULL, &r);
	assert_memory_not_equal(r.delivery, by_body, sizeof(by_body));
	parse_result_done(&r);
	webhook_done(&w);
	definition_free(d);
}

static void forms_are_read_as_flat_objects(void **state)
{
	struct definition *d = with_definition(BARE_DEFINITION "body: form\ntime: /at\nemails: /contact[email]\n"
							       "attributes: {Tags: /tag, Team: /team}\n",
					       NULL);
	CLEANUP(mem_freep) char *text = NULL;
	struct parse_result r;

	(void)state;
	r = read_body(
		d, "type=opened&id=0017&at=2025-11-21T16%3A00%3A00%2B00%3A00&contact[email]=Jo+%3Cjo%40example.com%3E"
		   "&tag=a&tag=b&team=");
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_string_equal(r.signal.conversation, "0017");
	assert_int_equal(r.signal.time_ms, RECEIVED_MS);
	assert_int_equal(r.signal.addresses.n, 1);
	assert_string_equal(r.signal.addresses.items[0].email, "jo@example.com");
	text = json_text(r.signal.attributes);
	assert_string_equal(text, "{\"Tags\":[\"a\",\"b\"]}");
	parse_result_done(&r);
	r = read_body(d, "{\"type\": \"opened\", \"id\": 1}");
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	assert_non_null(strstr(r.reason, "expected a form, not JSON"));
	parse_result_done(&r);
	r = read_body(d, "type=opened&id=%ff");
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	assert_non_null(strstr(r.reason, "the body is no form: field 2"));
	parse_result_done(&r);
	definition_free(d);
}

static void a_desk_may_send_either(void **state)
{
	static const char *const bodies[] = {"{\"type\": \"opened\", \"id\": 1}", "type=opened&id=1"};
	struct definition *d = with_definition(BARE_DEFINITION "body: [json, form]\n", NULL);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct parse_result r = read_body(d, bodies[i]);

		assert_int_equal(r.kind, PARSE_SIGNAL);
		assert_string_equal(r.signal.conversation, "1");
		parse_result_done(&r);
	}
	definition_free(d);
}

static void a_body_under_each_holds_one_item(void **state)
{
	static const struct {
		const char *body;
		enum parse_result_kind kind;
		const char *reason;
	} cases[] = {
		{"{\"e\":[{\"type\":\"opened\",\"id\":1}]}", PARSE_SIGNAL, NULL},
		{"{\"e\":[{\"type\":\"other\",\"id\":1}]}", PARSE_IGNORED, NULL},
		{"{\"e\":[null]}", PARSE_IGNORED, NULL},
		{"{\"e\":[]}", PARSE_IGNORED, NULL},
		{"{\"e\":[{\"type\":\"opened\"}]}", PARSE_UNREADABLE, "nothing at /id"},
		{"{\"type\":\"opened\",\"id\":1}", PARSE_UNREADABLE, "no list of items at /e"},
		{"{\"e\":{\"type\":\"opened\",\"id\":1}}", PARSE_UNREADABLE, "no list of items at /e"},
		{"{\"e\":[{},{}]}", PARSE_UNREADABLE, "2 items at /e were not taken apart"},
		{"null", PARSE_UNREADABLE, "no list of items at /e"},
		{"{", PARSE_UNREADABLE, "the body is not JSON"},
	};
	struct definition *d = with_definition(BARE_DEFINITION "each: /e\n", NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct parse_result r = read_body(d, cases[i].body);

		if (r.kind != cases[i].kind || (cases[i].reason && !strstr(r.reason, cases[i].reason)))
			fail_msg("%s reads as %d: %s", cases[i].body, (int)r.kind, r.reason);
		parse_result_done(&r);
	}
	definition_free(d);
}

static void a_conversations_url_may_come_whole(void **state)
{
	static const struct {
		const char *url, *becomes;
	} cases[] = {
		{"https://app.example.com/c/1?tab=2#x", "https://app.example.com/c/1?tab=2#x"},
		{"https://app.example.com/\u00e4", "https://app.example.com/%C3%A4"},
		{"https://app.example.com/a b?q=\\\"x\\\"", "https://app.example.com/a%20b?q=%22x%22"},
		{"HTTPS://app.example.com/c/1", "https://app.example.com/c/1"},
		{"javascript:alert(1)", NULL},
		{"app.example.com/c/1", NULL},
		{"https://jo:secret@app.example.com/c/1", NULL},
		{"https:///c/1", NULL},
		{"", NULL},
	};
	struct definition *d = with_definition(BARE_DEFINITION "conversation_url: \"{/url}\"\n", NULL);
	struct definition *behind =
		with_definition(BARE_DEFINITION "conversation_url: \"https://x.example/{/url}\"\n", NULL);
	struct parse_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep)
		char *body = mem_fmt("{\"type\":\"opened\",\"id\":1,\"url\":\"%s\"}", cases[i].url);

		r = read_body(d, body);
		assert_true(text_is(r.signal.conversation_url, cases[i].becomes));
		parse_result_done(&r);
	}
	r = read_body(behind, "{\"type\":\"opened\",\"id\":1,\"url\":\"https://y.example\"}");
	assert_string_equal(r.signal.conversation_url, "https://x.example/https%3A%2F%2Fy.example");
	parse_result_done(&r);
	definition_free(d);
	definition_free(behind);
}

#define ASKING \
	BARE_DEFINITION "customer: /who\nemails: /mail\nlookup: [{url: \"{base_url}/c/{/who}\", authenticate: basic,"

static void a_lookup_is_wanted_where_it_tells_more(void **state)
{
	static const struct {
		const char *rest, *base_url, *members;
		bool wants;
	} cases[] = {
		{" emails: /e}]\n", "https://x.example", "\"who\":1", true},
		{" emails: /e}]\n", "https://x.example", "\"who\":1,\"mail\":\"jo@example.com\"", false},
		{" emails: /e}]\n", "https://x.example", "\"who\":1,\"mail\":\"nobody\"", true},
		{" emails: /e}]\n", "https://x.example", "\"who\":null", false},
		{" emails: /e}]\n", NULL, "\"who\":1", false},
		{" take: {team: /t}}]\n", "https://x.example", "\"who\":1,\"mail\":\"jo@example.com\"", false},
		{" take: {team: /t}}]\nattributes: {Team: \"{team}\"}\n", "https://x.example",
		 "\"who\":1,\"mail\":\"jo@example.com\"", true},
		{" take: {app: /t}}]\nconversation_url: \"{app}/{/id}\"\n", "https://x.example",
		 "\"who\":1,\"mail\":\"jo@example.com\"", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *yaml = mem_fmt("%s%s", ASKING, cases[i].rest);
		CLEANUP(mem_freep) char *body = mem_fmt("{\"type\":\"opened\",\"id\":1,%s}", cases[i].members);
		struct definition *d = with_definition(yaml, cases[i].base_url);
		struct webhook w = webhook_of(body, strlen(body));
		struct customer nobody = {0};
		struct parse_result r;

		with_parse_result(d, &w, NULL, &r);
		if (r.signal.wants_lookup != cases[i].wants)
			fail_msg("case %zu", i);
		parse_result_done(&r);
		with_parse_result(d, &w, &nobody, &r); /* looked up already, no customer found */
		assert_false(r.signal.wants_lookup);
		parse_result_done(&r);
		webhook_done(&w);
		definition_free(d);
	}
}

static void what_a_lookup_took_serves_attributes_and_url(void **state)
{
	struct definition *d = with_definition(ASKING " take: {team: /t, slug: /s}}]\nattributes: {Team: \"{team}\"}\n"
						      "conversation_url: \"{base_url}/{slug}/{/id}\"\n",
					       "https://x.example/");
	static const char body[] = "{\"type\":\"opened\",\"id\":\"a/1\",\"who\":1}";
	struct webhook w = webhook_of(body, strlen(body));
	struct customer c = {0};
	struct parse_result r;

	(void)state;
	with_parse_result(d, &w, NULL, &r);
	assert_null(r.signal.conversation_url);
	assert_null(json_member(r.signal.attributes, "Team"));
	parse_result_done(&r);
	pairs_add(&c.taken, "team", "Returns & more");
	pairs_add(&c.taken, "slug", "s/x");
	with_parse_result(d, &w, &c, &r);
	assert_string_equal(json_member_str(r.signal.attributes, "Team"), "Returns & more");
	assert_string_equal(r.signal.conversation_url, "https://x.example/s%2Fx/a%2F1");
	parse_result_done(&r);
	customer_done(&c);
	webhook_done(&w);
	definition_free(d);
}

static void a_customer_survives_being_stored(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"addresses\":[],\"taken\":[]}",
		"{\"addresses\":{},\"taken\":{}}",
		"{\"addresses\":[{\"email\":\"nobody\"}],\"taken\":{}}",
		"{\"addresses\":[{}],\"taken\":{}}",
		"{\"addresses\":[],\"taken\":{\"a\":1}}",
	};
	struct customer c = {0};
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(mem_freep) char *empty_text = NULL;
	struct customer back;
	struct err e;

	(void)state;
	empty_text = customer_text(&c);
	assert_int_equal(customer_read(empty_text, &back, &e), 0);
	assert_int_equal(back.addresses.n + back.taken.n, 0);
	assert_true(addresses_add(&c.addresses, "jo@example.com", false));
	assert_true(addresses_add(&c.addresses, "al@example.com", true));
	pairs_add(&c.taken, "team", "Returns \"& more\"\n");
	text = customer_text(&c);
	assert_null(strchr(text, '\n'));
	assert_int_equal(customer_read(text, &back, &e), 0);
	assert_int_equal(back.addresses.n, 2);
	assert_false(back.addresses.items[0].primary);
	assert_true(back.addresses.items[1].primary);
	assert_string_equal(pairs_get(&back.taken, "team"), "Returns \"& more\"\n");
	customer_done(&back);
	customer_done(&c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(customer_read(bad[i], &back, &e) < 0);
}

static void transitions_have_names(void **state)
{
	enum transition t;

	(void)state;
	for (enum transition i = TRANSITION_NONE; i <= TRANSITION_EXPIRED; i++) {
		assert_int_equal(transition_parse(transition_name(i), &t), 0);
		assert_int_equal(t, i);
	}
	assert_true(transition_parse("open", &t) < 0);
	assert_true(transition_parse("", &t) < 0);
}

/* An integer beyond 64 bits keeps its digits, in an id, a matcher, an attribute and a link. */
static void a_wide_integer_is_read_as_it_was_written(void **state)
{
	struct definition *d =
		with_definition("label: Desk\nauthenticate: {method: none}\nopened: {/n: 9400111899223334445556}\n"
				"closed: {/n: 9400111899223334445557}\nconversation: /id\ntime: /at\n"
				"attributes: {Number: /n, Numbers: /all/*, Small: /small, Odd: /odd}\n"
				"conversation_url: \"https://x.example/{/id}\"\n",
				NULL);
	struct parse_result r =
		read_body(d, "\xef\xbb\xbf{\"n\":9400111899223334445556,\"id\":-12345678901234567890123,"
			     "\"at\":1763739999.1230000000000000000000000000000000000000001,\"small\":7,"
			     "\"all\":[1,9400111899223334445556],\"odd\":1e400,\"unread\":\"a\nb\"}");
	CLEANUP(mem_freep) char *attributes = NULL;

	(void)state;
	assert_int_equal(r.kind, PARSE_SIGNAL);
	assert_int_equal(r.signal.transition, TRANSITION_OPENED);
	assert_string_equal(r.signal.conversation, "-12345678901234567890123");
	assert_string_equal(r.signal.conversation_url, "https://x.example/-12345678901234567890123");
	assert_int_equal(r.signal.time_ms, INT64_C(1763739999123));
	attributes = json_text(r.signal.attributes);
	assert_string_equal(attributes,
			    "{\"Number\":\"9400111899223334445556\","
			    "\"Numbers\":[\"1\",\"9400111899223334445556\"],\"Small\":7,\"Odd\":\"1e400\"}");
	parse_result_done(&r);
	r = read_body(d, "{\"n\":9400111899223334445557,\"id\":9400111899223334445556,\"at\":9400111899223334445556}");
	assert_int_equal(r.kind, PARSE_UNREADABLE);
	assert_non_null(strstr(r.reason, "/at holds \"9400111899223334445556\", which is no time"));
	parse_result_done(&r);
	definition_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gladlys_webhooks_are_signals),
		cmocka_unit_test(what_is_no_json_is_unreadable),
		cmocka_unit_test(odd_json_is_no_trouble),
		cmocka_unit_test(a_conversation_must_be_named),
		cmocka_unit_test(ids_are_read_as_text),
		cmocka_unit_test(a_missing_customer_is_none),
		cmocka_unit_test(times_are_read_or_told_impossible),
		cmocka_unit_test(how_old_a_state_is_never_makes_it_unreadable),
		cmocka_unit_test(the_more_final_matcher_counts),
		cmocka_unit_test(a_replay_says_what_the_first_reading_said),
		cmocka_unit_test(marking_keeps_what_was_read),
		cmocka_unit_test(a_delivery_is_known_by_its_id),
		cmocka_unit_test(without_an_id_all_of_it_is_the_delivery),
		cmocka_unit_test(attributes_are_flat_and_absent_facts_are_absent),
		cmocka_unit_test(without_attributes_in_the_definition_there_are_none),
		cmocka_unit_test(a_mapping_gives_values_other_words),
		cmocka_unit_test(a_mapping_gives_each_of_a_list_other_words),
		cmocka_unit_test(some_elements_of_a_list_can_be_left_out),
		cmocka_unit_test(a_list_holds_a_text_once),
		cmocka_unit_test(a_list_is_cut_behind_a_hundred_texts),
		cmocka_unit_test(what_elements_may_cost_is_bounded),
		cmocka_unit_test(of_several_mappings_the_first_that_gives_a_word_counts),
		cmocka_unit_test(long_attributes_are_cut_at_a_letter),
		cmocka_unit_test(a_text_is_cut_between_two_characters),
		cmocka_unit_test(addresses_come_from_webhook_and_customer),
		cmocka_unit_test(the_first_of_a_list_that_finds_something_counts),
		cmocka_unit_test(some_of_a_list_count_for_some_webhooks_only),
		cmocka_unit_test(a_list_that_finds_nothing_names_all_of_it),
		cmocka_unit_test(the_body_is_the_delivery_where_the_definition_says_so),
		cmocka_unit_test(an_unreadable_body_is_a_delivery_too),
		cmocka_unit_test(a_delivery_may_stand_in_a_header_or_in_the_body),
		cmocka_unit_test(forms_are_read_as_flat_objects),
		cmocka_unit_test(a_desk_may_send_either),
		cmocka_unit_test(a_body_under_each_holds_one_item),
		cmocka_unit_test(a_conversations_url_may_come_whole),
		cmocka_unit_test(a_lookup_is_wanted_where_it_tells_more),
		cmocka_unit_test(what_a_lookup_took_serves_attributes_and_url),
		cmocka_unit_test(a_customer_survives_being_stored),
		cmocka_unit_test(transitions_have_names),
		cmocka_unit_test(a_wide_integer_is_read_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
