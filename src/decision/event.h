/* SPDX-License-Identifier: MIT */
/*
 * event: one metric event for one person; its content is frozen when it is queued. Plain data and pure functions.
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
	/* One allocation for the texts from `account` to `profile`; NULL: each text is an allocation of its own. The
	 * reason is always one. */
	char *texts;

	/* frozen */
	int64_t id; /* the store's number; shown as %016x */
	char *account;
	/* The account's URL at the time of queueing, so that a sandbox's events never reach production. "": the account
	 * was not configured then; the event gets the URL when the account is configured again. */
	char *url;
	char *email;
	char *metric;
	char unique_id[EVENT_UNIQUE_ID_LEN + 1];
	char *source;
	char *conversation;
	int64_t webhook; /* 0: none (an expiry) */
	enum transition transition;
	int64_t time_ms;     /* the helpdesk's time, or the receipt where it gave none */
	int64_t received_ms; /* our receipt; max_age counts from here */
	char *properties;    /* JSON object text, flat */
	char *profile;       /* JSON object text: the profile properties, flags among them */
	bool has_value;
	double value;
	bool backfill;   /* always sent as backfill */
	int64_t late_ms; /* an event older than this when sent is backfill; CLOCK_NEVER_MS: none is */

	/* delivery */
	enum event_state state;
	int64_t created_ms; /* queued */
	unsigned attempts;  /* requests that ended in a retry, and the one that was accepted or refused for good */
	int64_t due_ms;     /* ready: the time of the next attempt */
	char *reason;       /* of the last outcome, for people; NULL: none. Of a dead letter: why it is one */
};

void event_done(struct event *e); /* frees the members, not e */

/*
 * Writes the first 32 hexadecimal digits of SHA-256 over source NUL conversation NUL transition NUL time NUL metric NUL
 * email. time: the event's time_ms in decimal, after a "#" where the helpdesk gave none, so that it is the receipt.
 *
 * So events with the same unique_id have the same time_ms; the store relies on this.
 */
void event_unique_id(char out[EVENT_UNIQUE_ID_LEN + 1], const char *source, const char *conversation,
		     enum transition transition, bool has_time, int64_t time_ms, const char *metric, const char *email);

/* True where the event is backfill when sent at now_ms. */
bool event_is_backfill(const struct event *e, int64_t now_ms);
/* True where two events of one person set different profiles, so that person_gap must lie between them. Each is the
 * profile's JSON; NULL: no such event. */
bool event_changes_profile(const char *profile_before, const char *profile_after);

#endif
