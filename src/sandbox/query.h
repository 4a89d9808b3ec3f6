/*
 * query: what stands behind the "?" of Klaviyo's GET endpoints: parameters and the filter language. Pure.
 */
#ifndef SANDBOX_QUERY_H
#define SANDBOX_QUERY_H

#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#define QUERY_FILTERS_MAX 16

/* Percent-decoded names and values ("+" is a blank), in order. Bad escapes stay as they are. */
void query_read(const char *query, struct pairs *ret);
/* The value percent-encoded for a URL. */
void query_escape(struct buf *to, const char *value);

/* operator(field,value): the value without its quotes, NULL where there is none (has(profile)). */
struct query_filter {
	char *op, *field, *value;
};
struct query_filters {
	struct query_filter items[QUERY_FILTERS_MAX];
	size_t n;
};
/* `equals(a,"b"),greater-than(c,d)`: -EINVAL for what is not of that form. Free *ret in both cases. */
int query_filters(const char *text, struct query_filters *ret) MUSTCHECK;
void query_filters_done(struct query_filters *f);

#endif
