/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fixtures/dice.h"

/*
 * Random histories of a desk that dates all its webhooks, in any order of arrival, with repeats and a clock slightly
 * ahead of ours, against a model that only knows "the newest time counts". A failure prints its seed, which makes the
 * same history again. Undated signals and larger differences of the clocks: test_ledger_clocks.c.
 */

#define HISTORIES 10000 /* for each kind of desk */
#define SIGNALS_MAX 24  /* less than LEDGER_TAKEN_MAX, so the ledger keeps all of them */
#define ARRIVALS_MAX (2 * SIGNALS_MAX)
#define T0 INT64_C(1764000000000)

struct model {
	enum ledger_state state;
	int64_t newest; /* time */
	bool opening_known;
	struct ledger_signal seen[ARRIVALS_MAX];
	int seen_n;
	int transitions[ARRIVALS_MAX]; /* of seen[i] */
};

static bool opens(const struct ledger_signal *s)
{
	return s->kind == TRANSITION_OPENED || s->kind == TRANSITION_REOPENED;
}

/* The index among those seen; -1: new. */
static int model_find(const struct model *m, const struct ledger_signal *s)
{
	for (int i = 0; i < m->seen_n; i++)
		if (m->seen[i].kind == s->kind && m->seen[i].time_ms == s->time_ms)
			return i;
	return -1;
}

/* Returns the index of the signal among those seen; -1 for a mere address. */
static int model_apply(struct model *m, const struct ledger_signal *s)
{
	int i = model_find(m, s);
	bool counts;

	if (s->kind == TRANSITION_NONE)
		return -1;
	if (i >= 0)
		return i;
	counts = s->time_ms > m->newest ||
		 (s->time_ms == m->newest && !(opens(s) && m->state == LEDGER_CLOSED && !m->opening_known));
	if (counts) {
		m->state = opens(s) ? LEDGER_OPEN : LEDGER_CLOSED;
		m->newest = s->time_ms;
	}
	m->opening_known = m->opening_known || opens(s);
	m->seen[m->seen_n] = *s;
	return m->seen_n++;
}

#define DEMAND(cond)                                                                                                   \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			fail_msg("seed %llu, arrival %d: %s does not hold", (unsigned long long)seed, arrival, #cond); \
	} while (0)

static int make_history(struct ledger_signal *to, bool skewed)
{
	static const enum transition kinds[] = {TRANSITION_OPENED, TRANSITION_REOPENED, TRANSITION_CLOSED,
						TRANSITION_CLOSED, TRANSITION_NONE};
	int n = 1 + (int)dice_roll(SIGNALS_MAX);

	for (int i = 0; i < n; i++)
		to[i] = (struct ledger_signal){
			.kind = kinds[dice_roll(5)],
			.time_ms = T0 + 1 + dice_roll(3 * SIGNALS_MAX) + (skewed && dice_roll(3) == 0 ? 40 : 0),
			.has_address = dice_roll(3) != 0,
			.created_ms = dice_roll(2) ? T0 : 0,
			.closed_at_ms = dice_roll(2) ? T0 : 0,
		};
	return n;
}

/* Any order; every third signal arrives a second time, at a random place. Each has its own receipt. */
static int make_arrivals(const struct ledger_signal *history, int n, bool skewed, struct ledger_signal *to)
{
	int64_t now = skewed ? T0 : T0 + 1000;
	int arrivals = 0;

	for (int i = 0; i < n; i++) {
		to[arrivals++] = history[i];
		if (dice_roll(3) == 0)
			to[arrivals++] = history[i];
	}
	for (int i = arrivals - 1; i > 0; i--) {
		int j = (int)dice_roll((unsigned)i + 1);
		struct ledger_signal t = to[i];

		to[i] = to[j];
		to[j] = t;
	}
	for (int i = 0; i < arrivals; i++)
		to[i].received_ms = now += 1 + dice_roll(4);
	return arrivals;
}

