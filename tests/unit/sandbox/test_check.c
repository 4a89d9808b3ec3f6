/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "sandbox/access.h"
#include "sandbox/check.h"

#define NOW_MS INT64_C(1795276800000) /* 2026-11-21T16:00:00Z */

/* The first %s stands for the event's attributes except metric and profile, the second for the profile's attributes. */
#define EVENT                                                                                                        \
	"{\"data\":{\"type\":\"event\",\"attributes\":{%s,\"metric\":{\"data\":{\"type\":\"metric\",\"attributes\":" \
	"{\"name\":\"m\"}}},\"profile\":{\"data\":{\"type\":\"profile\",\"attributes\":{%s}}}}}}"
#define GOOD "\"properties\":{}"
#define JO "\"email\":\"jo@example.com\""

static const struct check_rules newest = {ACCESS_REVISION_NEWEST, NOW_MS};

static struct json_object *parse(const char *text)
{
	struct json_object *o;
	struct err err;

	if (json_read(text, strlen(text), &o, &err) < 0)
		fail_msg("%s in %s", err.text, text);
	return o;
}

/* Returns the pointers of all complaints, separated by blanks; "" where there are none. */
static char *pointers(const struct complaints *c)
{
	char *all = mem_str("");

	for (size_t i = 0; i < c->n; i++) {
		char *more = mem_fmt("%s%s%s", all, i > 0 ? " " : "", c->items[i].where);

		free(all);
		all = more;
	}
	return all;
}

static char *check_text(const char *text, const struct check_rules *rules, bool bulk)
{
	struct json_object *body = parse(text);
	struct check_result r;
	char *found;

	(bulk ? check_bulk : check_single)(body, rules, &r);
	found = pointers(&r.complaints);
	check_result_done(&r);
	json_object_put(body);
	return found;
}

