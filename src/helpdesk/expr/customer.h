/* SPDX-License-Identifier: MIT */
/*
 * customer: what webhooks and answers tell of one customer: addresses, with what stood there and is none; and the names
 * that the definition took of an answer. Pure.
 */
#ifndef HELPDESK_EXPR_CUSTOMER_H
#define HELPDESK_EXPR_CUSTOMER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "helpdesk/expr/email.h"

#define ADDRESSES_MAX 32
#define ADDRESSES_TOO_MANY "too many" /* beside email_fault_name(), for those that were left out */

struct address {
	char *email; /* normalised */
	bool primary;
};
/* The texts that were refused for one reason. */
struct addresses_refused {
	size_t n;
	char *shown; /* the first of them, masked; NULL: none */
};
struct addresses {
	struct address *items; /* no address twice */
	size_t n;
	size_t left_out; /* addresses beyond ADDRESSES_MAX */
	struct addresses_refused refused[EMAIL_FAULTS_];
};

/*
 * Adds what a text holds: one address in any form of email_read(), or several with "," or ";" between. Neither
 * separates inside of quotes or brackets, nor does a "," before the brackets of a name ("Berg, Kim <kim@example.com>").
 * A web URL is one text; "mailto:" may hold several. An empty part is nothing. The rest is refused or left out, and
 * counted. raw: NULL is nothing. Whether an address of it was added or was there.
 */
bool addresses_add(struct addresses *a, const char *raw, bool primary);
/* "*** (no at sign), 2 such as j***@example (no domain dot)": what was refused, for people; nothing where nothing was.
 */
void addresses_describe_refused(const struct addresses *a, struct buf *to);
void addresses_copy(struct addresses *to, const struct addresses *from); /* with what was refused */
void addresses_done(struct addresses *a);

/* What a helpdesk told about a customer id. */
struct customer {
	struct addresses addresses;
	struct pairs taken; /* name → value of every `take` */
};
void customer_done(struct customer *c);
/* One JSON line for the store's cache, and back; -EINVAL on anything else. */
char *customer_text(const struct customer *c) MUSTCHECK;
int customer_read(const char *text, struct customer *ret, struct err *reterr) MUSTCHECK;

#endif
