/* SPDX-License-Identifier: MIT */
/*
 * lookup_plan: the pure half of a lookup: what to ask the helpdesk, and how to read what it answers.
 *
 * An lookup_plan walks through at most three steps; each is one GET. A step whose `when` does not hold is passed over,
 * optional or not; so is an optional one that cannot be asked. The doing half is src/courier.
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

/* What asking would tell that the webhook does not. */
enum lookup_need {
	LOOKUP_NEED_NOTHING = 0,
	LOOKUP_NEED_ADDRESS,
	LOOKUP_NEED_NAMES, /* names that attributes or the conversation's URL show; an address too where it has none */
};
/*
 * Of the webhook in s, nothing taken yet. Unless NOTHING, the first question can be asked: lookup_plan_new will not say
 * -ENOENT. customer: as the definition reads it, or NULL.
 *
 * *ret_key, unless NOTHING: under which the answer is kept; the same only where the same would be asked. It is the
 * customer's id where the questions hold nothing else of the webhook, and else the id (if any), a "#" and a digest of
 * all that they hold. The caller owns it.
 */
enum lookup_need lookup_plan_key(const struct definition *d, const struct eval_context *s, bool has_address,
				 const char *customer, char **ret_key);

/* The source's credentials for its helpdesk, in the clear; borrowed for the call. */
struct lookup_plan_secrets {
	const char *user, *password, *token;
};

struct lookup_plan; /* one walk; used by one thread at a time */

/*
 * s is the context over the webhook, nothing told yet. It is borrowed until lookup_plan_free, and its tree is not read
 * only: a merged customer's new id is put in the old one's place (lookup_plan_has_moved). -ENOENT: no step applies, or
 * the webhook lacks what its URL needs (no customer): there is nobody to ask about. d must outlive it.
 */
int lookup_plan_new(const struct definition *d, const struct eval_context *s, struct lookup_plan **ret,
		    struct err *reterr) MUSTCHECK;
void lookup_plan_free(struct lookup_plan *q);

/*
 * The next GET: URL and headers, authentication included. The caller owns both. 0, or 1 where nothing is left to ask.
 * Optional steps are passed over where there are no credentials at all.
 * -ENOENT: a part of a needed URL or header is not known (the answer before did not name it); -EACCES: a secret that it
 * needs is NULL or of several lines; -EINVAL: no usable URL comes out. None of them changes by asking again.
 */
int lookup_plan_next(struct lookup_plan *q, const struct lookup_plan_secrets *secrets, char **ret_url,
		     struct pairs *ret_headers, struct err *reterr) MUSTCHECK;

enum lookup_plan_verdict {
	LOOKUP_PLAN_CONTINUE, /* read; call lookup_plan_next */
	LOOKUP_PLAN_MOVED,    /* the customer has another id; lookup_plan_next asks for it. At most 3 times. */
	LOOKUP_PLAN_GONE,     /* there is no such customer: 404 or 410 in JSON, `missing`, merges in a circle */
	LOOKUP_PLAN_PARK,     /* 401: credentials; nobody can be asked until they change */
	LOOKUP_PLAN_RETRY,    /* 408, 425, 429, 5xx: the helpdesk has trouble */
	LOOKUP_PLAN_ODD,      /* anything else: it says nothing about the customer */
};
/* Where the next answer's Location leads, for the reason of a redirect; before lookup_plan_answer. Copied; NULL: none.
 */
void lookup_plan_location(struct lookup_plan *q, const char *location);
/*
 * The meaning of an answer for the step under way: a pure function of the definition and of what is given. "In JSON" is
 * a body that reads as an object or a list, or any JSON where the type says so. An optional step that fails gives
 * LOOKUP_PLAN_CONTINUE; where the address hangs on it, only one that is GONE does. reason: for people.
 */
enum lookup_plan_verdict lookup_plan_answer(struct lookup_plan *q, unsigned status, const char *type, const char *body,
					    size_t body_len, struct err *reason);
/* Whether the helpdesk has answered a step with a 2xx in JSON: base_url and credentials are right. */
bool lookup_plan_was_answered(const struct lookup_plan *q);
/* At the end of the walk: whether no address was found where one is wanted, and the helpdesk said of a step that could
 * have told it that there is no such customer. reason: for people. */
bool lookup_plan_found_no_address(const struct lookup_plan *q, struct err *reason);
/* Whether the step under way may fail without harm: it is optional, and no address that is wanted hangs on it. */
bool lookup_plan_step_is_optional(const struct lookup_plan *q);
/* Whether the definition calls it optional, whatever hangs on it: an answer that says no leaves it behind. */
bool lookup_plan_step_is_declared_optional(const struct lookup_plan *q);
/* The step under way had no usable answer for good: skips it. Only for optional steps. */
void lookup_plan_skip(struct lookup_plan *q);
/* The number of the step under way, or of the next one, from 0; how many there are, where nothing is left to ask. */
size_t lookup_plan_step(const struct lookup_plan *q);
/* Why that step is not asked: "its `when` does not hold"; NULL: it is. For people. */
const char *lookup_plan_why_skipped(const struct lookup_plan *q, size_t step);
/* Calls fn for each place at which the steps that are asked look for addresses in their answers. */
void lookup_plan_address_refs(const struct lookup_plan *q, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* Whether the webhook's tree holds another customer's id by now. */
bool lookup_plan_has_moved(const struct lookup_plan *q);
/* What was learnt; the caller owns it. */
void lookup_plan_result(const struct lookup_plan *q, struct customer *ret);

#endif
