/*
 * api: the way of one request to /api/…, in Klaviyo's order: Cloudflare in front, route, key, scope, revision, quota,
 * media type, size, body; with the scripted faults before all that.
 */
#ifndef SANDBOX_API_H
#define SANDBOX_API_H

#include "http/server.h"
#include "sandbox/answer.h"
#include "sandbox/state.h"

/*
 * Any of the server's threads. Sets *ret (empty before) unless the verdict is to cut by a reset, and counts what came
 * of it. The verdict's delay and cut are the caller's to carry out.
 */
struct fault_verdict api_serve(struct state *s, struct http_exchange *x, struct answer *ret);

#endif
