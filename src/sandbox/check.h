/* SPDX-License-Identifier: MIT */
/*
 * check: whether a body is what Klaviyo's documentation allows, and the events in it. Pure.
 *
 * Rules: shape and required members, types, at least one identifier, a well-formed e-mail address, metric name under
 * 128 characters, at most 400 properties (300 before revision 2025-04-15), strings of at most 100 KB, arrays of at most
 * 4,000 items, ten levels; times from 1990 (2000 before 2026-07-15) to a year from now; no unknown members under
 * attributes (`backfill` is unknown before 2026-04-15). In bulk besides: at most 1,000 events, no unique_id twice for
 * the same profile and metric; every wrong item is named, and one of them refuses the whole request.
 */
#ifndef SANDBOX_CHECK_H
#define SANDBOX_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "sandbox/answer.h"

#define CHECK_BODY_MAX 5000000 /* bytes of a request: 5 MB */
#define CHECK_EVENTS_MAX 1000  /* of a bulk request */

/* One event of a body. All but person is borrowed from the body. */
struct check_event {
	char *person; /* who it is for: "email:jo@example.com", else by the first identifier that is there */
	const char *email, *metric, *unique_id; /* email, unique_id: NULL where absent */
	int64_t time_ms;                        /* whole seconds */
	bool backfill;
	struct json_object *properties;         /* of the event */
	struct json_object *profile_properties; /* NULL where absent */
	struct json_object *profile;            /* the profile's attributes */
	struct json_object *value;              /* NULL where absent */
};

/* What came of it. Events are good only where there are no complaints. */
struct check_result {
	struct check_event *events;
	size_t n;
	struct complaints complaints;
	bool phone_ignored; /* a bad phone number beside a good address: X-Klaviyo-Partial-Failure */
};

struct check_rules {
	const char *revision; /* "2026-07-15" */
	int64_t now_ms;
};

/* body: NULL for what was no JSON. *ret need not be set before; check_result_done() frees it while body still lives. */
void check_single(struct json_object *body, const struct check_rules *rules, struct check_result *ret);
void check_bulk(struct json_object *body, const struct check_rules *rules, struct check_result *ret);
void check_result_done(struct check_result *r);

/* Whether some event in the body, right or wrong, single or bulk, is for this address. */
bool check_concerns(struct json_object *body, const char *email);

/* Whether this is a well-formed address. For the two checks, and for tests. */
bool check_email(const char *email);

#endif
