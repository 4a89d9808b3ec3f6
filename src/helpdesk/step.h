/*
 * step: one GET of a definition's `lookup`, compiled. Immutable. Pure.
 */
#ifndef HELPDESK_STEP_H
#define HELPDESK_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/matcher.h"
#include "helpdesk/reference.h"
#include "helpdesk/template.h"

#define STEPS_MAX 3
#define STEP_HEADERS_MAX 16
#define STEP_TAKE_MAX 16

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

struct step_take {
	char *name;
	struct reference *from; /* in the answer */
};

struct step {
	struct template *url;
	enum step_method method;
	char *header;         /* header: its name */
	char *scheme;         /* bearer, header: what stands before the token; bearer: "Bearer" */
	char *suffix;         /* basic: what the user must end with ("/token"); NULL: nothing */
	struct matcher *when; /* over the webhook; NULL: always */
	char *sample;         /* an answer's body, JSON; NULL: none */
	struct step_header headers[STEP_HEADERS_MAX];
	size_t headers_n;
	struct reference *emails, *primary, *moved; /* in the answer; NULL: none */
	struct step_take take[STEP_TAKE_MAX];
	size_t take_n;
	bool optional;
	int64_t cache_ms; /* -1: not said */
};

/* Compiles the whole list into steps; returns how many. Errors go to problems. */
size_t steps_compile(const struct node *list, struct step *steps, struct problems *problems);
void step_done(struct step *s);

#endif
