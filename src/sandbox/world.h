/* SPDX-License-Identifier: MIT */
/*
 * world: what Klaviyo would hold: accounts with their profiles, metrics and events, in memory.
 *
 * An event of the same profile, metric and unique_id as an earlier one is kept as a duplicate: received, not recorded.
 * Without a unique_id its time to the second stands in, as with Klaviyo. Every accepted event, duplicates too, updates
 * its profile. At most max_events are held; the oldest goes first, and with the last event of a profile or metric the
 * profile or metric goes too. A dropped event's unique_id is forgotten.
 *
 * Not thread-safe: the sandbox holds one lock around it. All that is returned is borrowed, until the next world_take,
 * world_clear or world_free.
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
	struct throttle throttles[WORLD_ENDPOINTS_MAX]; /* by endpoint; the sandbox's */
};

struct world_profile {
	struct world_profile *next, *previous; /* in order of their making */
	struct world_account *account;
	char id[WORLD_ID_MAX];
	char *person;                   /* check_event's */
	struct json_object *attributes; /* all but properties and meta, as last sent */
	struct json_object *properties;
	int64_t created_ms, updated_ms, last_event_ms;
	size_t events; /* that are held */
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
/* Forgets all but the accounts and their windows. */
void world_clear(struct world *w);

/* Made where it is new; NULL where there are WORLD_ACCOUNTS_MAX. */
struct world_account *world_account(struct world *w, const char *name);
/* Takes one event that was found right. */
const struct world_event *world_take(struct world *w, struct world_account *account, const struct check_event *e,
				     int64_t now_ms);

const struct world_counts *world_counts(const struct world *w);
size_t world_events(const struct world *w);
const struct world_event *world_event(const struct world *w, size_t i); /* 0: the oldest */
const struct world_profile *world_profiles(const struct world *w);      /* the first; then ->next */
const struct world_metric *world_metrics(const struct world *w);
const char *world_email(const struct world_profile *p); /* or NULL */

#endif
