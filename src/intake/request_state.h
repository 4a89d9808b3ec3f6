/* SPDX-License-Identifier: MIT */
/*
 * request_state: private to src/intake. One exchange at the listener: who asks, what its proof says, in whose share of
 * the memory its body counts. Answers nothing and counts nothing; intake.c does.
 *
 * A visit belongs to its exchange: one thread at a time. Nothing here blocks.
 */
#ifndef INTAKE_REQUEST_STATE_H
#define INTAKE_REQUEST_STATE_H

#include <stdbool.h>

#include "base/text.h"
#include "conf/generation.h"
#include "helpdesk/proof/proof.h"
#include "http/budget.h"
#include "http/server.h"

#define PEER_MAX 64 /* bytes of an address as text */

/* All zero but the generation, until the path is known. */
struct request_state {
	struct generation *generation; /* the one it is judged by */
	const struct source *source;   /* in it */
	struct pairs headers;
	enum proof_verdict headers_verdict; /* what the headers and the query prove; anything but GOOD is final */
	struct reservation reservation;
};

/* The address that asks, for the log: of the connection, or as a trusted proxy names it. Returns peer. */
const char *request_state_peer(const struct request_state *r, struct http_exchange *x, char peer[PEER_MAX]);

/*
 * Opens the reservation, in the share of the client's address. A client on this machine has no share, nor has a trusted
 * proxy that names no client: its one address stands for all clients behind it, and nobody knows which.
 */
void request_state_reserve(struct request_state *r, struct http_exchange *x, struct budget *b);

/* The source and the headers are set from here on. */

/* The verdict on the headers and the query alone. */
enum proof_verdict request_state_check_headers(const struct request_state *r, const struct http_exchange *x);
/* The verdict on the whole request. Complete exchanges only. */
enum proof_verdict request_state_check_proof(const struct request_state *r, const struct http_exchange *x);

/* The text that the vendor wants echoed, or NULL. Borrowed, for the exchange's life. */
const char *request_state_challenge(const struct request_state *r, struct http_exchange *x);
/* Whether it is the vendor's trial of the URL before there is a secret, by headers, query and body. */
bool request_state_is_setup_probe(const struct request_state *r, const struct http_exchange *x);

/* ---- addresses. Pure. -------------------------------------------------------------------------------------------- */

/*
 * For request_state_peer, and for tests. forwarded: the X-Forwarded-For of the request, all lines of it in one list, or
 * NULL. Walks back from the peer over trusted proxies; stops at the first address that is none of them, or before an
 * element that is no address. An element may carry a port and brackets ("203.0.113.7:4711", "[2001:db8::1]:443"); out
 * has the address alone. Returns out.
 */
const char *peer_behind_proxies(const struct proxies *proxies, const char *peer, const char *forwarded,
				char out[PEER_MAX]);

#endif
