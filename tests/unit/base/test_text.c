/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mask.h"
#include "base/mem.h"
#include "base/text.h"

static void case_is_ascii_only(void **state)
{
	char upper[] = "ÄBCxyz@Z";

	(void)state;
	text_lower(upper);
	assert_string_equal(upper, "Äbcxyz@z");
	assert_true(text_same("Content-Type", "content-TYPE"));
	assert_false(text_same("content-type", "content-typ"));
	assert_false(text_same("a", "ab"));
	assert_false(text_same("Ä", "ä"));
	assert_true(text_same(NULL, NULL));
	assert_false(text_same(NULL, ""));
	assert_true(text_is(NULL, NULL));
	assert_false(text_is("a", "A"));
	assert_false(text_is("", NULL));
}

static void trimming_takes_blanks_at_both_ends(void **state)
{
	char around[] = " \t jo e\r\n";
	char blank[] = " \n";
	char none[] = "";

	(void)state;
	assert_string_equal(text_trim(around), "jo e");
	assert_string_equal(text_trim(blank), "");
	assert_string_equal(text_trim(none), "");
}

static void utf8_is_told_from_what_looks_like_it(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool good;
	} cases[] = {
		{"", 0, true},
		{"plain", 5, true},
		{"\xc3\xa4", 2, true},
		{"\xed\x9f\xbf", 3, true},
		{"\xee\x80\x80", 3, true},
		{"\xf0\x9f\x98\x80", 4, true},
		{"\xf4\x8f\xbf\xbf", 4, true},
		{"a\0b", 3, false},             /* NUL */
		{"\xc0\x80", 2, false},         /* overlong NUL */
		{"\xc1\xbf", 2, false},         /* overlong */
		{"\xe0\x9f\xbf", 3, false},     /* overlong */
		{"\xf0\x8f\xbf\xbf", 4, false}, /* overlong */
		{"\xed\xa0\x80", 3, false},     /* surrogate */
		{"\xed\xbf\xbf", 3, false},     /* surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
		{"\xf5\x80\x80\x80", 4, false},
		{"\xc3", 1, false}, /* cut */
		{"\xe2\x82", 2, false},
		{"\xe2\x82\x41", 3, false},
		{"\xf0\x9f\x98", 3, false},
		{"\x80", 1, false}, /* begins in the middle */
		{"\xff", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (text_is_utf8(cases[i].text, cases[i].len) != cases[i].good)
			fail_msg("case %zu", i);
}

/* ASCII is checked 32 and 8 bytes at once: a bad byte is found at every position in such a group, and after the last
 * one. */
static void one_bad_byte_is_seen_wherever_it_stands(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 73; len++) {
		for (size_t at = 0; at < len; at++) {
			char text[73];

			for (unsigned byte = 0; byte < 256; byte++) {
				memset(text, 0x7f, sizeof(text));
				memset(text, 0x01, at);
				text[at] = (char)byte;
				assert_int_equal(text_is_utf8(text, len), byte > 0 && byte < 0x80);
			}
		}
	}
}

static void distance_counts_edits_up_to_the_cap(void **state)
{
	char longer[80];

	(void)state;
	assert_int_equal(text_distance("source", "source", 3), 0);
	assert_int_equal(text_distance("souce", "source", 3), 1);
	assert_int_equal(text_distance("sources", "source", 3), 1);
	assert_int_equal(text_distance("surce", "sourse", 3), 2);
	assert_int_equal(text_distance("uesr", "user", 3), 1);
	assert_int_equal(text_distance("uesrs", "suer", 4), 3);
	assert_int_equal(text_distance("", "abc", 5), 3);
	assert_int_equal(text_distance("abc", "", 5), 3);
	assert_int_equal(text_distance("klaviyo", "log", 2), 3);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(text_distance(longer, longer, 2), 3);
}

static void mask_shows_the_first_letter_and_the_domain(void **state)
{
	char out[MASK_EMAIL_MAX], longest[1000];

	(void)state;
	assert_string_equal(mask_email("jo@example.com", out), "j***@example.com");
	assert_string_equal(mask_email("\xc3\xa4nne@example.com", out), "\xc3\xa4***@example.com");
	assert_string_equal(mask_email("@example.com", out), "***@example.com");
	assert_string_equal(mask_email("\"a@b\"@example.com", out), "\"***@example.com");
	assert_string_equal(mask_email("+15550100", out), "***");
	assert_string_equal(mask_email("", out), "***");
	assert_string_equal(mask_email(NULL, out), "***");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	longest[1] = '@';
	assert_int_equal(strlen(mask_email(longest, out)), MASK_EMAIL_MAX - 1);
}

