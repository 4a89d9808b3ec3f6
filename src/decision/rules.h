/* SPDX-License-Identifier: MIT */
/*
 * rules: turns a transition into drafts of events, or drops it. Compiled once for a generation, immutable. Pure.
 *
 * The rules are tried in order. Every rule that matches acts, and a drop ends the run. Rules that send the same metric
 * make one event: the later rule wins, member by member. man/deskbridge.yaml.5, RULES, defines the language.
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
 * Compiles the rules of a source. list: the source's `rules`; NULL: [default]. shared: the top-level `rules`; NULL:
 * [default]. In shared, `default` stands for the shipped rules. Returns NULL with errors in problems. It is an error
 * where no rule can send for opened or closed.
 */
struct rules *rules_compile(const struct node *list, const struct node *shared, struct problems *problems);
void rules_free(struct rules *r);

/*
 * A draft is an event before it has a person: decide() makes one event of it for each person.
 *
 * Rules with the same rendered metric make one draft: properties and profile by name, value and late, each from the
 * later rule. A member that the later rule does not give, or cannot render, stays.
 */
struct draft {
	char *metric;                   /* rendered */
	struct json_object *properties; /* added to the event's properties; flat; NULL: none */
	struct json_object *profile;    /* added to the profile's properties; flat; NULL: none */
	bool has_value;
	double value;
	int64_t late_ms; /* -1: the account's */
	/* "rules[1]", "shipped", "shipped, rules[1] and rules[3]": for explain. Borrowed from the rules, or from
	 * rule_names. */
	const char *rule;
	char *rule_names; /* of several rules; NULL: one */
	unsigned rules;   /* the number of rules */
};
/* The most properties that rules add to one event, and the most that they add to one profile. Klaviyo takes 400
 * properties in an event. Rules written with the same metric that may exceed this do not compile. Rules whose metrics
 * become the same only when rendered have the excess left out. */
#define RULES_ADDED_MAX 280
struct drafts {
	struct draft *items;
	size_t n;
	bool dropped;
	char *drop_reason; /* `drop: outbound` */
	/* A property or value with a missing part is left out. A rule does not send where its metric has a missing
	 * part or is a name that Klaviyo does not take. The last such metric, or the last excess over RULES_ADDED_MAX;
	 * code 0: neither. */
	struct err failed;
};
void drafts_done(struct drafts *d);

/* A transition as the rules see it. Borrowed. */
struct rules_input {
	enum transition transition;
	const char *label;
	struct eval_context context; /* properties are set; item, headers and query where there is a webhook */
	bool must_send; /* the transition has someone to reach: no rule drops it, and the shipped rule sends where none
			   does */
};
/* Runs the rules. explain: gets a line for each rule that says why it acted or not; NULL: none. The caller owns *ret
 * (drafts_done). */
void rules_run(const struct rules *r, const struct rules_input *v, struct drafts *ret, struct buf *explain);

/* Calls fn once for each metric name and transition that these rules can send with that label. For `recipe` and
 * `check`. */
void rules_metrics(const struct rules *r, const char *label,
		   void (*fn)(void *ctx, const char *metric, enum transition t), void *ctx);

/* -EINVAL where a rule's metric, rendered with that label alone, is not valid in Klaviyo. Metrics that need a webhook
 * are not checked. */
int rules_check_label(const struct rules *r, const char *label, struct err *reterr) MUSTCHECK;
/* Calls fn for every reference of every rule, in order; rule is the rule's name. */
void rules_references(const struct rules *r, void (*fn)(void *ctx, const char *rule, const struct reference *reference),
		      void *ctx);

#endif
