/* SPDX-License-Identifier: MIT */
/*
 * samples_internal: a definition's samples as tests; only for samples.c and samples_unresolved.c.
 */
#ifndef HELPDESK_PARSE_SAMPLES_INTERNAL_H
#define HELPDESK_PARSE_SAMPLES_INTERNAL_H

#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/parse/parsed_webhook.h"

/* One sample, split into items as intake does it. */
struct sample_test {
	const struct node *at;
	char *name; /* "opened", "also[2]" */
	enum parse_result_kind kind;
	enum transition transition; /* kind and transition as which it should read */
	enum transition actual;     /* the transition as which it did read, where that is right */
	struct sample sample;
	bool is_split; /* it was split: items is filled */
	struct sample_test_item {
		struct webhook webhook; /* headers and query are borrowed from the sample */
		struct parsed_webhook *parsed;
	} * items;
	size_t n;
};

struct sample_tests {
	struct definition *d;
	const struct node *root; /* of the definition's tree */
	bool overlaid;           /* as in definition_binding */
	struct problems *problems;
	struct sample_test *items;
	size_t n;
	bool conversation_unresolved; /* a reference of `conversation` finds nothing in any sample, and this was
					 reported */
	bool reported_unreadable;     /* a sample without a conversation was reported */
};

/* Adds an error, or a warning where parts of a preset were replaced: its samples do not know the replacements. */
void sample_test_report(const struct sample_tests *all, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Reports every reference of the definition that finds nothing in any sample; none where no sample has an item. Fills
 * conversation_unresolved. */
void sample_tests_find_unresolved(struct sample_tests *all);

#endif
