/*
 * gate: how many of a source's lookups may be under way, and about whom. Pure: time by parameter, and it must not go
 * back.
 *
 *   OPEN ── 401; "no such customer" before anything worked; odd answers about three customers in a row ──▶ PARKED
 *   PARKED ── probe time (1 min doubling to 15) ──▶ PROBING ── the same again ──▶ PARKED
 *   PARKED, PROBING ── an answer of use, or a renewal ──▶ OPEN
 *
 * While it is PARKED one question at a time may be asked about customers who were not asked about yet: each of them is
 * a probe that costs nobody else's time. They do not move the probe time.
 *
 * Across all states a 429 pauses for Retry-After, floor 1 s, at most an hour; where none is told the pause doubles from
 * 1 s to 1 min until an answer of use. The answer to a question from before a renewal is passed over (`epoch`): it says
 * nothing about the present credentials.
 */
#ifndef COURIER_GATE_H
#define COURIER_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define GATE_PROBE_FIRST_MS (60 * 1000)
#define GATE_PROBE_LAST_MS (15 * 60 * 1000)
#define GATE_PAUSE_FIRST_MS 1000
#define GATE_PAUSE_LAST_MS (60 * 1000)
#define GATE_PAUSE_MAX_MS (60 * 60 * 1000)
#define GATE_ODD_CUSTOMERS 3 /* so many in a row without an answer of use between them park */

enum gate_state {
	GATE_OPEN,
	GATE_PARKED,
	GATE_PROBING,
};

struct gate {
	enum gate_state state;
	unsigned epoch;         /* counts renewals */
	unsigned period;        /* counts changes of the state */
	int64_t probe_at_ms;    /* PARKED */
	int64_t probe_wait_ms;  /* the wait before that probe; doubles */
	int64_t pause_until_ms; /* 0: none */
	unsigned pauses;        /* in a row that nobody gave a length */
	/* OPEN: whom the odd answers since the last one of use were about; digests of theirs. */
	uint64_t odd[GATE_ODD_CUSTOMERS];
	unsigned odd_n;
};

enum gate_word {
	GATE_USEFUL,    /* the helpdesk knows the customer, or says that there is none */
	GATE_TROUBLE,   /* 5xx, no answer: nothing about credentials, URL or customer */
	GATE_THROTTLED, /* a 429 */
	GATE_ODD,       /* an answer that is of no use */
	GATE_REFUSED,   /* what concerns every customer: 401, or "no such customer" before anything worked */
};

/* As of when a question was asked. */
struct gate_stamp {
	unsigned epoch, period;
};

void gate_init(struct gate *g);
/* Secrets or configuration changed: all may be asked at once, also where a pause was asked for. */
void gate_renew(struct gate *g);
struct gate_stamp gate_stamp(const struct gate *g);
/* 0 while paused, 1 while parked or probing, else open. */
unsigned gate_window(const struct gate *g, unsigned open, int64_t now_ms);
/* Whether the window is for customers only who were not asked about yet. */
bool gate_is_for_new(const struct gate *g);
/* PARKED whose probe time has come becomes PROBING. Returns when to call again; CLOCK_NEVER_MS: no need. */
int64_t gate_tick(struct gate *g, int64_t now_ms);
/* An answer came; customer: a digest of whom it is about; retry_after_ms: of a 429, -1: not told. */
void gate_returned(struct gate *g, struct gate_stamp asked, enum gate_word word, uint64_t customer,
		   int64_t retry_after_ms, int64_t now_ms);

#endif
