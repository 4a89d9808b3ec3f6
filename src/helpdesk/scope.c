#include <config.h>

#include "helpdesk/scope.h"

#include <string.h>

#include "base/mem.h"

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

static char *query_decode(const char *raw, size_t len)
{
	char *text = mem_strn(raw, len), *to = text;

	for (size_t i = 0; i < len; i++) {
		int high = -1, low = -1;

		if (raw[i] == '%' && len - i > 2) {
			high = hex(raw[i + 1]);
			low = hex(raw[i + 2]);
		}
		if (high >= 0 && low >= 0 && high + low > 0) {
			*to++ = (char)(high * 16 + low);
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
