/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"

/* Seconds after this count in the cases; receipt is an hour later unless a case says otherwise. */
#define T0 INT64_C(1764000000000)
#define AT(s) (T0 + (s)*CLOCK_SECOND_MS)
#define RECEIVED AT(3600)

#define O TRANSITION_OPENED
#define R TRANSITION_REOPENED
#define C TRANSITION_CLOSED
#define NONE TRANSITION_NONE

static const struct ledger_policy change = {
	.late_closed_ms = CLOCK_DAY_MS,
};
static const struct ledger_policy state = {
	.reports_state = true,
	.late_closed_ms = CLOCK_DAY_MS,
};

struct step {
	enum transition kind; /* with at == 0: the end of the list */
	int at;               /* seconds */
	bool no_address;
};

static struct ledger_signal signal_of(struct step s)
{
	return (struct ledger_signal){
		.kind = s.kind, .time_ms = AT(s.at), .received_ms = RECEIVED, .has_address = !s.no_address};
}

static void play(struct ledger_entry *e, const struct step *steps, const struct ledger_policy *p)
{
	for (; steps->at != 0; steps++) {
		struct ledger_signal s = signal_of(*steps);
		struct ledger_verdict v;

		ledger_apply(e, &s, p, &v);
	}
}

struct row {
	const char *name;
	struct step before[4];
	struct step signal;
	const struct ledger_policy *policy;
	/* what must come out */
	enum ledger_state state;
	enum transition transition;
	enum ledger_why why;
	int time; /* the event's, in seconds; 0: as the signal's */
	bool opens, forgets_reached, to_own_addresses, backfill, history;
	int as_of; /* in seconds; 0: as the signal's */
};

