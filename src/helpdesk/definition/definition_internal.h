/* SPDX-License-Identifier: MIT */
/*
 * definition_internal: the struct of a compiled definition; only for src/helpdesk.
 */
#ifndef HELPDESK_DEFINITION_DEFINITION_INTERNAL_H
#define HELPDESK_DEFINITION_DEFINITION_INTERNAL_H

#include "helpdesk/expr/attributes.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/email_refs.h"
#include "helpdesk/expr/value_expr.h"
#include "helpdesk/expr/links.h"
#include "helpdesk/expr/matcher.h"
#include "helpdesk/definition/sample.h"
#include "helpdesk/expr/states.h"
#include "helpdesk/definition/step.h"

/* A sample of a webhook, for definition_samples(). */
struct definition_sample_info {
	char *name;        /* "opened", "also[2]" */
	const char *shows; /* "opened", …, "ping"; static */
	enum sample_shape shape;
};

struct definition {
	struct definition_about about;
	enum body_form body;
	struct reference *each;      /* a pointer to the array, possibly ""; NULL: one item in a body */
	struct matcher *setup_probe; /* matches the vendor's probe of the URL; NULL: none */
	struct proof *proof;
	struct pairs names;   /* the chosen parameters, and base_url: the source's, else the definition's */
	struct pairs headers; /* names of the headers that a webhook keeps, without values */
	struct matcher *ping, *identified;               /* NULL: none */
	struct matcher *transitions[TRANSITION_EXPIRED]; /* the matchers by transition; reopened may be NULL */
	struct states *states;                           /* NULL: none */
	struct value_expr *conversation;                 /* never NULL */
	struct value_expr *delivery, *customer;          /* NULL: none */
	struct value_expr *time, *created, *closed_at;   /* NULL: none */
	struct email_refs emails;
	struct step steps[STEPS_MAX];
	size_t steps_n;
	struct attributes *attributes;               /* NULL: none */
	struct links *conversation_url;              /* NULL: none */
	struct sample samples[TRANSITION_EXPIRED];   /* by transition */
	struct definition_sample_info *sample_infos; /* of every sample of a webhook, in the order of the file */
	size_t sample_infos_n;
};

/* The order of the transitions' matchers, between ping and identified: the more final, the earlier. A webhook that says
 * that a conversation was created and solved counts as solved. */
#define MATCH_ORDER_N 3
extern const enum transition match_order[MATCH_ORDER_N];

/* Fills ret with the matchers of webhooks in the order of evaluation; NULL: no such matcher. */
#define DEFINITION_MATCHERS 5
void definition_matchers(const struct definition *d, const struct matcher *ret[DEFINITION_MATCHERS]);

/* Calls fn for every reference of these matchers. The matcher of a set-up probe is not among them. */
void definition_matcher_references(const struct definition *d, void (*fn)(void *ctx, const struct reference *r),
				   void *ctx);

#endif
