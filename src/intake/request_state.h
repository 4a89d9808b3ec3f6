/* SPDX-License-Identifier: MIT */
/*
 * request_state: private to src/intake. The state of one request: its client, its proof, and its reservation of memory.
 * intake.c answers and counts.
 *
 * The state belongs to its exchange: one thread at a time. No function blocks.
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

struct intake_submission;

/* Only the generation is set until the path is known; the rest is zero. */
struct request_state {
	struct generation *generation;      /* used for this request */
	const struct source *source;        /* in generation */
	const struct pairs *headers;        /* the exchange's */
	enum proof_verdict headers_verdict; /* the verdict on headers and query; only GOOD may change later */
	struct reservation reservation;     /* for the body, then for the submission */
	struct intake_submission *posted;   /* the pipeline has it, or has woken the exchange; NULL: none */
};

/* Writes the client's address for the log: the connection's, or the one that a trusted proxy names. Returns peer. */
const char *request_state_peer(const struct request_state *r, struct http_exchange *x, char peer[PEER_MAX]);

/*
 * Opens the reservation for the client's address. A local client has no limit of its own. Neither has a trusted proxy
 * that names no client, because its address is that of many clients.
 */
void request_state_reserve(struct request_state *r, struct http_exchange *x, struct budget *b);

/* The functions below need the source and the headers. */

/* Returns the verdict on headers and query alone. */
enum proof_verdict request_state_check_headers(const struct request_state *r, const struct http_exchange *x);
/* Returns the verdict on the whole request. Complete exchanges only. */
enum proof_verdict request_state_check_proof(const struct request_state *r, const struct http_exchange *x);

/* Returns the text that the vendor expects back, or NULL. Borrowed, for the exchange's life. */
const char *request_state_challenge(const struct request_state *r, struct http_exchange *x);
/* True for the vendor's set-up probe before a secret exists, by headers, query and body. */
bool request_state_is_setup_probe(const struct request_state *r, const struct http_exchange *x);

/* ---- addresses. Pure. -------------------------------------------------------------------------------------------- */

/*
 * Goes from the peer back through trusted proxies. Stops at the first address that is not trusted, or before an invalid
 * element. forwarded: the X-Forwarded-For of the request, all lines of it in one list, or NULL. An element may have a
 * port and brackets ("203.0.113.7:4711", "[2001:db8::1]:443"); out has the address alone. Returns out. For
 * request_state_peer(), and for tests.
 */
const char *peer_behind_proxies(const struct proxies *proxies, const char *peer, const char *forwarded,
				char out[PEER_MAX]);

#endif
