/* SPDX-License-Identifier: MIT */
/*
 * auth: who may ask /api. By its Host and Origin a request must not come from a foreign web page,
 * and it shows the token, but on a unix socket, where the socket's mode has let it in. Any thread; one lock.
 */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H

#include <stdbool.h>

#include "base/text.h"
#include "conf/generation.h"

struct http_exchange;
struct auth;

/* mode_is_proof: unix sockets are closed to accounts beyond their owner and group. */
struct auth *auth_new(bool mode_is_proof);
void auth_free(struct auth *auth); /* NULL allowed */

enum auth_verdict {
	AUTH_OK,
	AUTH_HOST,     /* 403: none, several, or neither loopback nor in admin.hosts */
	AUTH_ORIGIN,   /* 403: a page of another place asks */
	AUTH_TOKEN,    /* 401: not shown, or wrong */
	AUTH_NO_TOKEN, /* 503: the daemon has none to compare with */
};

/* Both from the headers alone, so that no body is taken for who may not ask. A refusal is logged: a line a minute for
 * each kind, with how many came between. */
enum auth_verdict auth_check_origin(struct auth *auth, struct http_exchange *x, const struct config *c);
enum auth_verdict auth_check_token(struct auth *auth, struct http_exchange *x, const struct generation *g);

/* ---- hosts and pages --------------------------------------------------------------------------------------------- */
/*
 * By which names /api may be asked, and from which web pages: this keeps away a page that a name of its own leads to
 * this machine (DNS rebinding), or that posts across origins. Pure.
 */

/*
 * For auth_check_origin, and for tests. host: the value of a Host header. Loopback with any port, or one of `hosts`:
 * names without regard to case and to a dot at the end, addresses by value; an entry without a port stands for every
 * port.
 */
bool hosts_allow(const char *host, const struct strings *hosts);
/* For auth_check_origin, and for tests. origin, of a request with that Host, is the page that this very host and port
 * serve, by http or https. "null" is not.
 */
bool hosts_is_own_origin(const char *origin, const char *host);

#endif
