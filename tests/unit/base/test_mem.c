/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

/* Grows an array and cuts it to every length in between: it always has room, and keeps its elements. */
static void an_array_grows_from_any_length_that_it_was_cut_to(void **state)
{
	(void)state;
	for (size_t most = 0; most <= 40; most++) {
		for (size_t cut = 0; cut <= most; cut++) {
			uint32_t *items = NULL;
			size_t n = 0;

			for (int round = 0; round < 2; round++) {
				while (n < most) {
					MEM_ROOM(items, n);
					assert_true(malloc_usable_size(items) >= (n + 1) * sizeof(*items));
					items[n] = (uint32_t)(1000 + n);
					n++;
				}
				for (size_t i = 0; i < n; i++)
					assert_int_equal(items[i], 1000 + i);
				n = cut;
			}
			free(items);
		}
	}
}

static void room_that_is_kept_outlives_an_emptying(void **state)
{
	uint64_t *items = NULL;
	size_t alloc = 0;
	uint64_t *full;

	(void)state;
	for (size_t n = 0; n < 33; n++) {
		MEM_ROOM_KEPT(items, n, alloc);
		assert_true(alloc > n);
		assert_true(malloc_usable_size(items) >= alloc * sizeof(*items));
	}
	assert_int_equal(alloc, 64);
	full = items;
	for (size_t n = 0; n < 64; n++)
		MEM_ROOM_KEPT(items, n, alloc);
	assert_ptr_equal(items, full);
	assert_int_equal(alloc, 64);
	free(items);
}

static void room_doubles(void **state)
{
	static const size_t wanted[] = {1, 2, 4, 4, 8, 8, 8, 8, 16};
	uint64_t *items = NULL;

	(void)state;
	for (size_t n = 0; n < sizeof(wanted) / sizeof(*wanted); n++) {
		MEM_ROOM(items, n);
		assert_true(malloc_usable_size(items) >= wanted[n] * sizeof(*items));
	}
	free(items);
}

static void new_memory_is_zero_though_it_was_used_before(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 4096; len += 61) {
		char *used = mem_new(len, 1);
		const char *zero;

		memset(used, 'x', len);
		free(used);
		zero = used = mem_new(1, len);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(zero[i], 0);
		free(used);
	}
}

static void a_copy_stands_in_the_room_where_it_fits(void **state)
{
	static const char text[] = "abcdefg";
	char room[4];

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *own = NULL;
		const char *copy = mem_dup_in(text, len, room, sizeof(room), &own);

		assert_ptr_equal(copy, len < sizeof(room) ? room : own);
		assert_true((own != NULL) == (len >= sizeof(room)));
		assert_int_equal(strlen(copy), len);
		assert_memory_equal(copy, text, len);
		free(own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_stands_in_the_room_where_it_fits),
		cmocka_unit_test(an_array_grows_from_any_length_that_it_was_cut_to),
		cmocka_unit_test(new_memory_is_zero_though_it_was_used_before),
		cmocka_unit_test(room_doubles),
		cmocka_unit_test(room_that_is_kept_outlives_an_emptying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
