/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fixtures/named_rows.h"

/* The cases count seconds from here. The receipt is an hour later unless a case sets it. */
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
	enum transition kind;
	int at; /* seconds; 0: the end of the list */
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

/* The recipients of a transition, by the flags of the verdict. */
enum to_whom {
	NOBODY,  /* the rules see nothing */
	ADDED,   /* opens: the webhook's addresses, which are added to those reached */
	ANEW,    /* opens, and those reached before are forgotten first */
	OWN,     /* to_own_addresses: the webhook's addresses */
	REACHED, /* those reached */
};

struct row {
	const char *name;
	const char *before; /* the signals that came before, as text: step_parse() */
	const char *signal;
	enum {
		CHANGE,
		STATE
	} desk; /* what the desk reports */
	enum ledger_state state;
	enum transition transition; /* what the rules see */
	enum ledger_why why;
	enum to_whom to_whom;
};

/*
 * The rows go by state and signal. decision/ledger.h has the same table by precedence.
 *
 * A signal is written as a letter, the desk's time in seconds, and "-" where it has no address. The letters: O opened,
 * R reopened, C closed, A an address alone. row_holds() derives the other members of a verdict from the row.
 */
/* clang-format off */
#define UNKNOWN LEDGER_UNKNOWN
#define OPEN LEDGER_OPEN
#define CLOSED LEDGER_CLOSED
#define APPLIED LEDGER_APPLIED
#define DUPLICATE LEDGER_DUPLICATE
#define HISTORY LEDGER_HISTORY
#define BASELINE LEDGER_BASELINE
#define LATE LEDGER_LATE_ADDRESS
#define NOTHING LEDGER_NOTHING
static const struct row rows[] = {
	/* case                                     before          signal  desk    state    rules why        to whom */

	/* any state: kind and time already taken */
	{"any, kind and time already taken: duplicate",
	                                            "O10",          "O10",  CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},
	{"closed, opening already taken: duplicate, not history",
	                                            "O10 C20",      "O10",  CHANGE, CLOSED,  NONE, DUPLICATE, NOBODY},
	{"open without address, the same opening again with one: duplicate comes first",
	                                            "O10-",         "O10",  CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},
	{"a repeat seen as duplicate before stays one",
	                                            "O10 O12 C20",  "O12",  CHANGE, CLOSED,  NONE, DUPLICATE, NOBODY},
	{"history already taken: duplicate",        "C20 O10",      "O10",  CHANGE, CLOSED,  NONE, DUPLICATE, NOBODY},

	/* unknown: opened */
	{"unknown, opened",                         "",             "O10",  CHANGE, OPEN,    O,    APPLIED,   ADDED},
	{"unknown, opened without address",         "",             "O10-", CHANGE, OPEN,    O,    APPLIED,   ADDED},
	{"unknown, opened at a state desk",         "",             "O10",  STATE,  OPEN,    O,    APPLIED,   ADDED},

	/* unknown: reopened */
	{"unknown, reopened",                       "",             "R10",  CHANGE, OPEN,    R,    APPLIED,   ADDED},

	/* unknown: closed, at a desk that reports changes */
	{"unknown, closed at a change desk",        "",             "C10",  CHANGE, CLOSED,  C,    APPLIED,   OWN},

	/* unknown: closed, at a desk that reports states */
	{"unknown, closed at a state desk",         "",             "C10",  STATE,  CLOSED,  NONE, BASELINE,  NOBODY},

	/* open, no address yet: any but closed, of any age, with an address */
	{"no address yet, an address: opened at the original time",
	                                            "O10-",         "A15",  CHANGE, OPEN,    O,    LATE,      ADDED},
	{"no address yet, an older address",        "O10-",         "A5",   CHANGE, OPEN,    O,    LATE,      ADDED},
	{"no address yet, a newer opening with one",
	                                            "O10-",         "O15",  CHANGE, OPEN,    O,    LATE,      ADDED},
	{"no address yet, an older opening with one is no history",
	                                            "O10-",         "R5",   STATE,  OPEN,    O,    LATE,      ADDED},
	{"reopened without address, an address",    "O10 C20 R30-", "A40",  CHANGE, OPEN,    O,    LATE,      ADDED},

	/* any other state: an address alone changes nothing */
	{"unknown, an address",                     "",             "A10",  CHANGE, UNKNOWN, NONE, NOTHING,   NOBODY},
	{"address met late, one more address",      "O10- A11",     "A12",  CHANGE, OPEN,    NONE, NOTHING,   NOBODY},
	{"closed, an address",                      "O10- C20-",    "A30",  CHANGE, CLOSED,  NONE, NOTHING,   NOBODY},

	/* open, no address yet: closed */
	{"no address yet, closed with one: its own",
	                                            "O10-",         "C15",  CHANGE, CLOSED,  C,    APPLIED,   OWN},
	{"no address yet, closed with one at a state desk",
	                                            "O10-",         "C15",  STATE,  CLOSED,  C,    APPLIED,   OWN},

	/* open: opened, reopened */
	{"open, opened",                            "O10",          "O20",  CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},
	{"open, reopened",                          "O10",          "R20",  CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},
	{"open, reopened at the same time",         "O10",          "R10",  CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},
	{"no address yet, a newer opening without one either",
	                                            "O10-",         "O15-", CHANGE, OPEN,    NONE, DUPLICATE, NOBODY},

	/* open: closed */
	{"open, closed",                            "O10",          "C20",  CHANGE, CLOSED,  C,    APPLIED,   REACHED},
	{"open, closed without address",            "O10",          "C20-", CHANGE, CLOSED,  C,    APPLIED,   REACHED},
	{"open, closed at the same time",           "O10",          "C10",  CHANGE, CLOSED,  C,    APPLIED,   REACHED},
	{"open, closed at a state desk",            "O10",          "C20",  STATE,  CLOSED,  C,    APPLIED,   REACHED},
	{"an address alone makes nothing history",  "O10- A30",     "C20",  CHANGE, CLOSED,  C,    APPLIED,   REACHED},

	/* closed: opened, reopened */
	{"closed, opened",                          "O10 C20",      "O30",  CHANGE, OPEN,    R,    APPLIED,   ANEW},
	{"closed, reopened",                        "O10 C20",      "R30",  CHANGE, OPEN,    R,    APPLIED,   ANEW},
	{"closed, reopened at the same time",       "O10 C20",      "R20",  CHANGE, OPEN,    R,    APPLIED,   ANEW},
	{"closed, opened at a state desk",          "C20",          "O30",  STATE,  OPEN,    R,    APPLIED,   ANEW},

	/* closed: closed */
	{"closed, closed",                          "O10 C20",      "C30",  CHANGE, CLOSED,  NONE, DUPLICATE, NOBODY},

	/* any state: history, at a desk that reports changes */
	{"history: opened after its closing",       "C20",          "O10",  CHANGE, CLOSED,  O,    HISTORY,   OWN},
	{"history: opened at the time of the only closing",
	                                            "C20",          "O20",  CHANGE, CLOSED,  O,    HISTORY,   OWN},
	{"history: reopened at the time of the only closing",
	                                            "C20",          "R20",  CHANGE, CLOSED,  R,    HISTORY,   OWN},
	{"history: an older closing of an open one, for those reached",
	                                            "O10 R30",      "C20",  CHANGE, OPEN,    C,    HISTORY,   REACHED},
	{"history: an older closing of a closed one, for those reached",
	                                            "O10 C30",      "C20",  CHANGE, CLOSED,  C,    HISTORY,   REACHED},
	{"history: an older closing where no opening is known, for its own",
	                                            "C30",          "C20",  CHANGE, CLOSED,  C,    HISTORY,   OWN},
	{"history: an older reopening keeps its kind",
	                                            "O10 C30",      "R20",  CHANGE, CLOSED,  R,    HISTORY,   OWN},
	{"no address yet, an older closing is history for its own",
	                                            "O10-",         "C5",   CHANGE, OPEN,    C,    HISTORY,   OWN},
	{"a newer duplicate makes what lies before it history",
	                                            "O10 O30",      "C20",  CHANGE, OPEN,    C,    HISTORY,   REACHED},

	/* any state: history, at a desk that reports states */
	{"history at a state desk: opened",         "C20",          "O10",  STATE,  CLOSED,  NONE, HISTORY,   NOBODY},
	{"history at a state desk: closed",         "O10 O30",      "C20",  STATE,  OPEN,    NONE, HISTORY,   NOBODY},
};
/* clang-format on */

