/*
 * definition: how one helpdesk's webhooks are proven and read (DESIGN section 8), compiled. Pure.
 *
 * Compiled once a source and generation from a node tree (base/node.h), bound to the source's parameters; immutable and
 * shared by threads afterwards. Reading a webhook is one JSON parse and a handful of pointer walks.
 */
#ifndef HELPDESK_DEFINITION_H
#define HELPDESK_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/proof.h"
#include "helpdesk/webhook.h"

struct definition;

/* What the source adds. Borrowed for the call. */
struct definition_binding {
	const char *base_url;    /* of the source's `lookup`; NULL: none. A trailing "/" is cut. */
	const struct node *with; /* mapping parameter → choice, or NULL */
	/* Replaces the definition's where it names a `method`, is laid over it else; NULL: the definition's. */
	const struct node *authenticate;
};

/*
 * NULL where there were errors. Runs the samples too: a sample that does not reach its transition is an error. A NULL
 * binding is for looking at a definition without a source: parameters take their defaults.
 */
struct definition *definition_compile(const struct node *n, const struct definition_binding *binding,
				      struct problems *problems);
void definition_free(struct definition *d);

const char *definition_label(const struct definition *d);
const char *definition_documentation(const struct definition *d); /* or NULL */
const char *definition_verified(const struct definition *d);      /* "live", "documentation", "no" */
const char *definition_setup(const struct definition *d);         /* the clicks in the desk, lines of text; or NULL */
const struct proof *definition_proof(const struct definition *d);
bool definition_reports_state(const struct definition *d);
bool definition_has_lookup(const struct definition *d);
/* Some step is not optional, so the secrets of `lookup` are needed. */
bool definition_needs_lookup(const struct definition *d);
/* Such a step's URL or headers name base_url. */
bool definition_needs_base_url(const struct definition *d);
/* "basic", "bearer", "header" of the lookup's steps; NULL: no lookup. */
const char *definition_lookup_authenticate(const struct definition *d);
int64_t definition_lookup_cache_ms(const struct definition *d);
/* Calls fn for every name that this helpdesk gives to rules: attributes, parameters, what lookups take. */
void definition_names(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx);
/* Does a webhook header of that name belong to the stored webhook? */
bool definition_keeps_header(const struct definition *d, const char *name);
/* The body of a sample for that transition (opened, reopened, closed), or NULL; and what goes with it. */
const char *definition_sample(const struct definition *d, enum transition t);
const struct pairs *definition_sample_headers(const struct definition *d, enum transition t);
const char *definition_sample_query(const struct definition *d, enum transition t); /* "" where none */
/*
 * A sample's body with conversation, customer and email (each may be NULL: as in the sample), a fresh delivery id and
 * the time now_ms, where the definition reads them in the body; the time in the sample's own form. One line of JSON;
 * the caller owns it. NULL where there is no sample.
 */
char *definition_sample_filled(const struct definition *d, enum transition t, const char *conversation,
			       const char *customer, const char *email, int64_t now_ms) MUSTCHECK;

#endif