static const struct row rows[] = {
	{"any, kind and time already taken: duplicate",
	 {{O, 10}},
	 {O, 10},
	 &change,
	 LEDGER_OPEN,
	 NONE,
	 LEDGER_DUPLICATE},
	{"closed, opening already taken: duplicate, not history",
	 {{O, 10}, {C, 20}},
	 {O, 10},
	 &change,
	 LEDGER_CLOSED,
	 NONE,
	 LEDGER_DUPLICATE,
	 .as_of = 20},
	{"open without address, the same opening again with one: duplicate comes first",
	 {{O, 10, true}},
	 {O, 10},
	 &change,
	 LEDGER_OPEN,
	 NONE,
	 LEDGER_DUPLICATE},
	{"a repeat seen as duplicate before stays one",
	 {{O, 10}, {O, 12}, {C, 20}},
	 {O, 12},
	 &change,
	 LEDGER_CLOSED,
	 NONE,
	 LEDGER_DUPLICATE,
	 .as_of = 20},
	{"history already taken: duplicate",
	 {{C, 20}, {O, 10}},
	 {O, 10},
	 &change,
	 LEDGER_CLOSED,
	 NONE,
	 LEDGER_DUPLICATE,
	 .as_of = 20},

	{"unknown, opened", {{0}}, {O, 10}, &change, LEDGER_OPEN, O, LEDGER_APPLIED, .opens = true},
	{"unknown, opened without address",
	 {{0}},
	 {O, 10, true},
	 &change,
	 LEDGER_OPEN,
	 O,
	 LEDGER_APPLIED,
	 .opens = true},
	{"unknown, reopened", {{0}}, {R, 10}, &change, LEDGER_OPEN, R, LEDGER_APPLIED, .opens = true},
	{"unknown, closed at a change desk",
	 {{0}},
	 {C, 10},
	 &change,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_APPLIED,
	 .to_own_addresses = true},
	{"unknown, closed at a state desk", {{0}}, {C, 10}, &state, LEDGER_CLOSED, NONE, LEDGER_BASELINE},
	{"unknown, opened at a state desk", {{0}}, {O, 10}, &state, LEDGER_OPEN, O, LEDGER_APPLIED, .opens = true},
	{"unknown, an address", {{0}}, {NONE, 10}, &change, LEDGER_UNKNOWN, NONE, LEDGER_NOTHING, .as_of = -1},

	{"no address yet, an address: opened at the original time",
	 {{O, 10, true}},
	 {NONE, 15},
	 &change,
	 LEDGER_OPEN,
	 O,
	 LEDGER_LATE_ADDRESS,
	 .time = 10,
	 .opens = true,
	 .as_of = 10},
	{"no address yet, an older address",
	 {{O, 10, true}},
	 {NONE, 5},
	 &change,
	 LEDGER_OPEN,
	 O,
	 LEDGER_LATE_ADDRESS,
	 .time = 10,
	 .opens = true,
	 .as_of = 10},
	{"no address yet, a newer opening with one",
	 {{O, 10, true}},
	 {O, 15},
	 &change,
	 LEDGER_OPEN,
	 O,
	 LEDGER_LATE_ADDRESS,
	 .time = 10,
	 .opens = true},
	{"no address yet, an older opening with one is no history",
	 {{O, 10, true}},
	 {R, 5},
	 &state,
	 LEDGER_OPEN,
	 O,
	 LEDGER_LATE_ADDRESS,
	 .time = 10,
	 .opens = true,
	 .as_of = 10},
	{"no address yet, a newer opening without one either",
	 {{O, 10, true}},
	 {O, 15, true},
	 &change,
	 LEDGER_OPEN,
	 NONE,
	 LEDGER_DUPLICATE},
	{"no address yet, closed with one: its own",
	 {{O, 10, true}},
	 {C, 15},
	 &change,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_APPLIED,
	 .to_own_addresses = true},
	{"no address yet, closed with one at a state desk",
	 {{O, 10, true}},
	 {C, 15},
	 &state,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_APPLIED,
	 .to_own_addresses = true},
	{"no address yet, an older closing is history for its own",
	 {{O, 10, true}},
	 {C, 5},
	 &change,
	 LEDGER_OPEN,
	 C,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true,
	 .as_of = 10},
	{"address met late, one more address",
	 {{O, 10, true}, {NONE, 11}},
	 {NONE, 12},
	 &change,
	 LEDGER_OPEN,
	 NONE,
	 LEDGER_NOTHING,
	 .as_of = 10},
	{"reopened without address, an address",
	 {{O, 10}, {C, 20}, {R, 30, true}},
	 {NONE, 40},
	 &change,
	 LEDGER_OPEN,
	 O,
	 LEDGER_LATE_ADDRESS,
	 .time = 30,
	 .opens = true,
	 .as_of = 30},

	{"open, opened", {{O, 10}}, {O, 20}, &change, LEDGER_OPEN, NONE, LEDGER_DUPLICATE},
	{"open, reopened", {{O, 10}}, {R, 20}, &change, LEDGER_OPEN, NONE, LEDGER_DUPLICATE},
	{"open, reopened at the same time", {{O, 10}}, {R, 10}, &change, LEDGER_OPEN, NONE, LEDGER_DUPLICATE},
	{"open, closed", {{O, 10}}, {C, 20}, &change, LEDGER_CLOSED, C, LEDGER_APPLIED},
	{"open, closed without address", {{O, 10}}, {C, 20, true}, &change, LEDGER_CLOSED, C, LEDGER_APPLIED},
	{"open, closed at the same time", {{O, 10}}, {C, 10}, &change, LEDGER_CLOSED, C, LEDGER_APPLIED},
	{"open, closed at a state desk", {{O, 10}}, {C, 20}, &state, LEDGER_CLOSED, C, LEDGER_APPLIED},
	{"closed, opened",
	 {{O, 10}, {C, 20}},
	 {O, 30},
	 &change,
	 LEDGER_OPEN,
	 R,
	 LEDGER_APPLIED,
	 .opens = true,
	 .forgets_reached = true},
	{"closed, reopened",
	 {{O, 10}, {C, 20}},
	 {R, 30},
	 &change,
	 LEDGER_OPEN,
	 R,
	 LEDGER_APPLIED,
	 .opens = true,
	 .forgets_reached = true},
	{"closed, reopened at the same time",
	 {{O, 10}, {C, 20}},
	 {R, 20},
	 &change,
	 LEDGER_OPEN,
	 R,
	 LEDGER_APPLIED,
	 .opens = true,
	 .forgets_reached = true},
	{"closed, opened at a state desk",
	 {{C, 20}},
	 {O, 30},
	 &state,
	 LEDGER_OPEN,
	 R,
	 LEDGER_APPLIED,
	 .opens = true,
	 .forgets_reached = true},
	{"closed, closed", {{O, 10}, {C, 20}}, {C, 30}, &change, LEDGER_CLOSED, NONE, LEDGER_DUPLICATE},
	{"closed, an address",
	 {{O, 10, true}, {C, 20, true}},
	 {NONE, 30},
	 &change,
	 LEDGER_CLOSED,
	 NONE,
	 LEDGER_NOTHING,
	 .as_of = 20},

	{"history: opened after its closing",
	 {{C, 20}},
	 {O, 10},
	 &change,
	 LEDGER_CLOSED,
	 O,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true,
	 .as_of = 20},
	{"history: opened at the time of the only closing",
	 {{C, 20}},
	 {O, 20},
	 &change,
	 LEDGER_CLOSED,
	 O,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true},
	{"history: reopened at the time of the only closing",
	 {{C, 20}},
	 {R, 20},
	 &change,
	 LEDGER_CLOSED,
	 R,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true},
	{"history: an older closing of an open one, for those reached",
	 {{O, 10}, {R, 30}},
	 {C, 20},
	 &change,
	 LEDGER_OPEN,
	 C,
	 LEDGER_HISTORY,
	 .backfill = true,
	 .history = true,
	 .as_of = 30},
	{"history: an older closing of a closed one, for those reached",
	 {{O, 10}, {C, 30}},
	 {C, 20},
	 &change,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_HISTORY,
	 .backfill = true,
	 .history = true,
	 .as_of = 30},
	{"history: an older closing where no opening is known, for its own",
	 {{C, 30}},
	 {C, 20},
	 &change,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true,
	 .as_of = 30},
	{"history: an older reopening keeps its kind",
	 {{O, 10}, {C, 30}},
	 {R, 20},
	 &change,
	 LEDGER_CLOSED,
	 R,
	 LEDGER_HISTORY,
	 .to_own_addresses = true,
	 .backfill = true,
	 .history = true,
	 .as_of = 30},
	{"history at a state desk: opened",
	 {{C, 20}},
	 {O, 10},
	 &state,
	 LEDGER_CLOSED,
	 NONE,
	 LEDGER_HISTORY,
	 .history = true,
	 .as_of = 20},
	{"history at a state desk: closed",
	 {{O, 10}, {O, 30}},
	 {C, 20},
	 &state,
	 LEDGER_OPEN,
	 NONE,
	 LEDGER_HISTORY,
	 .history = true,
	 .as_of = 30},
	{"a newer duplicate makes what lies before it history",
	 {{O, 10}, {O, 30}},
	 {C, 20},
	 &change,
	 LEDGER_OPEN,
	 C,
	 LEDGER_HISTORY,
	 .backfill = true,
	 .history = true,
	 .as_of = 30},
	{"an address alone makes nothing history",
	 {{O, 10, true}, {NONE, 30}},
	 {C, 20},
	 &change,
	 LEDGER_CLOSED,
	 C,
	 LEDGER_APPLIED},
};

