/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/known_secrets.h"
#include "base/mem.h"
#include "base/out.h"

/* The text printed to f since open_memstream(). */
static char *text;
static size_t text_len;

static FILE *begin(void)
{
	FILE *f = open_memstream(&text, &text_len);

	assert_non_null(f);
	return f;
}

static void ended(FILE *f, const char *expected)
{
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void formats_are_those_of_printf(void **state)
{
	FILE *f = begin();
	size_t size = 123;
	char expected[500];

	(void)state;
	out_to(f, "%d|%5d|%-5d|%05d|%u|%x|%lld|%ld|%zu|%jd|%.1f|%g|%c|%%|%s|%10s|%-10s|%.3s|%*s|%-*s|%.*s|…\n", -7, 42,
	       42, 42, 7u, 255u, LLONG_MIN, LONG_MAX, size, (intmax_t)-1, 2.25, 0.5, 'x', "text", "right", "left",
	       "cut off", 6, "star", 6, "star", 2, "cut off");
	(void)snprintf(expected, sizeof(expected),
		       "%d|%5d|%-5d|%05d|%u|%x|%lld|%ld|%zu|%jd|%.1f|%g|%c|%%|%s|%10s|%-10s|%.3s|%*s|%-*s|%.*s|…\n", -7,
		       42, 42, 42, 7u, 255u, LLONG_MIN, LONG_MAX, size, (intmax_t)-1, 2.25, 0.5, 'x', "text", "right",
		       "left", "cut off", 6, "star", 6, "star", 2, "cut off");
	ended(f, expected);
}

static void a_text_stays_in_its_line_and_column(void **state)
{
	FILE *f = begin();

	(void)state;
	out_to(f, "%s\n", "a\nb\x1b[2J\a\xc2\x9b\xe2\x80\xae\xff");
	out_to(f, "[%-4s][%4s]\n", "ä", "ß");
	out_to(f, "[%.2s][%.1s]\n", "äö", "ä");
	out_to(f, "%c\n", 0x1b);
	ended(f, "a\\x0ab\\x1b[2J\\x07\\u009b\\u202e\\xff\n[ä   ][   ß]\n[ä][]\n\\x1b\n");
	assert_int_equal(out_width("ä\x1b"), 5);
}

static void a_block_keeps_its_lines(void **state)
{
	FILE *f = begin();

	(void)state;
	out_lines(f, "a: 1\n\tb: \x1b \r\n");
	out_exact(f, "\x1b%s\n");
	ended(f, "a: 1\n\tb: \\x1b \\x0d\n\x1b%s\n");
}

static void secrets_are_struck(void **state)
{
	static const char *const values[] = {"the-secret-key"};
	FILE *f = begin();

	(void)state;
	known_secrets_add(values, 1);
	out_to(f, "the key %s %-20s|\n", "the-secret-key", "x the-secret-key");
	out_lines(f, "line\nthe-secret-key\n");
	out_to(f, "%.*s\n", 20, "x the-secret-key and the-secret-key");
	ended(f, "the key [secret] x [secret]          |\nline\n[secret]\nx [secret] and\n");
	known_secrets_forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_those_of_printf),
		cmocka_unit_test(a_text_stays_in_its_line_and_column),
		cmocka_unit_test(a_block_keeps_its_lines),
		cmocka_unit_test(secrets_are_struck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
