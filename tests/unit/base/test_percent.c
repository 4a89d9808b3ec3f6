/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/percent.h"

static void all_but_unreserved_and_named_bytes_are_encoded(void **state)
{
	static const struct {
		const char *text, *safe, *wanted, *partly;
	} cases[] = {
		{"a b/\xc3\xa4~", "", "a%20b%2F%C3%A4~", "a%20b%2F%C3%A4~"},
		{"", "", "", ""},
		{PERCENT_UNRESERVED, "", PERCENT_UNRESERVED, PERCENT_UNRESERVED},
		{"\x01\x7f\xff+%", "", "%01%7F%FF%2B%25", "%01%7F%FF%2B%25"},
		{"o'h+ara@example.com", PERCENT_SEGMENT, "o'h+ara@example.com", "o'h+ara@example.com"},
		{"a/b?c#d%e@\u00e4.example", PERCENT_SEGMENT, "a%2Fb%3Fc%23d%25e@%C3%A4.example",
		 "a%2Fb%3Fc%23d%25e@%C3%A4.example"},
		{"/p?a=[1]&b=\"#f", PERCENT_URL, "/p?a=[1]&b=%22#f", "/p?a=[1]&b=%22#f"},
		{"%41%4%zz%aF%", "", "%2541%254%25zz%25aF%25", "%41%254%25zz%aF%25"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf_done) struct buf b;

		buf_init(&b, 1000);
		percent_add(&b, cases[i].text, cases[i].safe);
		assert_string_equal(b.data, cases[i].wanted);
		buf_clear(&b);
		percent_add_partly(&b, cases[i].text, cases[i].safe);
		assert_string_equal(b.data, cases[i].partly);
	}
}

static void a_pair_is_a_parameter(void **state)
{
	CLEANUP(buf_done) struct buf b;

	(void)state;
	buf_init(&b, 100);
	percent_add_pair(&b, "page[size]", "a=b&c");
	assert_string_equal(b.data, "page%5Bsize%5D=a%3Db%26c");
}

static void the_strict_reading_refuses_what_is_no_text(void **state)
{
	static const struct {
		const char *raw, *text, *plus; /* NULL: refused */
	} cases[] = {
		{"", "", ""},
		{"a+b%20c%2B", "a+b c+", "a b c+"},
		{"%c3%A4%C3%96", "\u00e4\u00d6", "\u00e4\u00d6"},
		{"\u00e4", "\u00e4", "\u00e4"},
		{"100%", NULL, NULL},
		{"%4", NULL, NULL},
		{"%zz", NULL, NULL},
		{"%+1", NULL, NULL},
		{"%00", NULL, NULL},
		{"%ff", NULL, NULL},
		{"%c3&%a4", NULL, NULL},
		{"\xe4", NULL, NULL},
	};
	char *part;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int plus = 0; plus < 2; plus++) {
			const char *wanted = plus ? cases[i].plus : cases[i].text;
			CLEANUP(mem_freep) char *text = NULL;
			int r = percent_read(cases[i].raw, strlen(cases[i].raw), plus, &text);

			if (r != (wanted ? 0 : -EINVAL) || !text_is(text, wanted))
				fail_msg("%s: %d, %s", cases[i].raw, r, text ? text : "nothing");
		}
	}
	/* Nothing is read beyond len, and a NUL within it is refused. */
	assert_int_equal(percent_read("a%41", 3, false, &part), -EINVAL);
	assert_int_equal(percent_read("a\0b", 3, false, &part), -EINVAL);
	assert_int_equal(percent_read("ab", 1, false, &part), 0);
	assert_string_equal(part, "a");
	free(part);
}

static void a_query_is_read_leniently(void **state)
{
	static const struct {
		const char *raw, *read; /* NAME=VALUE, with a blank between two parameters */
	} cases[] = {
		{NULL, ""},
		{"", ""},
		{"&&", ""},
		{"=x", ""},
		{"=&a=1&", "a=1"},
		{"a", "a="},
		{"a=b=c", "a=b=c"},
		{"%61=x&a=y", "a=x a=y"},
		{"page%5Bsize%5D=5&x=a+b%20c", "page[size]=5 x=a b c"},
		{"a=%&b=%zz%4&c=%00&d=%ff&e=%c3%a4", "a=% b=%zz%4 c=%00 d=%ff e=\u00e4"},
		{"a=%ff+%41", "a=%ff+%41"}, /* as a whole */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(pairs_done) struct pairs p = {0};
		CLEANUP(buf_done) struct buf b;

		percent_read_query(cases[i].raw, &p);
		buf_init(&b, 1000);
		for (size_t k = 0; k < p.n; k++)
			buf_addf(&b, "%s%s=%s", k > 0 ? " " : "", p.items[k].name, p.items[k].value);
		assert_string_equal(b.data, cases[i].read);
	}
}

static void a_query_has_an_end(void **state)
{
	CLEANUP(pairs_done) struct pairs p = {0};
	char query[2 * PERCENT_QUERY_MAX + 21] = "";

	(void)state;
	for (size_t i = 0; i < PERCENT_QUERY_MAX + 10; i++)
		strcat(query, "a&");
	percent_read_query(query, &p);
	assert_int_equal(p.n, PERCENT_QUERY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_but_unreserved_and_named_bytes_are_encoded),
		cmocka_unit_test(a_pair_is_a_parameter),
		cmocka_unit_test(the_strict_reading_refuses_what_is_no_text),
		cmocka_unit_test(a_query_is_read_leniently),
		cmocka_unit_test(a_query_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