static void quantities_need_exact_units(void **state)
{
	static const struct {
		const char *text;
		int r;
		long long ms;
	} cases[] = {
		{"500ms", 0, 500},
		{"10s", 0, 10000},
		{"10 s", 0, 10000},
		{"15m", 0, 900000},
		{"24h", 0, 86400000},
		{"7d", 0, 604800000},
		{"0s", 0, 0},
		{"10", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{" 1s", -EINVAL, 0},
		{"1s ", -EINVAL, 0},
		{"1.5s", -EINVAL, 0},
		{"10S", -EINVAL, 0},
		{"10sec", -EINVAL, 0},
		{"99999999999999999999s", -ERANGE, 0},
		{"9223372036854775807d", -ERANGE, 0},
	};
	long long value;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		value = 0;
		if (text_duration(cases[i].text, &value) != cases[i].r || value != cases[i].ms)
			fail_msg("duration \"%s\" gave %lld", cases[i].text, value);
	}
	assert_int_equal(text_size("1MiB", &value), 0);
	assert_int_equal(value, 1048576);
	assert_int_equal(text_size("4 GiB", &value), 0);
	assert_int_equal(value, 4LL << 30);
	assert_int_equal(text_size("10kB", &value), -EINVAL);
	assert_int_equal(text_size("10MB", &value), -EINVAL);
	assert_int_equal(text_size("9223372036854775807KiB", &value), -ERANGE);
}

static void pairs_keep_their_order_and_the_first_counts(void **state)
{
	struct pairs p = {0};
	char name[] = "X-A";

	(void)state;
	assert_null(pairs_get(&p, "x-a"));
	pairs_add(&p, name, "1");
	name[2] = 'B';
	pairs_add(&p, "x-A", "2");
	for (int i = 0; i < 20; i++)
		pairs_add(&p, "other", "3");
	assert_int_equal(p.n, 22);
	assert_string_equal(p.items[0].name, "X-A");
	assert_string_equal(pairs_get(&p, "x-a"), "1");
	assert_null(pairs_get(&p, "x-b"));
	pairs_done(&p);
	assert_int_equal(p.n, 0);
}

