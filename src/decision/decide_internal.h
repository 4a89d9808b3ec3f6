/* SPDX-License-Identifier: MIT */
/*
 * decide_internal: what decide's files share; for them only.
 *
 * decide.c asks the ledger, finds whom a transition goes to, and runs the rules; event_make.c, which it calls, makes
 * the properties and the event, and holds the words in which both tell of the decision.
 */
#ifndef DECISION_DECIDE_INTERNAL_H
#define DECISION_DECIDE_INTERNAL_H

#include "decision/decide.h"

/* One to whom a transition goes, and the flags it sets. The text is borrowed from input or decision. */
struct person {
	const char *account;
	const struct account_policy *configured; /* NULL: no longer */
	const char *email;
	const char **flags;
	size_t flags_n;
	bool is_test;
	/* as found for this person, in the order of flags: how many open conversations, this one included */
	int64_t *counts;
};
struct people {
	struct person *items;
	size_t n;
};

/* One decision in the making. */
struct decision_builder {
	const struct decide_input *in;
	struct decision out;
	const struct signal *signal;          /* NULL: an expiry */
	const struct eval_context *context;   /* over the webhook; nothing in it: an expiry */
	const struct account_policy *account; /* for the webhook's own addresses; NULL: none */
	struct people people;
	struct buf detail;
};

#define DECIDE_DETAIL_MAX 2000

/* A line of the explanation, where one is wanted. */
void decide_explain(const struct decision_builder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One more part of the decision's detail. */
void decide_add_detail(struct decision_builder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The properties that the webhook alone gives. The caller owns it. */
struct json_object *decide_webhook_properties(const struct decision_builder *d) MUSTCHECK;
/* All default properties for one person but the Event ID. The caller owns it. */
struct json_object *decide_properties(const struct decision_builder *d, const struct person *p) MUSTCHECK;
/* Adds the draft's event for that person, unless the decision has the same one already. properties: those of
 * decide_properties() for that person, to which the Event ID is added. */
void decide_add_event(struct decision_builder *d, const struct person *p, const struct draft *draft,
		      struct json_object *properties);

#endif
