/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sandbox/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/percent.h"
#include "base/text.h"

#define JSON "application/json"

/* Parses a JSON text that the world wrote; NULL gives null. */
static struct json_object *json_of(const char *text)
{
	struct json_object *o = NULL;

	INSIST(!text || json_read(text, strlen(text), &o, NULL) == 0);
	return o;
}

static void set_time(struct json_object *o, const char *key, int64_t ms)
{
	char iso[CLOCK_ISO_MAX];

	clock_iso(ms, iso);
	json_set_str(o, key, iso);
}

/* As json_set_str(), but sets null where value is NULL. */
static void set_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

static struct json_object *event_json(const struct world_event *e)
{
	struct json_object *o = json_object_new_object();

	json_set_int(o, "n", (int64_t)e->n);
	json_set_int(o, "received_at", e->received_ms);
	set_text(o, "account", e->account->name);
	set_text(o, "email", world_email(e->profile));
	set_text(o, "metric", e->metric->name);
	set_time(o, "time", e->time_ms);
	set_text(o, "unique_id", e->unique_id);
	json_set_bool(o, "backfill", e->backfill);
	json_object_object_add(o, "value", json_of(e->value));
	json_object_object_add(o, "properties", json_of(e->properties));
	json_object_object_add(o, "profile_properties",
			       e->profile_properties ? json_of(e->profile_properties) : json_object_new_object());
	json_set_bool(o, "duplicate", e->duplicate);
	return o;
}

static uint64_t number(const struct pairs *params, const char *name, uint64_t otherwise)
{
	const char *text = pairs_get(params, name);
	uint64_t n;

	return text && text_digits(text, strlen(text), INT64_MAX, &n) == 0 ? n : otherwise;
}

static void get_events(struct state *s, struct http_exchange *x, struct answer *ret)
{
	struct json_object *list = json_object_new_array();
	struct pairs params = {0};
	size_t i = 0;
	uint64_t after, limit;
	size_t all;

	percent_read_query(x->query, &params);
	after = number(&params, "after", 0);
	limit = number(&params, "limit", INSPECT_EVENTS_MAX);
	pairs_done(&params);
	if (limit > INSPECT_EVENTS_MAX)
		limit = INSPECT_EVENTS_MAX;

	lock_acquire(&s->lock);
	all = world_events(s->world);
	/* The numbers of events have no gaps. */
	if (all > 0 && after >= world_event(s->world, 0)->n) {
		uint64_t skip = after - world_event(s->world, 0)->n + 1;

		i = skip < all ? (size_t)skip : all;
	}
	for (; i < all && json_object_array_length(list) < limit; i++)
		json_object_array_add(list, event_json(world_event(s->world, i)));
	lock_release(&s->lock);
	answer_json(ret, 200, JSON, list);
}

static void get_profiles(struct state *s, struct http_exchange *x, struct answer *ret)
{
	struct json_object *list = json_object_new_array();

	(void)x;
	lock_acquire(&s->lock);
	for (const struct world_profile *p = world_profiles(s->world); p; p = p->next) {
		struct json_object *o = json_object_new_object();
		struct json_object *properties = NULL;

		INSIST(json_object_deep_copy(p->properties, &properties, NULL) == 0);
		set_text(o, "account", p->account->name);
		set_text(o, "id", p->id);
		set_text(o, "email", world_email(p));
		json_object_object_add(o, "properties", properties);
		json_set_int(o, "events", (int64_t)p->events);
		set_time(o, "updated", p->updated_ms);
		json_object_array_add(list, o);
	}
	lock_release(&s->lock);
	answer_json(ret, 200, JSON, list);
}

static void get_stats(struct state *s, struct http_exchange *x, struct answer *ret)
{
	struct json_object *o = json_object_new_object();
	struct json_object *by_status = json_object_new_object();
	const struct world_counts *counts;
	uint64_t requests;

	(void)x;
	lock_acquire(&s->lock);
	counts = world_counts(s->world);
	json_set_int(o, "received", (int64_t)counts->received);
	json_set_int(o, "recorded", (int64_t)counts->recorded);
	json_set_int(o, "duplicates", (int64_t)counts->duplicates);
	json_set_int(o, "dropped", (int64_t)counts->dropped);
	requests = s->cut;
	for (unsigned i = 0; i < STATE_STATUS_MAX; i++) {
		char status[8];

		if (s->by_status[i] == 0)
			continue;
		(void)snprintf(status, sizeof(status), "%u", i % 1000);
		json_set_int(by_status, status, (int64_t)s->by_status[i]);
		requests += s->by_status[i];
	}
	if (s->cut > 0)
		json_set_int(by_status, "cut", (int64_t)s->cut);
	json_set_int(o, "requests", (int64_t)requests);
	json_object_object_add(o, "by_status", by_status);
	json_set_int(o, "concurrent", s->concurrent);
	json_set_int(o, "peak_concurrent", s->peak_concurrent);
	lock_release(&s->lock);
	answer_json(ret, 200, JSON, o);
}

