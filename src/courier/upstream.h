/* SPDX-License-Identifier: MIT */
/*
 * upstream: a service that the courier asks: Klaviyo for one account, or a helpdesk for one source. The state of it:
 * how much may be asked there now, and what an answer changes. Pure: time by parameter (clock_mono_ms), and it must not
 * go back.
 *
 *   READY ── answers that concern everything asked there ──▶ PARKED
 *   PARKED ── probe time (1 min doubling to 15) ──▶ PROBING ── the same again ──▶ PARKED
 *   PARKED, PROBING ── an answer of use ──▶ READY
 *   PARKED, PROBING ── a renewal (new credentials, URL, a reload) ──▶ READY or PROBING, as the kind says
 *
 * Across all states a pause says until when the upstream asks to be left alone.
 *
 * An answer may come when the state in which it was asked for is over. Three counters, because three questions are put:
 *
 *   epoch   counts renewals. An answer of another epoch says nothing about the present credentials and URL.
 *   parks   counts parks. An account takes a 2xx that was in flight at the last park (`parks` is one behind) for a sign
 *           that odd answers did not concern the account; one that was in flight at an earlier park says nothing.
 *   period  counts all changes of the state, PROBING and READY among them. A source's refusal tells something new only
 *           in the period in which it was asked for: the answers of one burst park once, and the answer about a new
 *           customer that was asked while PARKED does not end the probe that goes on meanwhile.
 */
#ifndef COURIER_UPSTREAM_H
#define COURIER_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

#define UPSTREAM_PROBE_FIRST_MS (60 * 1000)
#define UPSTREAM_PROBE_LAST_MS (15 * 60 * 1000)
#define UPSTREAM_PAUSE_FIRST_MS 1000
#define UPSTREAM_PAUSE_LAST_MS (60 * 1000)
#define UPSTREAM_PAUSE_MAX_MS (60 * 60 * 1000)
#define UPSTREAM_ODD_MAX 3 /* odd answers about so many different ones in a row park */

enum upstream_state {
	UPSTREAM_READY,
	UPSTREAM_PARKED,
	UPSTREAM_PROBING,
};

/* In what accounts and sources differ. */
struct upstream_kind {
	unsigned window;             /* READY: so many may be handed over and not come back yet; PROBING: 1 */
	unsigned window_parked;      /* PARKED: so many; those only that were not asked about yet */
	bool pause_closes;           /* paused: the window is 0; else a pause only holds back what was handed over */
	enum upstream_state renewed; /* what PARKED and PROBING become by a renewal */
};

struct upstream {
	const struct upstream_kind *kind;
	enum upstream_state state;
	unsigned in_flight;
	unsigned epoch, parks, period;
	int64_t probe_at_ms;     /* PARKED */
	int64_t probe_wait_ms;   /* the wait before that probe; doubles */
	int64_t paused_until_ms; /* 0: not paused */
	unsigned pauses;         /* in a row that nobody gave a length, since the last answer of use */
	/* Whom the odd answers were about since the last answer of use or change of the state: each once, as a digest.
	 */
	uint64_t odd[UPSTREAM_ODD_MAX];
	unsigned odd_n;
};

/* As of when a request went out. */
struct upstream_stamp {
	unsigned epoch, parks, period;
};

void upstream_init(struct upstream *u, const struct upstream_kind *kind);
/* Credentials or configuration changed: probes begin anew, a pause is over, odd answers are forgotten. */
void upstream_renew(struct upstream *u);

/* How many may be handed over and not come back yet. */
unsigned upstream_window(const struct upstream *u, int64_t now_ms);
/* Whether the window is for those only that were not asked about yet. */
static inline bool upstream_is_for_new(const struct upstream *u)
{
	return u->state == UPSTREAM_PARKED && u->kind->window_parked > 0;
}
/* PARKED whose probe time has come becomes PROBING. Returns when to call again; CLOCK_NEVER_MS: no need. */
int64_t upstream_tick(struct upstream *u, int64_t now_ms);

/* One goes out, one is back. What the answer says is told apart, by the functions below. */
static inline struct upstream_stamp upstream_sent(struct upstream *u)
{
	u->in_flight++;
	return (struct upstream_stamp){.epoch = u->epoch, .parks = u->parks, .period = u->period};
}
static inline void upstream_returned(struct upstream *u)
{
	INSIST(u->in_flight > 0);
	u->in_flight--;
}

/* What an answer changes, step by step: an account puts them together by rules of its own (pace.h). */
void upstream_park(struct upstream *u, int64_t now_ms);
/* An answer of use. True where the upstream was not READY. */
bool upstream_open(struct upstream *u);
/* An odd answer about `subject`. True where there was one about the same before. Looks at no state and changes none. */
bool upstream_odd(struct upstream *u, uint64_t subject);

/* How a source's lookup was answered. */
enum upstream_answer {
	UPSTREAM_ANSWER_USEFUL,    /* the helpdesk knows the customer, or says that there is none */
	UPSTREAM_ANSWER_TROUBLE,   /* 5xx, no answer: nothing about credentials, URL or customer */
	UPSTREAM_ANSWER_THROTTLED, /* a 429 */
	UPSTREAM_ANSWER_ODD,       /* an answer that is of no use */
	UPSTREAM_ANSWER_REFUSED, /* one that concerns every customer: 401, or "no such customer" before anything worked
				  */
};
/*
 * The rules of a source. A refusal parks; so do odd answers about three customers in a row, and one odd answer while
 * PROBING. An answer of use opens in every state. While PARKED the window is for customers who were not asked about
 * yet: each of them is a probe that costs nobody else's time; refusals of them tell nothing new and do not move the
 * probe. A 429 pauses for retry_after_ms (-1: not told), floor 1 s, at most an hour; where none is told the pause
 * doubles from 1 s to 1 min until an answer of use. subject: a digest of the customer.
 */
void upstream_answered(struct upstream *u, struct upstream_stamp stamp, enum upstream_answer answer, uint64_t subject,
		       int64_t retry_after_ms, int64_t now_ms);

#endif
