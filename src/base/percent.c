/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/percent.h"

#include <errno.h>
#include <string.h>

#include "base/hex.h"

/* Returns the byte that "%XX" at the start of raw encodes; -1: raw does not begin so. */
static int escaped_byte(const char *raw, size_t len)
{
	unsigned char byte;

	return len > 2 && raw[0] == '%' && hex_read(raw + 1, 2, &byte) == 0 ? byte : -1;
}

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

static void add(struct buf *to, const char *text, const char *safe, bool partly)
{
	for (;;) {
		size_t run = strspn(text, PERCENT_UNRESERVED);

		buf_add(to, text, run);
		text += run;
		if (*text == '\0')
			return;
		if (strchr(safe, *text) || (partly && escaped_byte(text, strnlen(text, 3)) >= 0))
			buf_addc(to, *text);
		else
			buf_addf(to, "%%%02X", (unsigned)(unsigned char)*text);
		text++;
	}
}

void percent_add(struct buf *to, const char *text, const char *safe)
{
	add(to, text, safe, false);
}

void percent_add_partly(struct buf *to, const char *text, const char *safe)
{
	add(to, text, safe, true);
}

void percent_add_pair(struct buf *to, const char *name, const char *value)
{
	percent_add(to, name, "");
	buf_addc(to, '=');
	percent_add(to, value, "");
}

/* ---- decoding ---------------------------------------------------------------------------------------------------- */

int percent_read(const char *raw, size_t len, bool plus, char **ret)
{
	CLEANUP(mem_freep) char *text = mem_new(len + 1, 1);
	char *to = text;

	for (size_t i = 0; i < len; i++) {
		int byte = raw[i] == '%' ? escaped_byte(raw + i, len - i) : (unsigned char)raw[i];

		if (byte <= 0)
			return -EINVAL;
		if (raw[i] == '%')
			i += 2;
		else if (plus && byte == '+')
			byte = ' ';
		*to++ = (char)byte;
	}
	if (!text_is_utf8(text, (size_t)(to - text)))
		return -EINVAL;
	*ret = TAKE(text);
	return 0;
}

static char *read_leniently(const char *raw, size_t len)
{
	char *text = mem_strn(raw, len);
	char *to = text;

	for (size_t i = 0; i < len; i++) {
		int byte = escaped_byte(raw + i, len - i);

		if (byte > 0) {
			*to++ = (char)byte;
			i += 2;
		} else {
			*to++ = raw[i] == '+' ? ' ' : raw[i];
		}
	}
	*to = '\0';
	if (text_is_utf8(text, (size_t)(to - text)))
		return text;
	free(text);
	return mem_strn(raw, len);
}

void percent_read_query(const char *raw, struct pairs *to)
{
	while (raw && *raw != '\0' && to->n < PERCENT_QUERY_MAX) {
		size_t len = strcspn(raw, "&");
		size_t name_len = strcspn(raw, "=&");

		if (name_len > 0) {
			CLEANUP(mem_freep) char *name = read_leniently(raw, name_len);
			CLEANUP(mem_freep) char *value = NULL;

			value = name_len < len ? read_leniently(raw + name_len + 1, len - name_len - 1) : mem_str("");
			pairs_add(to, name, value);
		}
		raw += len;
		raw += *raw == '&';
	}
}
