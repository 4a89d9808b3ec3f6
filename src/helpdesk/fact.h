/*
 * fact: one value that a definition reads from a webhook: a reference ("/content/id"), or a template that puts several
 * together ("{/account/id}-{/id}"). Compiled once, immutable, shared by threads. Pure.
 */
#ifndef HELPDESK_FACT_H
#define HELPDESK_FACT_H

#include <stdbool.h>

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/reference.h"
#include "helpdesk/template.h"

struct fact;

/* NULL where there were errors. A text without any reference is one: it would say the same of every webhook. */
struct fact *fact_compile(const struct node *n, struct problems *problems);
struct fact *fact_compile_text(const struct node *at, const char *text, struct problems *problems);
void fact_free(struct fact *f);
const char *fact_written(const struct fact *f);
/* NULL where it is absent. The caller owns it. */
char *fact_text(const struct fact *f, const struct scope *s) MUSTCHECK;
/* Something stands there, but no text: "an object", "a list". NULL: no. */
const char *fact_oddity(const struct fact *f, const struct scope *s);
/* As reference_put; of a template the last reference counts. */
bool fact_put(const struct fact *f, struct json_object *item, const char *text);
/* The reference, or NULL for a template. */
const struct reference *fact_reference(const struct fact *f);
void fact_references(const struct fact *f, void (*fn)(void *ctx, const struct reference *r), void *ctx);

#endif
