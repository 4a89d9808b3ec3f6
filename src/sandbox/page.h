/* SPDX-License-Identifier: MIT */
/*
 * page: an address of a helpdesk's API that a step of a lookup requests, and the answer there: the step's own example.
 * Pages are made from the samples of a definition and are constant afterwards. Pure.
 *
 * The text of an address and the values of a source's parameters are fixed. A value from the webhook or from an earlier
 * answer may differ from the sample's.
 */
#ifndef SANDBOX_PAGE_H
#define SANDBOX_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "base/text.h"
#include "helpdesk/definition/definition.h"

#define PAGES_MAX 4096
#define PAGE_PARTS_MAX 16

struct page_part {
	bool varies;
	char *text;    /* fixed: as written in a request; else the sample's value, decoded */
	bool customer; /* varies, and the sample's value is the id of its customer */
};

struct page {
	const struct step *step; /* borrowed from the definition */
	char *base_path;         /* the path of base_url, with which a request may begin; may be "" */
	struct page_part parts[PAGE_PARTS_MAX];
	size_t n;
};

struct pages {
	struct page *items;
	size_t n;
};

/* Adds the pages of every step of every sample, even where its `when` does not hold. A step without an example answer
 * has none. The pages borrow from d. */
void pages_add(struct pages *p, const struct definition *d);
void pages_done(struct pages *p);

/* True where a request's target ("/path?query") is this page. Then *ret, unless NULL, receives the decoded value of
 * each part (NULL for a fixed one), which the caller frees with page_values_done(). */
struct page_values {
	char *items[PAGE_PARTS_MAX];
};
bool page_matches(const struct page *p, const char *target, struct page_values *ret);
void page_values_done(struct page_values *v);

/* True where the headers hold credentials of the kind that the step uses, with any secret. */
bool page_is_authenticated(const struct page *p, const struct pairs *headers);
/* Returns the answer, which the caller owns. addresses (comma-separated, the primary one first) replace those of the
 * example; NULL: the example as it is. */
struct json_object *page_answer(const struct page *p, const char *addresses) MUSTCHECK;

#endif
