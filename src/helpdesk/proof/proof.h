/* SPDX-License-Identifier: MIT */
/*
 * proof: shows that a webhook is the helpdesk's (the key `authenticate`). Pure; secrets come by parameter and
 * are compared in constant time.
 *
 * The methods are a table in proof.c: a new one is a row and a function.
 */
#ifndef HELPDESK_PROOF_PROOF_H
#define HELPDESK_PROOF_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/node.h"
#include "base/problems.h"
#include "base/text.h"
#include "helpdesk/expr/reference.h"

struct proof; /* compiled `authenticate` of a definition: method and its parameters, no secret */

enum proof_verdict {
	PROOF_GOOD = 0,
	PROOF_MISSING, /* nothing was shown */
	PROOF_WRONG,
	PROOF_STALE, /* its timestamp is outside the tolerance */
};

struct proof_secrets {
	const char *user;           /* basic */
	const char *const *secrets; /* each is accepted: rotation. The password for basic. */
	size_t n;
};

/* What the request shows. Borrowed. */
struct proof_request {
	const char *method; /* "POST" */
	const char *url;    /* public_url of the source, or NULL */
	const struct pairs *headers;
	const char *query; /* raw */
	const char *body;
	size_t body_len;
	int64_t now_ms;
};

struct proof *proof_compile(const struct node *authenticate, struct problems *problems);
void proof_free(struct proof *p);

/* The demands of the method, and the places of its secret and its time. */
struct proof_about {
	const char *method; /* "basic", … */
	bool needs_user;
	bool needs_secret; /* false for `none` only */
	bool needs_body;   /* headers and query alone do not decide */
	bool signs_url;    /* public_url is signed, so that the source must name it */
	/* The name of a header that carries a secret, so that it is never kept; NULL: none. */
	const char *secret_header;
	/* The name of the query parameter that carries the secret; NULL: none. It is cut out of the query that is
	 * stored. */
	const char *secret_query;
	int64_t tolerance_ms; /* how far from now the time of signing may be; 0: the method signs no time */
	/* The place in the body, from its top, of the time of signing, which must be fresh in a sample; NULL: none. */
	const struct reference *body_timestamp;
};
const struct proof_about *proof_about(const struct proof *p);

/* Cheap: is what the proof stands in there at all? Asked when only the headers have come. */
bool proof_is_present(const struct proof *p, const struct pairs *headers, const char *query);
/*
 * When only the headers have come; the request's body is not looked at. Anything but GOOD is final: no body makes it
 * good. GOOD is final too where headers and query alone decide (`needs_body` is false); else nothing speaks against it
 * yet. Of a signature whose time stands outside the body the time comes first: one of another time is STALE, whoever
 * made it.
 */
enum proof_verdict proof_check_without_body(const struct proof *p, const struct proof_secrets *secrets,
					    const struct proof_request *request);
enum proof_verdict proof_check(const struct proof *p, const struct proof_secrets *secrets,
			       const struct proof_request *request);
/* For explain, of what is MISSING or WRONG: what can be said of it, a line each, without a secret and without a
 * signature of our own making. Not in constant time. */
void proof_explain(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		   struct buf *to);
/* When the request says that it was signed; false where the method signs no time, or none is shown that can be read. */
bool proof_signed_at(const struct proof *p, const struct proof_request *request, int64_t *ret_ms);
/* The headers and the query ("name=value", or NULL) that prove this body: for `deskbridge sample`. The caller owns
 * both. */
void proof_make(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		struct pairs *ret_headers, char **ret_query);
/* NULL, or why this can be no secret of the method ("is not hexadecimal"), without the secret itself. */
const char *proof_secret_fault(const struct proof *p, const char *secret);

#endif
