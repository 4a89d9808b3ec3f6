/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/hex.h"

#include <errno.h>

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
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