/* Reads one signal of a row's text and moves *text behind it. False at the end of the text. */
static bool step_parse(const char **text, struct step *ret)
{
	static const char letters[] = "AORC";
	static const enum transition kinds[] = {NONE, O, R, C};
	const char *letter;
	char *end;

	*text += strspn(*text, " ");
	if (**text == '\0')
		return false;
	letter = strchr(letters, **text);
	assert_non_null(letter);
	*ret = (struct step){.kind = kinds[letter - letters], .at = (int)strtol(*text + 1, &end, 10)};
	ret->no_address = *end == '-';
	*text = end + ret->no_address;
	return true;
}

#define CHECK(what, got, want)                                                                                      \
	do {                                                                                                        \
		if ((got) != (want))                                                                                \
			fail_msg("%s: " what " is %lld, not %lld", row->name, (long long)(got), (long long)(want)); \
	} while (0)

/* Each row is a cmocka case with the row's name. */
static void row_holds(void **which)
{
	const struct row *row = *which;
	const struct ledger_policy *policy = row->desk == STATE ? &state : &change;
	const char *before_text = row->before;
	const char *signal_text = row->signal;
	struct ledger_entry e = {0};
	int opened = 0; /* seconds: the last opening before the signal */
	int newest = 0; /* seconds: the newest opening or closing */
	enum ledger_state before;
	struct ledger_signal s;
	struct ledger_verdict v;
	struct step step;
	bool would;

	while (step_parse(&before_text, &step)) {
		s = signal_of(step);
		ledger_apply(&e, &s, policy, &v);
		if (step.kind == O || step.kind == R)
			opened = step.at;
		if (step.kind != NONE && step.at > newest)
			newest = step.at;
	}
	assert_true(step_parse(&signal_text, &step));
	if (step.kind != NONE && step.at > newest)
		newest = step.at;
	s = signal_of(step);
	before = e.state;
	would = ledger_would_change(&e, &s);
	ledger_apply(&e, &s, policy, &v);
	CHECK("state", e.state, row->state);
	CHECK("transition", v.transition, row->transition);
	CHECK("why", v.why, row->why);
	CHECK("opens", v.opens, row->to_whom == ADDED || row->to_whom == ANEW);
	CHECK("forgets_reached", v.forgets_reached, row->to_whom == ANEW);
	CHECK("to_own_addresses", v.to_own_addresses, row->to_whom == OWN);
	CHECK("history", v.history, row->why == HISTORY);
	CHECK("backfill", v.backfill, row->why == HISTORY && row->transition != NONE);
	/* A late address makes the opening's event, at the opening's time. */
	CHECK("time", v.time_ms, AT(row->why == LATE ? opened : step.at));
	/* An address alone has no time of its own. */
	CHECK("as_of", e.as_of_ms, newest ? AT(newest) : 0);
	CHECK("would_change", would, e.state != before);
}

