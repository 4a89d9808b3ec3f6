/*
 * scheduler: when an account's next request may go, and what follows from an outcome. Pure: time (that must not go
 * back) and chance come by parameter. One a (account, lane), owned by the courier.
 *
 *   OPEN ── park outcome ──▶ PARKED ── probe time, or key or configuration changed ──▶ PROBING ── 2xx ──▶ OPEN
 *                               ▲──────────────── park outcome again (1 min doubling to 15) ──┘
 *
 * PROBING is one request alone; so are start, reload and un-parking (quota's `alone`). Only a 2xx ends it: a refused
 * event (reject) or trouble (retry) leaves PROBING, and the next event is the next probe.
 *
 * Requests that went out before the last park, or before the last renewal, come back as strangers: what they say about
 * the key is about another one. `epoch` tells them apart: note it at sending, give it back with the outcome.
 */
#ifndef DELIVERY_SCHEDULER_H
#define DELIVERY_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "klaviyo/outcome.h"
#include "klaviyo/quota.h"

#define SCHEDULER_IN_FLIGHT_SINGLE 16
#define SCHEDULER_WINDOW 48 /* events an account's courier may hold: in flight and in the tray */
#define SCHEDULER_PROBE_FIRST_MS (60 * 1000)
#define SCHEDULER_PROBE_LAST_MS (15 * 60 * 1000)
#define SCHEDULER_BACKOFF_FIRST_MS 1000
#define SCHEDULER_BACKOFF_LAST_MS (5 * 60 * 1000)

enum scheduler_state {
	SCHEDULER_OPEN,
	SCHEDULER_PARKED,
	SCHEDULER_PROBING,
};

struct scheduler {
	enum scheduler_state state;
	struct quota quota;
	unsigned in_flight;
	unsigned epoch;        /* counts parks and renewals */
	int64_t probe_at_ms;   /* PARKED */
	int64_t probe_wait_ms; /* the wait before that probe; doubles */
};

void scheduler_init(struct scheduler *s, const struct quota_limits *limits, int64_t now_ms);
/* Key or configuration changed: PARKED becomes PROBING at once; one request alone first in any case. */
void scheduler_renew(struct scheduler *s, const struct quota_limits *limits);
/* How many events may be held now: 0 while parked, 1 while probing, else SCHEDULER_WINDOW. */
unsigned scheduler_window(const struct scheduler *s);
/* PARKED whose probe time has come: becomes PROBING and true. */
bool scheduler_tick(struct scheduler *s, int64_t now_ms);
/* now_ms where one more request may go now, else when to ask again; CLOCK_NEVER_MS: when something returns. */
int64_t scheduler_next_ms(struct scheduler *s, int64_t now_ms);
/* One goes out. Returns its epoch. */
unsigned scheduler_sent(struct scheduler *s, int64_t now_ms) MUSTCHECK;
/* One came back. jitter: 0…1. Returns true where the state changed (parked, un-parked). */
bool scheduler_returned(struct scheduler *s, unsigned epoch, const struct outcome_verdict *v, double jitter,
			int64_t now_ms);

/* Exponential back-off with full jitter: 0…min(last, first × 2^attempts), at least a tenth of a second. chance: 0…1. */
int64_t scheduler_backoff_ms(unsigned attempts, double chance);

#endif
