/* SPDX-License-Identifier: MIT */
/*
 * Tests that the names in the trees of json_read() and json_read_sized() are the same, where the memory for the names
 * grows, and that a tree leaves no memory behind.
 */
#include <config.h>

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

static void assert_same_tree(const char *text, size_t len)
{
	CLEANUP(json_putp) struct json_object *plain = NULL;
	CLEANUP(json_putp) struct json_object *sized = NULL;
	size_t bytes = 0;

	assert_int_equal(json_read(text, len, &plain, NULL), 0);
	assert_int_equal(json_read_sized(text, len, &sized, &bytes, NULL), 0);
	assert_true(json_object_equal(plain, sized));
	assert_string_equal(json_object_to_json_string_ext(plain, JSON_C_TO_STRING_PLAIN),
			    json_object_to_json_string_ext(sized, JSON_C_TO_STRING_PLAIN));
}

static void trees_have_the_same_names(void **state)
{
	static const char *const texts[] = {
		"null",
		"1.50",
		"\"a\"",
		"[]",
		"{}",
		"[1,{\"a\":1},{\"a\":{\"b\":[{\"c\":{}}]}}]",
		"{\"\":1}",
		"{\"a\":1,\"b\":2,\"a\":{\"a\":3}}",
		"{\"\\u0061\\n\":\"\\u0062\\n\",\"\\\\\":\"\\\\\",\"c\":1.5}",
		"{\"\\ud83d\\ude00 \\ud83d\":123456789012345678901234567890}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_same_tree(texts[i], strlen(texts[i]));
}

/* Names of every length, which end anywhere in a block of them and may be longer than one. */
static void names_of_any_length_are_whole(void **state)
{
	struct buf b;

	(void)state;
	for (unsigned step = 1; step < 1500; step = step * 2 + 1) {
		buf_init(&b, 1 << 22);
		buf_addc(&b, '{');
		for (unsigned len = 0; len < 1500; len += step) {
			buf_adds(&b, len > 0 ? ",\"" : "\"");
			for (unsigned k = 0; k < len; k++)
				buf_addc(&b, (char)('a' + (len + k) % 26));
			buf_adds(&b, len % 3 == 0 ? "\\t\":{\"x\":0}" : "\":[]");
		}
		buf_addc(&b, '}');
		assert_int_equal(b.error, 0);
		assert_same_tree(b.data, b.len);
		buf_done(&b);
	}
}

/* Members of a tree can be changed, and it is freed with the memory of its names; also where the text has an error.
 * Under a sanitizer mallinfo2() returns nothing; then the sanitizer itself finds what is left. */
static void a_tree_leaves_no_memory_behind(void **state)
{
	static const char good[] = "{\"a\":{\"b\":1,\"c\":[]},\"d\":{}}";
	static const char *const bad[] = {"{\"a\":{\"b\":1,", "{\"a\"", "[{\"a\":1}]]", "{\"a\":1,\"b\\n\":x}"};
	size_t before = 0;

	(void)state;
	for (unsigned times = 0; times < 1000; times++) {
		struct json_object *o = NULL;

		assert_int_equal(json_read_sized(good, strlen(good), &o, NULL, NULL), 0);
		json_set_str(json_member(o, "a"), "b", "changed");
		json_set_str(o, "new", "added");
		json_object_object_del(o, "d");
		assert_string_equal(json_member_str(json_member(o, "a"), "b"), "changed");
		json_object_put(o);
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			assert_true(json_read_sized(bad[i], strlen(bad[i]), &o, NULL, NULL) < 0);
		if (times == 10) /* the allocator's caches have what they keep */
			before = mallinfo2().uordblks;
	}
	assert_true(mallinfo2().uordblks < before + 16 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_leaves_no_memory_behind),
		cmocka_unit_test(names_of_any_length_are_whole),
		cmocka_unit_test(trees_have_the_same_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