#define CHECK(what, got, want)                                                                                      \
	do {                                                                                                        \
		if ((got) != (want))                                                                                \
			fail_msg("%s: " what " is %lld, not %lld", row->name, (long long)(got), (long long)(want)); \
	} while (0)

/* One case a row: cmocka names it by the row. */
static void row_holds(void **which)
{
	const struct row *row = *which;
	struct ledger_entry e = {0};
	struct ledger_signal s = signal_of(row->signal);
	struct ledger_verdict v;
	enum ledger_state before;
	bool would;

	play(&e, row->before, row->policy);
	before = e.state;
	would = ledger_would_change(&e, &s);
	ledger_apply(&e, &s, row->policy, &v);
	CHECK("state", e.state, row->state);
	CHECK("transition", v.transition, row->transition);
	CHECK("why", v.why, row->why);
	CHECK("time", v.time_ms, AT(row->time ? row->time : row->signal.at));
	CHECK("opens", v.opens, row->opens);
	CHECK("forgets_reached", v.forgets_reached, row->forgets_reached);
	CHECK("to_own_addresses", v.to_own_addresses, row->to_own_addresses);
	CHECK("backfill", v.backfill, row->backfill);
	CHECK("history", v.history, row->history);
	CHECK("as_of", e.as_of_ms, row->as_of < 0 ? 0 : AT(row->as_of ? row->as_of : row->signal.at));
	CHECK("would_change", would, e.state != before);
}

