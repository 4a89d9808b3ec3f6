/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/digest.h"
#include "base/hex.h"

static void sha256_is_the_published_one(void **state)
{
	struct digest *d = digest_new();
	unsigned char out[DIGEST_SHA256_BYTES], once[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_SHA256_BYTES + 1];

	(void)state;
	digest_add(d, "a", 1);
	digest_add(d, NULL, 0);
	digest_add(d, "bc", 2);
	digest_end(d, out);
	hex_write(out, sizeof(out), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256("abc", 3, once);
	assert_memory_equal(once, out, sizeof(out));
	digest_end(digest_new(), out);
	digest_sha256("", 0, once);
	assert_memory_equal(once, out, sizeof(out));
	hex_write(out, sizeof(out), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha256("abc", 3, out);
	hex_write(out, sizeof(out), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256("", 0, out);
	hex_write(out, sizeof(out), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void equal_texts_have_one_number(void **state)
{
	char text[] = "jo@example.com";

	(void)state;
	assert_true(digest_number(text, strlen(text)) == digest_number("jo@example.com", 14));
	assert_true(digest_number(text, strlen(text)) != digest_number("jo@example.co", 13));
	assert_true(digest_number("", 0) != digest_number("a", 1));
}

/* RFC 2202 and RFC 4231, the second case of each; and a key longer than a block. */
static void hmac_is_the_published_one(void **state)
{
	static const struct {
		enum digest_algorithm algorithm;
		const char *key, *text, *hex;
	} cases[] = {
		{DIGEST_SHA1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{DIGEST_SHA256, "Jefe", "what do ya want for nothing?",
		 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{DIGEST_SHA512, "Jefe", "what do ya want for nothing?",
		 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab"
		 "1a3"
		 "4d4a6b4b636e070a38bce737"},
	};
	unsigned char out[DIGEST_BYTES_MAX], key[131], block[64] = {0}, folded[DIGEST_SHA256_BYTES];
	char hex[2 * DIGEST_BYTES_MAX + 1];
	struct digest_hmac *h;
	struct digest *d;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h = digest_hmac_new(cases[i].algorithm, cases[i].key, strlen(cases[i].key));
		digest_hmac_add(h, cases[i].text, 5);
		digest_hmac_add(h, NULL, 0);
		digest_hmac_add(h, cases[i].text + 5, strlen(cases[i].text) - 5);
		digest_hmac_end(h, out);
		hex_write(out, digest_bytes(cases[i].algorithm), hex);
		assert_string_equal(hex, cases[i].hex);
		memset(out, 0, sizeof(out));
		digest_hmac_of(cases[i].algorithm, cases[i].key, strlen(cases[i].key), cases[i].text,
			       strlen(cases[i].text), out);
		hex_write(out, digest_bytes(cases[i].algorithm), hex);
		assert_string_equal(hex, cases[i].hex);
	}
	memset(key, 0xaa, sizeof(key));
	d = digest_new();
	digest_add(d, key, sizeof(key));
	digest_end(d, folded);
	memcpy(block, folded, sizeof(folded));
	h = digest_hmac_new(DIGEST_SHA256, key, sizeof(key));
	digest_hmac_end(h, out);
	h = digest_hmac_new(DIGEST_SHA256, block, sizeof(block));
	digest_hmac_end(h, folded);
	assert_memory_equal(out, folded, sizeof(folded));
	digest_hmac_of(DIGEST_SHA256, key, sizeof(key), "", 0, out);
	assert_memory_equal(out, folded, sizeof(folded));
}

static void equality_needs_length_and_bytes(void **state)
{
	(void)state;
	assert_true(digest_equal("secret", 6, "secret", 6));
	assert_false(digest_equal("secret", 6, "secreT", 6));
	assert_false(digest_equal("secret", 6, "secre", 5));
	assert_false(digest_equal("", 0, "x", 1));
	assert_true(digest_equal("", 0, "", 0));
}

static void base64_goes_both_ways(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff\xfe", "+//+"},
	};
	char *text;
	char *back;
	char longest[1000];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = digest_base64(cases[i][0], strlen(cases[i][0]));
		assert_string_equal(text, cases[i][1]);
		assert_int_equal(digest_unbase64(text, strlen(text), &back, &len), 0);
		assert_int_equal(len, strlen(cases[i][0]));
		assert_string_equal(back, cases[i][0]);
		free(text);
		free(back);
	}
	memset(longest, 0, sizeof(longest));
	text = digest_base64(longest, sizeof(longest));
	assert_int_equal(strlen(text), 1336);
	assert_null(strchr(text, '\n'));
	assert_int_equal(digest_unbase64(text, strlen(text), &back, &len), 0);
	assert_int_equal(len, sizeof(longest));
	assert_memory_equal(back, longest, len);
	free(text);
	free(back);
}

static void what_is_not_base64_is_refused(void **state)
{
	static const char *const cases[] = {
		"Z",     "Zg",   "Zg=",  "Zg===",    "====", "=",     "Zm9v\n", "Zm 9v",
		" Zm9v", "Zm9-", "Zm9_", "Zg==Zg==", "Z=g=", "Zm9v!", "A===",   "\xc3\xa4\xc3\xa4",
	};
	char *back;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (digest_unbase64(cases[i], strlen(cases[i]), &back, &len) != -EINVAL)
			fail_msg("taken: %s", cases[i]);
}

static void random_numbers_stay_below_and_vary(void **state)
{
	unsigned seen[3] = {0};
	unsigned char a[16], b[16];

	(void)state;
	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 300; i++) {
		uint64_t value = digest_random_below(3);

		assert_in_range(value, 0, 2);
		seen[value]++;
	}
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	assert_int_equal(digest_random_below(1), 0);
	(void)digest_random_below(UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_is_the_published_one),
		cmocka_unit_test(equal_texts_have_one_number),
		cmocka_unit_test(hmac_is_the_published_one),
		cmocka_unit_test(equality_needs_length_and_bytes),
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(random_numbers_stay_below_and_vary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
