/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/escape.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Decodes the character of n bytes, which text_step() found well-formed. */
static uint32_t code_point(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	switch (n) {
	case 1:
		return u[0];
	case 2:
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	case 3:
		return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	default:
		return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
	}
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x206f) || c == 0xfeff;
}

void escape_add(struct buf *to, const char *text, enum escape how)
{
	/* A JSON text has line ends between its values; inside strings they are escaped already. */
	const bool lines = how == ESCAPE_LINES || how == ESCAPE_JSON;
	size_t len = strlen(text);
	size_t plain = 0;

	for (size_t i = 0; i < len;) {
		size_t n = text_step(text + i, len - i);
		uint32_t c = n > 0 ? code_point(text + i, n) : 0;
		bool quote = how == ESCAPE_QUOTED && (c == '"' || c == '\\');

		if (n > 0 && !quote && (!is_control(c) || (lines && (c == '\n' || c == '\t')))) {
			i += n;
			continue;
		}
		buf_add(to, text + plain, i - plain);
		if (n == 0)
			buf_addf(to, how == ESCAPE_JSON ? "\\\\x%02x" : "\\x%02x", (unsigned char)text[i]);
		else if (quote)
			buf_addf(to, "\\%c", (char)c);
		else
			buf_addf(to, c < 0x80 && how != ESCAPE_JSON ? "\\x%02x" : "\\u%04x", c);
		i += n > 0 ? n : 1;
		plain = i;
	}
	buf_add(to, text + plain, len - plain);
}

char *escape_text(const char *text)
{
	struct buf to;

	buf_init(&to, INT_MAX);
	escape_add(&to, text, ESCAPE_LINE);
	return buf_take(&to);
}

bool escape_is_control(const char *s, size_t n)
{
	return is_control(code_point(s, n));
}

size_t escape_width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}