static void state_desk_closing_of_an_unknown_one_goes_out_when_it_is_young(void **unused)
{
	static const struct {
		int64_t age_ms; /* -1: closed_at is not told */
		int64_t late_ms;
		enum transition want;
	} cases[] = {
		{-1, CLOCK_DAY_MS, NONE},
		{0, CLOCK_DAY_MS, C},
		{CLOCK_DAY_MS - 1, CLOCK_DAY_MS, C},
		{CLOCK_DAY_MS, CLOCK_DAY_MS, NONE},
		{CLOCK_DAY_MS + 1, CLOCK_DAY_MS, NONE},
		{400 * CLOCK_DAY_MS, CLOCK_NEVER_MS, C},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ledger_entry e = {0};
		struct ledger_policy p = {.reports_state = true, .late_closed_ms = cases[i].late_ms};
		struct ledger_signal s = signal_of((struct step){C, 10});
		struct ledger_verdict v;

		s.closed_at_ms = cases[i].age_ms < 0 ? 0 : RECEIVED - cases[i].age_ms;
		ledger_apply(&e, &s, &p, &v);
		assert_int_equal(v.transition, cases[i].want);
		assert_int_equal(v.to_own_addresses, cases[i].want == C);
		assert_int_equal(e.state, LEDGER_CLOSED);
	}
}

static void created_judges_the_opening_that_makes_a_conversation_known(void **unused)
{
	static const struct step none[] = {{0}}, no_address[] = {{O, 1, true}, {0}}, closed[] = {{O, 1}, {C, 2}, {0}},
				 reopened[] = {{O, 1}, {C, 2}, {R, 3, true}, {0}};
	const struct {
		const struct step *before;
		enum transition kind;
		bool want;
	} cases[] = {
		{none, O, true},
		{none, R, true},
		{no_address, O, true},
		{no_address, NONE, true},
		/* The conversation was known: its age says nothing of what happens now. */
		{closed, O, false},
		{closed, R, false},
		{reopened, NONE, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int k = 0; k < 2; k++) {
			const struct ledger_policy *policy = k ? &state : &change;
			struct ledger_entry e = {0};
			struct ledger_signal s = signal_of((struct step){cases[i].kind, 10});
			struct ledger_verdict v;

			play(&e, cases[i].before, policy);
			s.created_ms = AT(-5);
			s.closed_at_ms = AT(-4);
			/* A late address leaves the age of its opening as it was when that came. */
			s.received_ms += cases[i].before == no_address ? CLOCK_HOUR_MS : 0;
			ledger_apply(&e, &s, policy, &v);
			assert_true(v.opens);
			assert_false(v.backfill);
			assert_int_equal(v.since_ms, cases[i].want ? AT(-5) : 0);
			assert_int_equal(v.received_ms, RECEIVED);
		}
}

static void closed_at_judges_the_closing_that_makes_a_conversation_known(void **unused)
{
	static const struct step none[] = {{0}}, open[] = {{O, 1}, {0}}, no_address[] = {{O, 1, true}, {0}};
	const struct {
		const struct step *before;
		bool want;
	} cases[] = {{none, true}, {open, false}, {no_address, false}};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ledger_entry e = {0};
		struct ledger_signal s = signal_of((struct step){C, 10});
		struct ledger_verdict v;

		play(&e, cases[i].before, &change);
		s.created_ms = AT(-5);
		s.closed_at_ms = AT(-4);
		ledger_apply(&e, &s, &change, &v);
		assert_int_equal(v.transition, C);
		assert_int_equal(v.since_ms, cases[i].want ? AT(-4) : 0);
		assert_false(v.backfill);
	}
}

static void the_first_opening_of_one_that_was_closed_when_it_was_created_is_opened(void **unused)
{
	const struct {
		int created; /* seconds; 0: not told */
		struct step before[3];
		enum transition want;
	} cases[] = {
		{10, {{C, 10}, {0}}, O},          {10, {{C, 19}, {0}}, O},
		{10, {{C, 20}, {0}}, R}, /* that is long enough to have been open before our time */
		{0, {{C, 10}, {0}}, R},           {10, {{C, 12}, {O, 11}, {0}}, R}, /* its opening came after it */
		{10, {{O, 10}, {C, 11}, {0}}, R},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int k = 0; k < 2; k++) {
			const struct ledger_policy *policy = k ? &state : &change;
			struct ledger_entry e = {0};
			struct ledger_signal s = signal_of((struct step){R, 1000});
			struct ledger_verdict v;

			play(&e, cases[i].before, policy);
			assert_int_equal(e.state, LEDGER_CLOSED);
			s.created_ms = cases[i].created ? AT(cases[i].created) : 0;
			ledger_apply(&e, &s, policy, &v);
			assert_int_equal(v.transition, cases[i].want);
			assert_int_equal(e.reopen_count, cases[i].want == R);
			assert_true(v.opens);
			assert_false(v.backfill);
		}
}

