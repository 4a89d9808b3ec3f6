/* SPDX-License-Identifier: MIT */
/*
 * value_expr: an expression for one value of a webhook. Compiled once, immutable, shared by threads. Pure.
 *
 * The forms:
 *
 * - a reference ("/content/id")
 * - a template of several references ("{/account/id}-{/id}")
 * - {when: MATCHER, use: REFERENCE}, which counts only for webhooks for which the matcher holds
 * - a list of up to VALUE_EXPR_MAX of these, of which the first with a value counts
 * - of `delivery` only: the word "body" for the webhook's whole content, which is always there
 * - of a property only: {each: POINTER, when: MATCHER, use: REFERENCE}: every element of the list at the pointer for
 *   which the matcher holds; matcher and reference start at the element, and at most VALUES_MAX elements are read
 */
#ifndef HELPDESK_EXPR_VALUE_EXPR_H
#define HELPDESK_EXPR_VALUE_EXPR_H

#include <stdbool.h>

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/template.h"

#define VALUE_EXPR_MAX 8
#define VALUE_EXPR_BODY "body"

struct value_expr;

enum value_expr_kind {
	VALUE_EXPR_ONE,
	VALUE_EXPR_DELIVERY, /* accepts the word "body" */
	VALUE_EXPR_PROPERTY, /* accepts {each: …}: its value is a list */
};

/* Returns NULL with errors in problems. A text without a reference is an error: it would be the same for every webhook.
 */
struct value_expr *value_expr_compile(const struct node *n, enum value_expr_kind kind, struct problems *problems);
struct value_expr *value_expr_compile_text(const struct node *at, const char *text, struct problems *problems);
/* True where a mapping is {when: …, use: …} or {each: …, use: …}. */
bool value_expr_is_choice(const struct node *n);
void value_expr_free(struct value_expr *f);
/* Returns the expression as it is written; of several "/a or /b". */
const char *value_expr_written(const struct value_expr *f);
/* True where the first alternative that counts in this context is the body; value_expr_text then gives NULL. */
bool value_expr_is_body(const struct value_expr *f, const struct eval_context *s);
/* True where any alternative is the body. */
bool value_expr_may_be_body(const struct value_expr *f);
/* Returns the value as text; NULL where it is absent. Not for a property. The caller owns it. */
char *value_expr_text(const struct value_expr *f, const struct eval_context *s) MUSTCHECK;
/* As value_expr_text(), but a text of the context is not copied: the result is borrowed from the context or from *own.
 * *own is NULL before the call, and the caller frees it. */
const char *value_expr_peek(const struct value_expr *f, const struct eval_context *s, char **own);
/*
 * Returns the value of an event's property (property_value.h): numbers and booleans as they are; a list of text for a
 * list, a "*" or `each`; text for a template. NULL where it is absent. The caller owns it.
 */
struct json_object *value_expr_json(const struct value_expr *f, const struct eval_context *s) MUSTCHECK;
/* Returns "an object" or "a list" where one stands instead of text; NULL: neither. */
const char *value_expr_mismatch(const struct value_expr *f, const struct eval_context *s);
/*
 * Returns the reference to write to, for a sample's value or a merged customer's new id: that of the alternative with
 * the value in this context, else of the first. Of a template: its last that is no name, else its last. NULL only where
 * that is the body. Not for a property. Borrowed.
 */
const struct reference *value_expr_target(const struct value_expr *f, const struct eval_context *s);
/* Calls fn for every reference of every alternative, in order; those of `each` as written, from the element on. */
void value_expr_references(const struct value_expr *f, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
