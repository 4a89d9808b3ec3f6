/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/readback.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/percent.h"
#include "base/text.h"
#include "sandbox/query.h"

#define URL_MAX 8192

/* ---- what all share ---------------------------------------------------------------------------------------------- */

static void bad_cursor(struct answer *ret)
{
	answer_complaint(ret, 400, "/data/", "Invalid cursor provided.");
}

/* Returns page[size], or `otherwise` where it is not given; 0 after answering that it is out of bounds. */
static size_t page_size(const struct readback *r, size_t otherwise, size_t max, struct answer *ret)
{
	const char *text = pairs_get(r->params, "page[size]");
	uint64_t n;

	if (!text)
		return otherwise;
	if (text_digits(text, strlen(text), max, &n) == 0 && n >= 1)
		return (size_t)n;
	answer_complaint(ret, 400, "page[size]", "Page size must be a number within the bounds of this resource.");
	return 0;
}

/* True where a comma-separated list holds the word. */
static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* Removes the attributes that fields[TYPE] does not name. */
static void keep_fields(const struct readback *r, const char *type, struct json_object *attributes)
{
	CLEANUP(mem_freep) char *name = mem_fmt("fields[%s]", type);
	const char *fields = pairs_get(r->params, name);

	if (!fields)
		return;
	json_object_object_foreach(attributes, key, value)
	{
		(void)value;
		if (!list_has(fields, key))
			json_object_object_del(attributes, key);
	}
}

/* "2026-11-21T16:00:00+00:00" */
static void set_time(struct json_object *o, const char *key, int64_t ms)
{
	char iso[CLOCK_ISO_MAX], text[CLOCK_ISO_MAX + 8];

	clock_iso(ms, iso);
	(void)snprintf(text, sizeof(text), "%.19s+00:00", iso);
	json_set_str(o, key, text);
}

static struct json_object *reference(const char *type, const char *id)
{
	struct json_object *o = json_object_new_object();
	struct json_object *data = json_object_new_object();

	json_set_str(data, "type", type);
	json_set_str(data, "id", id);
	json_object_object_add(o, "data", data);
	return o;
}

/* Takes ownership of attributes. */
static struct json_object *resource(const struct readback *r, const char *type, const char *id,
				    struct json_object *attributes)
{
	struct json_object *o = json_object_new_object();
	struct json_object *links = json_object_new_object();
	CLEANUP(mem_freep) char *self = mem_fmt("%s/api/%ss/%s/", r->base, type, id);

	keep_fields(r, type, attributes);
	json_set_str(o, "type", type);
	json_set_str(o, "id", id);
	json_object_object_add(o, "attributes", attributes);
	json_set_str(links, "self", self);
	json_object_object_add(o, "links", links);
	return o;
}

/* Returns the URL of the request, with the cursor replaced unless cursor is NULL. The caller owns it. */
static char *page_url(const struct readback *r, const char *cursor)
{
	char separator = '?';
	struct buf url;

	buf_init(&url, URL_MAX);
	buf_addf(&url, "%s%s", r->base, r->path);
	for (size_t i = 0; i < r->params->n; i++) {
		const struct pair *p = &r->params->items[i];

		if (cursor && strcmp(p->name, "page[cursor]") == 0)
			continue;
		buf_addc(&url, separator);
		percent_add_pair(&url, p->name, p->value);
		separator = '&';
	}
	if (cursor) {
		buf_addc(&url, separator);
		percent_add_pair(&url, "page[cursor]", cursor);
	}
	if (url.error < 0) {
		buf_done(&url);
		return mem_str(r->base);
	}
	return buf_take(&url);
}

/* Answers {"data": …, "links": …}. next: the cursor of the next page, or NULL. Takes ownership of data and included. */
static void collection(const struct readback *r, struct json_object *data, struct json_object *included,
		       const char *next, struct answer *ret)
{
	struct json_object *o = json_object_new_object();
	struct json_object *links = json_object_new_object();
	CLEANUP(mem_freep) char *self = page_url(r, NULL);
	CLEANUP(mem_freep) char *next_url = next ? page_url(r, next) : NULL;

	json_object_object_add(o, "data", data);
	if (included)
		json_object_object_add(o, "included", included);
	json_set_str(links, "self", self);
	json_object_object_add(links, "next", next_url ? json_object_new_string(next_url) : NULL);
	json_object_object_add(links, "prev", NULL);
	json_object_object_add(o, "links", links);
	answer_json(ret, 200, COMPLAINT_TYPE, o);
}

/* Parses the filter parameter; false after answering that it is invalid. */
static bool read_filters(const struct readback *r, struct query_filters *ret_filters, struct answer *ret)
{
	const char *text = pairs_get(r->params, "filter");

	ret_filters->n = 0;
	if (!text || query_filters(text, ret_filters) == 0)
		return true;
	answer_complaint(ret, 400, "filter", "Invalid filter provided.");
	return false;
}