/* The newest signal decides, where there is only one. */
static void check_last_word(const struct model *m, const struct ledger_entry *e, uint64_t seed)
{
	int arrival = m->seen_n;
	int newest = -1;
	int as_new = 0;

	for (int i = 0; i < m->seen_n; i++) {
		if (newest < 0 || m->seen[i].time_ms > m->seen[newest].time_ms) {
			newest = i;
			as_new = 0;
		}
		as_new += m->seen[i].time_ms == m->seen[newest].time_ms;
	}
	if (newest < 0)
		DEMAND(e->state == LEDGER_UNKNOWN);
	else if (as_new == 1)
		DEMAND(e->state == (opens(&m->seen[newest]) ? LEDGER_OPEN : LEDGER_CLOSED));
}

static void play(uint64_t seed, const struct ledger_policy *p, bool skewed)
{
	struct ledger_entry e = {0};
	struct model m = {0};
	enum ledger_state seen_state = LEDGER_UNKNOWN; /* the state by the transitions until now, without history */
	struct ledger_signal history[SIGNALS_MAX], arrivals[ARRIVALS_MAX];
	int n, arrival;

	dice_seed(seed);
	n = make_history(history, skewed);
	n = make_arrivals(history, n, skewed, arrivals);
	for (arrival = 0; arrival < n; arrival++) {
		const struct ledger_signal *s = &arrivals[arrival];
		struct ledger_entry before = e;
		bool was_older = s->kind != TRANSITION_NONE && s->time_ms < m.newest;
		bool was_new = model_find(&m, s) < 0;
		struct ledger_entry again;
		struct ledger_verdict v, repeat;
		int i;

		ledger_apply(&e, s, p, &v);
		i = model_apply(&m, s);
		DEMAND(e.state == m.state);
		DEMAND(e.as_of_ms == m.newest);
		DEMAND(ledger_would_change(&before, s) == (before.state != e.state));
		DEMAND(v.opens ==
		       (e.state == LEDGER_OPEN && (before.state != LEDGER_OPEN || (e.addressed && !before.addressed))));
		DEMAND(v.forgets_reached == (before.state == LEDGER_CLOSED && e.state == LEDGER_OPEN));

		/* Each kind and time makes at most one transition, and a repeat changes nothing. */
		if (i >= 0 && v.transition != TRANSITION_NONE)
			DEMAND(++m.transitions[i] == 1);
		again = e;
		ledger_apply(&again, s, p, &repeat);
		DEMAND(repeat.transition == TRANSITION_NONE);
		DEMAND(memcmp(&again, &e, sizeof(e)) == 0);

		/* A late signal of a state desk makes no transition; one of a change desk makes history. */
		if (p->reports_state)
			DEMAND(!v.history || v.transition == TRANSITION_NONE);
		else if (was_older && was_new && v.why != LEDGER_LATE_ADDRESS)
			DEMAND(v.history && v.transition == s->kind && v.backfill && !v.opens);

		/* Openings and closings alternate, without history. */
		if (v.transition == TRANSITION_NONE || v.history || v.why == LEDGER_LATE_ADDRESS)
			continue;
		if (v.opens)
			DEMAND(seen_state != LEDGER_OPEN);
		else
			DEMAND(v.transition == TRANSITION_CLOSED &&
			       (seen_state == LEDGER_OPEN || seen_state == LEDGER_UNKNOWN));
		seen_state = e.state;
	}
	if (!p->reports_state)
		DEMAND(seen_state == e.state);
	check_last_word(&m, &e, seed);
}

static void play_all(bool reports_state, bool skewed)
{
	for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
		struct ledger_policy p = {.reports_state = reports_state, .late_closed_ms = (int64_t)(seed % 4000)};

		play(seed, &p, skewed);
	}
}

static void change_desk_ends_as_its_newest_signal_says(void **unused)
{
	(void)unused;
	play_all(false, false);
}

static void change_desk_with_a_fast_clock_does_too(void **unused)
{
	(void)unused;
	play_all(false, true);
}

static void state_desk_ends_as_its_newest_signal_says(void **unused)
{
	(void)unused;
	play_all(true, false);
}

static void state_desk_with_a_fast_clock_does_too(void **unused)
{
	(void)unused;
	play_all(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(change_desk_ends_as_its_newest_signal_says),
		cmocka_unit_test(change_desk_with_a_fast_clock_does_too),
		cmocka_unit_test(state_desk_ends_as_its_newest_signal_says),
		cmocka_unit_test(state_desk_with_a_fast_clock_does_too),
	};

	return cmocka_run_group_tests_name("ledger model", tests, NULL, NULL);
}
