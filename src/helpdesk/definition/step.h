/* SPDX-License-Identifier: MIT */
/*
 * step: one GET of a definition's `lookup`, compiled: its condition, its request, and the values in its answer.
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

/* Pointers into the answer; the first with a value counts. */
struct step_refs {
	struct reference *items[STEP_REFS_MAX];
	size_t n;
};

struct step_take {
	char *name;
	struct step_refs from;
};

struct step {
	struct template *urls[STEP_URLS_MAX]; /* the first whose parts all have values counts */
	size_t urls_n;
	enum step_method method;
	char *header;         /* header: the name */
	char *scheme;         /* bearer, header: the word before the token; of bearer "Bearer" by default */
	char *suffix;         /* basic: the end of the user's name ("/token"), added where it is missing; NULL: none */
	struct matcher *when; /* over the webhook and the names known by then; NULL: always */
	char *sample;         /* an answer's body, JSON; NULL: none */
	enum sample_shape sample_shape;
	struct step_header headers[STEP_HEADERS_MAX];
	size_t headers_n;
	struct email_refs emails; /* in the answer */
	struct step_refs moved;   /* in the answer; n 0: none */
	struct matcher *missing;  /* over the answer and its `status`: no such customer; NULL: none */
	struct step_take take[STEP_TAKE_MAX];
	size_t take_n;
	bool is_displayed; /* takes a name that an attribute or the conversation's URL displays */
	bool optional;
	bool asks_base_url; /* its URLs or headers use base_url */
	int64_t cache_ms;   /* -1: not given */
};

/* Compiles the list into steps and returns the number of steps. Errors go to problems. */
size_t steps_compile(const struct node *list, struct step *steps, struct problems *problems);
void step_done(struct step *s);
/*
 * Reads the step's sample, where it has one, and reports each value of `emails`, `primary` and `take` that it lacks, at
 * its place. n: the node that the step was compiled from, without errors. overlaid: warnings instead of errors.
 */
void step_check_sample(const struct step *s, const struct node *n, bool overlaid, struct problems *problems);

/* Makes the URL. -ENOENT: a part is missing in each template. The caller owns *ret. */
int step_url(const struct step *s, const struct eval_context *context, char **ret) MUSTCHECK;
/* True where `when` holds. */
static inline bool step_applies(const struct step *s, const struct eval_context *context)
{
	return !s->when || matcher_holds(s->when, context);
}
bool step_takes(const struct step *s, const char *name); /* true where the step takes a value of that name */
/* Calls fn for every reference into the webhook and every name in `when`, all URLs and the headers. */
void step_references(const struct step *s, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* Adds the addresses and names of an answer to found. A name that was taken before keeps its value. */
void step_read_answer(const struct step *s, struct json_object *answer, struct customer *found);
/* True where `missing` holds for an answer. answer: NULL where it is not JSON. */
bool step_is_missing(const struct step *s, unsigned status, struct json_object *answer);
/* Returns the new id of a merged customer in an answer; NULL: none. The caller owns it. */
char *step_moved(const struct step *s, struct json_object *answer) MUSTCHECK;

#endif