static void a_fast_clock_freezes_nothing(void **unused)
{
	struct ledger_entry e = {0};
	struct ledger_signal s = {
		.kind = O, .time_ms = AT(7200), .received_ms = AT(10), .has_address = true}; /* two hours ahead */
	struct ledger_verdict v;

	(void)unused;
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.time_ms, AT(7200)); /* the event keeps the helpdesk's time */
	assert_int_equal(e.opened_ms, AT(7200));
	assert_int_equal(e.as_of_ms, 0); /* no time to compare with: it came when it was received */
	assert_int_equal(e.as_of_received_ms, AT(10));
	s = (struct ledger_signal){.kind = C, .time_ms = AT(19), .received_ms = AT(20)};
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, C);
	assert_false(v.history);
	/* The same signal received once more is the same one, though its receipt is another. */
	s = (struct ledger_signal){.kind = O, .time_ms = AT(7200), .received_ms = AT(30), .has_address = true};
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_DUPLICATE);
	assert_int_equal(e.state, LEDGER_CLOSED);
}

static void times_and_counts_are_kept_for_the_events(void **unused)
{
	static const struct step first[] = {{R, 20}, {C, 30}, {0}};
	static const struct step rest[] = {{O, 10}, {R, 40}, {R, 41}, {C, 50}, {0}};
	struct ledger_entry e = {0};

	(void)unused;
	play(&e, first, &change);
	assert_int_equal(e.first_opened_ms, AT(20));
	assert_int_equal(e.reopen_count, 1);
	play(&e, rest, &change); /* the first is history: an earlier opening becomes known */
	assert_int_equal(e.first_opened_ms, AT(10));
	assert_int_equal(e.opened_ms, AT(40));
	assert_int_equal(e.opened_received_ms, RECEIVED);
	assert_int_equal(e.closed_ms, AT(50));
	assert_int_equal(e.reopen_count, 2);
}

static void an_opening_that_is_history_is_known_afterwards(void **unused)
{
	static const struct step steps[] = {{C, 20}, {O, 10}, {0}};
	struct ledger_entry e = {0};
	struct ledger_signal s = signal_of((struct step){R, 20});
	struct ledger_verdict v;

	(void)unused;
	play(&e, steps, &change);
	assert_int_equal(e.opened_ms, AT(10));
	ledger_apply(&e, &s, &change, &v); /* same second as the closing, and an opening is known now */
	assert_int_equal(v.transition, R);
	assert_int_equal(e.state, LEDGER_OPEN);
}

static void the_last_32_signals_are_remembered(void **unused)
{
	struct ledger_entry e = {0};
	struct ledger_signal s;
	struct ledger_verdict v;

	(void)unused;
	for (int i = 1; i <= LEDGER_TAKEN_MAX + 1; i++) {
		s = signal_of((struct step){i % 2 ? O : C, i});
		ledger_apply(&e, &s, &change, &v);
		assert_int_not_equal(v.transition, NONE);
	}
	assert_int_equal(e.taken_n, LEDGER_TAKEN_MAX);
	assert_int_equal(e.taken[0].time_ms, AT(2));
	assert_int_equal(e.taken[LEDGER_TAKEN_MAX - 1].time_ms, AT(33));
	s = signal_of((struct step){C, 2}); /* the oldest that is remembered */
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_DUPLICATE);
	s = signal_of((struct step){O, 1}); /* the one that fell out */
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_HISTORY);
	assert_int_equal(e.taken_n, LEDGER_TAKEN_MAX);
}

static void an_address_takes_no_place_among_the_signals(void **unused)
{
	static const struct step steps[] = {{O, 10, true}, {NONE, 11}, {NONE, 11}, {0}};
	struct ledger_entry e = {0};

	(void)unused;
	play(&e, steps, &change);
	assert_int_equal(e.taken_n, 1);
	assert_true(e.addressed);
}

static void expiry_comes_at_its_deadline_and_not_before(void **unused)
{
	static const struct step steps[] = {{O, 10}, {0}};
	struct ledger_entry e = {0}, closed;
	struct ledger_verdict v;

	(void)unused;
	assert_false(ledger_expire(&e, 1000, INT64_MAX, &v)); /* unknown */
	play(&e, steps, &change);
	assert_false(ledger_expire(&e, CLOCK_NEVER_MS, INT64_MAX, &v));
	assert_false(ledger_expire(&e, CLOCK_DAY_MS, RECEIVED + CLOCK_DAY_MS - 1, &v));
	assert_int_equal(e.state, LEDGER_OPEN);
	assert_true(ledger_expire(&e, CLOCK_DAY_MS, RECEIVED + CLOCK_DAY_MS + 5, &v));
	assert_int_equal(e.state, LEDGER_CLOSED);
	assert_int_equal(v.why, LEDGER_EXPIRED);
	assert_int_equal(v.transition, TRANSITION_EXPIRED);
	assert_int_equal(v.time_ms, RECEIVED + CLOCK_DAY_MS);
	assert_int_equal(e.closed_ms, RECEIVED + CLOCK_DAY_MS);
	assert_true(v.backfill);
	assert_false(v.to_own_addresses);
	assert_false(v.history);
	closed = e;
	assert_false(ledger_expire(&e, CLOCK_DAY_MS, INT64_MAX, &v)); /* once */
	assert_memory_equal(&e, &closed, sizeof(e));
}

