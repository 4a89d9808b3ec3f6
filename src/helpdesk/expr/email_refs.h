/* SPDX-License-Identifier: MIT */
/*
 * email_refs: the references to addresses in a webhook or an answer (`emails`, `primary`). Compiled once, immutable.
 * Pure.
 *
 * `emails` is one reference or a list, of which the first with an address counts.
 */
#ifndef HELPDESK_EXPR_EMAIL_REFS_H
#define HELPDESK_EXPR_EMAIL_REFS_H

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/expr/reference.h"

#define EMAIL_REFS_MAX 4

struct email_refs {
	struct reference *emails[EMAIL_REFS_MAX];
	size_t n;                  /* 0: none */
	struct reference *primary; /* next to emails[0]; NULL: none */
};

/* Compiles. emails, primary: nodes or NULL. only_pointers: for an answer, which has no headers. */
void email_refs_compile(struct email_refs *p, const struct node *emails, const struct node *primary, bool only_pointers,
			struct problems *problems);
void email_refs_done(struct email_refs *p);
/* Adds the addresses found. Returns true where there was one. */
bool email_refs_read(const struct email_refs *p, const struct eval_context *s, struct addresses *to);
/* Returns the reference whose value counts in this context, else the first; NULL: none. A sample gets its address
 * there. */
const struct reference *email_refs_target(const struct email_refs *p, const struct eval_context *s);
void email_refs_references(const struct email_refs *p, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
