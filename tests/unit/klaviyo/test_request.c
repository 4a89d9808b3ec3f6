/* SPDX-License-Identifier: MIT */
/* Tests request: the shape and order of the bytes for Klaviyo, and that they are the same in every attempt. */
#include <config.h>

#include "klaviyo/request.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "fixtures/json.h"

#define TIME_MS INT64_C(1795276800987) /* 2026-11-21T16:00:00.987Z */

static struct event sample(void)
{
	return (struct event){
		.email = (char *)"jo@example.com",
		.metric = (char *)"closed conversation in Gladly",
		.unique_id = "0123456789abcdef0123456789abcdef",
		.time_ms = TIME_MS,
		.properties = (char *)"{\"Helpdesk\":\"Gladly\",\"Tags\":[\"a/b\"],\"Resolution "
				      "Seconds\":5400,\"Rate\":0.10}",
		.profile = (char *)"{\"In Gladly Conversation\":false}",
		.late_ms = CLOCK_NEVER_MS,
	};
}

static char *body_of(const struct event *e, int64_t now_ms)
{
	struct err why = {0};
	char *body = NULL;

	if (request_single(e, now_ms, &body, &why) < 0)
		fail_msg("%s", why.text);
	return body;
}

static void a_single_event_has_exactly_these_bytes(void **state)
{
	struct event e = sample();
	CLEANUP(mem_freep) char *body = body_of(&e, TIME_MS);

	(void)state;
	assert_string_equal(
		body,
		"{\"data\":{\"type\":\"event\",\"attributes\":{"
		"\"properties\":{\"Helpdesk\":\"Gladly\",\"Tags\":[\"a/b\"],\"Resolution Seconds\":5400,\"Rate\":0.10},"
		"\"time\":\"2026-11-21T16:00:00Z\",\"unique_id\":\"0123456789abcdef0123456789abcdef\","
		"\"backfill\":false,"
		"\"metric\":{\"data\":{\"type\":\"metric\",\"attributes\":"
		"{\"name\":\"closed conversation in Gladly\"}}},"
		"\"profile\":{\"data\":{\"type\":\"profile\",\"attributes\":{\"email\":\"jo@example.com\","
		"\"properties\":{\"In Gladly Conversation\":false}}}}}}}");
}

static void the_same_event_gives_the_same_bytes_later(void **state)
{
	struct event e = sample();
	CLEANUP(mem_freep) char *first = body_of(&e, TIME_MS);
	CLEANUP(mem_freep) char *later = body_of(&e, TIME_MS + CLOCK_DAY_MS);

	(void)state;
	assert_string_equal(first, later);
}

static void what_goes_out_late_is_backfill(void **state)
{
	struct event e = sample();

	(void)state;
	e.late_ms = 15 * CLOCK_MINUTE_MS;
	for (int late = 0; late < 2; late++) {
		int64_t now_ms = TIME_MS + (late ? 16 : 14) * CLOCK_MINUTE_MS;
		CLEANUP(mem_freep) char *body = body_of(&e, now_ms);

		assert_non_null(strstr(body, late ? "\"backfill\":true" : "\"backfill\":false"));
	}
	e.late_ms = CLOCK_NEVER_MS;
	e.backfill = true;
	{
		CLEANUP(mem_freep) char *body = body_of(&e, TIME_MS);

		assert_non_null(strstr(body, "\"backfill\":true"));
	}
}

/* ---- the same bytes from trees ----------------------------------------------------------------------------------- */

static void tree_put(struct json_object *object, const char *key, struct json_object *value)
{
	assert_int_equal(json_object_object_add(object, key, value), 0);
}

static struct json_object *tree_resource(const char *type, struct json_object *attributes)
{
	struct json_object *outer = json_object_new_object();
	struct json_object *data = json_object_new_object();

	json_set_str(data, "type", type);
	tree_put(data, "attributes", attributes);
	tree_put(outer, "data", data);
	return outer;
}

/* Writes the whole body by json-c, built as one tree. */
static char *body_by_trees(const struct event *e, int64_t now_ms)
{
	struct json_object *attributes = json_object_new_object();
	struct json_object *metric = json_object_new_object();
	struct json_object *person = json_object_new_object();
	struct json_object *profile = with_json(e->profile);
	struct json_object *body;
	char *text;
	char time[CLOCK_ISO_MAX];

	tree_put(attributes, "properties", with_json(e->properties));
	clock_iso(e->time_ms, time);
	json_set_str(attributes, "time", time);
	if (e->has_value) {
		struct json_object *plain = json_object_new_double(e->value);
		CLEANUP(mem_freep) char *shortest = json_scalar(plain);

		tree_put(attributes, "value", json_object_new_double_s(e->value, shortest));
		json_object_put(plain);
	}
	json_set_str(attributes, "unique_id", e->unique_id);
	json_set_bool(attributes, "backfill", event_is_backfill(e, now_ms));
	json_set_str(metric, "name", e->metric);
	tree_put(attributes, "metric", tree_resource("metric", metric));
	json_set_str(person, "email", e->email);
	if (json_object_object_length(profile) > 0)
		tree_put(person, "properties", json_object_get(profile));
	json_object_put(profile);
	tree_put(attributes, "profile", tree_resource("profile", person));
	body = tree_resource("event", attributes);
	text = json_text(body);
	json_object_put(body);
	return text;
}

