/* SPDX-License-Identifier: MIT */
/*
 * event: one metric event for one person, frozen when queued. Plain data and pure functions.
 */
#ifndef DECISION_EVENT_H
#define DECISION_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "helpdesk/expr/webhook.h"

#define EVENT_UNIQUE_ID_LEN 32

enum event_state {
	EVENT_READY,
	EVENT_DELIVERED,
	EVENT_DEAD,
};
const char *event_state_name(enum event_state s); /* "ready", "delivered", "dead" */
int event_state_parse(const char *s, enum event_state *ret) MUSTCHECK;

struct event {
	/* frozen */
	int64_t id; /* the store's; shown as %016x */
	char *account;
	/* Of the account when it was queued: a sandbox's events never reach production. "": the account was not
	 * configured then; it gets the account's url when that is configured again. */
	char *url;
	char *email;
	char *metric;
	char unique_id[EVENT_UNIQUE_ID_LEN + 1];
	char *source;
	char *conversation;
	int64_t webhook; /* 0: none (an expiry) */
	enum transition transition;
	int64_t time_ms;     /* when it happened, by the helpdesk */
	int64_t received_ms; /* our receipt: max_age counts from here */
	char *properties;    /* JSON object text, flat */
	char *profile;       /* JSON object text: the profile properties, flags among them */
	bool has_value;
	double value;
	bool backfill;   /* always */
	int64_t late_ms; /* goes out as backfill when older than this at sending; CLOCK_NEVER_MS: never */

	/* its way */
	enum event_state state;
	int64_t created_ms; /* queued */
	unsigned attempts;  /* requests that ended in a retry, and the one that was taken or refused for good */
	int64_t due_ms;     /* ready: next attempt */
	char *reason;       /* of the last outcome, for people; NULL: none. For a dead letter: why */
};

void event_done(struct event *e); /* frees what it holds, not e */

/*
 * The first 32 hexadecimal digits of SHA-256 over source NUL conversation NUL transition NUL time NUL metric NUL email.
 * has_time: time_ms in decimal; else "#" and received_ms in decimal.
 */
void event_unique_id(char out[EVENT_UNIQUE_ID_LEN + 1], const char *source, const char *conversation,
		     enum transition transition, bool has_time, int64_t time_ms, int64_t received_ms,
		     const char *metric, const char *email);

/* Whether this event goes out as backfill when sent at now_ms. */
bool event_is_backfill(const struct event *e, int64_t now_ms);
/* Whether two events of one person set their profile differently, so that person_gap must lie between them. Any
 * difference counts; NULL: no such event. */
bool event_changes_profile(const char *profile_before, const char *profile_after);

#endif
