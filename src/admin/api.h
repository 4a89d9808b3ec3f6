/* SPDX-License-Identifier: MIT */
/*
 * api: the answers of /api/…, as JSON trees. Each request opens a read-only store, and reads at most API_PAGE_MAX rows
 * for at most API_READ_MS.
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
#define API_READ_MS 2000 /* a sanitizer makes reads ten times as slow */
#else
#define API_READ_MS 200
#endif

struct api_request {
	struct pipeline *pipeline;
	const struct generation *generation;
	const struct pairs *query; /* decoded */
	int64_t started_ms;        /* the start of the daemon, wall clock */
};

/*
 * Each function returns 200 and an owned tree, or another HTTP status with reterr: 400 where the query is wrong, 503
 * where the read did not end in time or the store cannot be read.
 *
 * GET /api/status: ?paused=N
 *   {version, config, store, started, ready, accounts: […], sources: […], paused: […], paused_total, unknown_path}
 *   paused: the N people who are paused longest (20 by default), each with `refused`: Klaviyo's reason for refusing
 *   the opening, or null
 *   paused_total: the number of paused people; null where they are too many to count in time
 *   unknown_path: the number of webhooks to a path that no source has
 *   elsewhere: the other requests that were refused at such a path, or whose path could not be read, by result; left
 *   out where there were none
 *   of a source, received: the requests since `started`, by result; waits: the newest webhooks that wait for a lookup,
 *   {webhook, wait, asked, not_before, reason}
 *
 * GET /api/events: ?state=ready|delivered|dead &limit=N &before=ID
 *   Rows of `queue list`, newest first.
 *
 * GET /api/webhooks: ?state=pending|done|dead &limit=N &before=ID
 *   {id, source, state, transition, conversation, received, wait, asked, not_before, reason}, newest first
 *   wait: what a pending webhook waits for; else null
 *   asked: the number of its lookups
 *   not_before: the time of the next one, or null
 */
unsigned api_status(const struct api_request *r, struct json_object **ret, struct err *reterr);
unsigned api_events(const struct api_request *r, struct json_object **ret, struct err *reterr);
unsigned api_webhooks(const struct api_request *r, struct json_object **ret, struct err *reterr);

#endif
