/* SPDX-License-Identifier: MIT */
/*
 * world: the data that Klaviyo would hold, in memory: accounts with their profiles, metrics and events.
 *
 * An event of the same profile, metric and unique_id as an earlier one is kept as a duplicate: it counts as received,
 * not as recorded. Where an event has no unique_id, its time to the second takes its place, as with Klaviyo. Every
 * accepted event updates its profile, even a duplicate. At most max_events are held; then the oldest is dropped, and
 * its unique_id is forgotten. A profile or metric is dropped with its last event.
 *
 * Not thread-safe: the caller holds the sandbox's lock. Returned pointers are borrowed until the next world_take(),
 * world_clear() or world_free().
 */
#ifndef SANDBOX_WORLD_H
#define SANDBOX_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "sandbox/check.h"
#include "sandbox/access.h"

#define WORLD_ACCOUNTS_MAX 256
#define WORLD_ID_MAX 27
#define WORLD_ENDPOINTS_MAX 8

struct world_account {
	char *name;
	char id[WORLD_ID_MAX];
	struct throttle throttles[WORLD_ENDPOINTS_MAX]; /* by endpoint; used by api.c */
};

struct world_profile {
	struct world_profile *next, *previous; /* in order of creation */
	struct world_account *account;
	char id[WORLD_ID_MAX];
	char *person;                   /* check_event's */
	struct json_object *attributes; /* as last sent, without properties and meta */
	struct json_object *properties;
	int64_t created_ms, updated_ms, last_event_ms;
	size_t events; /* the number of its events that are held */
};

struct world_metric {
	struct world_metric *next, *previous;
	struct world_account *account;
	char id[WORLD_ID_MAX];
	char *name;
	int64_t created_ms, updated_ms;
	size_t events;
};

struct world_event {
	uint64_t n; /* from 1, in order of arrival */
	char id[WORLD_ID_MAX];
	int64_t received_ms, time_ms;
	struct world_account *account;
	struct world_profile *profile;
	struct world_metric *metric;
	char *unique_id;          /* NULL: none was sent */
	char *properties;         /* JSON text */
	char *profile_properties; /* JSON text, or NULL */
	char *value;              /* JSON text, or NULL */
	bool backfill, duplicate;
};

struct world_counts {
	uint64_t received, recorded, duplicates, dropped;
};

struct world;

struct world *world_new(size_t max_events);
void world_free(struct world *w); /* NULL allowed */
/* Forgets everything except the accounts and their quota windows. */
void world_clear(struct world *w);

/* Returns the account, which is created where it is new; NULL where there are WORLD_ACCOUNTS_MAX already. */
struct world_account *world_account(struct world *w, const char *name);
/* Stores an event that passed its check. */
const struct world_event *world_take(struct world *w, struct world_account *account, const struct check_event *e,
				     int64_t now_ms);

const struct world_counts *world_counts(const struct world *w);
size_t world_events(const struct world *w);
const struct world_event *world_event(const struct world *w, size_t i); /* 0: the oldest */
const struct world_profile *world_profiles(const struct world *w);      /* the first; ->next leads to the others */
const struct world_metric *world_metrics(const struct world *w);
const char *world_email(const struct world_profile *p); /* or NULL */

#endif
