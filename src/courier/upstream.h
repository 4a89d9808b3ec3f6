/* SPDX-License-Identifier: MIT */
/*
 * upstream: the state of one remote service: Klaviyo for an account, or a helpdesk for a source. It says how many
 * requests are allowed and what an answer changes. Pure: the time (clock_mono_ms) is a parameter, and must not go back.
 *
 *   READY ── an answer about all requests ──▶ PARKED
 *   PARKED ── probe time (1 min doubling to 15) ──▶ PROBING ── the same again ──▶ PARKED
 *   PARKED, PROBING ── a useful answer ──▶ READY
 *   PARKED, PROBING ── a renewal (new credentials, URL, a reload) ──▶ upstream_kind.renewed
 *
 * In every state a pause holds the time until which the service wants no request.
 *
 * An answer may arrive after the state has changed. Three counters detect this:
 *
 *   epoch   counts renewals. An answer of another epoch says nothing about the present credentials and URL.
 *   parks   counts parks. A 202 that was in flight at an account's last park (its `parks` is one less) shows that
 *           odd answers did not concern the account. A 202 that was in flight at an earlier park says nothing.
 *   period  counts all changes of the state. A source's refusal counts only in the period of its request. So one
 *           burst parks once, and an answer to a request that was sent while PARKED does not end a running probe.
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
#define UPSTREAM_ODD_MAX 3 /* odd answers about this many people in a row park */

enum upstream_state {
	UPSTREAM_READY,
	UPSTREAM_PARKED,
	UPSTREAM_PROBING,
};

/* The differences between accounts and sources. */
struct upstream_kind {
	unsigned window;             /* READY: most requests in the courier; PROBING: 1 */
	unsigned window_parked;      /* PARKED: the same, only for webhooks without a previous request */
	bool pause_closes;           /* a pause sets the window to 0; otherwise it only delays queued work */
	enum upstream_state renewed; /* the state after a renewal of PARKED or PROBING */
};

struct upstream {
	const struct upstream_kind *kind;
	enum upstream_state state;
	unsigned in_flight;
	unsigned epoch, parks, period;
	int64_t probe_at_ms;     /* PARKED */
	int64_t probe_wait_ms;   /* the wait before the next probe; doubles */
	int64_t paused_until_ms; /* 0: not paused */
	unsigned pauses;         /* pauses without a given length since the last useful answer */
	/* Digests of the people with odd answers since the last useful answer or change of state. */
	uint64_t odd[UPSTREAM_ODD_MAX];
	unsigned odd_n;
};

/* The counters when a request was sent. */
struct upstream_stamp {
	unsigned epoch, parks, period;
};

void upstream_init(struct upstream *u, const struct upstream_kind *kind);
/* Call after changed credentials or configuration, and after a reload. Restarts probes, ends a pause, forgets odd
 * answers. */
void upstream_renew(struct upstream *u);

/* Returns the window: the most requests that may have been passed to the courier and not come back. */
unsigned upstream_window(const struct upstream *u, int64_t now_ms);
/* True where the window is only for webhooks without a previous request. */
static inline bool upstream_is_for_new(const struct upstream *u)
{
	return u->state == UPSTREAM_PARKED && u->kind->window_parked > 0;
}
/* Makes PARKED PROBING at the probe's time. Returns the time of the next call; CLOCK_NEVER_MS: none. */
int64_t upstream_tick(struct upstream *u, int64_t now_ms);

/* Count a request that is sent, and one that came back. The functions below handle the answer. */
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

/* The effects of an answer, as single steps. pace.h combines them for accounts. */
void upstream_park(struct upstream *u, int64_t now_ms);
/* Handles a useful answer. Returns true where the upstream was not READY. */
bool upstream_open(struct upstream *u);
/* Records an odd answer about `subject`, a digest of the person. Returns true where one was recorded before. The state
 * does not change. */
bool upstream_odd(struct upstream *u, uint64_t subject);

/* The kinds of answers to a source's lookup. */
enum upstream_answer {
	UPSTREAM_ANSWER_USEFUL,    /* the helpdesk knows the customer, or says that there is none */
	UPSTREAM_ANSWER_TROUBLE,   /* 5xx, no answer: nothing about credentials, URL or customer */
	UPSTREAM_ANSWER_THROTTLED, /* a 429 */
	UPSTREAM_ANSWER_ODD,       /* an unusable answer */
	UPSTREAM_ANSWER_REFUSED,   /* an answer about all customers: 401, or GONE before any lookup worked */
};
/*
 * The rules of a source:
 *
 *   - A refusal parks the source. So do odd answers about three customers in a row, and one odd answer while PROBING.
 *   - A useful answer opens the source in every state.
 *   - While PARKED the window is for webhooks without a previous request. Each is a free probe; its refusal does not
 *     move the scheduled probe.
 *   - A 429 pauses for retry_after_ms (-1: not given), 1 s at least and an hour at most. Without retry_after_ms the
 *     pause doubles from 1 s to 1 min until a useful answer.
 *
 * subject: a digest of the customer.
 */
void upstream_answered(struct upstream *u, struct upstream_stamp stamp, enum upstream_answer answer, uint64_t subject,
		       int64_t retry_after_ms, int64_t now_ms);

#endif
