/* SPDX-License-Identifier: MIT */
/*
 * sample: one example of a helpdesk's webhook, as a definition's `samples` give it. Pure.
 *
 * Either the body (as text: JSON, or a form where the definition's `body` says so; or YAML that becomes one), or {body,
 * headers, query, shape_from} where one of the others says something too.
 */
#ifndef HELPDESK_DEFINITION_SAMPLE_H
#define HELPDESK_DEFINITION_SAMPLE_H

#include <stdint.h>

#include "base/node.h"
#include "base/problems.h"
#include "base/text.h"
#include "helpdesk/expr/body.h"

/* The kind of source that shows that the helpdesk's webhooks, or the answers of its API, have a sample's shape. */
enum sample_shape {
	SHAPE_UNSAID, /* the definition does not say: nothing is known */
	SHAPE_CAPTURE,
	SHAPE_VENDOR_CODE,
	SHAPE_VENDOR_DOCUMENTS,
	SHAPE_THIRD_PARTY,
	SHAPE_NOBODY,
};

struct sample {
	char *body; /* NULL: there is none */
	struct pairs headers;
	char *query; /* "" where none */
	enum sample_shape shape;
};

/* A `shape_from` as written. n: NULL: there is none. A word that is none of them is a problem at its place. */
enum sample_shape sample_shape_compile(const struct node *n, struct problems *problems);
/* In plain words, as in "vendor's documents"; "not said" for SHAPE_UNSAID. */
const char *sample_shape_text(enum sample_shape shape);

/* The body is checked to be of that form; without it, and with a problem, where it is not. */
void sample_compile(struct sample *s, const struct node *n, enum body_form form, struct problems *problems);
void sample_copy(struct sample *to, const struct sample *from);
void sample_done(struct sample *s);

/* Puts value in place of the header's, or adds it. */
void sample_set_header(struct pairs *headers, const char *name, const char *value);
/* Puts value in place of the parameter's, or adds it; the rest of the query stays as it was. */
void sample_set_query(struct sample *s, const char *name, const char *value);

/*
 * A time as `like` writes one: ISO 8601 with its separator, its offset and its kind of fraction (none, milliseconds,
 * more digits), seconds since 1970 with or without a fraction, milliseconds. Reads back as now_ms, cut to the form's
 * precision. NULL where `like` is no time. The caller owns it.
 */
char *sample_time(const char *like, int64_t now_ms) MUSTCHECK;

#endif
