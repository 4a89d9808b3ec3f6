/* SPDX-License-Identifier: MIT */
/*
 * state: what the sandbox's parts share, and the ways of its requests. One lock; nothing under it blocks.
 */
#ifndef SANDBOX_STATE_H
#define SANDBOX_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "http/server.h"
#include "sandbox/answer.h"
#include "sandbox/desk.h"
#include "sandbox/faults.h"
#include "sandbox/feed.h"
#include "sandbox/world.h"

#define STATE_STATUS_MAX 600

struct state {
	struct lock lock; /* over all below, until the blank line */
	struct world *world;
	struct faults faults;
	struct desk desk;
	uint64_t by_status[STATE_STATUS_MAX]; /* requests to /api/… by their answer */
	uint64_t cut;                         /* without an answer */
	unsigned concurrent, peak_concurrent; /* requests to /api/… in hand */

	bool no_quota;     /* constant */
	struct feed *feed; /* constant; NULL: none */
};

/*
 * One request to /api/…, in Klaviyo's order: Cloudflare in front, route, key, scope, revision, quota, media type, size,
 * body; with the scripted faults before all that. Any of the server's threads. Sets *ret (empty before) unless the
 * verdict is to cut by a reset, and counts what came of it. The verdict's delay and cut are the caller's to carry out.
 */
struct fault_verdict api_serve(struct state *s, struct http_exchange *x, struct answer *ret);

/*
 * /sandbox/…: what the sandbox holds, for people and tests; and the faults, while it runs. Any of the server's threads.
 *
 *   GET    /sandbox/events[?after=N][&limit=M]   in order of arrival; at most INSPECT_EVENTS_MAX an answer
 *   DELETE /sandbox/events                       forgets events, profiles, metrics and counters
 *   GET    /sandbox/profiles, /sandbox/stats, /sandbox/faults
 *   POST   /sandbox/faults                       one specification a line: all are added, or none
 *   DELETE /sandbox/faults
 *   GET, POST /sandbox/customers                 desk.h
 */
#define INSPECT_EVENTS_MAX 10000
void inspect_serve(struct state *s, struct http_exchange *x, struct answer *ret);

#endif
