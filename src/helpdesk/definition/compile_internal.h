/* SPDX-License-Identifier: MIT */
/*
 * compile_internal: shared by compile.c and names.c; only for them. compile.c calls names.c in a fixed order: names
 * first, as templates need them.
 */
#ifndef HELPDESK_DEFINITION_COMPILE_INTERNAL_H
#define HELPDESK_DEFINITION_COMPILE_INTERNAL_H

#include "helpdesk/definition/definition_internal.h"

struct definition_compiler {
	struct definition *d;
	const struct node *n;
	const struct definition_binding *binding; /* or NULL */
	struct problems *problems;
	struct pairs known; /* every name that a template may use, without values */
};

/* Compiles the parameters, which become names; then base_url, the source's or the definition's own. */
void compile_names(struct definition_compiler *dc);
void compile_base_url(struct definition_compiler *dc);

/* Context of name_check_one(), a callback for value_expr_references, template_references, …: reports a name that has no
 * value, at its place within `at`. */
struct name_check {
	struct definition_compiler *dc;
	const struct node *at;
	/* within a step of the lookup, where names taken by later steps are not known */
	bool in_step;
	bool base_url; /* set where one of the names is base_url */
};
void name_check_one(void *ctx, const struct reference *reference);

void compile_lookup(struct definition_compiler *dc);

#endif
