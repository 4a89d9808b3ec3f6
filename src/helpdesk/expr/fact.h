/*
 * fact: one value that a definition reads from a webhook: a reference ("/content/id"), a template that puts several
 * together ("{/account/id}-{/id}"), or a list of up to FACT_MAX of them: the first that finds something counts. In a
 * list {when: MATCHER, use: REFERENCE} counts only for webhooks for which the matcher holds; it may also stand alone.
 * Of `delivery` alone, the word "body" stands for the webhook's whole content, which is always there. Of a property
 * alone, {each: POINTER, when: MATCHER, use: REFERENCE} looks at every element of the list at the pointer for which the
 * matcher holds; matcher and reference start at the element. At most VALUES_MAX elements are looked at. Compiled once,
 * immutable, shared by threads. Pure.
 */
#ifndef HELPDESK_EXPR_FACT_H
#define HELPDESK_EXPR_FACT_H

#include <stdbool.h>

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/template.h"

#define FACT_MAX 8
#define FACT_BODY "body"

struct fact;

enum fact_kind {
	FACT_ONE,
	FACT_DELIVERY, /* the word "body" is understood */
	FACT_PROPERTY, /* {each: …} is understood: its value is a list */
};

/* NULL where there were errors. A text without any reference is one: it would say the same of every webhook. */
struct fact *fact_compile(const struct node *n, enum fact_kind kind, struct problems *problems);
struct fact *fact_compile_text(const struct node *at, const char *text, struct problems *problems);
/* Whether a mapping is {when: …, use: …} or {each: …, use: …}. */
bool fact_is_choice(const struct node *n);
void fact_free(struct fact *f);
/* As people write it; of several "/a or /b". */
const char *fact_written(const struct fact *f);
/* Whether the first alternative that counts in this scope is the body; fact_text gives NULL then. */
bool fact_is_body(const struct fact *f, const struct scope *s);
/* Whether any alternative is the body. */
bool fact_may_be_body(const struct fact *f);
/* NULL where it is absent; not of a property. The caller owns it. */
char *fact_text(const struct fact *f, const struct scope *s) MUSTCHECK;
/*
 * The same as an event's property holds it (flat.h): numbers and booleans as they are, lists of text where there is a
 * list, a "*" or `each`; text of a template. NULL where it is absent. The caller owns it.
 */
struct json_object *fact_value(const struct fact *f, const struct scope *s) MUSTCHECK;
/* Something stands there, but no text: "an object", "a list". NULL: no. */
const char *fact_oddity(const struct fact *f, const struct scope *s);
/*
 * The reference of the alternative that gives the value in this scope, else of the first; of a template its last that
 * is no name, else its last: where a sample's value goes, and a merged customer's new id. NULL only where that is the
 * body. Not of a property. Borrowed.
 */
const struct reference *fact_place(const struct fact *f, const struct scope *s);
/* Every reference of every alternative, in order; those of `each` as they are written, from the element on. */
void fact_references(const struct fact *f, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
