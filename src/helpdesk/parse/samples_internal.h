/* SPDX-License-Identifier: MIT */
/*
 * samples_internal: a definition's samples while they are read as tests; for samples.c and samples_unresolved.c only.
 */
#ifndef HELPDESK_PARSE_SAMPLES_INTERNAL_H
#define HELPDESK_PARSE_SAMPLES_INTERNAL_H

#include "helpdesk/definition/definition_internal.h"
#include "helpdesk/parse/parsed_webhook.h"

/* One sample, taken apart into items as the intake would. */
struct sample_test {
	const struct node *at;
	char *name; /* "opened", "also[2]" */
	enum parse_result_kind kind;
	enum transition transition; /* what it is to say */
	enum transition said;       /* what it said, where that is good */
	struct sample sample;
	bool apart; /* its items, if any, are there */
	struct sample_test_item {
		struct webhook webhook; /* its headers and query are the sample's */
		struct parsed_webhook *parsed;
	} * items;
	size_t n;
};

struct sample_tests {
	struct definition *d;
	const struct node *root; /* of the definition's tree */
	bool overlaid;           /* as in the binding */
	struct problems *problems;
	struct sample_test *items;
	size_t n;
	bool lost_conversation;   /* a reference of `conversation` finds nothing in any of them, and that was told */
	bool reported_unreadable; /* so of a sample without a conversation */
};

/* An error, or a warning where parts of a preset were replaced in place: its samples know nothing of that. */
void sample_test_report(const struct sample_tests *all, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A complaint for every reference of the definition that finds nothing in any of them; none where
 * none of them is open. Fills lost_conversation. */
void sample_tests_find_unresolved(struct sample_tests *all);

#endif