static void get_faults(struct state *s, struct http_exchange *x, struct answer *ret)
{
	struct json_object *list;

	(void)x;
	lock_acquire(&s->lock);
	list = faults_json(&s->faults);
	lock_release(&s->lock);
	answer_json(ret, 200, JSON, list);
}

static int add_lines(struct faults *f, const char *text, int64_t now_ms, struct err *reterr)
{
	CLEANUP(mem_freep) char *copy = mem_str(text);
	char *rest = copy;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		int r;

		line = text_trim(line);
		if (*line == '\0')
			continue;
		r = faults_add(f, line, now_ms, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The lines are added to a list of their own first, so that a wrong line changes nothing. */
static void post_faults(struct state *s, struct http_exchange *x, struct answer *ret)
{
	struct faults parsed = {0};
	struct err err;
	int r;

	r = add_lines(&parsed, x->body, x->received_mono_ms, &err);
	lock_acquire(&s->lock);
	if (r == 0 && s->faults.n + parsed.n > FAULTS_MAX)
		r = err_set(&err, -ENOSPC, "more than %d faults", FAULTS_MAX);
	if (r == 0)
		r = add_lines(&s->faults, x->body, x->received_mono_ms, &err);
	lock_release(&s->lock);
	faults_clear(&parsed);
	if (r == 0) {
		get_faults(s, x, ret);
		return;
	}
	answer_error(ret, 400, err.text);
}

static void delete_faults(struct state *s, struct http_exchange *x, struct answer *ret)
{
	lock_acquire(&s->lock);
	faults_clear(&s->faults);
	lock_release(&s->lock);
	get_faults(s, x, ret);
}

static void delete_events(struct state *s, struct http_exchange *x, struct answer *ret)
{
	lock_acquire(&s->lock);
	world_clear(s->world);
	memset(s->by_status, 0, sizeof(s->by_status));
	s->cut = 0;
	s->peak_concurrent = s->concurrent;
	lock_release(&s->lock);
	get_stats(s, x, ret);
}

static void get_customers(struct state *s, struct http_exchange *x, struct answer *ret)
{
	(void)x;
	lock_acquire(&s->lock);
	desk_list(&s->desk, ret);
	lock_release(&s->lock);
}

static void post_customers(struct state *s, struct http_exchange *x, struct answer *ret)
{
	lock_acquire(&s->lock);
	desk_post(&s->desk, x->body, ret);
	lock_release(&s->lock);
}

void inspect_serve(struct state *s, struct http_exchange *x, struct answer *ret)
{
	static const struct {
		const char *method, *path;
		void (*serve)(struct state *s, struct http_exchange *x, struct answer *ret);
	} paths[] = {
		{"GET", "/sandbox/events", get_events},         {"DELETE", "/sandbox/events", delete_events},
		{"GET", "/sandbox/profiles", get_profiles},     {"GET", "/sandbox/stats", get_stats},
		{"GET", "/sandbox/faults", get_faults},         {"POST", "/sandbox/faults", post_faults},
		{"DELETE", "/sandbox/faults", delete_faults},   {"GET", "/sandbox/customers", get_customers},
		{"POST", "/sandbox/customers", post_customers},
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(paths[i].path, x->path) == 0 && strcmp(paths[i].method, x->method) == 0) {
			paths[i].serve(s, x, ret);
			return;
		}
	}
	answer_error(ret, 404,
		     "a sandbox for Klaviyo: /api/… as Klaviyo has it; GET /sandbox/events, /sandbox/profiles, "
		     "/sandbox/stats, /sandbox/faults; POST or DELETE /sandbox/faults; DELETE /sandbox/events; GET or "
		     "POST /sandbox/customers");
}
