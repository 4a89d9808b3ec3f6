/* SPDX-License-Identifier: MIT */
/*
 * definition: the compiled description of one helpdesk: how its webhooks are proven and parsed. Pure.
 * man/deskbridge-helpdesks.5 defines the language.
 *
 * Compiled once for a source and generation from a node tree (base/node.h), bound to the source's parameters; immutable
 * and shared by threads afterwards. To read a webhook takes one JSON parse and a few pointer walks.
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

/* The parts that the source adds. Borrowed for the call. */
struct definition_binding {
	const char *base_url;    /* of the source's `lookup`; NULL: none. A trailing "/" is cut. */
	const struct node *with; /* mapping parameter → choice, or NULL */
	/* Replaces the definition's where it names a `method`; else it is merged over the definition's. NULL: the
	 * definition's. */
	const struct node *authenticate;
	/* The source replaced parts of a preset. Its samples may then miss references, which is a warning instead of an
	 * error. */
	bool overlaid;
};

/*
 * Compiles. Returns NULL with errors in problems. A NULL binding is for a definition without a source: parameters have
 * their defaults. `samples` are not read; definition_read (parse/samples.h) reads them too.
 */
struct definition *definition_compile(const struct node *n, const struct definition_binding *binding,
				      struct problems *problems);
void definition_free(struct definition *d);
/*
 * Merges a source's own definition over a preset's: mappings by key, anything else replaced. The exceptions:
 *
 * - A key, an attribute, a sample or a `paste` with the value ~ removes the preset's.
 * - Another proof method, an attribute with another reference, and the addresses with their `primary` are replaced as a
 *   whole.
 * - A new sample does not keep the preset's `shape_from`.
 *
 * Adds a notice for each matcher that keeps conditions of the preset. The caller owns the new tree. Nodes keep their
 * places in the files.
 */
struct node *definition_overlay(const struct node *preset, const struct node *over,
				struct problems *problems) MUSTCHECK;

/* The facts about the helpdesk, for people and for the rest of the program. */
struct definition_about {
	char *label;
	char *documentation;        /* the URL of the vendor's; or NULL */
	char *verified;             /* "live", "documentation", "no" */
	char *setup;                /* the steps to set up the desk, lines of text; or NULL */
	struct strings unconfirmed; /* facts that no document of the vendor confirms, each on one line */
	/* The body that the operator pastes into the desk's rule for that transition; NULL: none. One body for all
	 * transitions is in every element. */
	char *paste[TRANSITION_EXPIRED];
	char *challenge;      /* the header whose value the vendor wants back at set-up; or NULL */
	char *base_url;       /* with the parameters filled in; NULL: the source must set it */
	bool has_setup_probe; /* the vendor probes the URL at set-up: parsed_webhook_is_setup_probe */
	bool reports_state;   /* a webhook reports the conversation's state instead of a change */
	/* A digest of the known states and their meanings: equal where these are the same. */
	unsigned char states_mark[DIGEST_SHA256_BYTES];
	const struct step *steps;        /* of the lookup; borrowed */
	size_t steps_n;                  /* 0: no lookup */
	bool needs_lookup;               /* a step is not optional, so the secrets of `lookup` are required */
	const char *lookup_authenticate; /* "basic", "bearer" or "header", the same for all steps; NULL: no lookup */
	int64_t lookup_cache_ms;         /* how long a lookup's answer is kept */
};
const struct definition_about *definition_about(const struct definition *d);
/* True where the URL or a header of a step uses base_url, and the definition has none. needed: optional steps do not
 * count. */
bool definition_asks_base_url(const struct definition *d, bool needed);
enum body_form definition_body(const struct definition *d);
const struct proof *definition_proof(const struct definition *d);
/* True where the definition has a matcher for that transition. Without one for reopened, an opening of a closed
 * conversation is still a reopening. */
bool definition_matches(const struct definition *d, enum transition t);
/* Calls fn for every name that rules may use: attributes, parameters, names taken by lookups. */
void definition_names(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx);
/* Calls fn for every parameter with its chosen value, and for base_url, where lookups are asked. */
void definition_parameters(const struct definition *d, void (*fn)(void *ctx, const char *name, const char *value),
			   void *ctx);
enum definition_url {
	DEFINITION_LOOKUP, /* requested by the daemon */
	DEFINITION_LINK,   /* shown to people: conversation_url */
};
/* Calls fn for every URL that contains base_url or parameters, with its text without a webhook (template_outline()).
 * Skips steps of the lookup that the parameters rule out. optional: the step is optional. */
void definition_urls(const struct definition *d,
		     void (*fn)(void *ctx, enum definition_url kind, const char *outline, bool optional), void *ctx);
/* Calls fn for every header that the definition refers to, except those that only its proof uses. */
void definition_headers(const struct definition *d, void (*fn)(void *ctx, const char *name), void *ctx);
/* True where the stored webhook keeps a header of that name. */
bool definition_stores_header(const struct definition *d, const char *name);
/* Returns the sample for that transition (opened, reopened, closed), or NULL. */
const struct sample *definition_sample(const struct definition *d, enum transition t);
/*
 * Calls fn for every sample, in the order of the file, those of lookups last. name: its place ("opened", "also[2]",
 * "lookup[0]"). shows: for a webhook its meaning ("opened", "ping", …), for an answer the template of the (first) URL
 * that gives it.
 */
void definition_samples(const struct definition *d,
			void (*fn)(void *ctx, const char *name, const char *shows, enum sample_shape shape), void *ctx);

#endif
