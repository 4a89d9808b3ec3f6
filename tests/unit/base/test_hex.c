/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"

static const char *const wrong[] = {"0",  "0g",       "g0", "00 ", " 00", "0x00", "00:11", "-1",
				    "+1", "\xc3\xa4", "0/", "0:",  "0@",  "0G",   "0`"};

static void bytes_go_both_ways(void **state)
{
	unsigned char back[4];
	char text[9];

	(void)state;
	hex_write("\x00\xff\xa9\xc0", 4, text);
	assert_string_equal(text, "00ffa9c0");
	hex_write("", 0, text);
	assert_string_equal(text, "");
	assert_int_equal(hex_read("00fFA9c0", 8, back), 0);
	assert_memory_equal(back, "\x00\xff\xa9\xc0", 4);
	assert_int_equal(hex_read("", 0, back), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (hex_read(wrong[i], strlen(wrong[i]), back) != -EINVAL)
			fail_msg("taken: %s", wrong[i]);
}

static void a_number_has_as_many_digits_as_it_fits(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"a", 0, 10},
		{"40", 0, 0x40},
		{"D83d", 0, 0xd83d},
		{"ffffffffffffffff", 0, UINT64_MAX},
		{"0000000000000000000001", 0, 1},
		{"10000000000000000", -ERANGE, 0},
		{"1000000000000000g", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"0x1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t value = 77;
		int r = hex_number(cases[i].text, strlen(cases[i].text), &value);

		if (r != cases[i].r || value != (r < 0 ? 77 : cases[i].value))
			fail_msg("%s: %d, %llx", cases[i].text, r, (unsigned long long)value);
	}
}

static void every_digit_has_its_value(void **state)
{
	(void)state;
	for (int c = -128; c < 128; c++) {
		static const char lower[] = "0123456789abcdef";
		static const char upper[] = "0123456789ABCDEF";
		const char *at = c != 0 ? strchr(lower, c) : NULL;
		const char *big = c != 0 ? strchr(upper, c) : NULL;

		assert_int_equal(hex_digit((char)c), at ? at - lower : big ? big - upper : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_digit_has_its_value),
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_number_has_as_many_digits_as_it_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
