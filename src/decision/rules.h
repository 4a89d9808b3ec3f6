/* SPDX-License-Identifier: MIT */
/*
 * rules: from a transition to events, or to nothing. Compiled once a generation, immutable, pure.
 *
 * The rules are tried in order. Every rule that matches acts, and a drop ends the run. Rules that send the same metric
 * make one event: the later rule wins, member by member. man/deskbridge.yaml.5, RULES, is the language.
 */
#ifndef DECISION_RULES_H
#define DECISION_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/webhook.h"

struct rules;

/*
 * `list` is a source's `rules` (NULL: [default]); `shared` is the top-level `rules` (NULL: [default]), whose own
 * `default` stands for the shipped rules. Errors go to problems; among them: opened or closed can reach no send.
 */
struct rules *rules_compile(const struct node *list, const struct node *shared, struct problems *problems);
void rules_free(struct rules *r);

/*
 * The drafts of what rules ask to be sent; the pipeline makes events of them, one an address. Rules whose metrics are
 * the same as rendered make one draft: properties and profile by name, value and late, each as the later rule gives it;
 * what the later rule does not give, or cannot make of this webhook, stays.
 */
struct draft {
	char *metric;                   /* rendered */
	struct json_object *properties; /* added to the event's properties; flat; NULL: none */
	struct json_object *profile;    /* added to the profile's properties; flat; NULL: none */
	bool has_value;
	double value;
	int64_t late_ms; /* -1: the account's */
	char *rule;      /* "rules[1]", "shipped", "shipped, rules[1] and rules[3]": for explain */
	unsigned rules;  /* how many rules */
};
/* Klaviyo takes 400 properties an event: so many may come from rules, and as many may go to the profile. Rules written
 * with the same metric that may exceed it do not compile; what exceeds it only as rendered is left out. */
#define RULES_ADDED_MAX 280
struct drafts {
	struct draft *items;
	size_t n;
	bool dropped;
	char *drop_reason; /* `drop: outbound` */
	/* A property or value whose template has a part without a value is left out; a rule whose metric cannot be
	 * named does not send. That, and what exceeds RULES_ADDED_MAX, is told here ("" otherwise). */
	struct err failed;
};
void drafts_done(struct drafts *d);

/* How a rule looks at a transition. Borrowed. */
struct rules_input {
	enum transition transition;
	const char *label;
	struct eval_context context; /* properties set; item, headers, query where a webhook is behind it */
	bool must_send; /* someone is to be reached: never dropped, the shipped rule sends where none does */
};
/* explain: NULL, or a line for each rule and why it acted or not. */
void rules_run(const struct rules *r, const struct rules_input *v, struct drafts *ret, struct buf *explain);

/* Every metric name that these rules can send with that label, for `recipe` and `check`; calls fn for each. */
void rules_metrics(const struct rules *r, const char *label,
		   void (*fn)(void *ctx, const char *metric, enum transition t), void *ctx);

/* -EINVAL where a rule's metric can never be sent with that label: too long for Klaviyo, whatever a webhook says. */
int rules_check_label(const struct rules *r, const char *label, struct err *reterr) MUSTCHECK;
/* Calls fn for every reference of every rule, in order; rule is the rule's name. */
void rules_references(const struct rules *r, void (*fn)(void *ctx, const char *rule, const struct reference *reference),
		      void *ctx);

#endif
