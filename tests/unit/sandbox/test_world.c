/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/percent.h"
#include "sandbox/feed.h"
#include "sandbox/query.h"
#include "sandbox/access.h"
#include "sandbox/world.h"

#define NOW_MS INT64_C(1795276800000) /* 2026-11-21T16:00:00Z */

static struct json_object *parse(const char *text)
{
	struct json_object *o;

	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	return o;
}

/* profile: the JSON of the profile's properties, or NULL. */
static const struct world_event *take(struct world *w, const char *account, const char *email, const char *metric,
				      const char *unique_id, const char *profile)
{
	CLEANUP(json_putp) struct json_object *properties = parse("{\"a\":1}");
	CLEANUP(json_putp) struct json_object *attributes = json_object_new_object();
	CLEANUP(mem_freep) char *person = mem_fmt("email:%s", email);
	struct check_event e = {
		.person = person,
		.email = email,
		.metric = metric,
		.unique_id = unique_id,
		.time_ms = NOW_MS,
		.properties = properties,
		.profile = attributes,
	};

	json_set_str(attributes, "email", email);
	if (profile) {
		e.profile_properties = parse(profile);
		json_object_object_add(attributes, "properties", e.profile_properties);
	}
	return world_take(w, world_account(w, account), &e, NOW_MS + 5);
}

static size_t count_profiles(const struct world *w)
{
	size_t n = 0;

	for (const struct world_profile *p = world_profiles(w); p; p = p->next)
		n++;
	return n;
}

static void the_same_profile_metric_and_unique_id_is_a_duplicate(void **state)
{
	static const struct {
		const char *account, *email, *metric, *unique_id;
		bool duplicate;
	} table[] = {
		{"x", "a@b.de", "m", "1", false}, {"x", "a@b.de", "m", "1", true},   {"x", "a@b.de", "m", "2", false},
		{"x", "a@b.de", "n", "1", false}, {"x", "c@b.de", "m", "1", false},  {"y", "a@b.de", "m", "1", false},
		{"x", "a@b.de", "m", "2", true},  {"x", "a@b.de", "m", NULL, false}, {"x", "a@b.de", "m", NULL, true},
	};
	struct world *w = world_new(100);

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct world_event *e =
			take(w, table[i].account, table[i].email, table[i].metric, table[i].unique_id, NULL);

		assert_int_equal(e->duplicate, table[i].duplicate);
		assert_int_equal(e->n, i + 1);
	}
	assert_int_equal(world_counts(w)->received, 9);
	assert_int_equal(world_counts(w)->recorded, 6);
	assert_int_equal(world_counts(w)->duplicates, 3);
	assert_int_equal(count_profiles(w), 3);
	world_free(w);
}

static void duplicates_update_the_profile_too(void **state)
{
	struct world *w = world_new(100);
	const struct world_profile *p;

	(void)state;
	(void)take(w, "x", "a@b.de", "m", "1", "{\"A\":1,\"B\":1}");
	(void)take(w, "x", "a@b.de", "m", "1", "{\"B\":2}");
	p = world_profiles(w);
	assert_int_equal(json_member_int(p->properties, "A", 0), 1);
	assert_int_equal(json_member_int(p->properties, "B", 0), 2);
	assert_string_equal(world_email(p), "a@b.de");
	assert_null(json_member(p->attributes, "properties"));
	world_free(w);
}

static void the_oldest_goes_first_and_with_it_what_only_it_held(void **state)
{
	struct world *w = world_new(3000);
	char email[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(email, sizeof(email), "p%d@b.de", i);
		(void)take(w, "x", email, "m", "1", "{\"A\":1}");
	}
	assert_int_equal(world_events(w), 3000);
	assert_int_equal(world_event(w, 0)->n, 7001);
	assert_int_equal(world_event(w, 2999)->n, 10000);
	assert_int_equal(world_counts(w)->dropped, 7000);
	assert_int_equal(count_profiles(w), 3000);
	assert_string_equal(world_email(world_profiles(w)), "p7000@b.de");
	assert_null(world_metrics(w)->next);
	/* A dropped event's unique_id is forgotten, so its repetition is no duplicate. That of an event that is held is
	 * one. */
	assert_false(take(w, "x", "p1@b.de", "m", "1", NULL)->duplicate);
	assert_true(take(w, "x", "p9000@b.de", "m", "1", NULL)->duplicate);
	world_clear(w);
	assert_int_equal(world_events(w), 0);
	assert_null(world_profiles(w));
	assert_null(world_metrics(w));
	assert_int_equal(world_counts(w)->received, 0);
	assert_false(take(w, "x", "p9000@b.de", "m", "1", NULL)->duplicate);
	world_free(w);
}

static void a_recorded_event_that_goes_leaves_its_duplicate(void **state)
{
	struct world *w = world_new(2);

	(void)state;
	(void)take(w, "x", "a@b.de", "m", "1", NULL);
	(void)take(w, "x", "a@b.de", "m", "1", NULL);
	(void)take(w, "x", "a@b.de", "m", "2", NULL);
	assert_true(world_event(w, 0)->duplicate);
	(void)take(w, "x", "a@b.de", "m", "3", NULL);
	assert_int_equal(world_event(w, 0)->n, 3);
	assert_int_equal(world_profiles(w)->events, 2);
	world_free(w);
}

static void accounts_are_bounded(void **state)
{
	struct world *w = world_new(2);
	char name[16];

	(void)state;
	for (int i = 0; i < WORLD_ACCOUNTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "a%d", i);
		assert_non_null(world_account(w, name));
	}
	assert_null(world_account(w, "one more"));
	assert_ptr_equal(world_account(w, "a7"), world_account(w, "a7"));
	world_free(w);
}

