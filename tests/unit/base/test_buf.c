/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void data_is_a_string_from_the_start(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(b.data, "");
	buf_adds(&b, "");
	buf_add(&b, NULL, 0);
	assert_string_equal(b.data, "");
	buf_clear(&b);
	buf_done(&b);
	assert_string_equal(b.data, "");
}

static void additions_follow_each_other(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "%04d", i);
	buf_addc(&b, 'x');
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 20004);
	assert_memory_equal(b.data, "00000001", 8);
	assert_memory_equal(b.data + 20000 - 4, "4999xa\0b", 9);
	buf_done(&b);
}

static void the_cap_is_exact_and_its_error_sticks(void **state)
{
	char spaces[256];
	struct buf b;

	(void)state;
	memset(spaces, ' ', sizeof(spaces));
	buf_init(&b, 300);
	for (int i = 0; i < 300; i++)
		buf_addc(&b, 'a');
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 300);
	buf_addf(&b, "%s", "bc");
	assert_int_equal(b.error, -EMSGSIZE);
	assert_int_equal(b.len, 300);
	assert_int_equal(strlen(b.data), 300);
	buf_adds(&b, "");
	assert_null(buf_take(&b));

	buf_init(&b, 300); /* cut within what is allocated */
	buf_addf(&b, "%.*s", 250, spaces);
	buf_addf(&b, "%s", "0123456789");
	buf_addf(&b, "%.*s", 41, spaces);
	assert_int_equal(b.error, -EMSGSIZE);
	assert_int_equal(b.len, 260);
	assert_string_equal(b.data + 250, "0123456789");
	buf_done(&b);

	buf_init(&b, 5);
	buf_adds(&b, "123456");
	buf_adds(&b, "1"); /* would fit, but an earlier addition is missing */
	assert_int_equal(b.len, 0);
	assert_int_equal(b.error, -EMSGSIZE);
	buf_clear(&b);
	buf_adds(&b, "12345");
	assert_int_equal(b.error, 0);
	assert_string_equal(b.data, "12345");
	buf_done(&b);

	buf_init(&b, SIZE_MAX);
	buf_adds(&b, "x");
	assert_int_equal(b.error, 0);
	buf_done(&b);
}

static void what_will_be_allocated_is_known_before(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_alloc_after(&b, 0), 0);
	assert_int_equal(buf_alloc_after(&b, 1), 257);
	assert_int_equal(buf_alloc_after(&b, 257), 513);
	assert_int_equal(buf_alloc_after(&b, 1000), 1001);
	assert_int_equal(buf_alloc_after(&b, 1001), 0);
	for (int i = 0; i < 1000; i++) {
		size_t alloc = buf_alloc_after(&b, 1);

		buf_addc(&b, 'a');
		assert_int_equal(b.alloc, alloc);
		assert_true(b.alloc <= 1001);
	}
	assert_int_equal(b.error, 0);
	buf_done(&b);
}

static void taking_leaves_an_empty_one_behind(void **state)
{
	struct buf b;
	char *text;

	(void)state;
	buf_init(&b, 100);
	text = buf_take(&b);
	assert_string_equal(text, "");
	free(text);
	buf_adds(&b, "hello");
	text = buf_take(&b);
	assert_string_equal(text, "hello");
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_adds(&b, "again");
	assert_string_equal(text, "hello");
	free(text);
	buf_done(&b);
}

static void memory_is_copied_with_a_nul_behind(void **state)
{
	char *copy = mem_dup("a\0b", 3);
	char *taken;

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	taken = TAKE(copy);
	assert_null(copy);
	free(taken);
	assert_null(mem_str(NULL));
	assert_null(mem_strn(NULL, 3));
	copy = mem_strn("abc", 2);
	assert_string_equal(copy, "ab");
	free(copy);
	copy = mem_strn("abc", 9);
	assert_string_equal(copy, "abc");
	free(copy);
	copy = mem_new(0, 0);
	assert_non_null(copy);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_a_string_from_the_start),
		cmocka_unit_test(additions_follow_each_other),
		cmocka_unit_test(the_cap_is_exact_and_its_error_sticks),
		cmocka_unit_test(what_will_be_allocated_is_known_before),
		cmocka_unit_test(taking_leaves_an_empty_one_behind),
		cmocka_unit_test(memory_is_copied_with_a_nul_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