/* Returns text in the form that the store holds. */
static char *stored(const char *text)
{
	CLEANUP(json_putp) struct json_object *o = with_json(text);

	return json_text(o);
}

/* The store holds json_text()'s output, so it can be copied into the body: no byte differs from a body built of
 * trees. */
static void stored_text_goes_into_the_body_as_it_is(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"a\":\"b/c\",\"d\":\"\\\"q\\\" \\\\ \\u0001 \\n\"}",
		"{\"wide\":123456789012345678901234567890,\"far\":1e400,\"n\":-0.1,\"t\":true,\"null\":null}",
		"{\"Gr\xc3\xbc\xc3\x9f"
		"e\":\"\xf0\x9f\x98\x80\",\"l\":[1,2,[]],\"o\":{\"p\":{}}}",
		"{\"del\":\"\x7f\",\"c1\":\"\xc2\x9b\",\"bidi\":\"\xe2\x80\xae\"}",
	};
	static const double values[] = {9.99, 0, -0.1, 1e21, 1e-9, 123456789.125, 5};
	static const char *const names[] = {"plain", "a/b \"c\" \\ \t\x01",
					    "Gr\xc3\xbc\xc3\x9f"
					    "e \x7f"};
	struct event e = sample();

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
			for (size_t k = 0; k <= sizeof(values) / sizeof(values[0]); k++) {
				CLEANUP(mem_freep) char *properties = stored(texts[i]);
				CLEANUP(mem_freep) char *profile = stored(texts[j]);
				CLEANUP(mem_freep) char *body = NULL;
				CLEANUP(mem_freep) char *expected = NULL;

				e.properties = properties;
				e.profile = profile;
				e.has_value = k > 0;
				e.value = k > 0 ? values[k - 1] : 0;
				e.metric = (char *)names[k % 3];
				body = body_of(&e, TIME_MS);
				expected = body_by_trees(&e, TIME_MS);
				assert_string_equal(body, expected);
			}
}

static void a_value_stands_only_where_there_is_one(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{9.99, "\"value\":9.99,"}, {5, "\"value\":5,"}, {0, "\"value\":0,"}, {-0.1, "\"value\":-0.1,"}};
	struct event e = sample();

	(void)state;
	e.has_value = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(mem_freep) char *body = NULL;

		e.value = rows[i].value;
		body = body_of(&e, TIME_MS);
		assert_non_null(strstr(body, rows[i].text));
	}
	e.has_value = false;
	{
		CLEANUP(mem_freep) char *body = body_of(&e, TIME_MS);

		assert_null(strstr(body, "\"value\""));
	}
}

static void no_profile_property_leaves_only_the_address(void **state)
{
	struct event e = sample();
	CLEANUP(mem_freep) char *body = NULL;

	(void)state;
	e.profile = (char *)"{}";
	body = body_of(&e, TIME_MS);
	assert_non_null(strstr(body, "\"attributes\":{\"email\":\"jo@example.com\"}"));
}

static void odd_names_and_addresses_stay_json(void **state)
{
	struct event e = sample();
	CLEANUP(mem_freep) char *body = NULL;
	CLEANUP(json_putp) struct json_object *o = NULL;

	(void)state;
	e.metric = (char *)"closed \"x\" \\ in Gr\xc3\xbc\xc3\x9f"
			   "e\n";
	e.email = (char *)"o'brien+\"x\"@example.com";
	body = body_of(&e, TIME_MS);
	assert_int_equal(json_read(body, strlen(body), &o, NULL), 0);
	assert_string_equal(
		json_member_str(json_member(json_member(json_member(json_member(json_member(o, "data"), "attributes"),
								    "metric"),
							"data"),
					    "attributes"),
				"name"),
		e.metric);
}

static void stored_text_that_does_not_read_is_told(void **state)
{
	static const char *const bad[] = {NULL, "", "{", "[]", "null", "{\"a\":1}x", "\xff"};
	struct err why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct event properties = sample();
		struct event profile = sample();
		char *body = NULL;

		properties.properties = (char *)bad[i];
		profile.profile = (char *)bad[i];
		assert_int_equal(request_single(&properties, TIME_MS, &body, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "properties"));
		assert_int_equal(request_single(&profile, TIME_MS, &body, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "profile"));
		assert_null(body);
	}
}