static void state_desk_closing_of_an_unknown_one_goes_out_when_it_is_young(void **unused)
{
	static const struct {
		int64_t age_ms; /* -1: no closed_at */
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
	static const struct step none[] = {{0}};
	static const struct step no_address[] = {{O, 1, true}, {0}};
	static const struct step closed[] = {{O, 1}, {C, 2}, {0}};
	static const struct step reopened[] = {{O, 1}, {C, 2}, {R, 3, true}, {0}};
	const struct {
		const struct step *before;
		enum transition kind;
		bool want;
	} cases[] = {
		{none, O, true},
		{none, R, true},
		{no_address, O, true},
		{no_address, NONE, true},
		/* The conversation was known, so its age does not matter. */
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
			/* A late address keeps the age that its opening had at its receipt. */
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
	static const struct step none[] = {{0}};
	static const struct step open[] = {{O, 1}, {0}};
	static const struct step no_address[] = {{O, 1, true}, {0}};
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
		int created; /* seconds; 0: not given */
		struct step before[3];
		enum transition want;
	} cases[] = {
		{10, {{C, 10}, {0}}, O},
		{10, {{C, 19}, {0}}, O},
		{10, {{C, 20}, {0}}, R}, /* it may have been open for these ten seconds */
		{0, {{C, 10}, {0}}, R},
		{10, {{C, 12}, {O, 11}, {0}}, R}, /* the opening arrived after the closing */
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
	assert_int_equal(e.as_of_ms, 0); /* the mark takes the receipt instead */
	assert_int_equal(e.as_of_received_ms, AT(10));
	s = (struct ledger_signal){.kind = C, .time_ms = AT(19), .received_ms = AT(20)};
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.transition, C);
	assert_false(v.history);
	/* A repeat with another receipt is still a duplicate. */
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
	play(&e, rest, &change); /* the first step is history: an earlier opening */
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
	ledger_apply(&e, &s, &change, &v); /* in the closing's second; an opening is known now */
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
	s = signal_of((struct step){C, 2}); /* the oldest that is kept */
	ledger_apply(&e, &s, &change, &v);
	assert_int_equal(v.why, LEDGER_DUPLICATE);
	s = signal_of((struct step){O, 1}); /* no longer kept */
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
	struct ledger_entry e = {0};
	struct ledger_entry closed;
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
	s = signal_of((struct step){C, 500}); /* before the deadline, but newer than all signals */
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
	s = signal_of((struct step){R, 15}); /* older than as_of */
	ledger_skip(&e, &s);
	assert_int_equal(e.as_of_ms, AT(20));
}

static void reached_holds_each_once_in_order(void **unused)
{
	struct reached_list a = {0};
	struct reached_list b;

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

	return NAMED_ROWS_RUN("ledger", NAMED_ROWS(rows, row_holds, NULL, NULL), cases);
}
