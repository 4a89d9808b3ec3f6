/*
 * desk: beside Klaviyo, the other end of the bridge: the part of a helpdesk's API that lookups ask, so that a webhook
 * can be tried on one machine from end to end.
 *
 *   GET    /api/v1/customer-profiles/ID   Gladly's, with any Basic authentication; 404 for who is not there
 *   GET    /sandbox/customers             {"ID": ["jo@example.com", …], …}
 *   POST   /sandbox/customers             "ID=EMAIL[,EMAIL…]" a line: puts them in or replaces them; all or none
 *
 * The first address of a customer is the primary one.
 */
#ifndef SANDBOX_DESK_H
#define SANDBOX_DESK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"
#include "http/server.h"
#include "sandbox/answer.h"

#define DESK_CUSTOMERS_MAX 10000

/* id → addresses, comma-separated. Guarded by the sandbox's lock. */
struct desk {
	struct pairs customers;
};

void desk_done(struct desk *d);
/* "ID=EMAIL[,EMAIL…]". -EINVAL, -ENOSPC. */
int desk_add(struct desk *d, const char *spec, struct err *reterr) MUSTCHECK;
/* Whether the path is the helpdesk's, not Klaviyo's. */
bool desk_owns(const char *path);
/* Answers a path that it owns. */
void desk_serve(struct desk *d, struct http_exchange *x, struct answer *ret);
/* GET and POST /sandbox/customers. */
void desk_list(struct desk *d, struct answer *ret);
void desk_post(struct desk *d, const char *lines, struct answer *ret);

#endif
