/* SPDX-License-Identifier: MIT */
/*
 * attributes: the key `attributes` of a definition: properties of events that a webhook fills. Pure.
 *
 * An attribute is NAME: EXPRESSION. The forms of an expression:
 *
 * - a reference or a template
 * - a value map {reference: {VALUE: text, "*": text}}, which replaces a value by a text, and each value of a list by
 *   its text
 * - {when: …, use: …} or {each: …, when: …, use: …} (value_expr.h)
 * - a list of these, of which the first with a value counts
 *
 * Lists of text hold a text once. An attribute without a value in the webhook is left out, and so is a value that a
 * value map does not name.
 */
#ifndef HELPDESK_EXPR_ATTRIBUTES_H
#define HELPDESK_EXPR_ATTRIBUTES_H

#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/value_expr.h"
#include "helpdesk/expr/reference.h"

#define ATTRIBUTES_MAX 100

/* Names of properties that every event has. No attribute may have one of these names. */
#define PROPERTY_HELPDESK "Helpdesk"
#define PROPERTY_CONVERSATION_ID "Conversation ID"
#define PROPERTY_OPENED_AT "Opened At"
#define PROPERTY_CLOSED_AT "Closed At"
#define PROPERTY_RESOLUTION_SECONDS "Resolution Seconds"
#define PROPERTY_TOTAL_SECONDS "Total Seconds"
#define PROPERTY_REOPEN_COUNT "Reopen Count"
#define PROPERTY_OPEN_CONVERSATIONS "Open Conversations"
#define PROPERTY_CONVERSATION_URL "Conversation URL"
#define PROPERTY_TEST "Test"
#define PROPERTY_EVENT_ID "Event ID"
#define ATTRIBUTES_OWN_N 11
extern const char *const attributes_own[ATTRIBUTES_OWN_N + 1]; /* all of these names, NULL-terminated */
/* An event of an expiry has it; an attribute may have this name too. */
#define PROPERTY_REASON "Reason"
/* Attributes of most helpdesks, NULL-terminated. An event has them in this order, before the others. */
extern const char *const attributes_usual[];

struct attributes;

/* True where a node is {reference: {VALUE: text, …}}. */
bool attribute_is_value_map(const struct node *n);
/* Returns NULL with errors in problems. */
struct attributes *attributes_compile(const struct node *n, struct problems *problems);
void attributes_free(struct attributes *a);
/* Returns the attributes as a flat object, which the caller owns; NULL where a is NULL. */
struct json_object *attributes_read(const struct attributes *a, const struct eval_context *s) MUSTCHECK;
/* Calls fn for each attribute, in order, with its expression and its value as attributes_read gives it; NULL: no value.
 * Of several value maps, fn gets the one with the value, or a call for each where none has one. Both are borrowed for
 * the call. */
void attributes_each(const struct attributes *a, const struct eval_context *s,
		     void (*fn)(void *ctx, const char *name, const struct value_expr *from, struct json_object *value),
		     void *ctx);
/* Calls fn for every value that a value map without "*" does not name, unless an earlier expression gives the attribute
 * a value. */
void attributes_unmapped(const struct attributes *a, const struct eval_context *s,
			 void (*fn)(void *ctx, const char *name, const struct value_expr *from, const char *value),
			 void *ctx);
void attributes_names(const struct attributes *a, void (*fn)(void *ctx, const char *name), void *ctx);
void attributes_references(const struct attributes *a, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* Calls fn for the references of the attribute compiled from the i-th node of the mapping. */
void attributes_references_of(const struct attributes *a, size_t i, void (*fn)(void *ctx, const struct reference *r),
			      void *ctx);

#endif
