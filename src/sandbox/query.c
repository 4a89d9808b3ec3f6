#include <config.h>

#include "sandbox/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Never makes a NUL: "%00" stays. */
static char *decode(const char *text, size_t len)
{
	char *out = mem_new(len + 1, 1), *to = out;

	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		if (low >= 0 && (high > 0 || low > 0)) {
			*to++ = (char)(high * 16 + low);
			i += 2;
		} else {
			*to++ = text[i] == '+' ? ' ' : text[i];
		}
	}
	return out;
}

void query_read(const char *query, struct pairs *ret)
{
	while (*query != '\0') {
		size_t len = strcspn(query, "&"), name_len = strcspn(query, "=&");
		CLEANUP(mem_freep) char *name = decode(query, name_len);
		CLEANUP(mem_freep)
		char *value = name_len < len ? decode(query + name_len + 1, len - name_len - 1) : mem_str("");

		if (*name != '\0')
			pairs_add(ret, name, value);
		query += len;
		if (*query == '&')
			query++;
	}
}

void query_escape(struct buf *to, const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		    strchr("-._~", *c))
			buf_addc(to, (char)*c);
		else
			buf_addf(to, "%%%02X", *c);
	}
}

/* A word of letters, digits and . _ - */
static char *read_word(const char **at)
{
	size_t len = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
	char *word = len > 0 ? mem_strn(*at, len) : NULL;

	*at += len;
	return word;
}

/* "…", '…' with backslashes, or bare up to the bracket. */
static char *read_value(const char **at)
{
	CLEANUP(buf_done) struct buf value;
	const char *c = *at;
	char quote = *c;

	buf_init(&value, strlen(c));
	if (quote != '"' && quote != '\'') {
		size_t len = strcspn(*at, ")");
		char *bare = len > 0 ? mem_strn(*at, len) : NULL;

		*at += len;
		return bare;
	}
	for (c++; *c != '\0' && *c != quote; c++) {
		if (*c == '\\' && c[1] != '\0')
			c++;
		buf_addc(&value, *c);
	}
	if (*c != quote)
		return NULL;
	*at = c + 1;
	return buf_take(&value);
}

static int read_filter(const char **at, struct query_filter *f)
{
	f->op = read_word(at);
	if (!f->op || *(*at)++ != '(')
		return -EINVAL;
	f->field = read_word(at);
	if (!f->field)
		return -EINVAL;
	if (**at == ',') {
		++*at;
		*at += strspn(*at, " ");
		f->value = read_value(at);
		if (!f->value)
			return -EINVAL;
	}
	return *(*at)++ == ')' ? 0 : -EINVAL;
}

int query_filters(const char *text, struct query_filters *ret)
{
	*ret = (struct query_filters){0};
	for (;;) {
		int r = ret->n < QUERY_FILTERS_MAX ? read_filter(&text, &ret->items[ret->n++]) : -EINVAL;

		if (r < 0 || *text == '\0')
			return r;
		if (*text++ != ',')
			return -EINVAL;
	}
}

void query_filters_done(struct query_filters *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].op);
		free(f->items[i].field);
		free(f->items[i].value);
	}
	f->n = 0;
}
