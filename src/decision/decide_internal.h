/* SPDX-License-Identifier: MIT */
/*
 * decide_internal: shared by decide.c and event_make.c; only for them.
 *
 * decide.c asks the ledger, finds the people and runs the rules. It calls event_make.c, which makes properties and
 * events, and writes explanation and detail.
 */
#ifndef DECISION_DECIDE_INTERNAL_H
#define DECISION_DECIDE_INTERNAL_H

#include "decision/decide.h"
#include "helpdesk/expr/properties.h"

struct person_flag {
	const char *name;
	int64_t count; /* the open conversations that reached the person, this one included */
};

/* A person whom a transition reaches, and the flags that it sets. Texts are borrowed from the input or the decision. */
struct person {
	const char *account;
	const struct account_policy *configured; /* NULL: not configured now */
	const char *email;
	struct person_flag *flags;
	size_t flags_n;
	bool is_test;
};
struct people {
	struct person *items; /* points to `only` while n is 1: the usual number */
	size_t n;
	struct person only;
};

/* The state of one call of decide(). */
struct decision_builder {
	const struct decide_input *in;
	struct decision out;
	const struct signal *signal;          /* NULL: an expiry */
	const struct eval_context *context;   /* over the webhook; empty for an expiry */
	const struct account_policy *account; /* for the webhook's own addresses; NULL: none */
	struct people people;
	struct buf detail;
};

#define DECIDE_DETAIL_MAX 2000

/* Adds a line to the explanation, where one is wanted. */
void decide_explain(const struct decision_builder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds a part to the detail, unless the detail contains that text. */
void decide_add_detail(struct decision_builder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds the properties that depend on the webhook alone. */
void decide_webhook_properties(const struct decision_builder *d, struct properties *to);
/* Adds all default properties for one person but the Event ID. */
void decide_properties(const struct decision_builder *d, const struct person *p, struct properties *to);
/* Adds the draft's event for that person, unless the decision has one with that account and unique_id. properties: from
 * decide_properties() for that person. */
void decide_add_event(struct decision_builder *d, const struct person *p, const struct draft *draft,
		      const struct properties *properties);

#endif
