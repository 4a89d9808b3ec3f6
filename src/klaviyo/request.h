/* SPDX-License-Identifier: MIT */
/*
 * request: builds request bodies for Klaviyo's Events API: JSON:API, one event with its metric and its profile. Pure.
 */
#ifndef KLAVIYO_REQUEST_H
#define KLAVIYO_REQUEST_H

#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "decision/event.h"

#define KLAVIYO_PATH_EVENTS "/api/events"
#define KLAVIYO_REVISION_TESTED "2026-07-15"

/* Builds the body for POST /api/events at now_ms, which decides `backfill`. The event's stored JSON is copied into it
 * as it is; -EBADMSG: it is not valid JSON. The same event with the same backfill gives the same bytes. The caller owns
 * *ret. */
int request_single(const struct event *e, int64_t now_ms, char **ret, struct err *reterr) MUSTCHECK;
/* Adds Authorization, revision, Content-Type and Accept. The caller owns *to. */
void request_headers(struct pairs *to, const char *api_key, const char *revision);
/* Returns url + path. The caller owns it. */
static inline MUSTCHECK char *request_url(const char *url, const char *path)
{
	return mem_fmt("%s%s", url, path);
}
/* A body that Klaviyo must refuse as invalid, without effect: for `check --key`. It has no metric and a profile without
 * data, so that the schema refuses it whatever else changes. */
#define REQUEST_PROBE "{\"data\":{\"type\":\"event\",\"attributes\":{\"properties\":{},\"profile\":{}}}}"
/* Returns Klaviyo's page for a new private key with these scopes selected ("events:write,profiles:read"). The caller
 * owns it. */
char *request_key_page(const char *scopes) MUSTCHECK;
/* Sets *ret to the days until the revision ("2026-07-15") ends, two years after its date. -EINVAL: not a date. */
int request_revision_days_left(const char *revision, int64_t now_ms, long *ret) MUSTCHECK;
/* Writes "has ended", "ends today" or "ends in 1 day" for that number of days left. Returns out. */
#define REQUEST_END_MAX 96
const char *request_revision_end(long days, char out[REQUEST_END_MAX]);

#endif
