/* SPDX-License-Identifier: MIT */
/*
 * desk: a stand-in for the helpdesks' APIs, as far as lookups use them, so that a webhook can be tried from end to end
 * on one machine. All that it knows of a helpdesk is its definition.
 *
 *   GET    what a lookup's step asks     the step's own example of an answer (page.h)
 *   GET    /sandbox/customers            {"ID": ["jo@example.com", …], …}
 *   POST   /sandbox/customers            "ID=EMAIL[,EMAIL…]" a line: puts them in or replaces them; all or none
 *
 * A request may name another id than the example's:
 *
 *   - the id of a customer of /sandbox/customers: the answer has that customer's addresses, the primary one first
 *   - another id where the definition's `customer` has the customer's: 404
 *   - any other id (of a conversation, an agent): the example as it is
 *
 * A request must carry credentials of the kind that the definition names, else it gets 401. Any secret will do.
 */
#ifndef SANDBOX_DESK_H
#define SANDBOX_DESK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/text.h"
#include "http/server.h"
#include "sandbox/answer.h"
#include "sandbox/page.h"

#define DESK_CUSTOMERS_MAX 10000

struct desk {
	struct pairs customers; /* id → addresses, comma-separated; guarded by the sandbox's lock */
	struct pages pages;     /* of all helpdesks; constant once the sandbox serves */
};

void desk_done(struct desk *d);
/* Adds or replaces the customer of "ID=EMAIL[,EMAIL…]". -EINVAL, -ENOSPC. */
int desk_add(struct desk *d, const char *spec, struct err *reterr) MUSTCHECK;
/* True where the request is for a helpdesk, not for Klaviyo. Needs no lock. */
bool desk_owns(const struct desk *d, const struct http_exchange *x);
/* Answers a request for which desk_owns() is true. The caller holds the sandbox's lock, as for all below. */
void desk_serve(struct desk *d, struct http_exchange *x, struct answer *ret);
/* Answer GET and POST /sandbox/customers. */
void desk_list(struct desk *d, struct answer *ret);
void desk_post(struct desk *d, const char *lines, struct answer *ret);

#endif
