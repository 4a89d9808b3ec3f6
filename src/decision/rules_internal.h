/* SPDX-License-Identifier: MIT */
/*
 * rules_internal: the structs of compiled rules; only for rules.c and rules_compile.c.
 */
#ifndef DECISION_RULES_INTERNAL_H
#define DECISION_RULES_INTERNAL_H

#include "helpdesk/expr/matcher.h"
#include "helpdesk/expr/template.h"
#include "decision/rules.h"

#define RULES_MAX 200
#define RULE_ADDITIONS_MAX 50

#define RULE_ON(t) (1u << (t))
#define RULE_ON_ALL                                                                               \
	(RULE_ON(TRANSITION_OPENED) | RULE_ON(TRANSITION_REOPENED) | RULE_ON(TRANSITION_CLOSED) | \
	 RULE_ON(TRANSITION_EXPIRED))

/* A property that a rule adds. Threads share the rules: `literal` is read only, through literal_copy(). */
struct addition {
	char *name;
	struct json_object *literal; /* a number or boolean; NULL: texts count */
	struct template **texts;
	size_t n;
	bool is_list;
	bool is_link; /* the conversation's URL: texts are rendered as links, and a value that is no URL is left out */
};

struct additions {
	struct addition *items;
	size_t n;
};

struct rule {
	const char *name;      /* own_name, or "shipped" */
	char *own_name;        /* "rules[1]" */
	unsigned on;           /* RULE_ON of each transition */
	struct matcher *when;  /* NULL: always */
	char *drop;            /* the reason; NULL: it does not drop */
	struct template *send; /* the metric; NULL only where it drops */
	struct additions properties, profile;
	struct template *value; /* NULL: none */
	int64_t late_ms;        /* -1: the account's */
	const struct node *at;  /* the place in the file, for problems while compiling; NULL afterwards */
};

struct rules {
	struct rule *items;
	size_t n;
};

/* Reads a JSON number. False: the text is none, or not finite. */
bool rule_number(const char *text, double *ret);
/* Returns NULL, or why Klaviyo does not take a metric of that name. */
const char *rule_metric_fault(const char *metric);
/* Returns the metric of the shipped rule for that transition; NULL for NONE. Borrowed. */
const char *rules_shipped(enum transition t);

#endif