static void a_line_of_the_feed_is_one_plain_line(void **state)
{
	struct world *w = world_new(10);
	CLEANUP(buf_done) struct buf line;
	CLEANUP(mem_freep) char *long_text = mem_new(5001, 1), *profile = NULL;

	(void)state;
	buf_init(&line, FEED_LINE_MAX);
	feed_line(take(w, "x", "a@b.de", "started conversation in Gladly", "1",
		       "{\"In Gladly Conversation\":true,\"N\":\"x\"}"),
		  &line);
	assert_string_equal(
		line.data, "16:00:00  a@b.de  started conversation in Gladly   In Gladly Conversation = true, N = x\n");

	buf_clear(&line);
	feed_line(take(w, "x", "a@b.de", "m\n\033", "1", NULL), &line);
	assert_string_equal(line.data, "16:00:00  a@b.de  m\\x0a\\x1b\n");
	buf_clear(&line);
	feed_line(take(w, "x", "a@b.de", "m\n\033", "1", NULL), &line);
	assert_string_equal(line.data, "16:00:00  a@b.de  m\\x0a\\x1b   (duplicate)\n");

	/* The line is cut between characters, each of which has two bytes. */
	for (size_t i = 0; i < 5000; i += 2)
		memcpy(long_text + i, "\xc3\xa4", 2);
	profile = mem_fmt("{\"x\":\"%s\"}", long_text);
	buf_clear(&line);
	feed_line(take(w, "x", "a@b.de", "m", "2", profile), &line);
	assert_int_equal(line.error, 0);
	assert_true(line.len <= FEED_LINE_MAX && line.len > FEED_LINE_MAX - 3);
	assert_true(text_is_utf8(line.data, line.len));
	assert_int_equal(line.data[line.len - 1], '\n');
	world_free(w);
}

/* ---- throttle ---------------------------------------------------------------------------------------------------- */

static void both_windows_are_kept(void **state)
{
	struct throttle t = {0};
	unsigned taken = 0;
	struct throttle_answer a;

	(void)state;
	/* The limits are three a second and five a minute. The clock begins in the 58th second. */
	for (int i = 0; i < 4; i++)
		taken += throttle_take(&t, 3, 5, NOW_MS + 58000).taken;
	assert_int_equal(taken, 3);
	a = throttle_take(&t, 3, 5, NOW_MS + 58999);
	assert_false(a.taken);
	assert_int_equal(a.retry_s, 1);
	a = throttle_take(&t, 3, 5, NOW_MS + 59000);
	assert_true(a.taken);
	assert_int_equal(a.remaining, 1);
	assert_int_equal(a.reset_s, 1);
	assert_true(throttle_take(&t, 3, 5, NOW_MS + 59001).taken);
	a = throttle_take(&t, 3, 5, NOW_MS + 59002);
	assert_false(a.taken);
	assert_int_equal(a.retry_s, 1);
	a = throttle_take(&t, 3, 5, NOW_MS + 60000);
	assert_true(a.taken);
	assert_int_equal(a.remaining, 4);
	assert_int_equal(a.reset_s, 60);
}

/* ---- query ------------------------------------------------------------------------------------------------------- */

static void filters_are_read(void **state)
{
	static const char *const bad[] = {"",           "equals",        "equals(",      "equals(a",     "equals(a,",
					  "equals(a,)", "equals(a,\"b)", "equals(a,b),", "equals(a,b)x", "(a,b)",
					  "equals(,b)"};
	struct query_filters f;

	(void)state;
	assert_int_equal(
		query_filters("equals(metric_id,\"a,b)\\\"\"),has(profile),greater-than(datetime,2026-11-21T16:00:00Z)",
			      &f),
		0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.items[0].op, "equals");
	assert_string_equal(f.items[0].value, "a,b)\"");
	assert_null(f.items[1].value);
	assert_string_equal(f.items[2].field, "datetime");
	assert_string_equal(f.items[2].value, "2026-11-21T16:00:00Z");
	query_filters_done(&f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (query_filters(bad[i], &f) == 0)
			fail_msg("\"%s\" is taken", bad[i]);
		query_filters_done(&f);
	}
}

static void parameters_are_decoded(void **state)
{
	struct pairs p = {0};
	CLEANUP(buf_done) struct buf b;

	(void)state;
	percent_read_query("page%5Bsize%5D=5&a=x%20y+z&&b&c=%&d=%zz%4&e=%00&=x", &p);
	assert_string_equal(pairs_get(&p, "page[size]"), "5");
	assert_string_equal(pairs_get(&p, "a"), "x y z");
	assert_string_equal(pairs_get(&p, "b"), "");
	assert_string_equal(pairs_get(&p, "c"), "%");
	assert_string_equal(pairs_get(&p, "d"), "%zz%4");
	assert_string_equal(pairs_get(&p, "e"), "%00");
	assert_int_equal(p.n, 6);
	pairs_done(&p);
	buf_init(&b, 100);
	percent_add(&b, "a b/\xc3\xa4~", "");
	assert_string_equal(b.data, "a%20b%2F%C3%A4~");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_profile_metric_and_unique_id_is_a_duplicate),
		cmocka_unit_test(duplicates_update_the_profile_too),
		cmocka_unit_test(the_oldest_goes_first_and_with_it_what_only_it_held),
		cmocka_unit_test(a_recorded_event_that_goes_leaves_its_duplicate),
		cmocka_unit_test(accounts_are_bounded),
		cmocka_unit_test(a_line_of_the_feed_is_one_plain_line),
		cmocka_unit_test(both_windows_are_kept),
		cmocka_unit_test(filters_are_read),
		cmocka_unit_test(parameters_are_decoded),
	};

	return cmocka_run_group_tests_name("sandbox world", tests, NULL, NULL);
}
