/* SPDX-License-Identifier: MIT */
/*
 * customer: the addresses of one customer in webhooks and answers, the texts that were refused as addresses, and the
 * names taken from an answer. Pure.
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
#define ADDRESSES_TOO_MANY "too many" /* a label like those of email_fault_name(), for addresses that were left out */

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
	struct address *items; /* each address once */
	size_t n;
	size_t left_out; /* addresses beyond ADDRESSES_MAX */
	struct addresses_refused refused[EMAIL_FAULTS_];
};

/*
 * Adds the addresses of a text: one in any form of email_read(), or several with "," or ";" between. Neither separates
 * within quotes or brackets, nor does a "," before a name with brackets ("Berg, Kim <kim@example.com>"). A web URL is
 * one text; "mailto:" may hold several addresses. An empty part is skipped. Any other text is refused, or left out
 * beyond ADDRESSES_MAX, and counted. raw: NULL: no text. Returns true where an address of it was added or known.
 */
bool addresses_add(struct addresses *a, const char *raw, bool primary);
/* Describes the refused texts for people: "*** (no at sign), 2 such as j***@example (no domain dot)". Nothing where
 * none was refused. */
void addresses_describe_refused(const struct addresses *a, struct buf *to);
void addresses_copy(struct addresses *to, const struct addresses *from); /* with the refused texts */
void addresses_done(struct addresses *a);

/* The result of a lookup for a customer id. */
struct customer {
	struct addresses addresses;
	struct pairs taken; /* name → value of every `take` */
};
void customer_done(struct customer *c);
/* Converts to and from one JSON line, for the store's cache. -EINVAL: the text is no such line. */
char *customer_text(const struct customer *c) MUSTCHECK;
int customer_read(const char *text, struct customer *ret, struct err *reterr) MUSTCHECK;

#endif
