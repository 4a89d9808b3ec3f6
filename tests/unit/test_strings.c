#include <config.h>

#include "base/strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

static void the_same_are_the_same_texts_in_the_same_order(void **unused)
{
	static char *ab[] = {(char *)"a", (char *)"b"}, *ba[] = {(char *)"b", (char *)"a"};
	const struct strings none = {0}, first = {ab, 2}, second = {ba, 2}, less = {ab, 1};
	char other_a[] = "a", other_b[] = "b", *copies[] = {other_a, other_b};
	const struct strings copy = {copies, 2};

	(void)unused;
	assert_true(strings_same(&none, &none));
	assert_true(strings_same(&first, &copy));
	assert_false(strings_same(&first, &second));
	assert_false(strings_same(&first, &less));
	assert_false(strings_same(&less, &none));
}

static void done_leaves_it_empty(void **unused)
{
	struct strings l = {.items = mem_new(1, sizeof(char *)), .n = 1};

	(void)unused;
	l.items[0] = mem_str("a");
	strings_done(&l);
	assert_null(l.items);
	assert_int_equal(l.n, 0);
	strings_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_are_the_same_texts_in_the_same_order),
		cmocka_unit_test(done_leaves_it_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