static void a_value_that_is_no_number_is_told(void **state)
{
	struct event e = sample();
	char *body = NULL;

	(void)state;
	e.has_value = true;
	e.value = NAN;
	assert_int_equal(request_single(&e, TIME_MS, &body, NULL), -EBADMSG);
	e.value = INFINITY;
	assert_int_equal(request_single(&e, TIME_MS, &body, NULL), -EBADMSG);
}

static void headers_carry_key_revision_and_media_type(void **state)
{
	struct pairs headers = {0};

	(void)state;
	request_headers(&headers, "pk_test", "2026-07-15");
	assert_int_equal(headers.n, 4);
	assert_string_equal(pairs_get(&headers, "authorization"), "Klaviyo-API-Key pk_test");
	assert_string_equal(pairs_get(&headers, "revision"), "2026-07-15");
	assert_string_equal(pairs_get(&headers, "content-type"), "application/vnd.api+json");
	assert_string_equal(pairs_get(&headers, "accept"), "application/vnd.api+json");
	pairs_done(&headers);
}

static void addresses_have_no_slash_at_their_end(void **state)
{
	CLEANUP(mem_freep) char *url = request_url("https://a.klaviyo.com", KLAVIYO_PATH_EVENTS);
	CLEANUP(mem_freep) char *page = request_key_page("events:write,profiles:read");

	(void)state;
	assert_string_equal(url, "https://a.klaviyo.com/api/events");
	assert_string_equal(page, "https://www.klaviyo.com/create-private-api-key?scopes=events:write,profiles:read");
}

static void the_probe_lacks_what_klaviyo_requires(void **state)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	struct json_object *attributes;

	(void)state;
	assert_int_equal(json_read(REQUEST_PROBE, strlen(REQUEST_PROBE), &o, NULL), 0);
	attributes = json_member(json_member(o, "data"), "attributes");
	assert_non_null(attributes);
	assert_null(json_member(attributes, "metric"));
	assert_null(json_member(json_member(attributes, "profile"), "data"));
}

static void a_revision_ends_two_years_after_its_date(void **state)
{
	static const struct {
		const char *revision, *now;
		int r;
		long days;
	} rows[] = {
		{"2026-07-15", "2028-07-14T00:00:00Z", 0, 1},
		{"2026-07-15", "2028-07-15T00:00:00Z", 0, 0},
		{"2026-07-15", "2028-07-14T00:00:01Z", 0, 0},
		{"2026-07-15", "2028-07-15T00:00:01Z", 0, -1},
		{"2026-07-15", "2026-11-21T12:00:00Z", 0, 601},
		{"2024-02-29", "2026-02-28T00:00:00Z", 0, 1},
		{"2024-10-15", "2026-11-21T00:00:00Z", 0, -37},
		{"2026-07-15.pre", "2026-11-21T00:00:00Z", -EINVAL, 0},
		{"2026-13-15", "2026-11-21T00:00:00Z", -EINVAL, 0},
		{"2026-02-30", "2026-11-21T00:00:00Z", -EINVAL, 0},
		{"2026-7-15", "2026-11-21T00:00:00Z", -EINVAL, 0},
		{"", "2026-11-21T00:00:00Z", -EINVAL, 0},
		{"latest", "2026-11-21T00:00:00Z", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		long days = 0;
		int64_t now_ms;

		assert_int_equal(clock_parse(rows[i].now, strlen(rows[i].now), &now_ms), 0);
		assert_int_equal(request_revision_days_left(rows[i].revision, now_ms, &days), rows[i].r);
		assert_int_equal(days, rows[i].days);
	}
}

static void the_end_of_a_revision_is_told_in_days(void **state)
{
	char out[REQUEST_END_MAX];

	(void)state;
	assert_string_equal(request_revision_end(-3, out), "has ended");
	assert_string_equal(request_revision_end(0, out), "ends today");
	assert_string_equal(request_revision_end(1, out), "ends in 1 day");
	assert_string_equal(request_revision_end(2, out), "ends in 2 days");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_event_has_exactly_these_bytes),
		cmocka_unit_test(the_same_event_gives_the_same_bytes_later),
		cmocka_unit_test(what_goes_out_late_is_backfill),
		cmocka_unit_test(stored_text_goes_into_the_body_as_it_is),
		cmocka_unit_test(a_value_stands_only_where_there_is_one),
		cmocka_unit_test(no_profile_property_leaves_only_the_address),
		cmocka_unit_test(odd_names_and_addresses_stay_json),
		cmocka_unit_test(stored_text_that_does_not_read_is_told),
		cmocka_unit_test(a_value_that_is_no_number_is_told),
		cmocka_unit_test(headers_carry_key_revision_and_media_type),
		cmocka_unit_test(addresses_have_no_slash_at_their_end),
		cmocka_unit_test(the_probe_lacks_what_klaviyo_requires),
		cmocka_unit_test(a_revision_ends_two_years_after_its_date),
		cmocka_unit_test(the_end_of_a_revision_is_told_in_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
