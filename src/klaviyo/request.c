#include <config.h>

#include "klaviyo/request.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/amount.h"
#include "base/clock.h"
#include "base/json.h"

#define MEDIA_TYPE "application/vnd.api+json"

/* ---- the body ---------------------------------------------------------------------------------------------------- */

/* Hands value over to object. */
static void put(struct json_object *object, const char *key, struct json_object *value)
{
	INSIST(value && json_object_object_add(object, key, value) == 0);
}

/* {"data":{"type":TYPE,"attributes":ATTRIBUTES}}: the envelope of everything in JSON:API. */
static struct json_object *resource(const char *type, struct json_object *attributes)
{
	struct json_object *outer = json_object_new_object(), *data = json_object_new_object();

	INSIST(outer && data);
	json_set_str(data, "type", type);
	put(data, "attributes", attributes);
	put(outer, "data", data);
	return outer;
}

static int read_object(const char *what, const char *text, struct json_object **ret, struct err *reterr)
{
	struct json_object *o = NULL;
	struct err why = {0};

	if (!text)
		return err_set(reterr, -EBADMSG, "the stored %s are missing", what);
	if (json_read(text, strlen(text), &o, &why) < 0)
		return err_set(reterr, -EBADMSG, "the stored %s do not read as JSON: %s", what, why.text);
	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return err_set(reterr, -EBADMSG, "the stored %s are not a JSON object", what);
	}
	*ret = o;
	return 0;
}

/* The shortest text that reads back: 9.99, not 9.9900000000000002. */
static struct json_object *number(double value)
{
	struct json_object *plain = json_object_new_double(value), *shortest;
	CLEANUP(mem_freep) char *text = NULL;

	INSIST(plain);
	text = json_scalar(plain);
	json_object_put(plain);
	shortest = json_object_new_double_s(value, text);
	INSIST(shortest);
	return shortest;
}

static struct json_object *profile_attributes(const struct event *e, struct json_object *properties)
{
	struct json_object *attributes = json_object_new_object();

	INSIST(attributes);
	json_set_str(attributes, "email", e->email);
	if (json_object_object_length(properties) > 0)
		put(attributes, "properties", json_object_get(properties));
	return attributes;
}

int request_single(const struct event *e, int64_t now_ms, char **ret, struct err *reterr)
{
	CLEANUP(json_putp) struct json_object *properties = NULL, *profile = NULL, *body = NULL;
	struct json_object *attributes, *metric;
	char time[CLOCK_ISO_MAX];
	int r;

	r = read_object("properties", e->properties, &properties, reterr);
	if (r < 0)
		return r;
	r = read_object("profile properties", e->profile, &profile, reterr);
	if (r < 0)
		return r;
	if (e->has_value && !isfinite(e->value))
		return err_set(reterr, -EBADMSG, "the stored value is not a number");

	attributes = json_object_new_object();
	metric = json_object_new_object();
	INSIST(attributes && metric);
	clock_iso(e->time_ms, time);
	put(attributes, "properties", json_object_get(properties));
	json_set_str(attributes, "time", time);
	if (e->has_value)
		put(attributes, "value", number(e->value));
	json_set_str(attributes, "unique_id", e->unique_id);
	json_set_bool(attributes, "backfill", event_is_backfill(e, now_ms));
	json_set_str(metric, "name", e->metric);
	put(attributes, "metric", resource("metric", metric));
	put(attributes, "profile", resource("profile", profile_attributes(e, profile)));
	body = resource("event", attributes);
	*ret = json_text(body);
	return 0;
}

/* Without a metric and with a profile that has no data: refused by the schema, whatever else changes. */
const char *request_probe(void)
{
	return "{\"data\":{\"type\":\"event\",\"attributes\":{\"properties\":{},\"profile\":{}}}}";
}

/* ---- around it --------------------------------------------------------------------------------------------------- */

void request_headers(struct pairs *to, const char *api_key, const char *revision)
{
	CLEANUP(mem_freep) char *authorization = mem_fmt("Klaviyo-API-Key %s", api_key);

	pairs_add(to, "Authorization", authorization);
	pairs_add(to, "revision", revision);
	pairs_add(to, "Content-Type", MEDIA_TYPE);
	pairs_add(to, "Accept", MEDIA_TYPE);
}

char *request_url(const char *url, const char *path)
{
	return mem_fmt("%s%s", url, path);
}

char *request_key_page(const char *scopes)
{
	return mem_fmt("https://www.klaviyo.com/create-private-api-key?scopes=%s", scopes);
}

/* ---- revisions --------------------------------------------------------------------------------------------------- */

int request_revision_days_left(const char *revision, int64_t now_ms, long *ret)
{
	unsigned year, month, day;
	int64_t end_ms;
	char text[64];
	int len, end = 0;

	len = snprintf(text, sizeof(text), "%sT00:00:00Z", revision);
	if (strlen(revision) != 10 || clock_parse(text, (size_t)len, &end_ms) < 0 ||
	    sscanf(revision, "%4u-%2u-%2u%n", &year, &month, &day, &end) != 3 || end != 10)
		return -EINVAL;
	/* A leap day's second anniversary is the first of March. */
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
