/* SPDX-License-Identifier: MIT */
/*
 * email_refs: where addresses stand in a webhook or in an answer (`emails`, `primary`). Compiled once, immutable.
 * Pure.
 *
 * One reference, or a list of them: the first that yields an address counts.
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
	struct reference *primary; /* beside emails[0], or NULL */
};

/* emails, primary: nodes or NULL. only_pointers: as in an answer, which has no headers. */
void email_refs_compile(struct email_refs *p, const struct node *emails, const struct node *primary, bool only_pointers,
			struct problems *problems);
void email_refs_done(struct email_refs *p);
/* Adds what is found. Whether there was an address. */
bool email_refs_read(const struct email_refs *p, const struct eval_context *s, struct addresses *to);
/* The reference whose value counts in this context, or the first; NULL where there is none: where a sample's address
 * goes. */
const struct reference *email_refs_target(const struct email_refs *p, const struct eval_context *s);
void email_refs_references(const struct email_refs *p, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
