/* SPDX-License-Identifier: MIT */
/*
 * answer: what goes back to a client, owned, until the server copies it; and what is wrong with a request, in the form
 * in which Klaviyo says it (JSON:API errors).
 *
 * Pure but for the random id that each complaint carries. The codes and titles are those seen from Klaviyo where one
 * was seen (400, 401, 429); the rest is in their manner. Nobody should depend on them, and the daemon does not.
 */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include <stddef.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- complaints -------------------------------------------------------------------------------------------------- */

#define COMPLAINTS_MAX 1000 /* more of one request are not told */
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

/* where begins with a "/": a pointer into the body; anything else names a parameter or header. Copied. */
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

/* Each sets a whole answer; *ret is empty before ({0}) but for headers. */
void answer_json(struct answer *ret, unsigned status, const char *type, struct json_object *o); /* o is put */
void answer_complaints(struct answer *ret, const struct complaints *c); /* one at least; the status of the first */
void answer_complaint(struct answer *ret, unsigned status, const char *where, const char *detail);
void answer_error(struct answer *ret, unsigned status, const char *text); /* {"error": text}: the sandbox's own */
void answer_html(struct answer *ret, unsigned status);                    /* Cloudflare's page */
void answer_text(struct answer *ret, unsigned status, const char *type, const char *text);
void answer_header(struct answer *ret, const char *name, long value);
void answer_done(struct answer *a);

#endif
