/* SPDX-License-Identifier: MIT */
/*
 * page: one address of a helpdesk's API, as a step of a definition's lookup asks for it, and what stands there: the
 * step's own example of an answer. Made from a definition's samples; constant afterwards. Pure.
 *
 * Of the address, texts and parameters are fixed; every value of the webhook or of an earlier answer may differ from
 * the sample's.
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
	char *text;    /* fixed: as it stands in a request; else the sample's value, decoded */
	bool customer; /* varies: who the sample's customer is */
};

struct page {
	const struct step *step; /* borrowed from the definition */
	char *base_path;         /* the path of its base_url, which may stand before; "" */
	struct page_part parts[PAGE_PARTS_MAX];
	size_t n;
};

struct pages {
	struct page *items;
	size_t n;
};

/* Every step of every sample, whether its `when` holds or not; steps without a sample have none. d is borrowed for
 * their life. */
void pages_add(struct pages *p, const struct definition *d);
void pages_done(struct pages *p);

/* Whether a request's target ("/path?query") is this page. ret, where not NULL: the values, decoded, by part; NULL for
 * a fixed one. The caller frees them (page_values_done). */
struct page_values {
	char *items[PAGE_PARTS_MAX];
};
bool page_matches(const struct page *p, const char *target, struct page_values *ret);
void page_values_done(struct page_values *v);

/* Whether the request's headers show what the step authenticates by, whatever the secret. */
bool page_is_authenticated(const struct page *p, const struct pairs *headers);
/* The answer; with these addresses (comma-separated, the first is the primary one) in place of its own where not NULL.
 * The caller owns it. */
struct json_object *page_answer(const struct page *p, const char *addresses) MUSTCHECK;

#endif
