/* SPDX-License-Identifier: MIT */
/*
 * state: the state that requests share, and the functions that serve them. One lock guards it, and nothing blocks while
 * holding it.
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
	struct lock lock; /* guards the members up to the blank line */
	struct world *world;
	struct faults faults;
	struct desk desk;
	uint64_t by_status[STATE_STATUS_MAX]; /* requests to /api/… by their answer */
	uint64_t cut;                         /* requests whose connection was cut */
	unsigned concurrent, peak_concurrent; /* requests to /api/… being served */

	bool no_quota;     /* constant */
	struct feed *feed; /* constant; NULL: none */
};

/*
 * Serves a request to /api/…. Scripted faults come first, then the checks in Klaviyo's order: Cloudflare in front,
 * route, key, scope, revision, quota, media type, size, body. Sets *ret, which must be empty, unless the verdict is to
 * cut by a reset, and counts the result. The caller carries out the verdict's delay and cut. Any of the server's
 * threads.
 */
struct fault_verdict api_serve(struct state *s, struct http_exchange *x, struct answer *ret);

/*
 * Serves a request to /sandbox/…, by which people and tests read what the sandbox holds and set faults. Any of the
 * server's threads.
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
