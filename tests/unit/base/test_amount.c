/* SPDX-License-Identifier: MIT */
/* Tests amounts: numbers and sizes as messages show them. */
#include <config.h>

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void one_thing_is_no_several(void **state)
{
	char out[AMOUNT_MAX];

	(void)state;
	assert_string_equal(amount_of(out, 0, "error"), "0 errors");
	assert_string_equal(amount_of(out, 1, "error"), "1 error");
	assert_string_equal(amount_of(out, 2, "dead webhook"), "2 dead webhooks");
	assert_string_equal(amount_of(out, -1, "day"), "-1 days");
}

static void only_nothing_is_shown_as_nothing(void **state)
{
	static const struct {
		int64_t bytes;
		const char *shown;
	} rows[] = {
		{0, "0 bytes"},
		{1, "1 byte"},
		{1023, "1023 bytes"},
		{1024, "1 KiB"},
		{1024 + 102, "1 KiB"},
		{1024 + 103, "1.1 KiB"},
		{INT64_C(64) << 10, "64 KiB"},
		{(INT64_C(1) << 20) - 1, "1023.9 KiB"},
		{INT64_C(1) << 20, "1 MiB"},
		{INT64_C(3) << 19, "1.5 MiB"},
		{(INT64_C(16) << 20) - 1, "15.9 MiB"},
		{INT64_C(4) << 30, "4 GiB"},
		{INT64_C(5) << 40, "5 TiB"},
		{INT64_C(2048) << 40, "2048 TiB"},
		{INT64_MAX, "8388607.9 TiB"},
	};
	char out[AMOUNT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(amount_size(out, rows[i].bytes), rows[i].shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thing_is_no_several),
		cmocka_unit_test(only_nothing_is_shown_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