static void a_closing_after_expiry_says_nothing_and_a_reopening_counts(void **unused)
{
	static const struct step steps[] = {{O, 10}, {0}};
	struct ledger_entry e = {0};
	struct ledger_signal s;
	struct ledger_verdict v;

	(void)unused;
	play(&e, steps, &change);
	assert_true(ledger_expire(&e, CLOCK_HOUR_MS, RECEIVED + CLOCK_DAY_MS, &v));
	s = signal_of((struct step){C, 500}); /* before the deadline, yet newer than any signal */
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_DUPLICATE);
	s = signal_of((struct step){R, 600});
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, R);
	assert_true(v.forgets_reached);
}

static void what_settle_ended_is_seen_but_without_effect(void **unused)
{
	struct ledger_entry e = {0};
	struct ledger_signal s = signal_of((struct step){O, 10});
	struct ledger_verdict v;

	(void)unused;
	ledger_skip(&e, &s);
	assert_int_equal(e.state, LEDGER_UNKNOWN);
	assert_int_equal(e.as_of_ms, AT(10));
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_DUPLICATE);
	s = signal_of((struct step){C, 20});
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, C);
	s = signal_of((struct step){R, 15}); /* older than as_of already */
	ledger_skip(&e, &s);
	assert_int_equal(e.as_of_ms, AT(20));
}

static void reached_holds_each_once_in_order(void **unused)
{
	struct reached_list a = {0}, b;

	(void)unused;
	reached_add(&a, "default", "jo@example.com", "In Gladly Conversation");
	reached_add(&a, "default", "jo@example.com", "In Support Conversation");
	reached_add(&a, "default", "jo@example.com", "In Gladly Conversation");
	reached_add(&a, "other", "jo@example.com", "In Gladly Conversation");
	assert_int_equal(a.n, 3);
	reached_copy(&b, &a);
	reached_clear(&a);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 3);
	assert_string_equal(b.items[1].flag, "In Support Conversation");
	assert_string_equal(b.items[2].account, "other");
	assert_true(reached_has(&b, "other", "jo@example.com", "In Gladly Conversation"));
	assert_false(reached_has(&b, "other", "jo@example.com", "In Support Conversation"));
	reached_add(&b, "a", "b", "c");
	assert_int_equal(b.n, 4);
	reached_clear(&b);
}

#define ROWS (sizeof(rows) / sizeof(*rows))
#define CASES (sizeof(cases) / sizeof(*cases))

int main(void)
{
	static const struct CMUnitTest cases[] = {
		cmocka_unit_test(state_desk_closing_of_an_unknown_one_goes_out_when_it_is_young),
		cmocka_unit_test(created_judges_the_opening_that_makes_a_conversation_known),
		cmocka_unit_test(closed_at_judges_the_closing_that_makes_a_conversation_known),
		cmocka_unit_test(the_first_opening_of_one_that_was_closed_when_it_was_created_is_opened),
		cmocka_unit_test(a_fast_clock_freezes_nothing),
		cmocka_unit_test(times_and_counts_are_kept_for_the_events),
		cmocka_unit_test(an_opening_that_is_history_is_known_afterwards),
		cmocka_unit_test(the_last_32_signals_are_remembered),
		cmocka_unit_test(an_address_takes_no_place_among_the_signals),
		cmocka_unit_test(expiry_comes_at_its_deadline_and_not_before),
		cmocka_unit_test(a_closing_after_expiry_says_nothing_and_a_reopening_counts),
		cmocka_unit_test(what_settle_ended_is_seen_but_without_effect),
		cmocka_unit_test(reached_holds_each_once_in_order),
	};
	struct CMUnitTest tests[ROWS + CASES];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = row_holds, .initial_state = (void *)(uintptr_t)&rows[i]};
	memcpy(tests + ROWS, cases, sizeof(cases));
	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
