/* SPDX-License-Identifier: MIT */
/*
 * step: one GET of a definition's `lookup`, compiled: when it is asked, where and how, and what its answer tells.
 * Immutable. Pure.
 */
#ifndef HELPDESK_DEFINITION_STEP_H
#define HELPDESK_DEFINITION_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/expr/email_refs.h"
#include "helpdesk/expr/matcher.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/definition/sample.h"
#include "helpdesk/expr/template.h"

#define STEPS_MAX 3
#define STEP_HEADERS_MAX 16
#define STEP_TAKE_MAX 16
#define STEP_REFS_MAX 4
#define STEP_URLS_MAX 4

enum step_method {
	STEP_BASIC,
	STEP_BEARER,
	STEP_HEADER,
};
const char *step_method_name(enum step_method m); /* "basic", "bearer", "header" */

struct step_header {
	char *name;
	struct template *value;
};

/* Pointers into the answer: the first that finds something counts. */
struct step_refs {
	struct reference *items[STEP_REFS_MAX];
	size_t n;
};

struct step_take {
	char *name;
	struct step_refs from;
};

struct step {
	struct template *urls[STEP_URLS_MAX]; /* the first whose parts are all known counts */
	size_t urls_n;
	enum step_method method;
	char *header;         /* header: its name */
	char *scheme;         /* bearer, header: what stands before the token; bearer: "Bearer" */
	char *suffix;         /* basic: what the user must end with ("/token"); NULL: nothing */
	struct matcher *when; /* over the webhook and the names known by then; NULL: always */
	char *sample;         /* an answer's body, JSON; NULL: none */
	enum sample_shape sample_shape;
	struct step_header headers[STEP_HEADERS_MAX];
	size_t headers_n;
	struct email_refs emails; /* in the answer */
	struct step_refs moved;   /* in the answer; n 0: none */
	struct matcher *missing;  /* over the answer and its `status`: there is no such customer; NULL: none */
	struct step_take take[STEP_TAKE_MAX];
	size_t take_n;
	bool is_displayed; /* takes a name that an attribute or the conversation's URL shows */
	bool optional;
	bool asks_base_url; /* its URLs or headers name base_url */
	int64_t cache_ms;   /* -1: not said */
};

/* Compiles the whole list into steps; returns how many. Errors go to problems. */
size_t steps_compile(const struct node *list, struct step *steps, struct problems *problems);
void step_done(struct step *s);
/*
 * Reads the step's own sample, where it has one: what `emails`, `primary` and `take` do not find in it is told at their
 * places. n: the node that it was compiled from, without errors. overlaid: that is worth a warning only.
 */
void step_check_sample(const struct step *s, const struct node *n, bool overlaid, struct problems *problems);

/* The URL to ask. -ENOENT: a part is missing in each of them. The caller owns *ret. */
int step_url(const struct step *s, const struct eval_context *context, char **ret) MUSTCHECK;
/* Whether `when` holds. */
static inline bool step_applies(const struct step *s, const struct eval_context *context)
{
	return !s->when || matcher_holds(s->when, context);
}
bool step_takes(const struct step *s, const char *name); /* whether a value of that name is taken from the answer */
/* Calls fn for every reference into the webhook and every name: of `when`, of all URLs, of the headers. */
void step_references(const struct step *s, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* What an answer tells, added to found: addresses, and names. A name that was taken before keeps its value. */
void step_read_answer(const struct step *s, struct json_object *answer, struct customer *found);
/* Whether `missing` holds for an answer. answer: NULL where it is not JSON. */
bool step_is_missing(const struct step *s, unsigned status, struct json_object *answer);
/* The new id of a customer who was merged, as an answer names it; NULL where it does not. The caller owns it. */
char *step_moved(const struct step *s, struct json_object *answer) MUSTCHECK;

#endif
