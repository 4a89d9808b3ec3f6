/*
 * parsed: a webhook that was parsed: its bytes, its JSON tree, what it says, and what a lookup told of it. Pure.
 *
 * It owns all of that. It is on the heap and never moved, as the scope points into it. One thread at a time uses it:
 * it goes from one to the next as a whole, and its tree is never shared (json-c's counts are not atomic). The
 * definition is borrowed and must outlive it.
 */
#ifndef HELPDESK_PARSE_PARSED_H
#define HELPDESK_PARSE_PARSED_H

#include <stdbool.h>
#include <stddef.h>

#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/webhook.h"
#include "helpdesk/parse/signal.h"

struct parsed {
	struct webhook webhook;
	bool is_lent;                        /* what is in `webhook` is somebody else's */
	const struct definition *definition; /* NULL: it is bare: only its webhook is there */
	/* The body is in its form, and where the definition has `each`, the item is the only one of the list there.
	 * False: scope has no item, and the reading tells why. */
	bool is_open;
	struct json_object *body;
	struct pairs query; /* decoded */
	struct scope scope; /* for references; names that a lookup took are there once it was told */
	struct reading reading;
	bool is_told;
	struct customer customer; /* what was told */
};

/* Parses and reads. Takes over what is in w, which is zeroed, and tree: what its body parses to, or NULL: it was not
 * parsed yet. Never fails: the reading says so. */
struct parsed *parsed_new(const struct definition *d, struct webhook *w, struct json_object *tree) MUSTCHECK;
/* The same of a webhook that is only lent and outlives it. */
struct parsed *parsed_lent(const struct definition *d, const struct webhook *w) MUSTCHECK;
/* A webhook that is not parsed. Takes over what is in w, which is zeroed. */
struct parsed *parsed_bare(struct webhook *w) MUSTCHECK;
/* Frees all but its webhook. */
void parsed_strip(struct parsed *p);
void parsed_free(struct parsed *p); /* NULL allowed */
static inline void parsed_freep(struct parsed **p)
{
	parsed_free(*p);
}

/* An estimate of the memory that it takes, most of it in json-c; rather too high than too low. */
size_t parsed_bytes(const struct parsed *p);

/*
 * Adds what a lookup answered: takes over what is in c, which is zeroed. Once, and only where it is open. The same tree
 * is read again, as facts, attributes and the URL may hold names that were taken; the reading may become one that is no
 * signal. It does not want a lookup from now on.
 */
void parsed_tell(struct parsed *p, struct customer *c);

/*
 * Whether this is what the vendor tries the URL with when a webhook is set up (`challenge: {when: …}`): w needs no
 * proof and may have no body.
 */
bool parsed_is_trial(const struct definition *d, const struct webhook *w);

/* For explain: which matchers were asked and what they saw, and what stands at every place of the definition, a line
 * each (reading_explain.c). Addresses are not masked. */
void parsed_explain(const struct parsed *p, struct buf *to);
/* The same for the conversation's URL alone. Nothing where the definition has none. */
void parsed_explain_url(const struct parsed *p, struct buf *to);

#endif
