/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fixtures/dice.h"

#include "base/json_write.h"

/* The bytes of queued and sent events are those of json-c with these flags, whatever json_text() does. */
#define AS_JSON_C (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void assert_written_as_json_c(struct json_object *o, const char *where)
{
	const char *want = json_object_to_json_string_ext(o, AS_JSON_C);
	struct buf b;

	buf_init(&b, INT_MAX);
	json_write_value(&b, o);
	if (b.len != strlen(want) || strcmp(b.data, want) != 0)
		fail_msg("%s: %s, json-c writes %s", where, b.data, want);
	buf_done(&b);
}

static void assert_text_as_json_c(const char *text, size_t len)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_string_len(text, (int)len);

	assert_written_as_json_c(o, "a text");
}

/* ---- a table ----------------------------------------------------------------------------------------------------- */

static void texts_are_written_so(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *json;
	} cases[] = {
		{"", 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"https://a/b", 11, "\"https://a/b\""},
		{"\"\\", 2, "\"\\\"\\\\\""},
		{"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
		{"\x01\x0b\x0e\x1f", 4, "\"\\u0001\\u000b\\u000e\\u001f\""},
		{"a\0b", 3, "\"a\\u0000b\""},
		{"\x7f", 1, "\"\x7f\""},
		{"\xc2\x80\xc2\x85\xe2\x80\xa8\xf0\x9f\x99\x82", 11,
		 "\"\xc2\x80\xc2\x85\xe2\x80\xa8\xf0\x9f\x99\x82\""},
		{"\"at both ends\"", 14, "\"\\\"at both ends\\\"\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b;

		buf_init(&b, INT_MAX);
		json_write_text(&b, cases[i].text, cases[i].len);
		assert_string_equal(b.data, cases[i].json);
		buf_done(&b);
		assert_text_as_json_c(cases[i].text, cases[i].len);
	}
}

static void values_are_written_so(void **state)
{
	static const char *const cases[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"7",
		"-1",
		"9223372036854775807",
		"-9223372036854775808",
		"123456789012345678901234567890",
		"9.99",
		"1.50",
		"1e3",
		"-1.5E-7",
		"1e400",
		"\"\"",
		"\"a/b\"",
		"[]",
		"{}",
		"[1,\"a\",null,[],{}]",
		"{\"\":\"\",\"a/\\\"\\u0001\":[true,false],\"b\":{\"c\":{\"d\":[1.0]}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = NULL;

		assert_int_equal(json_read(cases[i], strlen(cases[i]), &o, NULL), 0);
		assert_written_as_json_c(o, cases[i]);
		json_object_put(o);
	}
}

static void numbers_at_the_ends_are_written_so(void **state)
{
	static const int64_t cases[] = {0,  1,         -1,        9,         10,        -10,
					99, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, INT64_MIN + 1};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(json_putp) struct json_object *o = json_object_new_int64(cases[i]);
		char want[32];
		struct buf b;

		(void)snprintf(want, sizeof(want), "%" PRId64, cases[i]);
		buf_init(&b, INT_MAX);
		json_write_int(&b, cases[i]);
		assert_string_equal(b.data, want);
		buf_done(&b);
		assert_written_as_json_c(o, want);
	}
	for (unsigned shift = 0; shift < 64; shift++) {
		CLEANUP(json_putp) struct json_object *o = json_object_new_uint64(UINT64_MAX >> shift);

		assert_written_as_json_c(o, "an unsigned number");
	}
}

/* ---- every character --------------------------------------------------------------------------------------------- */

static size_t utf8(char *to, unsigned code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | code >> 6);
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char)(0xe0 | code >> 12);
		to[1] = (char)(0x80 | (code >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | code >> 18);
	to[1] = (char)(0x80 | (code >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static void every_character_is_written_as_json_c_does(void **state)
{
	char text[4 * 256 + 2];

	(void)state;
	for (unsigned first = 0; first < 0x110000; first += 256) {
		size_t len = 0;

		for (unsigned code = first; code < first + 256; code++)
			len += utf8(text + len, code);
		assert_text_as_json_c(text, len);
	}
	/* Each byte alone and between two others, well-formed or not. */
	for (unsigned c = 0; c < 256; c++) {
		const char around[] = {'a', (char)c, 'z'};

		assert_text_as_json_c(around + 1, 1);
		assert_text_as_json_c(around, sizeof(around));
	}
}

/* ---- random values ----------------------------------------------------------------------------------------------- */

static struct json_object *random_text(void)
{
	char text[4 * 40];
	unsigned n = dice_roll(40);
	size_t len = 0;

	while (n-- > 0) {
		switch (dice_roll(4)) {
		case 0:
			len += utf8(text + len, dice_roll(0x20));
			break;
		case 1:
			len += utf8(text + len, dice_roll(0x110000));
			break;
		default:
			len += utf8(text + len, 0x20 + dice_roll(0x60));
			break;
		}
	}
	return json_object_new_string_len(text, (int)len);
}

static double random_double(void)
{
	return ((double)dice_roll(1u << 31) - (1u << 30)) / (1 + dice_roll(1000));
}

static struct json_object *random_value(unsigned depth)
{
	struct json_object *o;
	unsigned n = dice_roll(6);

	switch (dice_roll(depth < 4 ? 9 : 7)) {
	case 0:
		return NULL;
	case 1:
		return json_object_new_boolean(dice_roll(2) == 1);
	case 2:
		return json_object_new_int64((int64_t)((uint64_t)dice_roll(UINT_MAX) << 32 | dice_roll(UINT_MAX)) >>
					     dice_roll(64));
	case 3:
		return json_object_new_double(random_double());
	case 4:
		return json_object_new_double_s(random_double(), dice_roll(2) == 0 ? "2.50" : "1E+2");
	case 5:
	case 6:
		return random_text();
	case 7:
		o = json_object_new_array();
		while (n-- > 0)
			json_object_array_add(o, random_value(depth + 1));
		return o;
	default:
		o = json_object_new_object();
		while (n-- > 0) {
			CLEANUP(json_putp) struct json_object *name = random_text();

			json_object_object_add(o, json_object_get_string(name), random_value(depth + 1));
		}
		return o;
	}
}

static void any_value_is_written_as_json_c_does(void **state)
{
	uint64_t seed = dice_first_seed(1);

	(void)state;
	dice_seed(seed);
	for (unsigned i = 0; i < 20000; i++) {
		CLEANUP(json_putp) struct json_object *o = random_value(0);

		assert_written_as_json_c(o, "a random value");
	}
}

static void the_limit_holds(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	json_write_text(&b, "12345678", 8);
	assert_true(b.error < 0);
	assert_true(b.len <= 8);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_written_so),
		cmocka_unit_test(values_are_written_so),
		cmocka_unit_test(numbers_at_the_ends_are_written_so),
		cmocka_unit_test(every_character_is_written_as_json_c_does),
		cmocka_unit_test(any_value_is_written_as_json_c_does),
		cmocka_unit_test(the_limit_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
