/* SPDX-License-Identifier: MIT */
/*
 * links: the key `conversation_url`: a template, or a list of up to VALUE_EXPR_MAX templates, of which the first that
 * gives a URL (link_make) counts. Compiled once, immutable, shared by threads. Pure.
 */
#ifndef HELPDESK_EXPR_LINKS_H
#define HELPDESK_EXPR_LINKS_H

#include "helpdesk/expr/value_expr.h"

struct links;

/* Warns where the template begins with text that is no http or https URL: it never gives a link. */
void links_check_beginning(const struct template *t, const struct node *n, struct problems *problems);
/* Returns NULL with errors in problems. */
struct links *links_compile(const struct node *n, struct problems *problems);
void links_free(struct links *l);
/* As template_render() with TEMPLATE_LINK. Where no template gives a URL, returns the first one's error. The caller
 * owns *ret. */
int links_render(const struct links *l, const struct eval_context *s, char **ret, struct err *reterr) MUSTCHECK;
/* Returns the i-th template's template_outline(); NULL past the end. The caller owns it. */
char *links_outline(const struct links *l, size_t i, const struct eval_context *s) MUSTCHECK;
/* Calls fn for every reference of every template, in order. l may be NULL. */
void links_references(const struct links *l, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
