/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NOW INT64_C(1795276800000)
#define S CLOCK_SECOND_MS
#define MINUTE CLOCK_MINUTE_MS

#define OPENED TRANSITION_OPENED
#define REOPENED TRANSITION_REOPENED
#define CLOSED TRANSITION_CLOSED
#define NONE TRANSITION_NONE

static const struct source_policy minute = {.settle_open_ms = MINUTE, .settle_close_ms = MINUTE};
static const struct source_policy closings = {.settle_close_ms = MINUTE};

/* Times are after NOW. */
struct said {
	enum transition kind;
	int64_t at;
	int64_t received; /* 0: as `at` */
	bool undated;
	bool held;
};

/* The signal's number is its place in the row, from 1. */
static struct ledger_signal signal_of(const struct said *a, int64_t order)
{
	return (struct ledger_signal){
		.kind = a->kind,
		.time_ms = NOW + (a->undated && a->received ? a->received : a->at),
		.received_ms = NOW + (a->received ? a->received : a->at),
		.undated = a->undated,
		.order = order,
	};
}

#define ROW_MAX 5
struct row {
	const char *what;
	struct said said[ROW_MAX];
	size_t self; /* the number of the signal in question */
	int64_t now;
	enum settle_verdict verdict;
	int64_t until;                      /* held only */
	const struct source_policy *source; /* NULL: minute */
	enum ledger_state state;            /* as of an hour before NOW */
	const char *over;                   /* NULL: none */
	bool changed;
};

#define HELD .held = true
#define UNTIL(after) .until = (after)
#define IS_OPEN .state = LEDGER_OPEN
#define IS_CLOSED .state = LEDGER_CLOSED
#define OVER(numbers) .over = (numbers), .changed = true

/* clang-format off */
static const struct row rows[] = {
	{"an opening is held", {{OPENED, 0}}, 1, 0, SETTLE_HELD, UNTIL(MINUTE)},
	{"until its time has come", {{OPENED, 0}}, 1, MINUTE - 1, SETTLE_HELD, UNTIL(MINUTE)},
	{"and goes on then", {{OPENED, 0}}, 1, MINUTE, SETTLE_CONTINUE},
	{"its time counts, not its receipt", {{OPENED, -40 * S, S}}, 1, S, SETTLE_HELD, UNTIL(20 * S)},
	{"but not one after its receipt", {{OPENED, 5 * S, S}}, 1, S, SETTLE_HELD, UNTIL(S + MINUTE)},
	{"a clock that was ahead holds nothing for long", {{OPENED, 60 * MINUTE}}, 1, 0, SETTLE_CONTINUE},
	{"what changes nothing is not held", {{OPENED, 0}}, 1, 0, SETTLE_CONTINUE, IS_OPEN},
	{"nor is an address", {{NONE, 0}}, 1, 0, SETTLE_CONTINUE, IS_OPEN},
	{"nor an opening where closings are held", {{OPENED, 0}}, 1, 0, SETTLE_CONTINUE, .source = &closings},
	{"a closing is", {{CLOSED, 0}}, 1, 0, SETTLE_HELD, UNTIL(MINUTE), .source = &closings, IS_OPEN},

	{"an opposite ends a held one and itself, as the state says so already",
	 {{CLOSED, 0, HELD}, {REOPENED, 30 * S}}, 2, 30 * S, SETTLE_ENDED, IS_OPEN, OVER("1")},
	{"an opening that did not last: its closing tells nothing",
	 {{OPENED, 0, HELD}, {CLOSED, 30 * S}}, 2, 30 * S, SETTLE_ENDED, OVER("1")},
	{"after the time it ends nothing",
	 {{CLOSED, 0, HELD}, {REOPENED, MINUTE}}, 2, MINUTE, SETTLE_BEHIND, IS_OPEN},
	{"nothing where the older one is of a kind that is not held",
	 {{OPENED, 0}, {CLOSED, 30 * S}}, 2, 30 * S, SETTLE_BEHIND, .source = &closings},
	{"an address ends nothing",
	 {{OPENED, 0, HELD}, {NONE, S}}, 2, S, SETTLE_BEHIND},
	{"it ends all that it can",
	 {{CLOSED, 0, HELD}, {CLOSED, S}, {REOPENED, 2 * S}}, 3, 2 * S, SETTLE_ENDED, IS_OPEN, OVER("1 2")},
	{"an opposite that came later ends it, and is over too",
	 {{CLOSED, 0}, {REOPENED, S}}, 1, S, SETTLE_ENDED, IS_OPEN, OVER("2")},
	{"ended by one that changes the state all the same: that one stays",
	 {{CLOSED, 0}, {REOPENED, S}}, 1, S, SETTLE_ENDED, IS_CLOSED, .changed = true},
	{"older ones first, then newer ones, whatever came first",
	 {{CLOSED, 0}, {REOPENED, 2 * S}, {REOPENED, -S, 3 * S}}, 1, 3 * S, SETTLE_ENDED, IS_OPEN, OVER("3 2")},

	{"the same again waits behind a held one",
	 {{OPENED, 0, HELD}, {OPENED, S}}, 2, S, SETTLE_BEHIND},
	{"an older one goes before a held one",
	 {{CLOSED, 0, HELD}, {OPENED, -5 * MINUTE, S}}, 2, S, SETTLE_CONTINUE},
	{"but not before one that waits for something else",
	 {{CLOSED, 0}, {OPENED, -5 * MINUTE, S}}, 2, S, SETTLE_BEHIND},
	{"nothing is ended before what came earlier and counts has met the ledger",
	 {{OPENED, -10 * MINUTE, S}, {CLOSED, -5 * MINUTE, S}, {REOPENED, -S, S}, {CLOSED, 0, S}}, 4, S, SETTLE_BEHIND},
	{"without times the order of receipt counts",
	 {{CLOSED, 0, .undated = true, HELD}, {REOPENED, 0, .undated = true}}, 2, 0, SETTLE_ENDED, IS_OPEN, OVER("1")},
	{"what comes later and is no opposite changes nothing",
	 {{OPENED, 0}, {OPENED, S}, {NONE, S}}, 1, S, SETTLE_HELD, UNTIL(MINUTE)},
};
/* clang-format on */

