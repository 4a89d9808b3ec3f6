/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* Reads a word of letters, digits and . _ - and returns it; NULL where there is none. */
static char *read_word(const char **at)
{
	size_t len = strspn(*at, TEXT_ALNUM "._-");
	char *word = len > 0 ? mem_strn(*at, len) : NULL;

	*at += len;
	return word;
}

/* Reads a value in double or single quotes, with backslash escapes, or bare up to the bracket. NULL where there is
 * none. */
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
