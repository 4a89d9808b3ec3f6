/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "klaviyo/request.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#define BODY_REST_USUAL 600 /* bytes of a body without properties, except where metric or address are long */
#define MEDIA_TYPE "application/vnd.api+json"

/* ---- the body ---------------------------------------------------------------------------------------------------- */

static int check_stored(const char *what, const char *text, struct err *reterr)
{
	struct err why = {0};

	if (!text)
		return err_set(reterr, -EBADMSG, "the stored %s are missing", what);
	if (json_check_object(text, &why) < 0)
		return err_set(reterr, -EBADMSG, "the stored %s do not read as JSON: %s", what, why.text);
	return 0;
}

/* Every JSON:API resource begins with {"data":{"type":TYPE,"attributes":{ and ends with RESOURCE_END. */
#define RESOURCE(type) "{\"data\":{\"type\":\"" type "\",\"attributes\":{"
#define RESOURCE_END "}}}"

static void add_attributes(struct buf *to, const struct event *e, int64_t now_ms)
{
	CLEANUP(mem_freep) char *value = e->has_value ? json_number(e->value) : NULL;
	char time[CLOCK_ISO_MAX];

	clock_iso(e->time_ms, time);
	buf_adds(to, "\"properties\":");
	buf_adds(to, e->properties);
	buf_adds(to, ",\"time\":\"");
	buf_adds(to, time);
	if (value) {
		buf_adds(to, "\",\"value\":");
		buf_adds(to, value);
		buf_adds(to, ",\"unique_id\":\"");
	} else {
		buf_adds(to, "\",\"unique_id\":\"");
	}
	buf_adds(to, e->unique_id);
	buf_adds(to, event_is_backfill(e, now_ms) ? "\",\"backfill\":true" : "\",\"backfill\":false");
	buf_adds(to, ",\"metric\":" RESOURCE("metric") "\"name\":");
	json_add_str(to, e->metric);
	buf_adds(to, RESOURCE_END ",\"profile\":" RESOURCE("profile") "\"email\":");
	json_add_str(to, e->email);
	if (strcmp(e->profile, "{}") != 0) {
		buf_adds(to, ",\"properties\":");
		buf_adds(to, e->profile);
	}
	buf_adds(to, RESOURCE_END);
}

int request_single(const struct event *e, int64_t now_ms, char **ret, struct err *reterr)
{
	struct buf body;
	int r;

	r = check_stored("properties", e->properties, reterr);
	if (r < 0)
		return r;
	r = check_stored("profile properties", e->profile, reterr);
	if (r < 0)
		return r;
	if (e->has_value && !isfinite(e->value))
		return err_set(reterr, -EBADMSG, "the stored value is not a number");

	buf_init(&body, INT_MAX);
	buf_reserve(&body, strlen(e->properties) + strlen(e->profile) + BODY_REST_USUAL);
	buf_adds(&body, RESOURCE("event"));
	add_attributes(&body, e, now_ms);
	buf_adds(&body, RESOURCE_END);
	*ret = buf_take(&body);
	INSIST(*ret);
	return 0;
}

/* ---- headers and URLs -------------------------------------------------------------------------------------------- */

void request_headers(struct pairs *to, const char *api_key, const char *revision)
{
	CLEANUP(mem_freep) char *authorization = mem_fmt("Klaviyo-API-Key %s", api_key);

	pairs_add(to, "Authorization", authorization);
	pairs_add(to, "revision", revision);
	pairs_add(to, "Content-Type", MEDIA_TYPE);
	pairs_add(to, "Accept", MEDIA_TYPE);
}

char *request_key_page(const char *scopes)
{
	return mem_fmt("https://www.klaviyo.com/create-private-api-key?scopes=%s", scopes);
}

/* ---- revisions --------------------------------------------------------------------------------------------------- */

int request_revision_days_left(const char *revision, int64_t now_ms, long *ret)
{
	int end = 0;
	unsigned year, month, day;
	int64_t end_ms;
	char text[64];
	int len;

	len = snprintf(text, sizeof(text), "%sT00:00:00Z", revision);
	if (strlen(revision) != 10 || clock_parse(text, (size_t)len, &end_ms) < 0 ||
	    sscanf(revision, "%4u-%2u-%2u%n", &year, &month, &day, &end) != 3 || end != 10)
		return -EINVAL;
	/* The second anniversary of a leap day is the first of March. */
	if (month == 2 && day == 29) {
		month = 3;
		day = 1;
	}
	len = snprintf(text, sizeof(text), "%04u-%02u-%02uT00:00:00Z", year + 2, month, day);
	if (clock_parse(text, (size_t)len, &end_ms) < 0)
		return -EINVAL;
	*ret = (long)((end_ms - now_ms) / CLOCK_DAY_MS);
	if (end_ms < now_ms && (now_ms - end_ms) % CLOCK_DAY_MS != 0)
		*ret -= 1;
	return 0;
}

const char *request_revision_end(long days, char out[REQUEST_END_MAX])
{
	char left[AMOUNT_MAX];

	if (days > 0)
		(void)snprintf(out, REQUEST_END_MAX, "ends in %s", amount_of(left, days, "day"));
	else
		(void)snprintf(out, REQUEST_END_MAX, "%s", days < 0 ? "has ended" : "ends today");
	return out;
}
