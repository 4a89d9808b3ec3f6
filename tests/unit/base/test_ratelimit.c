/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"

static void one_line_in_a_while_passes(void **state)
{
	static const struct {
		int64_t now_ms;
		bool passes;
		unsigned left_out;
	} cases[] = {
		{-500, true, 0},  {-500, false, 0}, {499, false, 0}, {500, true, 2},
		{1499, false, 0}, {1500, true, 1},  {9000, true, 0},
	};
	struct ratelimit l = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned left_out = 77;

		assert_int_equal(ratelimit_passes(&l, cases[i].now_ms, 1000, &left_out), cases[i].passes);
		assert_int_equal(left_out, cases[i].passes ? cases[i].left_out : 77);
	}
}

static void those_left_out_are_told(void **state)
{
	char text[RATELIMIT_MORE_MAX];

	(void)state;
	assert_string_equal(ratelimit_suffix(0, text), "");
	assert_string_equal(ratelimit_suffix(1, text), " (and 1 more before it)");
	assert_string_equal(ratelimit_suffix(UINT_MAX, text), " (and 4294967295 more before it)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_in_a_while_passes),
		cmocka_unit_test(those_left_out_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