static void bad_filter(struct answer *ret, const struct query_filter *f)
{
	CLEANUP(mem_freep)
	char *detail = mem_fmt("'%.60s' is not an allowed filter on '%.60s' for this resource.", f->op, f->field);

	answer_complaint(ret, 400, "filter", detail);
}

/* ---- resources --------------------------------------------------------------------------------------------------- */

static struct json_object *profile_json(const struct readback *r, const struct world_profile *p)
{
	struct json_object *attributes = NULL;
	struct json_object *properties = NULL;

	INSIST(json_object_deep_copy(p->attributes, &attributes, NULL) == 0);
	INSIST(json_object_deep_copy(p->properties, &properties, NULL) == 0);
	json_object_object_add(attributes, "properties", properties);
	set_time(attributes, "created", p->created_ms);
	set_time(attributes, "updated", p->updated_ms);
	set_time(attributes, "last_event_date", p->last_event_ms);
	return resource(r, "profile", p->id, attributes);
}

static struct json_object *metric_json(const struct readback *r, const struct world_metric *m)
{
	struct json_object *attributes = json_object_new_object();
	struct json_object *integration = json_object_new_object();

	json_set_str(attributes, "name", m->name);
	set_time(attributes, "created", m->created_ms);
	set_time(attributes, "updated", m->updated_ms);
	json_set_str(integration, "object", "integration");
	json_set_str(integration, "id", "0eMvjm");
	json_set_str(integration, "name", "API");
	json_set_str(integration, "category", "API");
	json_object_object_add(attributes, "integration", integration);
	return resource(r, "metric", m->id, attributes);
}

static struct json_object *event_json(const struct readback *r, const struct world_event *e)
{
	struct json_object *attributes = json_object_new_object();
	struct json_object *relationships = json_object_new_object();
	struct json_object *properties = NULL;
	struct json_object *value = NULL;
	struct json_object *o;
	char iso[CLOCK_ISO_MAX], text[64];

