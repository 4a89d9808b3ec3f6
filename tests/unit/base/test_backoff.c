/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void backoff_doubles_with_full_jitter_to_five_minutes(void **state)
{
	static const struct {
		unsigned attempts;
		int64_t most_ms;
	} rows[] = {{0, 1000},   {1, 2000},    {2, 4000},    {8, 256000},
		    {9, 300000}, {15, 300000}, {16, 300000}, {4000000000u, 300000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(backoff_ms(rows[i].attempts, 1), rows[i].most_ms);
		assert_int_equal(backoff_ms(rows[i].attempts, 0.5), rows[i].most_ms / 2);
		assert_int_equal(backoff_ms(rows[i].attempts, 0), 100);
	}
}

static void chance_stays_between_0_and_1_and_is_spread(void **state)
{
	double least = 1;
	double most = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double jitter = backoff_jitter();

		assert_true(jitter >= 0 && jitter <= 1);
		least = jitter < least ? jitter : least;
		most = jitter > most ? jitter : most;
	}
	assert_true(least < 0.1 && most > 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_doubles_with_full_jitter_to_five_minutes),
		cmocka_unit_test(chance_stays_between_0_and_1_and_is_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
