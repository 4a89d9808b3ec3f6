/* SPDX-License-Identifier: MIT */
/*
 * value_expr: one value that a definition reads from a webhook: a reference ("/content/id"), a template that puts
 * several together ("{/account/id}-{/id}"), or a list of up to VALUE_EXPR_MAX of them: the first that finds something
 * counts. In a list {when: MATCHER, use: REFERENCE} counts only for webhooks for which the matcher holds; it may also
 * stand alone. Of `delivery` alone, the word "body" stands for the webhook's whole content, which is always there. Of a
 * property alone, {each: POINTER, when: MATCHER, use: REFERENCE} looks at every element of the list at the pointer for
 * which the matcher holds; matcher and reference start at the element. At most VALUES_MAX elements are looked at.
 * Compiled once, immutable, shared by threads. Pure.
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
	VALUE_EXPR_DELIVERY, /* the word "body" is understood */
	VALUE_EXPR_PROPERTY, /* {each: …} is understood: its value is a list */
};

/* NULL where there were errors. A text without any reference is one: it would say the same of every webhook. */
struct value_expr *value_expr_compile(const struct node *n, enum value_expr_kind kind, struct problems *problems);
struct value_expr *value_expr_compile_text(const struct node *at, const char *text, struct problems *problems);
/* Whether a mapping is {when: …, use: …} or {each: …, use: …}. */
bool value_expr_is_choice(const struct node *n);
void value_expr_free(struct value_expr *f);
/* As people write it; of several "/a or /b". */
const char *value_expr_written(const struct value_expr *f);
/* Whether the first alternative that counts in this context is the body; value_expr_text gives NULL then. */
bool value_expr_is_body(const struct value_expr *f, const struct eval_context *s);
/* Whether any alternative is the body. */
bool value_expr_may_be_body(const struct value_expr *f);
/* NULL where it is absent; not of a property. The caller owns it. */
char *value_expr_text(const struct value_expr *f, const struct eval_context *s) MUSTCHECK;
/*
 * The same as an event's property holds it (property_value.h): numbers and booleans as they are, lists of text where
 * there is a list, a "*" or `each`; text of a template. NULL where it is absent. The caller owns it.
 */
struct json_object *value_expr_json(const struct value_expr *f, const struct eval_context *s) MUSTCHECK;
/* Something stands there, but no text: "an object", "a list". NULL: no. */
const char *value_expr_mismatch(const struct value_expr *f, const struct eval_context *s);
/*
 * The reference of the alternative that gives the value in this context, else of the first; of a template its last that
 * is no name, else its last: where a sample's value goes, and a merged customer's new id. NULL only where that is the
 * body. Not of a property. Borrowed.
 */
const struct reference *value_expr_target(const struct value_expr *f, const struct eval_context *s);
/* Every reference of every alternative, in order; those of `each` as they are written, from the element on. */
void value_expr_references(const struct value_expr *f, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
