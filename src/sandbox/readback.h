/* SPDX-License-Identifier: MIT */
/*
 * readback: Klaviyo's GET endpoints, as far as needed to check a key and to see the events that arrived.
 *
 *   /api/events    filter metric_id and profile_id (equals), profile and metric (has), datetime and timestamp (the four
 *                  comparisons); sort datetime or timestamp, "-" for newest first (which is the default); include
 *                  profile, metric; page[size] 1…1000
 *   /api/metrics   filter integration.name, integration.category (equals); all of ours are "API"
 *   /api/profiles  filter email, id (equals); page[size] 1…100
 *   /api/accounts
 * fields[TYPE] selects attributes. links.next leads to the next page. An answer has no unique_id, as Klaviyo's have
 * none.
 *
 * The caller holds the sandbox's lock.
 */
#ifndef SANDBOX_READBACK_H
#define SANDBOX_READBACK_H

#include "sandbox/answer.h"
#include "sandbox/world.h"

struct readback {
	const struct world *world;
	const struct world_account *account;
	const char *base;           /* "http://127.0.0.1:8181" */
	const char *path;           /* "/api/events" */
	const struct pairs *params; /* decoded */
};

void readback_events(const struct readback *r, struct answer *ret);
void readback_metrics(const struct readback *r, struct answer *ret);
void readback_profiles(const struct readback *r, struct answer *ret);
void readback_accounts(const struct readback *r, struct answer *ret);

#endif
