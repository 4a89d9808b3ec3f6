/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fixtures/dice.h"
#include "fixtures/json.h"

#include "base/clock.h"
#include "helpdesk/expr/properties.h"

static void assert_written(const struct properties *p, const char *want)
{
	struct buf b;

	buf_init(&b, INT_MAX);
	properties_write(p, &b);
	assert_string_equal(b.data, want);
	buf_done(&b);
}

static void they_are_written_in_the_order_of_their_first_setting(void **state)
{
	CLEANUP(properties_done) struct properties p;
	CLEANUP(json_putp)
	struct json_object *members =
		with_json("{\"Tags\":[\"a/b\",\"\\u00fc\"],\"None\":null,\"Helpdesk\":2.50,\"Last\":\"\\n\"}");

	(void)state;
	properties_init(&p);
	assert_written(&p, "{}");
	properties_set_text(&p, "Helpdesk", "a \"desk\"");
	properties_set_text(&p, "No URL", NULL);
	properties_set_json(&p, "No value", NULL);
	properties_set_time(&p, "Opened At", INT64_C(1795251600000));
	properties_set_int(&p, "Reopen Count", INT64_MIN);
	properties_set_bool(&p, "Test", true);
	properties_set_bool(&p, "Flag", false);
	assert_written(&p, "{\"Helpdesk\":\"a \\\"desk\\\"\",\"Opened At\":\"2026-11-21T09:00:00Z\",\"Reopen Count\":"
			   "-9223372036854775808,\"Test\":true,\"Flag\":false}");
	properties_set_members(&p, members);
	properties_set_members(&p, NULL);
	properties_set_text(&p, "Opened At", "now");
	assert_written(&p, "{\"Helpdesk\":2.50,\"Opened At\":\"now\",\"Reopen Count\":-9223372036854775808,"
			   "\"Test\":true,\"Flag\":false,\"Tags\":[\"a/b\",\"\xc3\xbc\"],\"Last\":\"\\n\"}");
	properties_done(&p);
	assert_written(&p, "{}");
}

static void the_exact_name_is_found_first(void **state)
{
	CLEANUP(properties_done) struct properties p;
	const struct property *found;

	(void)state;
	properties_init(&p);
	assert_null(properties_find(&p, "Agent"));
	properties_set_text(&p, "AGENT", "another");
	properties_set_text(&p, "Agent", "exact");
	found = properties_find(&p, "Agent");
	assert_string_equal(found->text, "exact");
	found = properties_find(&p, "agent");
	assert_string_equal(found->text, "another");
	assert_null(properties_find(&p, "Agen"));
}

/* ---- against json-c ---------------------------------------------------------------------------------------------- */

#define NAMES 90 /* more than PROPERTIES_AT_ONCE, and so few that they repeat */

struct both {
	struct properties list;
	struct json_object *tree;
};

static void set_any(struct both *to, const char *name, const char *text, struct json_object *value)
{
	char time[CLOCK_ISO_MAX];
	int64_t number = (int64_t)dice_roll(UINT_MAX) - INT_MAX;

	switch (dice_roll(5)) {
	case 0:
		properties_set_text(&to->list, name, text);
		json_set_str(to->tree, name, text);
		break;
	case 1:
		clock_iso(number * 1000, time);
		properties_set_time(&to->list, name, number * 1000);
		json_set_str(to->tree, name, time);
		break;
	case 2:
		properties_set_int(&to->list, name, number);
		json_set_int(to->tree, name, number);
		break;
	case 3:
		properties_set_bool(&to->list, name, number > 0);
		json_set_bool(to->tree, name, number > 0);
		break;
	default:
		properties_set_json(&to->list, name, value);
		json_object_object_add(to->tree, name, json_object_get(value));
		break;
	}
}

/* The list and json-c's object are set alike, and are written alike. */
static void they_are_written_as_an_object_of_json_c(void **state)
{
	static const char *const texts[] = {"\"\"",    "\"a/b \\\"c\\\"\"",        "\"\\u0001\\u007f\\ud83d\\ude42\"",
					    "12.50",   "[\"refund\",\"\\\\\"]",    "[]",
					    "1234567", "[\"\\u2028\",\"\\u0085\"]"};
	const size_t n = sizeof(texts) / sizeof(*texts);
	struct json_object *values[sizeof(texts) / sizeof(*texts)];
	char names[NAMES][24];

	(void)state;
	dice_seed(dice_first_seed(1));
	for (size_t i = 0; i < n; i++)
		values[i] = with_json(texts[i]);
	for (unsigned i = 0; i < NAMES; i++)
		(void)snprintf(names[i], sizeof(names[i]),
			       i % 3 == 0   ? "Name \"%u\""
			       : i % 3 == 1 ? "n/%u\xc3\xbc"
					    : "%u\n",
			       i);
	for (unsigned round = 0; round < 500; round++) {
		struct both to = {.tree = json_object_new_object()};
		CLEANUP(properties_done) struct properties copy;

		properties_init(&to.list);
		properties_init(&copy);
		for (unsigned i = dice_roll(200); i > 0; i--) {
			unsigned k = dice_roll((unsigned)n);

			set_any(&to, names[dice_roll(NAMES)], texts[k], values[k]);
		}
		properties_set_all(&copy, &to.list);
		properties_set_all(&copy, &to.list); /* each once */
		assert_written(&copy, json_object_to_json_string_ext(to.tree, JSON_C_TO_STRING_PLAIN |
										      JSON_C_TO_STRING_NOSLASHESCAPE));
		for (size_t i = 0; i < to.list.n; i++) {
			CLEANUP(json_putp) struct json_object *value = property_json(&to.list.items[i]);

			assert_true(json_object_equal(value, json_member(to.tree, to.list.items[i].name)));
		}
		properties_done(&to.list);
		json_object_put(to.tree);
	}
	for (size_t i = 0; i < n; i++)
		json_object_put(values[i]);
}

/* So the text is allocated once. */
static void the_length_is_enough_for_usual_values(void **state)
{
	CLEANUP(properties_done) struct properties p;
	CLEANUP(json_putp)
	struct json_object *members = with_json(
		"{\"Tags\":[\"a\",\"b\",\"c\"],\"None\":[],\"Size\":12345678901,\"Text\":\"abc\",\"Yes\":true}");
	struct buf b;

	(void)state;
	properties_init(&p);
	buf_init(&b, INT_MAX);
	for (unsigned i = 0; i < 2; i++) { /* empty, then filled */
		buf_clear(&b);
		properties_write(&p, &b);
		assert_true(properties_length(&p) >= b.len);
		properties_set_text(&p, "Helpdesk", "Gladly");
		properties_set_time(&p, "Opened At", INT64_C(1795251600000));
		properties_set_int(&p, "Reopen Count", INT64_MIN);
		properties_set_bool(&p, "Flag", false);
		properties_set_members(&p, members);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_written_in_the_order_of_their_first_setting),
		cmocka_unit_test(the_exact_name_is_found_first),
		cmocka_unit_test(they_are_written_as_an_object_of_json_c),
		cmocka_unit_test(the_length_is_enough_for_usual_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
