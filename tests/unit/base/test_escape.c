/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

static const struct row {
	const char *text, *line;
} rows[] = {
	{"", ""},
	{"plain, ä, 日本, \\ and \"", "plain, ä, 日本, \\ and \""},
	{"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
	{"\x1b[31m\a", "\\x1b[31m\\x07"},
	{"\x7f", "\\x7f"},
	/* C1: U+0085, U+009B (CSI), U+009D (OSC) */
	{"\xc2\x85\xc2\x9b\xc2\x9d\xc2\xa0", "\\u0085\\u009b\\u009d\xc2\xa0"},
	/* U+061C U+200E U+200F */
	{"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "\\u061c\\u200e\\u200f"},
	/* U+2028 to U+202E */
	{"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae",
	 "\\u2028\\u2029\\u202a\\u202b\\u202c\\u202d\\u202e"},
	/* U+2066 to U+2069, U+FEFF */
	{"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9\xef\xbb\xbf", "\\u2066\\u2067\\u2068\\u2069\\ufeff"},
	/* neighbours stay: U+200D, U+202F, U+2065, U+061B */
	{"\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xa5\xd8\x9b", "\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xa5\xd8\x9b"},
	/* not UTF-8: a lone byte, a C1 byte, half a character at the end, a surrogate, overlong */
	{"a\xff\x9b!\xc3", "a\\xff\\x9b!\\xc3"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"\xc0\x80", "\\xc0\\x80"},
};

static void controls_of_every_kind_become_letters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(mem_freep) char *text = escape_text(rows[i].text);

		assert_string_equal(text, rows[i].line);
		CLEANUP(mem_freep) char *again = escape_text(text);
		assert_string_equal(again, text);
	}
}

static void quotes_and_line_ends_are_as_asked_for(void **state)
{
	struct buf to;

	(void)state;
	buf_init(&to, 100);
	escape_add(&to, "a\"b\\c\nd\x1b", ESCAPE_QUOTED);
	assert_string_equal(to.data, "a\\\"b\\\\c\\x0ad\\x1b");
	buf_clear(&to);
	escape_add(&to, "a\"\n\tb\r\x1b", ESCAPE_LINES);
	assert_string_equal(to.data, "a\"\n\tb\\x0d\\x1b");
	buf_done(&to);
}

/* The printed text parses to the same value. Only bytes that are not UTF-8 become text. */
static void json_that_is_shown_is_the_same_json(void **state)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(json_putp) struct json_object *back = NULL;
	static const char odd[] = "\x1b \x7f \xc2\x9b \xe2\x80\xae \xe2\x81\xa9 \" \\ \n ä";

	(void)state;
	json_set_str(o, odd, odd);
	for (int pretty = 0; pretty < 2; pretty++) {
		CLEANUP(mem_freep) char *text = json_printable(o, pretty);

		for (const char *c = text; *c != '\0'; c++)
			assert_true((unsigned char)*c >= ' ' || (pretty && *c == '\n'));
		assert_null(strchr(text, 0x7f));
		assert_null(strstr(text, "\xc2\x9b"));
		assert_null(strstr(text, "\xe2\x80\xae"));
		assert_non_null(strstr(text, "\\u009b"));
		assert_non_null(strstr(text, "\\u202e"));
		assert_int_equal(json_read(text, strlen(text), &back, NULL), 0);
		assert_string_equal(json_member_str(back, odd), odd);
		json_object_put(TAKE(back));
	}
	json_set_str(o, "x", "a\xff");
	{
		CLEANUP(mem_freep) char *text = json_printable(o, false);

		assert_int_equal(json_read(text, strlen(text), &back, NULL), 0);
		assert_string_equal(json_member_str(back, "x"), "a\\xff");
	}
}

static void no_text_gets_through_that_a_terminal_obeys(void **state)
{
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		CLEANUP(mem_freep) char *text = NULL;
		char raw[24];

		for (size_t i = 0; i < sizeof(raw) - 1; i++) {
			static const unsigned char often[] = {0x1b, 0xc2, 0x9b, 0xe2, 0x80,
							      0x81, 0xae, 0xa6, 0xd8, 0x9c};

			seed = seed * 1664525 + 1013904223;
			raw[i] = (char)(seed >> 31 ? often[(seed >> 16) % sizeof(often)] : (seed >> 16) % 255 + 1);
		}
		raw[sizeof(raw) - 1] = '\0';
		text = escape_text(raw);
		assert_true(text_is_utf8(text, strlen(text)));
		for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
			assert_true(*c >= ' ' && *c != 0x7f);
			assert_false(c[0] == 0xc2 && c[1] < 0xa0);
			assert_false(c[0] == 0xd8 && c[1] == 0x9c);
			assert_false(c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f));
			assert_false(c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae);
			assert_false(c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xaf);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls_of_every_kind_become_letters),
		cmocka_unit_test(quotes_and_line_ends_are_as_asked_for),
		cmocka_unit_test(json_that_is_shown_is_the_same_json),
		cmocka_unit_test(no_text_gets_through_that_a_terminal_obeys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
