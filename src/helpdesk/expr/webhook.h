/* SPDX-License-Identifier: MIT */
/*
 * webhook: one item that a helpdesk sent, as received, and the transitions it can stand for.
 *
 * Plain data. The body is the item's text, kept byte for byte for proofs, dead letters and replays. Only headers that
 * the definition refers to are kept, and never one that carries a secret.
 */
#ifndef HELPDESK_EXPR_WEBHOOK_H
#define HELPDESK_EXPR_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

enum transition {
	TRANSITION_NONE = 0, /* neither opening nor closing: an address became known */
	TRANSITION_OPENED,
	TRANSITION_REOPENED,
	TRANSITION_CLOSED,
	TRANSITION_EXPIRED, /* never from a webhook */
};
const char *transition_name(enum transition t);                      /* "none", "opened", … */
int transition_parse(const char *s, enum transition *ret) MUSTCHECK; /* -EINVAL */
static inline bool transition_closes(enum transition t)
{
	return t == TRANSITION_CLOSED || t == TRANSITION_EXPIRED;
}

struct webhook {
	int64_t id; /* the store's number, shown as %016x; 0: not stored yet */
	char *source;
	int64_t received_ms;
	char *path;
	char *query; /* raw; "": none */
	struct pairs headers;
	char *body; /* NUL-terminated behind body_len */
	size_t body_len;

	/* The result of the first parse. It is kept, so that a replay has the same. */
	bool read; /* the members below are filled */
	enum transition transition;
	char *conversation; /* NULL: unreadable */
	char *customer;     /* NULL: none given */
	int64_t time_ms;    /* the event time; not set in a webhook from the store */
	bool undated;       /* the helpdesk gave no time, and time_ms is the receipt */
	bool has_delivery;
	unsigned char delivery[DIGEST_DELIVERY_BYTES]; /* equal for two deliveries of the same webhook */
};

void webhook_done(struct webhook *w); /* frees the members, not w */
void webhook_copy(struct webhook *to, const struct webhook *from);

#endif
