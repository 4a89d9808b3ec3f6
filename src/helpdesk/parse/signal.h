/*
 * signal: what a webhook says, helpdesk-neutral: conversation, transition, when, whose, attributes. Pure.
 */
#ifndef HELPDESK_PARSE_SIGNAL_H
#define HELPDESK_PARSE_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/definition/definition.h"
#include "helpdesk/expr/reference.h"
#include "helpdesk/expr/states.h"
#include "helpdesk/expr/webhook.h"

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
	 * address, or what attributes and URL need. The first question can be asked: inquiry_new will not say -ENOENT.
	 */
	bool wants_lookup;
	bool lookup_shows; /* wants_lookup: it would tell names that attributes or the URL show, too */
	/* wants_lookup: under which the answer is kept: the same where the same would be asked. NULL else. */
	char *lookup_key;
	struct json_object *attributes; /* flat: text, numbers, booleans, lists of text; absent facts are absent */
	char *conversation_url;         /* NULL where a part is missing, or no URL comes out (link_make) */
};

enum reading_kind {
	READING_SIGNAL,
	READING_PING,       /* the helpdesk's own test: answered, nothing kept */
	READING_IGNORED,    /* says nothing of interest */
	READING_UNREADABLE, /* a dead letter: the reason stands in the reading */
};

struct reading {
	enum reading_kind kind;
	struct signal signal; /* READING_SIGNAL */
	bool has_delivery;
	unsigned char delivery[DIGEST_DELIVERY_BYTES];
	struct err reason; /* READING_UNREADABLE: "no conversation: nothing at /content/conversationId" */
	/* A state that the definition does not know, and on which this reading hangs. Of first readings (w->read is not
	 * set) that are no ping; borrows from the definition. */
	struct unknown_state unknown_state;
};
void reading_done(struct reading *r);

/*
 * What w says; s is the scope over it (parsed.h opens it). told: what a lookup answered, or NULL: not asked. Where
 * w->read is set its transition stands, whatever the definition says by now. Matchers are asked in the order ping,
 * closed, reopened, opened, identified; the first that holds counts. A time is impossible before 1990 and more than a
 * day after w->received_ms. The delivery is filled for unreadable webhooks too, where the definition has one.
 */
void reading_make(const struct definition *d, const struct webhook *w, const struct scope *s,
		  const struct customer *told, struct reading *ret);
/* Fills w->read and the members below it from a reading that is a signal. */
void reading_mark(const struct reading *r, struct webhook *w);
/* Of a reading with an unknown state: which one, where, what became of the webhook, and how to tell the definition of
 * `source` what it means: a sentence without a line end (reading_explain.c). */
void reading_tell_unknown_state(const struct reading *r, const char *source, struct buf *to);
/* Tells which addresses were refused, and how many left out, a line each, with `before` at its beginning; masked. */
void reading_tell_refused(const struct addresses *a, const char *before, struct buf *to);
#endif
