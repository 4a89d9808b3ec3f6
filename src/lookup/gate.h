/*
 * gate: how many of a source's lookups may be under way. Pure: time by parameter, and it must not go back.
 *
 *   OPEN ── credentials refused ──▶ PARKED ── probe time, or a renewal ──▶ PROBING ── an answer of any use ──▶ OPEN
 *                                      ▲──────── refused again (1 min doubling to 15) ──┘
 *
 * Across all states a 429 pauses for Retry-After, floor 1 s; where none is told the pause doubles from 1 s to 1 min
 * until an answer of use. What was asked before the last park or renewal comes back as a stranger (`epoch`): it says
 * nothing about the present credentials.
 */
#ifndef LOOKUP_GATE_H
#define LOOKUP_GATE_H

#include <stdbool.h>
#include <stdint.h>

#define GATE_PROBE_FIRST_MS (60 * 1000)
#define GATE_PROBE_LAST_MS (15 * 60 * 1000)
#define GATE_PAUSE_FIRST_MS 1000
#define GATE_PAUSE_LAST_MS (60 * 1000)

enum gate_state {
	GATE_OPEN,
	GATE_PARKED,
	GATE_PROBING,
};

struct gate {
	enum gate_state state;
	unsigned epoch;         /* counts parks and renewals */
	int64_t probe_at_ms;    /* PARKED */
	int64_t probe_wait_ms;  /* the wait before that probe; doubles */
	int64_t pause_until_ms; /* 0: none */
	unsigned pauses;        /* in a row that nobody gave a length */
};

enum gate_word {
	GATE_USEFUL,    /* the helpdesk let us in: found, gone, refused this one question */
	GATE_TROUBLE,   /* nothing about credentials */
	GATE_THROTTLED, /* a 429 */
	GATE_REFUSED,   /* 401, 403 */
};

void gate_init(struct gate *g);
/* Secrets or configuration changed: PARKED becomes PROBING at once. */
void gate_renew(struct gate *g);
/* 0 while parked or paused, 1 while probing, else open. */
unsigned gate_window(const struct gate *g, unsigned open, int64_t now_ms);
/* PARKED whose probe time has come becomes PROBING. Returns when to call again; CLOCK_NEVER_MS: no need. */
int64_t gate_tick(struct gate *g, int64_t now_ms);
/* What an answer says; retry_after_ms: of a 429, -1: not told. */
void gate_returned(struct gate *g, unsigned epoch, enum gate_word word, int64_t retry_after_ms, int64_t now_ms);

#endif