static struct ledger_entry entry_of(enum ledger_state state)
{
	struct ledger_entry e = {.state = state};

	if (state != LEDGER_UNKNOWN)
		e.as_of_ms = e.first_opened_ms = e.opened_ms = e.opened_received_ms = NOW - 60 * MINUTE;
	if (state == LEDGER_CLOSED)
		e.closed_ms = NOW - 60 * MINUTE;
	return e;
}

static void the_rule_row_by_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct settle x = {.source = row->source ? row->source : &minute,
				   .self = signal_of(&row->said[row->self - 1], (int64_t)row->self)};
		struct ledger_entry e = entry_of(row->state);
		char over[64] = "";
		enum settle_verdict verdict;

		for (size_t k = 0; k < ROW_MAX && (k == 0 || row->said[k].kind || row->said[k].at); k++) {
			struct ledger_signal other = signal_of(&row->said[k], (int64_t)k + 1);

			if (k + 1 != row->self && !settle_add_neighbour(&x, &other, row->said[k].held))
				break;
		}
		verdict = settle_rule(&x, NOW + row->now, &e);
		for (size_t k = 0; k < x.settled_n; k++)
			(void)snprintf(over + strlen(over), sizeof(over) - strlen(over), "%s%d", k > 0 ? " " : "",
				       (int)x.settled[k]);
		if (verdict != row->verdict || strcmp(over, row->over ? row->over : "") != 0 ||
		    x.changed != row->changed)
			fail_msg("%s: verdict %d, over \"%s\", changed %d", row->what, verdict, over, x.changed);
		if (verdict == SETTLE_HELD && x.until_ms != NOW + row->until)
			fail_msg("%s: until %d ms after now", row->what, (int)(x.until_ms - NOW));
		assert_int_equal(e.state, row->state);
		settle_done(&x);
	}
}

/* An ended signal advances the marks: an older one that comes after it is history. */
static void what_is_over_advances_the_marks(void **unused)
{
	const struct said closed = {CLOSED, 10 * S};
	const struct said reopened = {REOPENED, 20 * S};
	const struct ledger_signal other = signal_of(&closed, 1);
	struct settle x = {.source = &minute, .self = signal_of(&reopened, 2)};
	struct ledger_entry e = entry_of(LEDGER_OPEN);

	(void)unused;
	assert_true(settle_add_neighbour(&x, &other, true));
	assert_int_equal(settle_rule(&x, NOW + 20 * S, &e), SETTLE_ENDED);
	assert_int_equal(e.as_of_ms, NOW + 20 * S);
	assert_int_equal(e.newest, 2);
	assert_int_equal(e.taken_n, 2);
	settle_done(&x);
}

#define MANY 5000

static void however_many_it_ends_all_are_over(void **unused)
{
	const struct said closed = {CLOSED, 20 * S};
	struct settle x = {.source = &minute, .self = signal_of(&closed, MANY + 1)};
	struct ledger_entry e = {0};

	(void)unused;
	for (int i = 1; i <= MANY; i++) {
		const struct said opened = {OPENED, i};
		const struct ledger_signal other = signal_of(&opened, i);

		assert_true(settle_add_neighbour(&x, &other, i == 1));
	}
	assert_int_equal(settle_rule(&x, NOW + 20 * S, &e), SETTLE_ENDED);
	assert_int_equal(x.settled_n, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(x.settled[i], i + 1);
	settle_done(&x);
}

static void a_source_without_times_holds_nothing(void **unused)
{
	static const struct source_policy none = {.settle_open_ms = 0};

	(void)unused;
	assert_false(settle_applies(&none));
	assert_true(settle_applies(&minute));
	assert_true(settle_applies(&closings));
	assert_int_equal(settle_ms(&closings, OPENED), 0);
	assert_int_equal(settle_ms(&closings, REOPENED), 0);
	assert_int_equal(settle_ms(&closings, CLOSED), MINUTE);
	assert_int_equal(settle_ms(&minute, REOPENED), MINUTE);
	assert_int_equal(settle_ms(&minute, NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rule_row_by_row),
		cmocka_unit_test(what_is_over_advances_the_marks),
		cmocka_unit_test(however_many_it_ends_all_are_over),
		cmocka_unit_test(a_source_without_times_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
