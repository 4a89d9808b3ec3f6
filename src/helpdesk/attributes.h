/*
 * attributes: `attributes` of a definition: the event's properties that a helpdesk's webhook fills. Pure.
 *
 * NAME: reference, template, a list of them of which the first that finds something counts, or
 * {reference: {VALUE: text, "*": text}}; what is absent in a webhook is left out.
 */
#ifndef HELPDESK_ATTRIBUTES_H
#define HELPDESK_ATTRIBUTES_H

#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/reference.h"

#define ATTRIBUTES_MAX 100

/* Properties that events have by themselves, NULL-ended: a definition cannot mean the same by them. */
extern const char *const attributes_own[];

struct attributes;

/* NULL where there were errors. */
struct attributes *attributes_compile(const struct node *n, struct problems *problems);
void attributes_free(struct attributes *a);
/* A flat object. The caller owns it. */
struct json_object *attributes_read(const struct attributes *a, const struct scope *s) MUSTCHECK;
void attributes_names(const struct attributes *a, void (*fn)(void *ctx, const char *name), void *ctx);
void attributes_references(const struct attributes *a, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
