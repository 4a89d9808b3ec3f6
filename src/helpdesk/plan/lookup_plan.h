/* SPDX-License-Identifier: MIT */
/*
 * lookup_plan: the pure part of a lookup: which requests to send to the helpdesk, and what its answers mean.
 *
 * A lookup_plan walks through at most three steps, each of which is one GET. A step whose `when` does not hold is
 * skipped, and so is an optional step that cannot be asked. src/courier sends the requests.
 */
#ifndef HELPDESK_PLAN_LOOKUP_PLAN_H
#define HELPDESK_PLAN_LOOKUP_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/reference.h"

/* The values that a lookup would add to a webhook. */
enum lookup_need {
	LOOKUP_NEED_NOTHING = 0,
	LOOKUP_NEED_ADDRESS,
	LOOKUP_NEED_NAMES, /* names that attributes or the conversation's URL display; also an address where the webhook
			      has none */
};
/*
 * Returns what a lookup would add to the webhook in s, which has no taken names yet. Unless NOTHING, the first request
 * can be made: lookup_plan_new does not return -ENOENT. customer: as the definition reads it; NULL: none.
 *
 * *ret_key, unless NOTHING: the key under which the answer is stored. Two keys are equal only where the requests are
 * equal. It is the customer's id where the requests depend on nothing else of the webhook; else the id (if any), "#"
 * and a digest of all that they depend on. The caller owns it.
 */
enum lookup_need lookup_plan_key(const struct definition *d, const struct eval_context *s, bool has_address,
				 const char *customer, char **ret_key);

/* The source's credentials for its helpdesk, in plain text; borrowed for the call. */
struct lookup_plan_secrets {
	const char *user, *password, *token;
};

struct lookup_plan; /* one walk; one thread at a time uses it */

/*
 * Starts a walk. s: the context over the webhook, without a lookup's result. It is borrowed until lookup_plan_free, and
 * its tree may change: a merged customer's new id replaces the old one (lookup_plan_has_moved). -ENOENT: no step
 * applies, or the webhook lacks a part of the URL (no customer). d must outlive the plan.
 */
int lookup_plan_new(const struct definition *d, const struct eval_context *s, struct lookup_plan **ret,
		    struct err *reterr) MUSTCHECK;
void lookup_plan_free(struct lookup_plan *q);

/*
 * Makes the next GET: URL and headers, with authentication. The caller owns both. Returns 0, or 1 where no step is
 * left. Skips optional steps where there are no credentials at all. No error below changes by a repeat:
 *
 * - -ENOENT: a part of a required URL or header has no value (the answer before did not have it)
 * - -EACCES: a required secret is NULL or has several lines
 * - -EINVAL: the URL is not usable
 */
int lookup_plan_next(struct lookup_plan *q, const struct lookup_plan_secrets *secrets, char **ret_url,
		     struct pairs *ret_headers, struct err *reterr) MUSTCHECK;

enum lookup_plan_verdict {
	LOOKUP_PLAN_CONTINUE, /* the answer was read; call lookup_plan_next */
	LOOKUP_PLAN_MOVED,    /* the customer has another id; lookup_plan_next asks for it. At most 3 times. */
	LOOKUP_PLAN_GONE,     /* no such customer: 404 or 410 in JSON, `missing`, merges in a circle */
	LOOKUP_PLAN_PARK,     /* 401: no customer can be asked for until the credentials change */
	LOOKUP_PLAN_RETRY,    /* 408, 425, 429, 5xx: the helpdesk has trouble */
	LOOKUP_PLAN_ODD,      /* anything else: the answer says nothing about the customer */
};
/* Sets the Location of the next answer, for the reason of a redirect; call it before lookup_plan_answer. Copied; NULL:
 * none. */
void lookup_plan_location(struct lookup_plan *q, const char *location);
/*
 * Returns the meaning of an answer to the current step, a pure function of the definition and the arguments. "In JSON"
 * means a body that is an object or a list, or any JSON where the type says so. An optional step that fails gives
 * LOOKUP_PLAN_CONTINUE; where the address depends on it, only for GONE. reason: for people.
 */
enum lookup_plan_verdict lookup_plan_answer(struct lookup_plan *q, unsigned status, const char *type, const char *body,
					    size_t body_len, struct err *reason);
/* True where the helpdesk has answered a step with a 2xx in JSON: base_url and credentials are right. */
bool lookup_plan_was_answered(const struct lookup_plan *q);
/* True at the end of the walk where the webhook has no address, none was found, and for a step that could have had one
 * the helpdesk knows no such customer. reason: for people. */
bool lookup_plan_found_no_address(const struct lookup_plan *q, struct err *reason);
/* True where the current step may fail without harm: it is optional, and no missing address depends on it. */
bool lookup_plan_step_is_optional(const struct lookup_plan *q);
/* True where the definition declares the current step optional, whatever depends on it: a negative answer skips it. */
bool lookup_plan_step_is_declared_optional(const struct lookup_plan *q);
/* Skips the current step, which has no usable answer for good. Only for optional steps. */
void lookup_plan_skip(struct lookup_plan *q);
/* Returns the number of the current or next step, from 0; the number of steps where none is left. */
size_t lookup_plan_step(const struct lookup_plan *q);
/* Returns why a step is skipped: "its `when` does not hold"; NULL: it is not. For people. */
const char *lookup_plan_why_skipped(const struct lookup_plan *q, size_t step);
/* Calls fn for each reference to addresses in the answers of the steps that are not skipped. */
void lookup_plan_address_refs(const struct lookup_plan *q, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* True where the webhook's tree has another customer's id now. */
bool lookup_plan_has_moved(const struct lookup_plan *q);
/* Returns the addresses and names found. The caller owns *ret. */
void lookup_plan_result(const struct lookup_plan *q, struct customer *ret);

#endif
