/* SPDX-License-Identifier: MIT */
/*
 * desk: beside Klaviyo, the other end of the bridge: every helpdesk's API as far as lookups ask it, so that a webhook
 * can be tried on one machine from end to end. What it knows of helpdesks are their definitions.
 *
 *   GET    what a lookup's step asks     the step's own example of an answer (page.h)
 *   GET    /sandbox/customers            {"ID": ["jo@example.com", …], …}
 *   POST   /sandbox/customers            "ID=EMAIL[,EMAIL…]" a line: puts them in or replaces them; all or none
 *
 * A customer's id may differ from the example's: one of /sandbox/customers is answered for with these addresses, the
 * first of them the primary one; another gets 404 where the definition's `customer` says that it is a customer's. Ids
 * of anything else (conversations, agents) get the example as it is. Credentials of the right kind must be shown (401),
 * whatever they say.
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
	struct pairs customers; /* id → addresses, comma-separated. Guarded by the sandbox's lock */
	struct pages pages;     /* of the helpdesks that it plays; constant once the sandbox serves */
};

void desk_done(struct desk *d);
/* "ID=EMAIL[,EMAIL…]". -EINVAL, -ENOSPC. */
int desk_add(struct desk *d, const char *spec, struct err *reterr) MUSTCHECK;
/* Whether the request is for a helpdesk, not for Klaviyo. Needs no lock. */
bool desk_owns(const struct desk *d, const struct http_exchange *x);
/* Answers a request that is for a helpdesk. */
void desk_serve(struct desk *d, struct http_exchange *x, struct answer *ret);
/* GET and POST /sandbox/customers. */
void desk_list(struct desk *d, struct answer *ret);
void desk_post(struct desk *d, const char *lines, struct answer *ret);

#endif
