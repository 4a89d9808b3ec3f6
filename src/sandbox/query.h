/* SPDX-License-Identifier: MIT */
/*
 * query: the parser of filters, as Klaviyo's GET endpoints take them. Pure.
 */
#ifndef SANDBOX_QUERY_H
#define SANDBOX_QUERY_H

#include <stddef.h>

#include "base/mem.h"

#define QUERY_FILTERS_MAX 16

/* A filter operator(field,value). value is without its quotes; NULL where there is none, as in has(profile). */
struct query_filter {
	char *op, *field, *value;
};
struct query_filters {
	struct query_filter items[QUERY_FILTERS_MAX];
	size_t n;
};
/* Parses `equals(a,"b"),greater-than(c,d)`. -EINVAL where the text has another form. Call query_filters_done() in both
 * cases. */
int query_filters(const char *text, struct query_filters *ret) MUSTCHECK;
void query_filters_done(struct query_filters *f);

#endif
