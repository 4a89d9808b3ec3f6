/* SPDX-License-Identifier: MIT */
/*
 * definition: how one helpdesk's webhooks are proven and read, compiled. Pure. man/deskbridge-helpdesks.5 is the
 * language.
 *
 * Compiled once a source and generation from a node tree (base/node.h), bound to the source's parameters; immutable and
 * shared by threads afterwards. Reading a webhook is one JSON parse and a handful of pointer walks.
 */
#ifndef HELPDESK_DEFINITION_DEFINITION_H
#define HELPDESK_DEFINITION_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/node.h"
#include "base/problems.h"
#include "base/text.h"
#include "helpdesk/expr/body.h"
#include "helpdesk/proof/proof.h"
#include "helpdesk/definition/sample.h"
#include "helpdesk/definition/step.h"
#include "helpdesk/expr/webhook.h"

struct definition;

/* What the source adds. Borrowed for the call. */
struct definition_binding {
	const char *base_url;    /* of the source's `lookup`; NULL: none. A trailing "/" is cut. */
	const struct node *with; /* mapping parameter → choice, or NULL */
	/* Replaces the definition's where it names a `method`, is laid over it else; NULL: the definition's. */
	const struct node *authenticate;
	/* Parts of a preset were replaced in place: what its samples no longer reach is worth a warning, not an error.
	 */
	bool overlaid;
};

/*
 * NULL where there were errors. A NULL binding is for looking at a definition without a source: parameters take their
 * defaults. Its `samples` are not looked at: definition_read (parse/samples.h) does that, too.
 */
struct definition *definition_compile(const struct node *n, const struct definition_binding *binding,
				      struct problems *problems);
void definition_free(struct definition *d);
/*
 * The tree of a preset's definition with the source's own laid over it: mappings by key, anything else replaced, with
 * these exceptions. A key, an attribute, a sample or a body to paste with nothing (~) behind it takes the preset's
 * away. Another proof method, an attribute that is read elsewhere, and the addresses with their `primary` are replaced
 * as a whole. A sample given anew does not keep the preset's `shape_from`.
 *
 * Adds a notice for each matcher that keeps conditions of the preset's. The caller owns the new tree; places stay those
 * of the files.
 */
struct node *definition_overlay(const struct node *preset, const struct node *over,
				struct problems *problems) MUSTCHECK;

/* What it says of the helpdesk, for people and for the rest of the program. */
struct definition_about {
	char *label;
	char *documentation;        /* where the vendor's is; or NULL */
	char *verified;             /* "live", "documentation", "no" */
	char *setup;                /* the clicks in the desk, lines of text; or NULL */
	struct strings unconfirmed; /* facts that no document of the vendor confirms, each on one line */
	/* The body that the operator pastes into the desk's rule for that transition, or NULL. One for all: the same.
	 */
	char *paste[TRANSITION_EXPIRED];
	char *challenge;      /* the header whose value a vendor wants echoed when a webhook is set up, or NULL */
	char *base_url;       /* with the parameters in place; or NULL: the source must say */
	bool has_setup_probe; /* the vendor tries the URL with something that is no webhook yet:
				 parsed_webhook_is_setup_probe */
	bool reports_state;   /* a webhook says how the conversation stands, not what happened to it */
	/* Of what says which states are known and what they mean: equal where that is the same. */
	unsigned char states_mark[DIGEST_SHA256_BYTES];
	const struct step *steps;        /* of the lookup; borrowed */
	size_t steps_n;                  /* 0: there is no lookup */
	bool needs_lookup;               /* some step is not optional, so the secrets of `lookup` are needed */
	const char *lookup_authenticate; /* "basic", "bearer", "header" of the lookup's steps; NULL: no lookup */
	int64_t lookup_cache_ms;         /* how long a lookup's answer is kept */
};
const struct definition_about *definition_about(const struct definition *d);
/* True where the URL or the headers of a step name base_url, and the definition has none of its own. needed: steps that
 * are optional do not count. */
bool definition_asks_base_url(const struct definition *d, bool needed);
enum body_form definition_body(const struct definition *d);
const struct proof *definition_proof(const struct definition *d);
/* Whether it has a matcher for that transition. Without one for reopened, an opening of what is closed still is one. */
bool definition_matches(const struct definition *d, enum transition t);
/* Calls fn for every name that this helpdesk gives to rules: attributes, parameters, what lookups take. */
void definition_names(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx);
/* Calls fn for every parameter with what was chosen for it, and for base_url: where lookups ask. */
void definition_parameters(const struct definition *d, void (*fn)(void *ctx, const char *name, const char *value),
			   void *ctx);
enum definition_url {
	DEFINITION_LOOKUP, /* asked by the daemon */
	DEFINITION_LINK,   /* shown to people: conversation_url */
};
/* Calls fn for every URL that is made of base_url or parameters, with what is known of it without a webhook
 * (template_outline()); not for a step of the lookup that the parameters rule out. optional: the step is. */
void definition_urls(const struct definition *d,
		     void (*fn)(void *ctx, enum definition_url kind, const char *outline, bool optional), void *ctx);
/* Calls fn for every header that the definition looks at, but for what only its proof does. */
void definition_headers(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx);
/* Does a webhook header of that name belong to the stored webhook? */
bool definition_stores_header(const struct definition *d, const char *name);
/* The sample for that transition (opened, reopened, closed), or NULL. */
const struct sample *definition_sample(const struct definition *d, enum transition t);
/*
 * Calls fn for every sample, in the order of the file, those of lookups last. name: where it stands ("opened",
 * "also[2]", "lookup[0]"). shows: of a webhook what it says ("opened", "ping", …), of an answer the template of the
 * (first) URL that gives it.
 */
void definition_samples(const struct definition *d,
			void (*fn)(void *ctx, const char *name, const char *shows, enum sample_shape shape), void *ctx);

#endif
