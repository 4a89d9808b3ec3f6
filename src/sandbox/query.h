/* SPDX-License-Identifier: MIT */
/*
 * query: the filter language of Klaviyo's GET endpoints. Pure.
 */
#ifndef SANDBOX_QUERY_H
#define SANDBOX_QUERY_H

#include <stddef.h>

#include "base/mem.h"

#define QUERY_FILTERS_MAX 16

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
