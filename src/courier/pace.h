/* SPDX-License-Identifier: MIT */
/*
 * pace: an account's rules: when the next request may be sent, and what an outcome changes. Pure: time (monotonic) and
 * randomness are parameters. One for each account, owned by its sender.
 *
 * While PROBING, and after start, reload and un-parking (quota's `alone`), one request is in flight at a time. Only a
 * delivery (a 202) ends PROBING. After a refused event (reject) or trouble (retry) the next event is the next probe.
 *
 * An odd answer (outcome.h) may concern the event or the account. Other people's answers decide:
 *
 * - Odd answers to three different people without a delivery between them park the account. A 202 to a request that was
 * in flight at that moment undoes the park.
 * - While PROBING, an odd answer is a park outcome for its event: the attempt does not count, and the event does not
 *   age. It parks the account again if odd answers had parked it, if this person already had one while PROBING, or if
 *   this is the third person. So one person's odd answers cannot keep an account parked after its key was corrected.
 * - While READY, an odd answer counts as an attempt of its event. After the first, they count only if a 202 came since
 *   the event arrived for the first of them. A park cancels those after the last 202. The tenth rejects the event,
 *   unless another person had an odd answer since the last 202; then the next 202 or park decides.
 *
 * Answers to requests that were sent before the last park or renewal are stale: they concern an old key or state. The
 * stamp identifies them.
 */
#ifndef COURIER_PACE_H
#define COURIER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/upstream.h"
#include "klaviyo/outcome.h"
#include "klaviyo/quota.h"

#define PACE_IN_FLIGHT_SINGLE 16
#define PACE_WINDOW 48     /* most events of an account in the courier: queued and in flight */
#define PACE_ODD_TRIES 10  /* odd answers that make an event a dead letter */
#define PACE_ODD_SLOTS 512 /* events whose odd answers are counted at a time */
#define PACE_ODD_STALE_MS (60 * 60 * 1000)

/* One request, from its event's arrival to its outcome. */
struct pace_request {
	int64_t event;
	uint64_t person; /* a digest of the address; read for an odd answer only */
	uint64_t since;  /* pace.successes when the event arrived */
	struct upstream_stamp stamp;
};

/*
 * The odd answers of one event, whose id selects the slot. A slot in use is kept until its event ends, or has had no
 * odd answer for PACE_ODD_STALE_MS. Odd answers of other events with that slot are not counted meanwhile.
 */
struct pace_odd {
	int64_t event; /* 0: free */
	unsigned tries;
	unsigned since_success; /* of these: since the last 202 */
	uint64_t since;         /* pace_request.since of the first */
	uint64_t successes_at;  /* pace.successes at the latest */
	int64_t at_ms;          /* time of the latest */
};

struct pace {
	struct upstream upstream;
	struct quota quota;
	enum quota_pause paused_by; /* while upstream.paused_until_ms is not 0 */
	bool parked_by_odd;         /* PARKED or PROBING: odd answers parked the account */
	uint64_t successes;         /* number of 202s */
	struct pace_odd odd[PACE_ODD_SLOTS];
};

void pace_init(struct pace *p, const struct quota_limits *limits, int64_t now_ms);
/* Call after a changed key or configuration. PARKED becomes PROBING; in any case one request is sent alone first.
 * Forgets pauses and odd answers. */
void pace_renew(struct pace *p, const struct quota_limits *limits);
/* Makes PARKED PROBING at the probe's time, and ends a pause whose time is over. */
void pace_tick(struct pace *p, int64_t now_ms);
/* Returns now_ms where a request may be sent now, otherwise the time to call again; CLOCK_NEVER_MS: call again after an
 * answer. */
int64_t pace_next_ms(struct pace *p, int64_t now_ms);
/* Records a sent request. Sets r->stamp. */
void pace_sent(struct pace *p, struct pace_request *r, int64_t now_ms);
/* Records an answer. jitter: 0…1. *ret: the event's outcome, which may differ from the verdict's for odd answers only.
 * Returns true where the answer parked or un-parked the account. */
bool pace_returned(struct pace *p, const struct pace_request *r, const struct outcome_verdict *v, double jitter,
		   int64_t now_ms, enum outcome *ret);

#endif