	INSIST(json_read(e->properties, strlen(e->properties), &properties, NULL) == 0);
	if (e->value && json_read(e->value, strlen(e->value), &value, NULL) == 0)
		json_object_object_add(properties, "$value", value);
	clock_iso(e->time_ms, iso);
	(void)snprintf(text, sizeof(text), "%.10s %.8s+00:00", iso, iso + 11);
	json_set_int(attributes, "timestamp", e->time_ms / 1000);
	json_object_object_add(attributes, "event_properties", properties);
	json_set_str(attributes, "datetime", text);
	(void)snprintf(text, sizeof(text), "%08" PRIx64 "-0000-1000-8000-%012" PRIx64,
		       (uint64_t)(e->time_ms / 1000) & 0xffffffff, e->n & UINT64_C(0xffffffffffff));
	json_set_str(attributes, "uuid", text);
	o = resource(r, "event", e->id, attributes);
	json_object_object_add(relationships, "profile", reference("profile", e->profile->id));
	json_object_object_add(relationships, "metric", reference("metric", e->metric->id));
	json_object_object_add(o, "relationships", relationships);
	return o;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Returns 1 where the filter holds for the event, 0 where not, -1 where there is no such filter. */
static int event_holds(const struct world_event *e, const struct query_filter *f)
{
	bool is_iso = f->value && strchr(f->value, ':');
	bool wants_iso = strcmp(f->field, "datetime") == 0;
	int64_t ms;

	if (strcmp(f->op, "equals") == 0 && f->value && strcmp(f->field, "metric_id") == 0)
		return strcmp(e->metric->id, f->value) == 0;
	if (strcmp(f->op, "equals") == 0 && f->value && strcmp(f->field, "profile_id") == 0)
		return strcmp(e->profile->id, f->value) == 0;
	if (strcmp(f->op, "has") == 0 && (strcmp(f->field, "profile") == 0 || strcmp(f->field, "metric") == 0))
		return 1;
	/* The remaining filters compare a time: datetime in ISO 8601, timestamp in seconds. */
	if ((!wants_iso && strcmp(f->field, "timestamp") != 0) || !f->value || is_iso != wants_iso ||
	    clock_parse(f->value, strlen(f->value), &ms) < 0)
		return -1;
	if (strcmp(f->op, "greater-or-equal") == 0)
		return e->time_ms >= ms;
	if (strcmp(f->op, "greater-than") == 0)
		return e->time_ms > ms;
	if (strcmp(f->op, "less-or-equal") == 0)
		return e->time_ms <= ms;
	return strcmp(f->op, "less-than") == 0 ? e->time_ms < ms : -1;
}

static int by_time(const void *a, const void *b)
{
	const struct world_event *x = *(const struct world_event *const *)a;
	const struct world_event *y = *(const struct world_event *const *)b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return (x->n > y->n) - (x->n < y->n);
}

static int by_time_down(const void *a, const void *b)
{
	return by_time(b, a);
}

/* The parameters of a request for events. */
struct event_query {
	struct query_filters filters;
	bool down, include_profile, include_metric;
	size_t size;
	struct world_event after; /* the last event of the previous page; only time_ms and n are set */
	bool has_after;
};

static bool read_include(const char *include, struct event_query *q, struct answer *ret)
{
	while (*include != '\0') {
		size_t len = strcspn(include, ",");

		if (len == 7 && strncmp(include, "profile", len) == 0) {
			q->include_profile = true;
		} else if (len == 6 && strncmp(include, "metric", len) == 0) {
			q->include_metric = true;
		} else if (len != 12 || strncmp(include, "attributions", len) != 0) {
			CLEANUP(mem_freep)
			char *detail = mem_fmt("'%.*s' is not an allowed include parameter for this resource.",
					       len > 60 ? 60 : (int)len, include);

			answer_complaint(ret, 400, "include", detail);
			return false;
		}
		include += len + (include[len] == ',');
	}
	return true;
}

static bool read_cursor(const char *cursor, struct event_query *q)
{
	char canonical[64];
	uint64_t n;
	int64_t ms;

	if (sscanf(cursor, "%" SCNd64 ".%" SCNu64, &ms, &n) != 2)
		return false;
	(void)snprintf(canonical, sizeof(canonical), "%" PRId64 ".%" PRIu64, ms, n);
	q->after.time_ms = ms;
	q->after.n = n;
	q->has_after = true;
	return strcmp(canonical, cursor) == 0;
}

/* Reads the parameters; false after answering that one is wrong. */
static bool read_event_query(const struct readback *r, struct event_query *q, struct answer *ret)
{
	const char *sort = pairs_get(r->params, "sort");
	const char *include = pairs_get(r->params, "include");
	const char *cursor = pairs_get(r->params, "page[cursor]");
	const struct world_metric no_metric = {.id = ""};
	const struct world_profile no_profile = {.id = ""};
	const struct world_event no_event = {
		.metric = (struct world_metric *)&no_metric,
		.profile = (struct world_profile *)&no_profile,
	};

	if (!read_filters(r, &q->filters, ret))
		return false;
	for (size_t i = 0; i < q->filters.n; i++) {
		if (event_holds(&no_event, &q->filters.items[i]) < 0) {
			bad_filter(ret, &q->filters.items[i]);
			return false;
		}
	}
	q->down = !sort || *sort == '-';
	if (sort && strcmp(sort + (*sort == '-'), "datetime") != 0 && strcmp(sort + (*sort == '-'), "timestamp") != 0) {
		answer_complaint(ret, 400, "sort", "That is not an allowed sort parameter for this resource.");
		return false;
	}
	if (include && !read_include(include, q, ret))
		return false;
	if (cursor && !read_cursor(cursor, q)) {
		bad_cursor(ret);
		return false;
	}
	q->size = page_size(r, 200, 1000, ret);
	return q->size > 0;
}

static bool event_is_wanted(const struct readback *r, const struct event_query *q, const struct world_event *e)
{
	const struct world_event *after = &q->after;

	if (e->account != r->account || e->duplicate)
		return false;
	if (q->has_after && (q->down ? by_time(&e, &after) >= 0 : by_time(&e, &after) <= 0))
		return false;
	for (size_t i = 0; i < q->filters.n; i++)
		if (event_holds(e, &q->filters.items[i]) <= 0)
			return false;
	return true;
}

/* Returns each profile and metric of the page once. */
static struct json_object *included_of(const struct readback *r, const struct event_query *q,
				       const struct world_event *const *page, size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		bool profile = q->include_profile;
		bool metric = q->include_metric;

		for (size_t k = 0; k < i; k++) {
			profile = profile && page[k]->profile != page[i]->profile;
			metric = metric && page[k]->metric != page[i]->metric;
		}
		if (profile)
			json_object_array_add(list, profile_json(r, page[i]->profile));
		if (metric)
			json_object_array_add(list, metric_json(r, page[i]->metric));
	}
	return list;
}

