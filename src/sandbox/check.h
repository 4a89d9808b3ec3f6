/* SPDX-License-Identifier: MIT */
/*
 * check: checks a body by the rules of Klaviyo's documentation and reads its events. Pure.
 *
 * The rules:
 *
 * - the shape, required members and their types
 * - at least one identifier of the profile; a well-formed e-mail address
 * - a metric name of under 128 characters
 * - at most 400 properties (300 before revision 2025-04-15), ten levels deep
 * - strings of at most 100 KB, arrays of at most 4,000 items
 * - times from 1990 (2000 before revision 2026-07-15) to a year from now
 * - no unknown members under attributes (`backfill` is unknown before revision 2026-04-15)
 * - in bulk: at most 1,000 events; no unique_id twice for the same profile and metric
 *
 * A bulk request with one wrong item is refused as a whole. Every wrong item gets a complaint.
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

/* An event of a body. Everything except person is borrowed from the body. */
struct check_event {
	char *person; /* whose event it is: "email:jo@example.com", by the first identifier present */
	const char *email, *metric, *unique_id; /* email, unique_id: NULL where absent */
	int64_t time_ms;                        /* whole seconds */
	bool backfill;
	struct json_object *properties;         /* of the event */
	struct json_object *profile_properties; /* NULL where absent */
	struct json_object *profile;            /* the profile's attributes */
	struct json_object *value;              /* NULL where absent */
};

/* The result of a check. The events are valid only where there are no complaints. */
struct check_result {
	struct check_event *events;
	size_t n;
	struct complaints complaints;
	bool phone_ignored; /* bad phone number, but an address: X-Klaviyo-Partial-Failure */
};

struct check_rules {
	const char *revision; /* "2026-07-15" */
	int64_t now_ms;
};

/* body: NULL where the request's body is not JSON. *ret need not be initialised. It borrows from body: call
 * check_result_done() before body is freed. */
void check_single(struct json_object *body, const struct check_rules *rules, struct check_result *ret);
void check_bulk(struct json_object *body, const struct check_rules *rules, struct check_result *ret);
void check_result_done(struct check_result *r);

/* True where an event in the body, valid or not, single or bulk, is for this address. */
bool check_concerns(struct json_object *body, const char *email);

/* True for a well-formed address. Public for tests. */
bool check_email(const char *email);

#endif
