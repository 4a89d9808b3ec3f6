/* SPDX-License-Identifier: MIT */
/*
 * api: what /api/… answers, as JSON trees. One read-only store a request; at most API_PAGE_MAX rows, API_READ_MS long.
 */
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include "base/err.h"
#include "base/json.h"
#include "base/text.h"
#include "conf/generation.h"
#include "pipeline/pipeline.h"

#define API_PAGE_MAX 500
#ifdef DESKBRIDGE_SANITIZED
#define API_READ_MS 2000 /* a sanitizer makes the same read ten times as long */
#else
#define API_READ_MS 200
#endif

struct api_request {
	struct pipeline *pipeline;
	const struct generation *generation;
	const struct pairs *query; /* decoded */
	int64_t started_ms;        /* when the daemon started */
};

/*
 * Each returns 200 and an owned tree, or another HTTP status with reterr: 400 where the query is wrong, 503 where the
 * read did not end in time.
 *
 * GET /api/status: ?paused=N
 *   {version, config, store, started, ready, accounts: […], sources: […], paused: […], paused_total, unknown_path}
 *   paused: the longest N (20 by default), each with `refused`: why Klaviyo refused its opening, or null
 *   paused_total: how many there are in all; null where they are too many to count in time
 *   unknown_path: how many webhooks came in for no source
 *   elsewhere: where there were any, what else was refused to a path that no source has or that could not be read, by
 *   result
 *   of a source, received: what came in since `started`, by result; waits: the newest webhooks that wait for a lookup,
 *   {webhook, wait, asked, not_before, reason}
 *
 * GET /api/events: ?state=ready|delivered|dead &limit=N &before=ID
 *   Rows of `queue list`, newest first.
 *
 * GET /api/webhooks: ?state=pending|done|dead &limit=N &before=ID
 *   {id, source, state, transition, conversation, received, wait, asked, not_before, reason}, newest first; wait: of a
 *   pending one, why, else null; asked: how often its lookup was asked; not_before: when again, or null.
 */
unsigned api_status(const struct api_request *r, struct json_object **ret, struct err *reterr);
unsigned api_events(const struct api_request *r, struct json_object **ret, struct err *reterr);
unsigned api_webhooks(const struct api_request *r, struct json_object **ret, struct err *reterr);

#endif
