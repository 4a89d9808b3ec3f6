/* SPDX-License-Identifier: MIT */
/*
 * Three search trees of glibc (tsearch) find profiles by account and person, metrics by account and name, and recorded
 * events by profile, metric and unique_id. The order of arrival is kept separately: events in a ring, profiles and
 * metrics in lists.
 */
#include <config.h>

#include "sandbox/world.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#define RING_FIRST 1024

struct world {
	struct world_account *accounts[WORLD_ACCOUNTS_MAX];
	size_t accounts_n;
	struct world_event **ring;
	size_t ring_size, first, n, max;
	struct world_profile *profiles, *last_profile;
	struct world_metric *metrics, *last_metric;
	void *by_person, *by_name, *by_unique_id; /* tsearch */
	struct world_counts counts;
	uint64_t made; /* profiles and metrics created so far, for their ids */
};

struct world *world_new(size_t max_events)
{
	struct world *w = mem_new(1, sizeof(*w));

	INSIST(max_events > 0);
	w->max = max_events;
	return w;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static int order(const void *a, const void *b)
{
	return (a > b) - (a < b);
}

static int compare_profiles(const void *a, const void *b)
{
	const struct world_profile *x = a;
	const struct world_profile *y = b;
	int r = order(x->account, y->account);

	return r != 0 ? r : strcmp(x->person, y->person);
}

static int compare_metrics(const void *a, const void *b)
{
	const struct world_metric *x = a;
	const struct world_metric *y = b;
	int r = order(x->account, y->account);

	return r != 0 ? r : strcmp(x->name, y->name);
}

/* Events without a unique_id are compared by their time to the second. A unique_id never equals a time. */
static int compare_events(const void *a, const void *b)
{
	const struct world_event *x = a;
	const struct world_event *y = b;
	int r = order(x->profile, y->profile);

	if (r == 0)
		r = order(x->metric, y->metric);
	if (r != 0)
		return r;
	if (x->unique_id && y->unique_id)
		return strcmp(x->unique_id, y->unique_id);
	if (x->unique_id || y->unique_id)
		return x->unique_id ? 1 : -1;
	return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

struct world_account *world_account(struct world *w, const char *name)
{
	struct world_account *a;

	for (size_t i = 0; i < w->accounts_n; i++)
		if (strcmp(w->accounts[i]->name, name) == 0)
			return w->accounts[i];
	if (w->accounts_n == WORLD_ACCOUNTS_MAX)
		return NULL;
	a = mem_new(1, sizeof(*a));
	a->name = mem_str(name);
	(void)snprintf(a->id, sizeof(a->id), "SB%04zu", w->accounts_n + 1);
	w->accounts[w->accounts_n++] = a;
	return a;
}

static struct world_profile *take_profile(struct world *w, struct world_account *account, char *person, int64_t now_ms)
{
	struct world_profile key = {.account = account, .person = person};
	struct world_profile *p;
	void *found = tfind(&key, &w->by_person, compare_profiles);

	if (found)
		return *(struct world_profile **)found;
	p = mem_new(1, sizeof(*p));
	p->account = account;
	p->person = mem_str(person);
	(void)snprintf(p->id, sizeof(p->id), "01SANDBOX%017" PRIu64, ++w->made);
	p->attributes = json_object_new_object();
	p->properties = json_object_new_object();
	p->created_ms = now_ms;
	p->previous = w->last_profile;
	*(w->last_profile ? &w->last_profile->next : &w->profiles) = p;
	w->last_profile = p;
	INSIST(tsearch(p, &w->by_person, compare_profiles));
	return p;
}

static struct world_metric *take_metric(struct world *w, struct world_account *account, const char *name,
					int64_t now_ms)
{
	CLEANUP(mem_freep) char *copy = mem_str(name);
	struct world_metric key = {.account = account, .name = copy};
	struct world_metric *m;
	void *found = tfind(&key, &w->by_name, compare_metrics);

	if (found)
		return *(struct world_metric **)found;
	m = mem_new(1, sizeof(*m));
	m->account = account;
	m->name = TAKE(copy);
	(void)snprintf(m->id, sizeof(m->id), "M%05" PRIX64, ++w->made);
	m->created_ms = now_ms;
	m->previous = w->last_metric;
	*(w->last_metric ? &w->last_metric->next : &w->metrics) = m;
	w->last_metric = m;
	INSIST(tsearch(m, &w->by_name, compare_metrics));
	return m;
}

/* ---- forgetting -------------------------------------------------------------------------------------------------- */

static void forget_profile(struct world *w, struct world_profile *p)
{
	(void)tdelete(p, &w->by_person, compare_profiles);
	*(p->previous ? &p->previous->next : &w->profiles) = p->next;
	*(p->next ? &p->next->previous : &w->last_profile) = p->previous;
	json_object_put(p->attributes);
	json_object_put(p->properties);
	free(p->person);
	free(p);
}

static void forget_metric(struct world *w, struct world_metric *m)
{
	(void)tdelete(m, &w->by_name, compare_metrics);
	*(m->previous ? &m->previous->next : &w->metrics) = m->next;
	*(m->next ? &m->next->previous : &w->last_metric) = m->previous;
	free(m->name);
	free(m);
}

static void forget_oldest(struct world *w)
{
	struct world_event *e = w->ring[w->first];

	w->ring[w->first] = NULL;
	w->first = (w->first + 1) % w->ring_size;
	w->n--;
	if (!e->duplicate)
		(void)tdelete(e, &w->by_unique_id, compare_events);
	if (--e->profile->events == 0)
		forget_profile(w, e->profile);
	if (--e->metric->events == 0)
		forget_metric(w, e->metric);
	free(e->unique_id);
	free(e->properties);
	free(e->profile_properties);
	free(e->value);
	free(e);
}

void world_clear(struct world *w)
{
	while (w->n > 0)
		forget_oldest(w);
	w->counts = (struct world_counts){0};
}

void world_free(struct world *w)
{
	if (!w)
		return;
	world_clear(w);
	for (size_t i = 0; i < w->accounts_n; i++) {
		free(w->accounts[i]->name);
		free(w->accounts[i]);
	}
	free(w->ring);
	free(w);
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

/* Merges copies of the members of `from` into `to`. They are copied, as the request's tree belongs to another thread.
 * attributes: skips properties and meta. */
static void merge_into(struct json_object *to, struct json_object *from, bool attributes)
{
	json_object_object_foreach(from, key, value)
	{
		struct json_object *copy = NULL;

		if (attributes && (strcmp(key, "properties") == 0 || strcmp(key, "meta") == 0))
			continue;
		INSIST(!value || json_object_deep_copy(value, &copy, NULL) == 0);
		json_object_object_add(to, key, copy);
	}
}

static void ring_add(struct world *w, struct world_event *e)
{
	if (w->n == w->max) {
		forget_oldest(w);
		w->counts.dropped++;
	}
	if (w->n == w->ring_size) {
		size_t size = w->ring_size == 0 ? RING_FIRST : w->ring_size * 2;
		struct world_event **ring = mem_new(size, sizeof(struct world_event *));

		for (size_t i = 0; i < w->n; i++)
			ring[i] = w->ring[(w->first + i) % w->ring_size];
		free(w->ring);
		w->ring = ring;
		w->ring_size = size;
		w->first = 0;
	}
	w->ring[(w->first + w->n++) % w->ring_size] = e;
}

const struct world_event *world_take(struct world *w, struct world_account *account, const struct check_event *from,
				     int64_t now_ms)
{
	struct world_event *e = mem_new(1, sizeof(*e));

	e->n = ++w->counts.received;
	(void)snprintf(e->id, sizeof(e->id), "E%010" PRIX64, e->n);
	e->received_ms = now_ms;
	e->time_ms = from->time_ms;
	e->account = account;
	e->profile = take_profile(w, account, from->person, now_ms);
	e->metric = take_metric(w, account, from->metric, now_ms);
	e->unique_id = mem_str(from->unique_id);
	e->properties = json_text(from->properties);
	e->profile_properties = from->profile_properties ? json_text(from->profile_properties) : NULL;
	e->value = from->value ? json_text(from->value) : NULL;
	e->backfill = from->backfill;
	e->duplicate = tfind(e, &w->by_unique_id, compare_events) != NULL;
	if (e->duplicate) {
		w->counts.duplicates++;
	} else {
		w->counts.recorded++;
		INSIST(tsearch(e, &w->by_unique_id, compare_events));
	}

	e->profile->events++;
	e->profile->updated_ms = now_ms;
	if (e->time_ms > e->profile->last_event_ms)
		e->profile->last_event_ms = e->time_ms;
	merge_into(e->profile->attributes, from->profile, true);
	if (from->profile_properties)
		merge_into(e->profile->properties, from->profile_properties, false);
	e->metric->events++;
	e->metric->updated_ms = now_ms;
	ring_add(w, e);
	return e;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

const struct world_counts *world_counts(const struct world *w)
{
	return &w->counts;
}

size_t world_events(const struct world *w)
{
	return w->n;
}

const struct world_event *world_event(const struct world *w, size_t i)
{
	INSIST(i < w->n);
	return w->ring[(w->first + i) % w->ring_size];
}

const struct world_profile *world_profiles(const struct world *w)
{
	return w->profiles;
}

const struct world_metric *world_metrics(const struct world *w)
{
	return w->metrics;
}

const char *world_email(const struct world_profile *p)
{
	return json_member_str(p->attributes, "email");
}