static void single_events_are_checked(void **state)
{
#define A "/data/attributes"
#define P A "/profile/data/attributes"
	static const struct {
		const char *attributes, *profile, *complaints;
	} table[] = {
		{GOOD, JO, ""},
		{GOOD ",\"time\":null,\"value\":null,\"unique_id\":null,\"backfill\":null", JO, ""},
		{GOOD ",\"time\":\"2026-11-21T16:00:00.123Z\",\"value\":1,\"value_currency\":\"USD\"", JO, ""},
		{GOOD ",\"time\":\"1990-01-01T00:00:00+00:00\"", JO, ""},
		{GOOD ",\"time\":\"1989-12-31T23:59:59Z\"", JO, A "/time"},
		{GOOD ",\"time\":\"2027-11-21T16:00:00Z\"", JO, ""},
		{GOOD ",\"time\":\"2027-11-21T16:00:01Z\"", JO, A "/time"},
		{GOOD ",\"time\":\"2026-11-21 16:00:00Z\"", JO, A "/time"},
		{GOOD ",\"time\":\"2026-11-21T16:00:00\"", JO, A "/time"},
		{GOOD ",\"time\":\"2026-02-30T16:00:00Z\"", JO, A "/time"},
		{GOOD ",\"time\":\"\"", JO, A "/time"},
		{GOOD ",\"value\":\"1\"", JO, A "/value"},
		{GOOD ",\"value_currency\":\"usd\"", JO, A "/value_currency"},
		{GOOD ",\"backfill\":1", JO, A "/backfill"},
		{GOOD ",\"extra\":1", JO, A "/extra"},
		{"\"properties\":null", JO, A "/properties"},
		{"\"unique_id\":\"x\"", JO, A "/properties"},
		{GOOD, "", P},
		{GOOD, "\"email\":null", P},
		{GOOD, "\"email\":\"\"", P "/email " P},
		{GOOD, "\"first_name\":\"Jo\"", P},
		{GOOD, "\"external_id\":\"7\"", ""},
		{GOOD, "\"phone_number\":\"+15005550006\"", ""},
		{GOOD, "\"phone_number\":\"5005550006\"", P "/phone_number"},
		{GOOD, JO ",\"phone_number\":\"5005550006\"", ""},
		{GOOD, JO ",\"properties\":[]", P "/properties"},
		{GOOD, JO ",\"name\":\"Jo\"", P "/name"},
		{GOOD, JO ",\"meta\":{\"patch_properties\":{}}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP(mem_freep) char *text = mem_fmt(EVENT, table[i].attributes, table[i].profile);
		CLEANUP(mem_freep) char *found = check_text(text, &newest, false);

		if (strcmp(found, table[i].complaints) != 0)
			fail_msg("%s: complains of \"%s\", not \"%s\"", text, found, table[i].complaints);
	}
}

static void shapes_that_are_no_event_are_invalid_payloads(void **state)
{
	static const char *const texts[] = {
		"null", "[]", "1", "{}", "{\"data\":null}", "{\"data\":[]}", "{\"type\":\"event\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CLEANUP(mem_freep) char *single = check_text(texts[i], &newest, false);
		CLEANUP(mem_freep) char *bulk = check_text(texts[i], &newest, true);

		assert_string_equal(single, "/data");
		assert_string_equal(bulk, "/data");
	}
}

static void what_is_good_is_read(void **state)
{
	CLEANUP(mem_freep)
	char *text = mem_fmt(EVENT,
			     "\"properties\":{\"a\":1},\"time\":\"2026-11-21T17:00:00.999+02:00\",\"unique_id\":\"u\","
			     "\"backfill\":true,\"value\":2.5",
			     "\"email\":\"Jo@Example.com\",\"properties\":{\"Flag\":true}");
	struct json_object *body = parse(text);
	struct check_result r;

	(void)state;
	check_single(body, &newest, &r);
	assert_int_equal(r.complaints.n, 0);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.events[0].person, "email:jo@example.com");
	assert_string_equal(r.events[0].email, "Jo@Example.com");
	assert_string_equal(r.events[0].metric, "m");
	assert_string_equal(r.events[0].unique_id, "u");
	assert_int_equal(r.events[0].time_ms, NOW_MS - CLOCK_HOUR_MS);
	assert_true(r.events[0].backfill);
	assert_true(json_member_bool(r.events[0].profile_properties, "Flag", false));
	check_result_done(&r);
	json_object_put(body);
}

static void without_a_time_it_is_now_in_whole_seconds(void **state)
{
	const struct check_rules rules = {ACCESS_REVISION_NEWEST, NOW_MS + 987};
	CLEANUP(mem_freep) char *text = mem_fmt(EVENT, GOOD, JO);
	struct json_object *body = parse(text);
	struct check_result r;

	(void)state;
	check_single(body, &rules, &r);
	assert_int_equal(r.events[0].time_ms, NOW_MS);
	assert_null(r.events[0].unique_id);
	check_result_done(&r);
	json_object_put(body);
}

