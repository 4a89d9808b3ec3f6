/* SPDX-License-Identifier: MIT */
/*
 * sample: one example of a helpdesk's webhook, from a definition's `samples`. Pure.
 *
 * It is the body (text: JSON, or a form where the definition's `body` is one; or YAML, which is converted), or {body,
 * headers, query, shape_from} where one of the others is needed too.
 */
#ifndef HELPDESK_DEFINITION_SAMPLE_H
#define HELPDESK_DEFINITION_SAMPLE_H

#include <stdint.h>

#include "base/node.h"
#include "base/problems.h"
#include "base/text.h"
#include "helpdesk/expr/body.h"

/* The source of a sample's shape, of webhooks or of answers of the helpdesk's API. */
enum sample_shape {
	SHAPE_UNSAID, /* the definition does not say it */
	SHAPE_CAPTURE,
	SHAPE_VENDOR_CODE,
	SHAPE_VENDOR_DOCUMENTS,
	SHAPE_THIRD_PARTY,
	SHAPE_NOBODY,
};

struct sample {
	char *body; /* NULL: no sample */
	struct pairs headers;
	char *query; /* "": none */
	enum sample_shape shape;
};

/* Compiles `shape_from`. n: NULL: none. An unknown word is a problem. */
enum sample_shape sample_shape_compile(const struct node *n, struct problems *problems);
/* Returns it in words, as in "vendor's documents"; "not said" for SHAPE_UNSAID. */
const char *sample_shape_text(enum sample_shape shape);

/* Compiles a sample. A body that is not of that form is a problem, and the sample has none. */
void sample_compile(struct sample *s, const struct node *n, enum body_form form, struct problems *problems);
void sample_copy(struct sample *to, const struct sample *from);
void sample_done(struct sample *s);

/* Sets the header's value, or adds the header. */
void sample_set_header(struct pairs *headers, const char *name, const char *value);
/* Sets the parameter's value, or adds the parameter; the rest of the query stays. */
void sample_set_query(struct sample *s, const char *name, const char *value);

/*
 * Writes now_ms in the format of `like`: ISO 8601 with its separator, its offset and its kind of fraction (none,
 * milliseconds, more digits), seconds since 1970 with or without a fraction, or milliseconds. Parses back to now_ms,
 * cut to the format's precision. NULL where `like` is no time. The caller owns it.
 */
char *sample_time(const char *like, int64_t now_ms) MUSTCHECK;

#endif
