/* SPDX-License-Identifier: MIT */
/*
 * answer: the answer to a request, which owns its parts until the server has copied them; and complaints about a
 * request, in Klaviyo's form (JSON:API errors).
 *
 * Pure except for the random id of each complaint. The codes and titles of 400, 401 and 429 were seen in answers of
 * Klaviyo; the others imitate them. No client should depend on them, and the daemon does not.
 */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- complaints -------------------------------------------------------------------------------------------------- */

#define COMPLAINTS_MAX 1000 /* further complaints about one request are dropped */
#define COMPLAINT_TYPE "application/vnd.api+json"

struct complaint {
	unsigned status;
	char *where; /* a JSON Pointer, or a parameter's name */
	char *detail;
};

struct complaints {
	struct complaint *items;
	size_t n;
};

/* Adds a complaint. A `where` that begins with "/" is a JSON Pointer into the body; any other names a parameter or a
 * header. It is copied. */
void complaints_add(struct complaints *c, unsigned status, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void complaints_done(struct complaints *c);

/* ---- the answer -------------------------------------------------------------------------------------------------- */

struct answer {
	unsigned status;
	const char *type; /* NULL: no body */
	char *body;
	struct pairs headers;
};

/* Each function but answer_header() sets a whole answer. *ret must be empty ({0}) except for its headers. */
void answer_json(struct answer *ret, unsigned status, const char *type, struct json_object *o); /* puts o */
void answer_complaints(struct answer *ret, const struct complaints *c); /* at least one; the first sets the status */
void answer_complaint(struct answer *ret, unsigned status, const char *where, const char *detail);
void answer_error(struct answer *ret, unsigned status, const char *text); /* {"error": text}, the sandbox's own form */
void answer_html(struct answer *ret, unsigned status);                    /* Cloudflare's page */
void answer_text(struct answer *ret, unsigned status, const char *type, const char *text);
void answer_header(struct answer *ret, const char *name, long value);
void answer_done(struct answer *a);

#endif