static void error_text_is_prefixed_and_cut(void **state)
{
	struct err e = {0};
	char longest[ERR_TEXT_MAX + 100];

	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "nobody asks"), -EIO);
	assert_int_equal(err_set(&e, -ENOENT, "no file %s", "a"), -ENOENT);
	assert_int_equal(err_prefix(&e, "line %d", 3), -ENOENT);
	assert_string_equal(e.text, "line 3: no file a");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	(void)err_set(&e, -EIO, "%s", longest);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_int_equal(err_prefix(&e, "before"), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(e.text, "before: xxx", 11);
	assert_int_equal(err_prefix(&e, "%s", longest), -EIO);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void typos_and_abbreviations_find_their_name(void **state)
{
	static const char *const names[] = {"person_gap", "quota",   "quota_share", "url",    "late",
					    "warning",    "zendesk", "opened",      "preset", "dixa",
					    "crisp",      "gladly",  "front",       "user"};
	static const struct {
		const char *typed, *nearest;
	} rows[] = {
		{"persn_gap", "person_gap"},
		{"Person_Gap", "person_gap"},
		{"GLADDLY", "gladly"},
		{"Zendesks", "zendesk"},
		{"quata", "quota"},
		{"quota_shares", "quota_share"},
		{"uri", "url"},
		{"lat", "late"},
		{"warn", "warning"},
		{"zendsk", "zendesk"},
		{"zen", "zendesk"},
		{"opend", "opened"},
		{"open", "opened"},
		{"preste", "preset"},
		{"presets", "preset"},
		{"uesr", "user"},
		{"glady", "gladly"},
		{"jira", NULL},
		{"dixie", NULL},
		{"ten", NULL},
		{"closed", NULL},
		{"frobnicate", NULL},
		{"x", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *near = text_nearest(rows[i].typed, names, sizeof(names) / sizeof(names[0]));

		if (!text_is(near, rows[i].nearest))
			fail_msg("%s: found %s, expected %s", rows[i].typed, near ? near : "none",
				 rows[i].nearest ? rows[i].nearest : "none");
	}
	assert_null(text_nearest("a", NULL, 0));
}

static void a_name_that_may_be_meant_is_put_into_the_message(void **state)
{
	static const char *const names[] = {"ready", "dead"};
	CLEANUP(mem_freep) char *near = text_suggestion(" (", ")", "Daed", names, 2);
	CLEANUP(mem_freep) char *none = text_suggestion(" (", ")", "delivered", names, 2);

	(void)state;
	assert_string_equal(near, " (did you mean dead?)");
	assert_string_equal(none, "");
}

static void trimming_takes_what_is_not_seen_at_both_ends(void **state)
{
	static const struct {
		const char *text, *left;
	} cases[] = {
		{"jo", "jo"},
		{"", ""},
		{" \t\u00a0", ""},
		{"\u00a0jo e\u00a0 ", "jo e"},
		{"\ufeff\u200b\u200c\u200djo\u2060\u00ad", "jo"},
		{"\u202ajo\u202c", "jo"},
		{"\u2066jo\u2069\u200e\u200f\u061c", "jo"},
		{"\u2003jo\u3000", "jo"},
		{"j\u200bo", "j\u200bo"},
		{"j\u200b o\u00a0x", "j\u200b o\u00a0x"},
		{"\u00e4", "\u00e4"},
		{"\u2010", "\u2010"}, /* a hyphen */
		{"\xe2\x80", "\xe2\x80"},
		{"\xc2", "\xc2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(mem_freep) char *copy = mem_str(cases[i].text);

		assert_string_equal(text_trim_unseen(copy), cases[i].left);
	}
}

static void digits_are_a_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0, 0},
		{"1", 0, -ERANGE, 0},
		{"007", 7, 0, 7},
		{"65535", 65535, 0, 65535},
		{"65536", 65535, -ERANGE, 0},
		{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999", UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999999x", UINT64_MAX, -EINVAL, 0},
		{"", 9, -EINVAL, 0},
		{"+1", 9, -EINVAL, 0},
		{"-1", 9, -EINVAL, 0},
		{" 1", 9, -EINVAL, 0},
		{"1 ", 9, -EINVAL, 0},
		{"0x1", 9, -EINVAL, 0},
		{"1.0", 9, -EINVAL, 0},
		{"/", 9, -EINVAL, 0},
		{":", 99, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t value = 77;
		int r = text_digits(cases[i].text, strlen(cases[i].text), cases[i].max, &value);

		if (r != cases[i].r || value != (r < 0 ? 77 : cases[i].value))
			fail_msg("%s: %d, %llu", cases[i].text, r, (unsigned long long)value);
	}
}

static void names_are_joined_for_a_message(void **state)
{
	static const char *const names[] = {"ready", "delivered", "dead"};
	CLEANUP(mem_freep) char *none = text_join(names, 0, " or ");
	CLEANUP(mem_freep) char *one = text_join(names, 1, " or ");
	CLEANUP(mem_freep) char *two = text_join(names, 2, " or ");
	CLEANUP(mem_freep) char *three = text_join(names, 3, " or ");
	CLEANUP(mem_freep) char *list = text_join(names, 3, ", ");
	CLEANUP(mem_freep) char *cut = NULL;
	const char *many[TEXT_JOIN_MAX];

	(void)state;
	assert_string_equal(none, "");
	assert_string_equal(one, "ready");
	assert_string_equal(two, "ready or delivered");
	assert_string_equal(three, "ready, delivered or dead");
	assert_string_equal(list, "ready, delivered, dead");
	for (size_t i = 0; i < TEXT_JOIN_MAX; i++)
		many[i] = "abcdefgh";
	cut = text_join(many, TEXT_JOIN_MAX, " or ");
	assert_int_equal(strlen(cut), 60 * 10 - 2 + strlen(", …"));
	assert_string_equal(cut + 59 * 10, "abcdefgh, …");
}

static void a_line_holds_no_control_character(void **state)
{
	(void)state;
	assert_true(text_is_one_line("", 0));
	assert_true(text_is_one_line("a b \xc3\xa9 ~", 8));
	assert_false(text_is_one_line("a\nb", 3));
	assert_false(text_is_one_line("a\tb", 3));
	assert_false(text_is_one_line("a\0b", 3));
	assert_false(text_is_one_line("\x7f", 1));
	assert_true(text_is_one_line("a\n", 1));
	assert_true(text_is_one_word(""));
	assert_true(text_is_one_word("a~\xc3\xa9"));
	assert_false(text_is_one_word("a b"));
	assert_false(text_is_one_word("a\t"));
	assert_false(text_is_one_word("\x7f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_holds_no_control_character),
		cmocka_unit_test(digits_are_a_number),
		cmocka_unit_test(names_are_joined_for_a_message),
		cmocka_unit_test(case_is_ascii_only),
		cmocka_unit_test(trimming_takes_blanks_at_both_ends),
		cmocka_unit_test(trimming_takes_what_is_not_seen_at_both_ends),
		cmocka_unit_test(utf8_is_told_from_what_looks_like_it),
		cmocka_unit_test(one_bad_byte_is_seen_wherever_it_stands),
		cmocka_unit_test(distance_counts_edits_up_to_the_cap),
		cmocka_unit_test(typos_and_abbreviations_find_their_name),
		cmocka_unit_test(a_name_that_may_be_meant_is_put_into_the_message),
		cmocka_unit_test(mask_shows_the_first_letter_and_the_domain),
		cmocka_unit_test(quantities_need_exact_units),
		cmocka_unit_test(pairs_keep_their_order_and_the_first_counts),
		cmocka_unit_test(error_text_is_prefixed_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
