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
 * Odd answers (outcome.h) may concern the event or the account; the others' answers decide (DESIGN section 13):
 *
 * - Odd answers to three different people without a 2xx between them park the account. A 2xx to a request that was
 *   under way at that moment takes this park back.
 * - While PROBING, an odd answer is a park outcome for its event: its tries do not count, and it does not age. It parks
 *   the account again where odd answers had parked it, where that person had one in this probing already, or where it
 *   is the third person. So one person's odd answers keep no account parked whose key was mended.
 * - While OPEN, an event's odd tries count as its own. Beyond the first they count only once a 2xx came since the event
 *   was handed over for the first of them; those after the last 2xx are taken back when the account parks. The tenth is
 *   a reject, unless another person had an odd answer since the last 2xx: then the next 2xx or the park decides.
 *
 * Requests that went out before the last park, or before the last renewal, come back as strangers: their answers
 * concern another key or a state that is over. `epoch` tells them apart.
 */
#ifndef COURIER_SCHEDULER_H
#define COURIER_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "klaviyo/outcome.h"
#include "klaviyo/quota.h"

#define SCHEDULER_IN_FLIGHT_SINGLE 16
#define SCHEDULER_WINDOW 48 /* events an account's courier may hold: in flight and in the tray */
#define SCHEDULER_PROBE_FIRST_MS (60 * 1000)
#define SCHEDULER_PROBE_LAST_MS (15 * 60 * 1000)
#define SCHEDULER_ODD_PEOPLE 3  /* so many in a row park the account */
#define SCHEDULER_ODD_TRIES 10  /* so many of its own make a dead letter of an event */
#define SCHEDULER_ODD_SLOTS 512 /* events whose odd tries are counted at a time */
#define SCHEDULER_ODD_STALE_MS (60 * 60 * 1000)

enum scheduler_state {
	SCHEDULER_OPEN,
	SCHEDULER_PARKED,
	SCHEDULER_PROBING,
};

/* One request, as the scheduler knows it: begun when its event is handed over, given back with the outcome. */
struct scheduler_request {
	int64_t event;
	uint64_t person; /* equal for the same address, different for different ones */
	uint64_t since;  /* `taken` when it was handed over */
	unsigned epoch;  /* at sending */
};

/* An event's odd tries. An event's slot goes by its id; the one that is there stays, unless it has not been tried for
 * SCHEDULER_ODD_STALE_MS: another event's tries begin to count when it is done. */
struct scheduler_odd {
	int64_t event; /* 0: free */
	unsigned tries;
	unsigned fresh;    /* of them: since the last 2xx */
	uint64_t since;    /* of the first */
	uint64_t fresh_of; /* `taken` at the latest */
	int64_t at_ms;     /* of the latest */
};

struct scheduler {
	enum scheduler_state state;
	struct quota quota;
	unsigned in_flight;
	unsigned epoch;        /* counts parks and renewals */
	int64_t probe_at_ms;   /* PARKED */
	int64_t probe_wait_ms; /* the wait before that probe; doubles */
	bool doubted;          /* PARKED or PROBING: odd answers parked it */
	uint64_t taken;        /* counts 2xx */
	/* the people of the odd answers since the last 2xx, park or renewal */
	uint64_t odd_people[SCHEDULER_ODD_PEOPLE];
	unsigned odd_people_n;
	struct scheduler_odd odd[SCHEDULER_ODD_SLOTS];
};

void scheduler_init(struct scheduler *s, const struct quota_limits *limits, int64_t now_ms);
/* Key or configuration changed: PARKED becomes PROBING at once; one request alone first in any case. Pauses and odd
 * answers of before are forgotten. */
void scheduler_renew(struct scheduler *s, const struct quota_limits *limits);
/* How many events may be held now: 0 while parked, 1 while probing, else SCHEDULER_WINDOW. */
unsigned scheduler_window(const struct scheduler *s);
/* PARKED whose probe time has come: becomes PROBING and true. */
bool scheduler_tick(struct scheduler *s, int64_t now_ms);
/* now_ms where one more request may go now, else when to ask again; CLOCK_NEVER_MS: when something returns. */
int64_t scheduler_next_ms(struct scheduler *s, int64_t now_ms);
/* An event was handed over: sets r->since. */
void scheduler_handed(const struct scheduler *s, struct scheduler_request *r);
/* One goes out; sets r->epoch. */
void scheduler_sent(struct scheduler *s, struct scheduler_request *r, int64_t now_ms);
/* One came back. jitter: 0…1. *ret: what that means for its event; the verdict's outcome but for odd answers. Returns
 * true where the state changed (parked, un-parked). */
bool scheduler_returned(struct scheduler *s, const struct scheduler_request *r, const struct outcome_verdict *v,
			double jitter, int64_t now_ms, enum outcome *ret);
/* Until when 429s or RateLimit headers hold the account back, and which of them; 0: they do not. */
int64_t scheduler_pause_ms(const struct scheduler *s, int64_t now_ms, enum quota_pause *ret_why);

#endif
