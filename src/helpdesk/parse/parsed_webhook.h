/* SPDX-License-Identifier: MIT */
/*
 * parsed_webhook: a webhook that was parsed: its bytes, its JSON tree, what it says, and what a lookup told of it.
 * Pure.
 *
 * What it says is a reading; that of a signal is helpdesk-neutral: conversation, transition, when, whose, attributes.
 *
 * A parsed webhook owns all of that. It is on the heap and never moved, as the context points into it. One thread at a
 * time uses it: it goes from one to the next as a whole, and its tree is never shared (json-c's counts are not atomic).
 * The definition is borrowed and must outlive it.
 */
#ifndef HELPDESK_PARSE_PARSED_WEBHOOK_H
#define HELPDESK_PARSE_PARSED_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/states.h"
#include "helpdesk/expr/webhook.h"

/* What a webhook says that says something. */
struct signal {
	enum transition transition; /* NONE only where `identified` holds */
	char *conversation;
	char *customer; /* NULL: none given */
	bool has_time;
	int64_t time_ms;            /* the helpdesk's event time; the receipt where it gives none */
	int64_t created_ms;         /* `created:`, 0 where not given */
	int64_t closed_at_ms;       /* `closed_at:`, 0 where not given */
	struct addresses addresses; /* of webhook and customer together */
	/* No customer was given to the reading, and asking the helpdesk would tell what the webhook does not: the
	 * address, or what attributes and URL need. The first question can be asked: lookup_plan_new will not say
	 * -ENOENT.
	 */
	bool wants_lookup;
	bool lookup_shows; /* wants_lookup: it would tell names that attributes or the URL show, too */
	/* wants_lookup: under which the answer is kept: the same where the same would be asked. NULL else. */
	char *lookup_key;
	struct json_object *attributes; /* flat: text, numbers, booleans, lists of text; absent facts are absent */
	char *conversation_url;         /* NULL where a part is missing, or no URL comes out (link_make) */
};

enum parse_result_kind {
	PARSE_SIGNAL,
	PARSE_PING,       /* the helpdesk's own test: answered, nothing kept */
	PARSE_IGNORED,    /* says nothing of interest */
	PARSE_UNREADABLE, /* a dead letter: the reason stands in the reading */
};

/*
 * What a webhook says. Where its `read` is set its transition stands, whatever the definition says by now. Matchers are
 * asked in the order ping, closed, reopened, opened, identified; the first that holds counts. A time is impossible
 * before 1990 and more than a day after the receipt.
 */
struct parse_result {
	enum parse_result_kind kind;
	struct signal signal; /* PARSE_SIGNAL */
	bool has_delivery;    /* of unreadable webhooks too, where the definition has one */
	unsigned char delivery[DIGEST_DELIVERY_BYTES];
	char *reason; /* NULL, or why it does not read: PARSE_UNREADABLE, and no item under `each`: "no conversation:
			 nothing at /content/conversationId" */
	/* A state that the definition does not know, and on which this reading hangs. Of first readings (w->read is not
	 * set) that are no ping; borrows from the definition. */
	struct unknown_state unknown_state;
};
void parse_result_done(struct parse_result *r); /* for tests, which take one out of its webhook */

/* Fills w->read and the members below it from a reading that is a signal. */
void parse_result_save(const struct parse_result *r, struct webhook *w);
/* Of a reading with an unknown state: which one, where, what became of the webhook, and how to tell the definition of
 * `source` what it means: a sentence without a line end (parsed_webhook_explain.c). */
void parse_result_describe_unknown_state(const struct parse_result *r, const char *source, struct buf *to);
/* Tells which addresses were refused, and how many left out, a line each, with `before` at its beginning; masked. */
void addresses_describe_refused_lines(const struct addresses *a, const char *before, struct buf *to);

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct parsed_webhook {
	struct webhook webhook;
	bool is_borrowed;                    /* what is in `webhook` is somebody else's */
	const struct definition *definition; /* NULL: it is bare: only its webhook is there */
	/* The body is in its form, and where the definition has `each`, the item is the only one of the list there.
	 * False: context has no item, and the reading tells why. */
	bool has_item;
	struct json_object *body;
	size_t tree_bytes;           /* what that may take: an estimate */
	struct pairs query;          /* decoded */
	struct eval_context context; /* for references; names that a lookup took are there once it was told */
	struct parse_result result;
	bool has_lookup;
	struct customer customer; /* what was told */
};

/* Parses and reads. Takes over what is in w, which is zeroed, and tree: what its body parses to, and what that takes
 * (batch_take_tree), or NULL: it was not parsed yet. Never fails: the reading says so. */
struct parsed_webhook *parsed_webhook_new(const struct definition *d, struct webhook *w, struct json_object *tree,
					  size_t tree_bytes) MUSTCHECK;
/* The same of a webhook that is only lent and outlives it. */
struct parsed_webhook *parsed_webhook_borrow(const struct definition *d, const struct webhook *w) MUSTCHECK;
/* A webhook that is not parsed. Takes over what is in w, which is zeroed. */
struct parsed_webhook *parsed_webhook_unparsed(struct webhook *w) MUSTCHECK;
/* Frees all but its webhook. */
void parsed_webhook_strip(struct parsed_webhook *p);
void parsed_webhook_free(struct parsed_webhook *p); /* NULL allowed */
static inline void parsed_webhook_freep(struct parsed_webhook **p)
{
	parsed_webhook_free(*p);
}

/* An estimate of the memory that it takes, most of it in json-c; rather too high than too low. */
size_t parsed_webhook_bytes(const struct parsed_webhook *p);

/*
 * Adds what a lookup answered: takes over what is in c, which is zeroed. Once, and only where it is open. The same tree
 * is read again, as facts, attributes and the URL may hold names that were taken; the reading may become one that is no
 * signal. It does not want a lookup from now on.
 */
void parsed_webhook_add_lookup(struct parsed_webhook *p, struct customer *c);

/*
 * Whether this is what the vendor tries the URL with when a webhook is set up (`challenge: {when: …}`): w needs no
 * proof and may have no body.
 */
bool parsed_webhook_is_setup_probe(const struct definition *d, const struct webhook *w);

/* For explain: which matchers were asked and what they saw, and what stands at every place of the definition, a line
 * each (parsed_webhook_explain.c). Addresses are not masked. */
void parsed_webhook_explain(const struct parsed_webhook *p, struct buf *to);
/* The same for the conversation's URL alone. Nothing where the definition has none. */
void parsed_webhook_explain_url(const struct parsed_webhook *p, struct buf *to);

#endif
