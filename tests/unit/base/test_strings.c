/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void the_same_are_the_same_texts_in_the_same_order(void **unused)
{
	static char *ab[] = {(char *)"a", (char *)"b"};
	static char *ba[] = {(char *)"b", (char *)"a"};
	const struct strings none = {0};
	const struct strings first = {ab, 2};
	const struct strings second = {ba, 2};
	const struct strings less = {ab, 1};
	char other_a[] = "a";
	char other_b[] = "b";
	char *copies[] = {other_a, other_b};
	const struct strings copy = {copies, 2};

	(void)unused;
	assert_true(strings_same(&none, &none));
	assert_true(strings_same(&first, &copy));
	assert_false(strings_same(&first, &second));
	assert_false(strings_same(&first, &less));
	assert_false(strings_same(&less, &none));
}

static void copies_are_added_and_found(void **unused)
{
	char text[] = "a";
	struct strings l = {0};
	char name[8];

	(void)unused;
	assert_false(strings_have(&l, "a"));
	strings_add(&l, text);
	text[0] = 'x';
	strings_addn(&l, "bcd", 2);
	strings_add(&l, "");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		strings_add(&l, name);
	}
	assert_int_equal(l.n, 103);
	assert_string_equal(l.items[1], "bc");
	assert_true(strings_have(&l, "a"));
	assert_true(strings_have(&l, ""));
	assert_true(strings_have(&l, "n99"));
	assert_false(strings_have(&l, "A"));
	assert_false(strings_have(&l, "bcd"));
	strings_done(&l);
}

static void done_leaves_it_empty(void **unused)
{
	struct strings l = {0};

	(void)unused;
	strings_add(&l, "a");
	strings_done(&l);
	assert_null(l.items);
	assert_int_equal(l.n, 0);
	strings_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_are_the_same_texts_in_the_same_order),
		cmocka_unit_test(copies_are_added_and_found),
		cmocka_unit_test(done_leaves_it_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
