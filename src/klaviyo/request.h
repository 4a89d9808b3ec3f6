/* SPDX-License-Identifier: MIT */
/*
 * request: the bytes that Klaviyo's Events API takes: JSON:API, one event with its metric and its profile. Pure.
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

/* The body for POST /api/events at now_ms (which decides `backfill`). The event's stored JSON goes into it as it is;
 * -EBADMSG: it does not read. The caller owns *ret. Same event, same backfill: same bytes. */
int request_single(const struct event *e, int64_t now_ms, char **ret, struct err *reterr) MUSTCHECK;
/* Authorization, revision, Content-Type, Accept. The caller owns. */
void request_headers(struct pairs *to, const char *api_key, const char *revision);
/* url + path. The caller owns. */
static inline MUSTCHECK char *request_url(const char *url, const char *path)
{
	return mem_fmt("%s%s", url, path);
}
/* A body that Klaviyo must refuse as invalid, without effect: for `check --key`. It has no metric, and a profile
 * without data: refused by the schema, whatever else changes. */
#define REQUEST_PROBE "{\"data\":{\"type\":\"event\",\"attributes\":{\"properties\":{},\"profile\":{}}}}"
/* Klaviyo's page for a new private key with these scopes prefilled ("events:write,profiles:read"). The caller owns. */
char *request_key_page(const char *scopes) MUSTCHECK;
/* Days until the revision ("2026-07-15") ends, two years after its date; *ret. -EINVAL: not a date. */
int request_revision_days_left(const char *revision, int64_t now_ms, long *ret) MUSTCHECK;
/* "has ended", "ends today", "ends in 1 day", for so many days left. Returns out. */
#define REQUEST_END_MAX 96
const char *request_revision_end(long days, char out[REQUEST_END_MAX]);

#endif