static void list_events(const struct readback *r, const struct event_query *q, struct answer *ret)
{
	size_t all = world_events(r->world);
	size_t n = 0;
	const struct world_event **wanted = mem_new(all + 1, sizeof(*wanted));
	struct json_object *data = json_object_new_array();
	struct json_object *included = NULL;
	char next[64];
	bool more;

	for (size_t i = 0; i < all; i++) {
		const struct world_event *e = world_event(r->world, i);

		if (event_is_wanted(r, q, e))
			wanted[n++] = e;
	}
	qsort(wanted, n, sizeof(*wanted), q->down ? by_time_down : by_time);
	more = n > q->size;
	if (more) {
		n = q->size;
		(void)snprintf(next, sizeof(next), "%" PRId64 ".%" PRIu64, wanted[n - 1]->time_ms, wanted[n - 1]->n);
	}
	for (size_t i = 0; i < n; i++)
		json_object_array_add(data, event_json(r, wanted[i]));
	if (q->include_profile || q->include_metric)
		included = included_of(r, q, wanted, n);
	free(wanted);
	collection(r, data, included, more ? next : NULL, ret);
}

void readback_events(const struct readback *r, struct answer *ret)
{
	struct event_query q = {0};

	if (read_event_query(r, &q, ret))
		list_events(r, &q, ret);
	query_filters_done(&q.filters);
}

/* ---- metrics, profiles, accounts --------------------------------------------------------------------------------- */

void readback_metrics(const struct readback *r, struct answer *ret)
{
	const char *cursor = pairs_get(r->params, "page[cursor]");
	const char *next = NULL;
	CLEANUP(query_filters_done) struct query_filters filters;
	bool ours = true;
	bool found = !cursor;
	size_t n = 0;
	struct json_object *data;

	if (!read_filters(r, &filters, ret))
		return;
	for (size_t i = 0; i < filters.n; i++) {
		const struct query_filter *f = &filters.items[i];

		if (strcmp(f->op, "equals") != 0 || !f->value ||
		    (strcmp(f->field, "integration.name") != 0 && strcmp(f->field, "integration.category") != 0)) {
			bad_filter(ret, f);
			return;
		}
		ours = ours && text_same(f->value, "API");
	}
	data = json_object_new_array();
	for (const struct world_metric *m = world_metrics(r->world); m && ours && !next; m = m->next) {
		if (m->account != r->account)
			continue;
		if (!found) {
			found = strcmp(m->id, cursor) == 0;
			continue;
		}
		json_object_array_add(data, metric_json(r, m));
		if (++n == 200)
			next = m->id;
	}
	if (!found) {
		json_object_put(data);
		bad_cursor(ret);
		return;
	}
	collection(r, data, NULL, next, ret);
}

static bool profile_holds(const struct world_profile *p, const struct query_filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct query_filter *f = &filters->items[i];
		const char *have = strcmp(f->field, "email") == 0 ? world_email(p) : p->id;

		if (!have || !text_same(have, f->value))
			return false;
	}
	return true;
}

void readback_profiles(const struct readback *r, struct answer *ret)
{
	const char *cursor = pairs_get(r->params, "page[cursor]");
	const char *next = NULL;
	size_t size = page_size(r, 20, 100, ret);
	size_t n = 0;
	CLEANUP(query_filters_done) struct query_filters filters = {.n = 0};
	bool found = !cursor;
	struct json_object *data;

	if (size == 0 || !read_filters(r, &filters, ret))
		return;
	for (size_t i = 0; i < filters.n; i++) {
		const struct query_filter *f = &filters.items[i];

		if (strcmp(f->op, "equals") != 0 || !f->value ||
		    (strcmp(f->field, "email") != 0 && strcmp(f->field, "id") != 0)) {
			bad_filter(ret, f);
			return;
		}
	}
	data = json_object_new_array();
	for (const struct world_profile *p = world_profiles(r->world); p && !next; p = p->next) {
		if (p->account != r->account || !profile_holds(p, &filters))
			continue;
		if (!found) {
			found = strcmp(p->id, cursor) == 0;
			continue;
		}
		json_object_array_add(data, profile_json(r, p));
		if (++n == size)
			next = p->id;
	}
	if (!found) {
		json_object_put(data);
		bad_cursor(ret);
		return;
	}
	collection(r, data, NULL, next, ret);
}

void readback_accounts(const struct readback *r, struct answer *ret)
{
	struct json_object *data = json_object_new_array();
	struct json_object *attributes = json_object_new_object();
	struct json_object *contact = json_object_new_object();

	json_set_str(contact, "default_sender_name", r->account->name);
	json_set_str(contact, "default_sender_email", "sandbox@example.com");
	json_set_str(contact, "organization_name", r->account->name);
	json_set_bool(attributes, "test_account", true);
	json_object_object_add(attributes, "contact_information", contact);
	json_set_str(attributes, "timezone", "UTC");
	json_set_str(attributes, "preferred_currency", "USD");
	json_set_str(attributes, "public_api_key", r->account->id);
	json_set_str(attributes, "locale", "en-US");
	json_object_array_add(data, resource(r, "account", r->account->id, attributes));
	collection(r, data, NULL, NULL, ret);
}
