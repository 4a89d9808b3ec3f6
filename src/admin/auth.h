/* SPDX-License-Identifier: MIT */
/*
 * auth: the authorisation of requests to /api. The Host and Origin of a request must not be those of a foreign web
 * page, and the request must show the token. On a unix socket that is closed to other accounts, the socket's mode
 * replaces the token. Any thread; one lock.
 */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H

#include <stdbool.h>

#include "base/text.h"
#include "conf/generation.h"

struct http_exchange;
struct auth;

/* mode_is_proof: only the owner and the group of the unix sockets can connect to them. */
struct auth *auth_new(bool mode_is_proof);
void auth_free(struct auth *auth); /* NULL allowed */

enum auth_verdict {
	AUTH_OK,
	AUTH_HOST,     /* 403: no Host, several, or one that is neither loopback nor in admin.hosts */
	AUTH_ORIGIN,   /* 403: the request comes from a page of another origin */
	AUTH_TOKEN,    /* 401: the token is missing or wrong */
	AUTH_NO_TOKEN, /* 503: the daemon has no token to compare with */
};

/* Both read the headers only, so that the body of an unauthorised request is not read. Each kind of refusal is
 * logged at most once a minute, with the number of refusals since the last line. */
enum auth_verdict auth_check_origin(struct auth *auth, struct http_exchange *x, const struct config *c);
enum auth_verdict auth_check_token(struct auth *auth, struct http_exchange *x, const struct generation *g);

/* ---- hosts and pages --------------------------------------------------------------------------------------------- */
/*
 * The names of /api, and the web pages that may send requests to it. This stops a page whose name resolves to this
 * machine (DNS rebinding), and a page that posts across origins. Pure.
 */

/*
 * For auth_check_origin, and for tests. host: the value of a Host header. True for loopback with any port, and for an
 * entry of `hosts`. Names compare without regard to case and to a final dot, addresses by value. An entry without a
 * port allows every port.
 */
bool hosts_allow(const char *host, const struct strings *hosts);
/* For auth_check_origin, and for tests. True where origin is a page of the host and port in the Host header, by http
 * or https. "null" is not. */
bool hosts_is_own_origin(const char *origin, const char *host);

#endif
