/* SPDX-License-Identifier: MIT */
/*
 * pace: when an account's next request may go, and what follows from an outcome: an account's rules on its upstream.
 * Pure: time (that must not go back) and chance come by parameter. One a (account, lane), owned by the courier.
 *
 * PROBING is one request alone; so are start, reload and un-parking (quota's `alone`). Only a 2xx ends it: a refused
 * event (reject) or trouble (retry) leaves PROBING, and the next event is the next probe.
 *
 * Odd answers (outcome.h) may concern the event or the account; the others' answers decide:
 *
 * - Odd answers to three different people without a 2xx between them park the account. A 2xx to a request that was in
 *   flight at that moment takes this park back.
 * - While PROBING, an odd answer is a park outcome for its event: its tries do not count, and it does not age. It parks
 *   the account again where odd answers had parked it, where that person had one in this probing already, or where it
 *   is the third person. So one person's odd answers keep no account parked whose key was mended.
 * - While READY, an event's odd tries count as its own. Beyond the first they count only once a 2xx came since the
 * event was handed over for the first of them; those after the last 2xx are taken back when the account parks. The
 * tenth is a reject, unless another person had an odd answer since the last 2xx: then the next 2xx or the park decides.
 *
 * Requests that went out before the last park, or before the last renewal, come back as strangers: their answers
 * concern another key or a state that is over. The stamp tells them apart.
 */
#ifndef COURIER_PACE_H
#define COURIER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/upstream.h"
#include "klaviyo/outcome.h"
#include "klaviyo/quota.h"

#define PACE_IN_FLIGHT_SINGLE 16
#define PACE_WINDOW 48     /* events an account's courier may hold: in flight and in the queue */
#define PACE_ODD_TRIES 10  /* so many of its own make a dead letter of an event */
#define PACE_ODD_SLOTS 512 /* events whose odd tries are counted at a time */
#define PACE_ODD_STALE_MS (60 * 60 * 1000)

/* One request: begun when its event is handed over, given back with the outcome. */
struct pace_request {
	int64_t event;
	uint64_t person; /* equal for the same address, different for different ones */
	uint64_t since;  /* pace.successes when the event was handed over */
	struct upstream_stamp stamp;
};

/* An event's odd tries. An event's slot goes by its id; the one that is there stays, unless it has not been tried for
 * PACE_ODD_STALE_MS: another event's tries begin to count when it is done. */
struct pace_odd {
	int64_t event; /* 0: free */
	unsigned tries;
	unsigned since_success; /* of them: since the last 2xx */
	uint64_t since;         /* of the first */
	uint64_t successes_at;  /* `successes` at the latest */
	int64_t at_ms;          /* of the latest */
};

struct pace {
	struct upstream upstream;
	struct quota quota;
	enum quota_pause paused_by; /* while upstream.paused_until_ms is not 0 */
	bool parked_by_odd;         /* PARKED or PROBING: odd answers parked it */
	uint64_t successes;         /* counts 2xx */
	struct pace_odd odd[PACE_ODD_SLOTS];
};

void pace_init(struct pace *p, const struct quota_limits *limits, int64_t now_ms);
/* Key or configuration changed: PARKED becomes PROBING at once; one request alone first in any case. Pauses and odd
 * answers of before are forgotten. */
void pace_renew(struct pace *p, const struct quota_limits *limits);
/* PARKED whose probe time has come becomes PROBING; a pause that is over ends. */
void pace_tick(struct pace *p, int64_t now_ms);
/* now_ms where one more request may go now, else when to ask again; CLOCK_NEVER_MS: when something returns. */
int64_t pace_next_ms(struct pace *p, int64_t now_ms);
/* One goes out; sets r->stamp. */
void pace_sent(struct pace *p, struct pace_request *r, int64_t now_ms);
/* One came back. jitter: 0…1. *ret: what that means for its event; the verdict's outcome but for odd answers. Returns
 * true where the account was parked or un-parked by it. */
bool pace_returned(struct pace *p, const struct pace_request *r, const struct outcome_verdict *v, double jitter,
		   int64_t now_ms, enum outcome *ret);

#endif
