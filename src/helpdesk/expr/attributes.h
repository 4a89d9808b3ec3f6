/* SPDX-License-Identifier: MIT */
/*
 * attributes: `attributes` of a definition: the event's properties that a helpdesk's webhook fills. Pure.
 *
 * NAME: reference, template, {reference: {VALUE: text, "*": text}}, which puts a text in place of a value, of a list in
 * place of each of its, {when: …, use: …}, {each: …, when: …, use: …} (value_expr.h), or a list of them of which the
 * first that gives something counts. Lists of text hold a text once. What is absent in a webhook is left out, and so is
 * what such a map does not name.
 */
#ifndef HELPDESK_EXPR_ATTRIBUTES_H
#define HELPDESK_EXPR_ATTRIBUTES_H

#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/value_expr.h"
#include "helpdesk/expr/reference.h"

#define ATTRIBUTES_MAX 100

/* Names of an event's properties. Those that events have by themselves: no attribute can have one of these names. */
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
extern const char *const attributes_own[ATTRIBUTES_OWN_N + 1]; /* all of these, NULL-ended */
/* An event of an expiry tells it, and so may an attribute. */
#define PROPERTY_REASON "Reason"
/* Attributes that most helpdesks have, NULL-ended: an event shows them in this order, before the others. */
extern const char *const attributes_usual[];

struct attributes;

/* Whether a node is {reference: {VALUE: text, …}}. */
bool attribute_is_value_map(const struct node *n);
/* NULL where there were errors. */
struct attributes *attributes_compile(const struct node *n, struct problems *problems);
void attributes_free(struct attributes *a);
/* A flat object. The caller owns it. */
struct json_object *attributes_read(const struct attributes *a, const struct eval_context *s) MUSTCHECK;
/* Calls fn for each, in order: where it stands, and its value as attributes_read has it; NULL: it is left out. Where it
 * has several maps of words, fn hears of the one that gives the value; of all where none does. Both are borrowed for
 * the call. */
void attributes_each(const struct attributes *a, const struct eval_context *s,
		     void (*fn)(void *ctx, const char *name, const struct value_expr *from, struct json_object *value),
		     void *ctx);
/* Calls fn for every value that a map without "*" does not name, where nothing before it gives something. */
void attributes_unmapped(const struct attributes *a, const struct eval_context *s,
			 void (*fn)(void *ctx, const char *name, const struct value_expr *from, const char *value),
			 void *ctx);
void attributes_names(const struct attributes *a, void (*fn)(void *ctx, const char *name), void *ctx);
void attributes_references(const struct attributes *a, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* Those of the one that was compiled from the mapping's i-th node. */
void attributes_references_of(const struct attributes *a, size_t i, void (*fn)(void *ctx, const struct reference *r),
			      void *ctx);

#endif
