/* SPDX-License-Identifier: MIT */
/*
 * parsed_webhook: a webhook with its JSON tree, its parse result, and the result of its lookup. Pure.
 *
 * The parse result of a signal is helpdesk-neutral: conversation, transition, time, customer, attributes.
 *
 * A parsed webhook owns all of these. It is on the heap and never moves, because its context points into it. One thread
 * at a time uses it. It passes from thread to thread as a whole, and its tree is never shared, as json-c's reference
 * counts are not atomic. The definition is borrowed and must outlive it.
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

/* The meaning of a webhook that is a signal. */
struct signal {
	enum transition transition; /* NONE only where `identified` holds */
	char *conversation;
	char *customer; /* NULL: none given */
	bool has_time;
	int64_t time_ms;            /* the helpdesk's event time; the receipt where there is none */
	int64_t created_ms;         /* `created:`; 0: not given */
	int64_t closed_at_ms;       /* `closed_at:`; 0: not given */
	struct addresses addresses; /* of webhook and lookup together */
	/* No lookup was done yet, and one would add what the webhook lacks: the address, or names for attributes or
	 * URL. The first request can be made: lookup_plan_new does not return -ENOENT. */
	bool wants_lookup;
	bool lookup_shows; /* wants_lookup: it would also add names that attributes or the URL display */
	/* wants_lookup: the key of the answer, equal only for equal requests (lookup_plan_key). NULL else. */
	char *lookup_key;
	/* Flat: text, numbers, booleans, lists of text; absent values are absent. NULL: the definition has none. */
	struct json_object *attributes;
	char *conversation_url; /* NULL where a part is missing, or it gives no URL (link_make) */
};

enum parse_result_kind {
	PARSE_SIGNAL,
	PARSE_PING,       /* the helpdesk's own test: answered, not stored */
	PARSE_IGNORED,    /* nothing of interest */
	PARSE_UNREADABLE, /* a dead letter, with the reason */
};

/*
 * The result of parsing a webhook. Where its `read` is set, its transition counts, whatever the definition says now.
 * The matchers are evaluated in the order ping, closed, reopened, opened, identified; the first that holds counts. A
 * time before 1990, or more than a day after the receipt, is impossible.
 */
struct parse_result {
	enum parse_result_kind kind;
	struct signal signal; /* PARSE_SIGNAL */
	bool has_delivery;    /* also for unreadable webhooks, where the definition has one */
	unsigned char delivery[DIGEST_DELIVERY_BYTES];
	char *reason; /* why it is unreadable, also of an empty list of items: "no conversation: nothing at
			 /content/conversationId"; NULL: readable */
	/* A state that the definition does not know and that this result depends on. Only of a first parse (w->read is
	 * not set) that is no ping. Borrows from the definition. */
	struct unknown_state unknown_state;
};
void parse_result_done(struct parse_result *r); /* for tests, which take it out of its webhook */

/* Fills w->read and the members below it from the result of a signal. */
void parse_result_save(const struct parse_result *r, struct webhook *w);
/* Writes a sentence without a line end about the unknown state of a result: the state, its place, the result of the
 * webhook, and how to add it to the definition of `source` (parsed_webhook_explain.c). */
void parse_result_describe_unknown_state(const struct parse_result *r, const char *source, struct buf *to);
/* Adds the refused addresses and the number of those left out, a line each, with `before` at its beginning; masked. */
void addresses_describe_refused_lines(const struct addresses *a, const char *before, struct buf *to);

/* ---- parsed webhooks --------------------------------------------------------------------------------------------- */

struct parsed_webhook {
	struct webhook webhook;
	bool is_borrowed;                    /* the members of `webhook` are borrowed */
	const struct definition *definition; /* NULL: not parsed: only its webhook is set */
	/* The context has an item: the body was parsed, and where the definition has `each`, its list has this item
	 * only. False: result has the reason. */
	bool has_item;
	struct json_object *body;
	size_t tree_bytes;           /* the memory of the tree, an estimate */
	struct pairs query;          /* decoded */
	struct eval_context context; /* for references; has the names taken by the lookup once that was added */
	struct parse_result result;
	bool has_lookup;
	struct customer customer; /* the result of the lookup */
};

/* Parses a webhook. Takes ownership of the members of w, which is zeroed, and of tree: the parsed body and its
 * estimated memory (batch_take_tree), or NULL: not parsed yet. Never fails: errors are in the result. */
struct parsed_webhook *parsed_webhook_new(const struct definition *d, struct webhook *w, struct json_object *tree,
					  size_t tree_bytes) MUSTCHECK;
/* As parsed_webhook_new(), but of a borrowed webhook, which must outlive it. */
struct parsed_webhook *parsed_webhook_borrow(const struct definition *d, const struct webhook *w) MUSTCHECK;
/* Makes a parsed webhook without parsing. Takes ownership of the members of w, which is zeroed. */
struct parsed_webhook *parsed_webhook_unparsed(struct webhook *w) MUSTCHECK;
/* Frees all members but its webhook. */
void parsed_webhook_strip(struct parsed_webhook *p);
void parsed_webhook_free(struct parsed_webhook *p); /* NULL allowed */
static inline void parsed_webhook_freep(struct parsed_webhook **p)
{
	parsed_webhook_free(*p);
}

/* Estimates its memory, most of it in json-c; rather too high than too low. */
size_t parsed_webhook_bytes(const struct parsed_webhook *p);

/*
 * Adds the result of a lookup. Takes ownership of the members of c, which is zeroed. Once, and only where has_item is
 * set. The same tree is evaluated again, as values, attributes and the URL may use taken names; the new result may be
 * no signal. It does not want a lookup any more.
 */
void parsed_webhook_add_lookup(struct parsed_webhook *p, struct customer *c);

/*
 * True where w is the vendor's probe of the URL at set-up (`challenge: {when: …}`): it needs no proof and may have no
 * body.
 */
bool parsed_webhook_is_setup_probe(const struct definition *d, const struct webhook *w);

/* For explain: adds the evaluated matchers with the values they read, and the value of each expression of the
 * definition, a line each (parsed_webhook_explain.c). Addresses are not masked. */
void parsed_webhook_explain(const struct parsed_webhook *p, struct buf *to);
/* As parsed_webhook_explain(), for the conversation's URL only. Nothing where the definition has none. */
void parsed_webhook_explain_url(const struct parsed_webhook *p, struct buf *to);

#endif
