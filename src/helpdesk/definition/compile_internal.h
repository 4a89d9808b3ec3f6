/* SPDX-License-Identifier: MIT */
/*
 * compile_internal: a definition in the making; for compile.c and names.c only. compile.c calls the other one in a
 * fixed order: names first, as templates need them.
 */
#ifndef HELPDESK_DEFINITION_COMPILE_INTERNAL_H
#define HELPDESK_DEFINITION_COMPILE_INTERNAL_H

#include "helpdesk/definition/definition_internal.h"

struct definition_compiler {
	struct definition *d;
	const struct node *n;
	const struct definition_binding *binding; /* or NULL */
	struct problems *problems;
	struct pairs known; /* every name that a template may use; no values */
};

/* Parameters become names; then base_url, the source's or the definition's own. */
void compile_names(struct definition_compiler *dc);
void compile_base_url(struct definition_compiler *dc);

/* For value_expr_references, template_references, …: tells of a name that nobody fills, where it stands within `at`. */
struct name_check {
	struct definition_compiler *dc;
	const struct node *at;
	bool in_step;  /* of the lookup: what later steps take is not known there */
	bool base_url; /* set where one of the names is base_url */
};
void name_check_one(void *ctx, const struct reference *reference);

void compile_lookup(struct definition_compiler *dc);

#endif