static void older_revisions_allow_less(void **state)
{
	static const struct {
		const char *revision, *attributes, *complaints;
	} table[] = {
		{"2026-07-15", ",\"time\":\"1995-01-01T00:00:00Z\"", ""},
		{"2026-04-15", ",\"time\":\"1995-01-01T00:00:00Z\"", "/data/attributes/time"},
		{"2026-04-15", ",\"backfill\":true", ""},
		{"2026-01-15", ",\"backfill\":true", "/data/attributes/backfill"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct check_rules rules = {table[i].revision, NOW_MS};
		CLEANUP(mem_freep) char *attributes = mem_fmt("%s%s", GOOD, table[i].attributes);
		CLEANUP(mem_freep) char *text = mem_fmt(EVENT, attributes, JO);
		CLEANUP(mem_freep) char *found = check_text(text, &rules, false);

		assert_string_equal(found, table[i].complaints);
	}
}

static struct json_object *nested(unsigned levels)
{
	struct json_object *o = json_object_new_int(1);

	for (unsigned i = 1; i < levels; i++) {
		struct json_object *outer = json_object_new_array();

		json_object_array_add(outer, o);
		o = outer;
	}
	return o;
}

static char *check_property(struct json_object *value, unsigned n)
{
	struct json_object *properties = json_object_new_object();
	CLEANUP(mem_freep) char *json = NULL, *attributes = NULL, *text = NULL;

	for (unsigned i = 1; i < n; i++) {
		CLEANUP(mem_freep) char *name = mem_fmt("p%u", i);

		json_set_int(properties, name, 1);
	}
	json_object_object_add(properties, "big", value);
	json = json_text(properties);
	attributes = mem_fmt("\"properties\":%s", json);
	text = mem_fmt(EVENT, attributes, JO);
	json_object_put(properties);
	return check_text(text, &newest, false);
}

static struct json_object *array_of(size_t n)
{
	struct json_object *o = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(o, json_object_new_int(1));
	return o;
}

static struct json_object *string_of(int n)
{
	CLEANUP(mem_freep) char *text = mem_new((size_t)n + 1, 1);

	memset(text, 'x', (size_t)n);
	return json_object_new_string_len(text, n);
}

static void limits_of_properties_hold_to_the_last_one(void **state)
{
	const struct {
		struct json_object *value;
		unsigned n;
		const char *complaints;
	} table[] = {
		{json_object_new_int(1), 400, ""},
		{json_object_new_int(1), 401, "/data/attributes/properties"},
		{string_of(100000), 1, ""},
		{string_of(100001), 1, "/data/attributes/properties/big"},
		{array_of(4000), 1, ""},
		{array_of(4001), 1, "/data/attributes/properties/big"},
		{nested(10), 1, ""},
		{nested(11), 1, "/data/attributes/properties/big"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP(mem_freep) char *found = check_property(table[i].value, table[i].n);

		assert_string_equal(found, table[i].complaints);
	}
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = {"jo@example.com", "a.b+c@x-y.co.uk", "o'neil@example.com", "j@\xc3\xa4.de"};
	static const char *const bad[] = {"",           "jo",         "@example.com", "jo@",          "jo@example",
					  "jo@.com",    "jo@a..com",  "jo@-a.com",    "jo@a-.com",    "jo@@a.com",
					  "j o@a.com",  "jo@a.com ",  ".jo@a.com",    "jo.@a.com",    "j..o@a.com",
					  "<jo@a.com>", "jo@a.com\n", "jo@a_b.com",   "\"jo\"@a.com", "jo@a.com."};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!check_email(good[i]))
			fail_msg("\"%s\" is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (check_email(bad[i]))
			fail_msg("\"%s\" is taken", bad[i]);
}

#define BULK_OF(items)                                                                                                 \
	"{\"data\":{\"type\":\"event-bulk-create-job\",\"attributes\":{\"events-bulk-create\":{\"data\":[" items "]}}" \
	"}}"
#define ITEM(more, email, events)                                                                              \
	"{\"type\":\"event-bulk-create\",\"attributes\":{" more "\"profile\":{\"data\":{\"type\":\"profile\"," \
	"\"attributes\":{\"email\":\"" email "\"}}},\"events\":{\"data\":[" events "]}}}"
#define ONE(more)                                                                                                  \
	"{\"type\":\"event\",\"attributes\":{\"properties\":{}," more "\"metric\":{\"data\":{\"type\":\"metric\"," \
	"\"attributes\":{\"name\":\"m\"}}}}}"
#define B "/data/attributes/events-bulk-create/data"

static void bulk_requests_are_checked_item_by_item(void **state)
{
	static const struct {
		const char *text, *complaints;
	} table[] = {
		{BULK_OF(ITEM("", "a@b.de", ONE("") "," ONE("\"unique_id\":\"x\","))), ""},
		{BULK_OF(""), B},
		{BULK_OF(ITEM("", "a@b.de", "")), B "/0/attributes/events/data"},
		{BULK_OF("{}," ITEM("", "nobody", ONE(""))),
		 B "/0/type " B "/1/attributes/profile/data/attributes/email"},
		{BULK_OF(ITEM("\"x\":1,", "a@b.de", ONE(""))), B "/0/attributes/x"},
		{BULK_OF(ITEM("", "a@b.de", "{}," ONE("\"profile\":{},"))),
		 B "/0/attributes/events/data/0/type " B "/0/attributes/events/data/1/attributes/profile"},
		{BULK_OF(ITEM("", "a@b.de", ONE("\"unique_id\":\"x\",") "," ONE("\"unique_id\":\"x\","))),
		 B "/0/attributes/events/data/1/attributes/unique_id"},
		{BULK_OF(ITEM("", "a@b.de", ONE("\"unique_id\":\"x\",")) "," ITEM(
			 "", "A@B.de", ONE("\"unique_id\":\"x\",")) "," ITEM("", "c@b.de",
									     ONE("\"unique_id\":\"x\","))),
		 B "/1/attributes/events/data/0/attributes/unique_id"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP(mem_freep) char *found = check_text(table[i].text, &newest, true);

		if (strcmp(found, table[i].complaints) != 0)
			fail_msg("%s: complains of \"%s\"", table[i].text, found);
	}
}

static void backfill_of_an_item_holds_where_an_event_says_nothing(void **state)
{
	struct json_object *body =
		parse(BULK_OF(ITEM("\"backfill\":true,", "a@b.de", ONE("") "," ONE("\"backfill\":false,"))));
	struct check_result r;

	(void)state;
	check_bulk(body, &newest, &r);
	assert_int_equal(r.complaints.n, 0);
	assert_true(r.events[0].backfill);
	assert_false(r.events[1].backfill);
	check_result_done(&r);
	json_object_put(body);
}

static void a_body_concerns_whom_its_profiles_name(void **state)
{
	struct json_object *bulk = parse(BULK_OF(ITEM("", "a@b.de", "") "," ITEM("", "c@d.de", "")));
	struct json_object *odd =
		parse("{\"data\":{\"attributes\":{\"events-bulk-create\":{\"data\":7},\"profile\":[]}}}");

	(void)state;
	assert_true(check_concerns(bulk, "C@d.de"));
	assert_false(check_concerns(bulk, "e@d.de"));
	assert_false(check_concerns(odd, "c@d.de"));
	assert_false(check_concerns(NULL, "c@d.de"));
	json_object_put(bulk);
	json_object_put(odd);
}

static void more_complaints_than_the_most_are_not_kept(void **state)
{
	struct complaints c = {0};

	(void)state;
	for (int i = 0; i < COMPLAINTS_MAX + 10; i++)
		complaints_add(&c, 400, "/data", "no");
	assert_int_equal(c.n, COMPLAINTS_MAX);
	complaints_done(&c);
}

/* ---- access ------------------------------------------------------------------------------------------------------ */

static void keys_tell_account_and_scopes(void **state)
{
	static const struct {
		const char *key, *account, *scopes; /* account NULL: refused */
	} table[] = {
		{"pk_0123456789abcdef", "default", ""},
		{"pk_sandbox_0123", "default", ""},
		{"pk_sandbox_eu_0123", "eu", ""},
		{"pk_sandbox__0123", "default", ""},
		{"pk_only_events-write_0123", "default", "events-write"},
		{"pk_only_events-write", "default", "events-write"},
		{"pk_only_events-write+metrics-read_eu_0123", "eu", "events-write+metrics-read"},
		{"pk_", NULL, NULL},
		{"pk_bad", NULL, NULL},
		{"pk_revoked_1", NULL, NULL},
		{"sk_1", NULL, NULL},
		{"", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CLEANUP(mem_freep) char *header = mem_fmt("Klaviyo-API-Key %s", table[i].key);
		struct complaints c = {0};
		struct access a;

		if (access_key(header, &a, &c) != (table[i].account != NULL))
			fail_msg("%s", table[i].key);
		assert_int_equal(c.n, table[i].account ? 0 : 1);
		if (table[i].account) {
			assert_string_equal(a.account, table[i].account);
			assert_string_equal(a.scopes, table[i].scopes);
		}
		complaints_done(&c);
	}
}

static void a_scope_is_a_whole_word_of_the_key(void **state)
{
	const struct access some = {.scopes = "events-write+metrics-read"};
	const struct access all = {.scopes = ""};
	struct complaints c = {0};

	(void)state;
	assert_true(access_scope(&some, "events:write", &c));
	assert_true(access_scope(&some, "metrics:read", &c));
	assert_true(access_scope(&all, "profiles:read", &c));
	assert_int_equal(c.n, 0);
	assert_false(access_scope(&some, "events:read", &c));
	assert_false(access_scope(&some, "events:writ", &c));
	assert_false(access_scope(&some, "metrics:read2", &c));
	assert_int_equal(c.n, 3);
	assert_int_equal(c.items[0].status, 403);
	complaints_done(&c);
}

static void revisions_live_two_years(void **state)
{
	static const struct {
		const char *revision, *opt_out, *now, *effective;
		unsigned status; /* of the complaint */
	} table[] = {
		{"2026-07-15", NULL, "2026-11-21T16:00:00Z", "2026-07-15", 0},
		{"2025-01-15.pre", NULL, "2026-11-21T16:00:00Z", "2025-01-15", 0},
		{"2024-10-15", NULL, "2026-10-14T23:59:59Z", "2024-10-15", 0},
		{"2024-10-15", NULL, "2026-10-15T00:00:00Z", "2025-01-15", 0},
		{"2021-01-01", NULL, "2026-11-21T16:00:00Z", "2025-01-15", 0},
		{"2021-01-01", "0", "2026-11-21T16:00:00Z", "2025-01-15", 0},
		{"2021-01-01", "1", "2026-11-21T16:00:00Z", NULL, 410},
		{"2026-10-15", NULL, "2026-11-21T16:00:00Z", "2026-10-15", 0},
		{"2026-10-15.pre", NULL, "2026-11-21T16:00:00Z", "2026-10-15", 0},
		{"2026-07-15", NULL, "2028-07-15T00:00:00Z", "2026-10-15", 0},
		{"2026-07-15", NULL, "2031-01-01T00:00:00Z", "2026-10-15", 0},
		{"2026-10-16", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{"2026-07-16", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{"2031-01-15", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{"2026-02-30", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{"2026-7-15", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{"", NULL, "2026-11-21T16:00:00Z", NULL, 400},
		{NULL, "1", "2026-11-21T16:00:00Z", NULL, 400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct complaints c = {0};
		char effective[ACCESS_REVISION_MAX];
		int64_t now_ms;
		bool good;

		assert_int_equal(clock_parse(table[i].now, strlen(table[i].now), &now_ms), 0);
		good = access_revision(table[i].revision, table[i].opt_out, now_ms, effective, &c);
		assert_int_equal(good, table[i].effective != NULL);
		if (good)
			assert_string_equal(effective, table[i].effective);
		else
			assert_int_equal(c.items[0].status, table[i].status);
		complaints_done(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_events_are_checked),
		cmocka_unit_test(shapes_that_are_no_event_are_invalid_payloads),
		cmocka_unit_test(what_is_good_is_read),
		cmocka_unit_test(without_a_time_it_is_now_in_whole_seconds),
		cmocka_unit_test(older_revisions_allow_less),
		cmocka_unit_test(limits_of_properties_hold_to_the_last_one),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(bulk_requests_are_checked_item_by_item),
		cmocka_unit_test(backfill_of_an_item_holds_where_an_event_says_nothing),
		cmocka_unit_test(a_body_concerns_whom_its_profiles_name),
		cmocka_unit_test(more_complaints_than_the_most_are_not_kept),
		cmocka_unit_test(keys_tell_account_and_scopes),
		cmocka_unit_test(a_scope_is_a_whole_word_of_the_key),
		cmocka_unit_test(revisions_live_two_years),
	};

	return cmocka_run_group_tests_name("sandbox check", tests, NULL, NULL);
}
