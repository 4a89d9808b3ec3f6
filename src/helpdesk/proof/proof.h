/* SPDX-License-Identifier: MIT */
/*
 * proof: checks that a webhook comes from the helpdesk (the key `authenticate`). Pure; secrets are parameters and are
 * compared in constant time.
 *
 * The table in proof.c has the methods: a new one is a row and its functions.
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

struct proof; /* compiled `authenticate` of a definition: the method and its parameters, no secret */

enum proof_verdict {
	PROOF_GOOD = 0,
	PROOF_MISSING, /* the request has no proof */
	PROOF_WRONG,
	PROOF_STALE, /* its timestamp is outside the tolerance */
};

struct proof_secrets {
	const char *user;           /* basic */
	const char *const *secrets; /* each is accepted, for rotation; for basic: the password */
	size_t n;
};

/* The request to check. Borrowed. */
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

/* The requirements of the method, and the places of its secret and its time. */
struct proof_about {
	const char *method; /* "basic", … */
	bool needs_user;
	bool needs_secret; /* false for `none` only */
	bool needs_body;   /* headers and query do not decide alone */
	bool signs_url;    /* the signature covers public_url, so the source must set it */
	/* The header that carries the secret and so is never stored; NULL: none. */
	const char *secret_header;
	/* The query parameter that carries the secret and so is cut out of the stored query; NULL: none. */
	const char *secret_query;
	int64_t tolerance_ms; /* the largest difference between now and the time of signing; 0: the method signs no time
			       */
	/* The place of the time of signing in the body, from its top: in a sample this time must be fresh. NULL: none.
	 */
	const struct reference *body_timestamp;
};
const struct proof_about *proof_about(const struct proof *p);

/* True where the request has the headers and parameters of the proof, whatever they hold. Cheap; needs no body. */
bool proof_is_present(const struct proof *p, const struct pairs *headers, const char *query);
/*
 * Checks without the body, when only the headers have arrived. Any result but GOOD is final: no body makes it good.
 * GOOD is final where headers and query decide alone (`needs_body` is false); else it means "not refused yet". For a
 * signature whose time stands outside the body, the time is checked first: a wrong time is STALE for any signature.
 */
enum proof_verdict proof_check_without_body(const struct proof *p, const struct proof_secrets *secrets,
					    const struct proof_request *request);
enum proof_verdict proof_check(const struct proof *p, const struct proof_secrets *secrets,
			       const struct proof_request *request);
/* For explain, after MISSING or WRONG: adds the possible causes, a line each, without a secret and without a signature
 * that we computed. Not in constant time. */
void proof_explain(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		   struct buf *to);
/* Reads the time of signing from the request. False: the method signs no time, or the request has no readable one. */
bool proof_signed_at(const struct proof *p, const struct proof_request *request, int64_t *ret_ms);
/* Makes the headers and the query ("name=value", or NULL) that prove this body, for `deskbridge sample`. The caller
 * owns both. */
void proof_make(const struct proof *p, const struct proof_secrets *secrets, const struct proof_request *request,
		struct pairs *ret_headers, char **ret_query);
/* Returns NULL, or why the method cannot use this secret ("is not hexadecimal"), without the secret itself. */
const char *proof_secret_fault(const struct proof *p, const char *secret);

#endif
