#include <config.h>

#include "helpdesk/expr/scope.h"

#include <errno.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that "%XX" at the start of raw stands for, or -1. */
static int escaped_byte(const char *raw, size_t len)
{
	int high = -1, low = -1;

	if (len > 2 && raw[0] == '%') {
		high = hex(raw[1]);
		low = hex(raw[2]);
	}
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static char *query_decode(const char *raw, size_t len)
{
	char *text = mem_strn(raw, len), *to = text;

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

int scope_unescape(const char *raw, size_t len, bool plus, char **ret)
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

void scope_query(const char *raw, struct pairs *to)
{
	while (raw && *raw != '\0' && to->n < SCOPE_QUERY_MAX) {
		size_t len = strcspn(raw, "&");
		const char *equals = memchr(raw, '=', len);
		size_t name_len = equals ? (size_t)(equals - raw) : len;

		if (len > 0) {
			CLEANUP(mem_freep) char *name = query_decode(raw, name_len);
			CLEANUP(mem_freep) char *value = NULL;

			value = equals ? query_decode(equals + 1, len - name_len - 1) : mem_str("");
			pairs_add(to, name, value);
		}
		raw += len;
		raw += *raw == '&';
	}
}

void scope_escape(const char *text, struct buf *to)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			buf_addc(to, (char)c);
		else
			buf_addf(to, "%%%02X", c);
	}
}
