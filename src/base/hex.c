/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/hex.h"

#include <errno.h>

/* The value of each digit, plus 1; 0: no digit. A table, because the digits of a signature are random, so that a
 * processor mispredicts comparisons with them. */
static const signed char values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int hex_digit(char c)
{
	return values[(unsigned char)c] - 1;
}

void hex_write(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (const unsigned char *b = bytes, *end = b + n; b < end; b++) {
		*out++ = digits[*b >> 4];
		*out++ = digits[*b & 15];
	}
	*out = '\0';
}

int hex_read(const char *text, size_t len, void *out)
{
	unsigned char *to = out;

	if (len % 2 != 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]);
		int low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		*to++ = (unsigned char)(high << 4 | low);
	}
	return 0;
}

int hex_number(const char *text, size_t len, uint64_t *ret)
{
	uint64_t value = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (hex_digit(text[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (value >> 60 != 0)
			return -ERANGE;
		value = value << 4 | (uint64_t)hex_digit(text[i]);
	}
	*ret = value;
	return 0;
}
