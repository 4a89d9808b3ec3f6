/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fixtures/dice.h"

/*
 * Signals dated by the desk and undated signals in one conversation, against a model that knows the true order of
 * events and no marks.
 *
 * A history is a list of signals in the order in which they happened. Throughout a history the desk's clock is ahead or
 * behind by one amount and may count in whole seconds. Each signal has its own delay, and some arrive twice. The right
 * state at the end is that of the signal that happened last.
 *
 * The order of two signals is unknown where one of them is undated and they overtook each other. is_decidable()
 * tells whether a history ends without such a pair. Where the clock's difference and the delays together stay below
 * nine seconds, each decidable history must end right. All others are counted, and the counts are printed.
 *
 * DESKBRIDGE_TEST_SEED=N repeats a run. A failure prints the seed of its history, which N may be.
 */

#define HISTORIES 60000
#define SIGNALS_MAX 12 /* with repeats fewer than LEDGER_TAKEN_MAX, so the ledger keeps all of them */
#define ARRIVALS_MAX (2 * SIGNALS_MAX)
#define PROMISE_MS (9 * CLOCK_SECOND_MS)
#define T0 INT64_C(1764000000000)
#define AT(s) (T0 + (int64_t)((s)*1000))

#define O TRANSITION_OPENED
#define R TRANSITION_REOPENED
#define C TRANSITION_CLOSED

static const struct ledger_policy change = {.late_closed_ms = CLOCK_NEVER_MS};

/* ---- a history --------------------------------------------------------------------------------------------------- */

struct arrival {
	struct ledger_signal signal;
	int64_t happened_ms;
	int64_t under_way_ms;
	bool repeat; /* a repeat of an earlier signal */
};

struct history {
	uint64_t seed;
	int64_t skew_ms;  /* how far the desk's clock is ahead */
	int64_t worst_ms; /* the longest delay */
	struct arrival arrivals[ARRIVALS_MAX];
	int n;
	int newest; /* the arrival that happened last, without repeats */
};

static bool opens(const struct ledger_signal *s)
{
	return s->kind != TRANSITION_CLOSED;
}

static struct arrival signal_that_happened(int64_t happened_ms, enum transition kind, bool undated, int64_t skew_ms,
					   bool whole_seconds, int64_t under_way_ms)
{
	struct arrival a = {.happened_ms = happened_ms, .under_way_ms = under_way_ms};

	a.signal = (struct ledger_signal){
		.kind = kind,
		.undated = undated,
		.time_ms = happened_ms + skew_ms,
		.received_ms = happened_ms + under_way_ms,
		.has_address = true,
	};
	if (whole_seconds)
		a.signal.time_ms -= a.signal.time_ms % 1000;
	if (undated)
		a.signal.time_ms = a.signal.received_ms;
	return a;
}

static int by_receipt(const void *a, const void *b)
{
	const struct arrival *x = a;
	const struct arrival *y = b;

	if (x->signal.received_ms != y->signal.received_ms)
		return x->signal.received_ms < y->signal.received_ms ? -1 : 1;
	return x->happened_ms < y->happened_ms ? -1 : 1;
}

/* Makes the arrivals, numbered in their order. A dated signal may be delivered twice: the same bytes in another
 * webhook. An undated one may be tried again from the store: the same webhook. */
static void arrive(struct history *h)
{
	int n = h->n;

	for (int i = 0; i < n; i++) {
		if (h->arrivals[i].signal.undated || dice_roll(4) != 0)
			continue;
		h->arrivals[h->n] = h->arrivals[i];
		h->arrivals[h->n].repeat = true;
		h->arrivals[h->n++].signal.received_ms += 1 + dice_roll(60000);
	}
	qsort(h->arrivals, (size_t)h->n, sizeof(*h->arrivals), by_receipt);
	h->newest = -1;
	for (int i = 0; i < h->n; i++) {
		struct arrival *a = &h->arrivals[i];

		a->signal.order = i + 1;
		if (!a->repeat && (h->newest < 0 || a->happened_ms > h->arrivals[h->newest].happened_ms))
			h->newest = i;
	}
}

static void make(struct history *h, uint64_t seed, bool any_order)
{
	static const unsigned gaps[] = {50, 1500, 6000, 30000};
	static const unsigned ways[] = {1, 300, 3000, 9000, 30000};
	int64_t now = T0;
	unsigned way, undated;
	bool whole_seconds;
	int n;

	*h = (struct history){.seed = seed};
	dice_seed(seed);
	for (int i = 0; i < 8; i++)
		(void)dice_roll(2);
	n = 2 + (int)dice_roll(SIGNALS_MAX - 1);
	h->skew_ms = (int64_t)dice_roll(20001) - 10000;
	if (dice_roll(3) == 0)
		h->skew_ms /= 10;
	whole_seconds = dice_roll(2);
	undated = dice_roll(4); /* of three */
	way = ways[dice_roll(5)];
	for (int i = 0; i < n; i++) {
		enum transition kind = i == 0 ? O : dice_roll(2) ? C : dice_roll(2) ? R : O;
		int64_t under_way_ms = dice_roll(4) == 0 ? dice_roll(way) : dice_roll(way) / 20;

		now += 1 + dice_roll(gaps[dice_roll(4)]);
		h->arrivals[h->n++] = signal_that_happened(now, kind, dice_roll(3) < undated, h->skew_ms, whole_seconds,
							   under_way_ms);
		if (under_way_ms > h->worst_ms)
			h->worst_ms = under_way_ms;
	}
	if (any_order)
		arrive(h);
}

static bool is_promised(const struct history *h)
{
	return llabs(h->skew_ms) + h->worst_ms < PROMISE_MS;
}

/* A desk that counts in seconds gives two signals the same time: their order is unknown, and two of the same kind are
 * the same signal. */
static bool is_second_shared(const struct history *h)
{
	const struct ledger_signal *last = &h->arrivals[h->newest].signal;

	for (int i = 0; i < h->n; i++) {
		const struct ledger_signal *s = &h->arrivals[i].signal;

		if (i != h->newest && !h->arrivals[i].repeat && !s->undated && !last->undated &&
		    s->time_ms == last->time_ms)
			return true;
	}
	return false;
}

/* True where the arrivals show which signal happened last. */
static bool is_decidable(const struct history *h)
{
	const struct arrival *last = &h->arrivals[h->newest];
	int64_t newest_before_ms = 0; /* given by the desk */

	if (is_second_shared(h))
		return false;
	for (int i = 0; i < h->newest; i++) {
		const struct ledger_signal *s = &h->arrivals[i].signal;

		if (!s->undated && s->time_ms > newest_before_ms)
			newest_before_ms = s->time_ms;
	}
	for (int i = 0; i < h->n; i++) {
		const struct arrival *a = &h->arrivals[i];
		const struct ledger_signal *s = &a->signal;

		if (a->repeat || i == h->newest)
			continue;
		if (i > h->newest && s->undated)
			return false;
		if (i > h->newest && last->signal.undated && s->time_ms >= newest_before_ms &&
		    last->signal.received_ms - s->time_ms < LEDGER_CLOCKS_MS)
			return false;
	}
	return true;
}

static void print(const struct history *h)
{
	print_message("seed %llu: the desk's clock is %lld ms ahead\n", (unsigned long long)h->seed,
		      (long long)h->skew_ms);
	for (int i = 0; i < h->n; i++) {
		const struct arrival *a = &h->arrivals[i];

		print_message("  %s happened %lld, dated %lld%s, received %lld%s%s\n", transition_name(a->signal.kind),
			      (long long)(a->happened_ms - T0), (long long)(a->signal.time_ms - T0),
			      a->signal.undated ? " (no)" : "", (long long)(a->signal.received_ms - T0),
			      a->repeat ? ", again" : "", i == h->newest ? "  <- the last to happen" : "");
	}
}

#define DEMAND(h, cond)                                                                                \
	do {                                                                                           \
		if (!(cond)) {                                                                         \
			print(h);                                                                      \
			fail_msg("seed %llu: %s does not hold", (unsigned long long)(h)->seed, #cond); \
		}                                                                                      \
	} while (0)

/* The flag of a person's profile, by transitions that are no history. */
static void update_flag(bool *flag, const struct ledger_verdict *v)
{
	if (v->history || v->transition == TRANSITION_NONE)
		return;
	*flag = v->transition == TRANSITION_OPENED || v->transition == TRANSITION_REOPENED;
}

/* Plays a history. Returns true where the flag ends right. */
static bool play(const struct history *h)
{
	struct ledger_entry e = {0};
	bool flag = false;

	for (int i = 0; i < h->n; i++) {
		const struct arrival *a = &h->arrivals[i];
		struct ledger_entry before = e;
		bool would = ledger_would_change(&e, &a->signal);
		struct ledger_entry again;
		struct ledger_verdict v, repeat;

		ledger_apply(&e, &a->signal, &change, &v);
		update_flag(&flag, &v);
		DEMAND(h, would == (before.state != e.state));
		DEMAND(h, flag == (e.state == LEDGER_OPEN));
		DEMAND(h, !a->repeat || e.state == before.state);
		DEMAND(h, !a->repeat || v.transition == TRANSITION_NONE);
		/* The same webhook again, from the store. */
		again = e;
		ledger_apply(&again, &h->arrivals[dice_roll((unsigned)i + 1)].signal, &change, &repeat);
		DEMAND(h, repeat.transition == TRANSITION_NONE);
		DEMAND(h, memcmp(&again, &e, sizeof(e)) == 0);
	}
	return flag == opens(&h->arrivals[h->newest].signal);
}

static void flags_end_right_where_clock_and_way_stay_below_nine_seconds(void **unused)
{
	int promised = 0;
	int undecidable = 0;
	int undecidable_wrong = 0;
	int beyond = 0;
	int beyond_wrong = 0;
	uint64_t seed = dice_first_seed(HISTORIES);

	(void)unused;
	for (int i = 0; i < HISTORIES; i++) {
		struct history h;
		bool right;

		make(&h, seed + (uint64_t)i, true);
		right = play(&h);
		if (!is_promised(&h)) {
			beyond++;
			beyond_wrong += !right;
		} else if (!is_decidable(&h)) {
			undecidable++;
			undecidable_wrong += !right;
		} else {
			promised++;
			DEMAND(&h, right);
		}
	}
	print_message("below nine seconds: %d histories, all right\n", promised);
	print_message("below nine seconds, where nobody can tell which was last: %d, of them %d wrong\n", undecidable,
		      undecidable_wrong);
	print_message("nine seconds and more: %d, of them %d wrong\n", beyond, beyond_wrong);
	assert_true(promised > HISTORIES / 10);
}

/* Makes a history in the true order. From some signal on our clock is set back by an hour, and so is the desk's where
 * it runs on the same machine. */
static void set_back(struct history *h)
{
	int64_t hour = 3600 * CLOCK_SECOND_MS;
	int64_t received_ms = 0;
	bool same_machine = dice_roll(2);
	int from = 1 + (int)dice_roll((unsigned)h->n);

	h->worst_ms = 0;
	for (int i = 0; i < h->n; i++) {
		struct arrival *a = &h->arrivals[i];
		struct ledger_signal *s = &a->signal;

		received_ms = s->received_ms > received_ms ? s->received_ms : received_ms + 1;
		if (received_ms - a->happened_ms > h->worst_ms)
			h->worst_ms = received_ms - a->happened_ms;
		s->received_ms = received_ms - (i >= from ? hour : 0);
		s->time_ms -= i >= from && same_machine ? hour : 0;
		if (s->undated)
			s->time_ms = s->received_ms;
		s->order = i + 1;
		h->newest = i;
	}
}

static void a_clock_set_back_by_an_hour_freezes_no_history_that_comes_in_order(void **unused)
{
	uint64_t seed = dice_first_seed(HISTORIES);
	int promised = 0;

	(void)unused;
	for (int i = 0; i < HISTORIES; i++) {
		struct history h;

		make(&h, seed + (uint64_t)i, false);
		set_back(&h);
		if (is_promised(&h) && !is_second_shared(&h)) {
			promised++;
			DEMAND(&h, play(&h));
		}
	}
	print_message("below nine seconds: %d histories, all right\n", promised);
	assert_true(promised > HISTORIES / 10);
}

/* ---- single cases ------------------------------------------------------------------------------------------------ */

struct step {
	enum transition kind;
	double dated; /* seconds; negative: no time */
	double received;
	enum ledger_state state; /* afterwards */
	enum ledger_why why;
	int64_t order; /* 0: in this order */
};

#define NO (-1.0)

static void walk_from(struct ledger_entry *e, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ledger_signal s = {
			.kind = steps[i].kind,
			.undated = steps[i].dated < 0,
			.time_ms = AT(steps[i].dated < 0 ? steps[i].received : steps[i].dated),
			.received_ms = AT(steps[i].received),
			.order = steps[i].order ? steps[i].order : (int64_t)i + 1,
			.has_address = true,
		};
		struct ledger_verdict v;

		ledger_apply(e, &s, &change, &v);
		if (e->state != steps[i].state || v.why != steps[i].why)
			fail_msg("step %zu: state %d, why %d", i + 1, (int)e->state, (int)v.why);
	}
}

#define WALK(...)                                                             \
	do {                                                                  \
		static const struct step steps_[] = {__VA_ARGS__};            \
		struct ledger_entry entry_ = {0};                             \
		walk_from(&entry_, steps_, sizeof(steps_) / sizeof(*steps_)); \
	} while (0)

static void a_closing_in_the_second_of_a_reply_without_a_time_counts(void **unused)
{
	(void)unused;
	WALK({O, NO, 100.7, LEDGER_OPEN, LEDGER_APPLIED}, {C, 100, 101.2, LEDGER_CLOSED, LEDGER_APPLIED});
}

static void a_closing_dated_by_a_slow_clock_counts(void **unused)
{
	(void)unused;
	/* Two seconds later, by a clock that is five seconds behind. */
	WALK({O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 97, 102, LEDGER_CLOSED, LEDGER_APPLIED});
	/* The oldest time that counts, and the newest that is history. */
	WALK({O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 90.001, 102, LEDGER_CLOSED, LEDGER_APPLIED});
	WALK({O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 90, 102, LEDGER_OPEN, LEDGER_HISTORY});
}

static void the_cycle_ends_as_the_signal_without_a_time_says(void **unused)
{
	(void)unused;
	/* 98 is older than 100; 100 arrived before the one received at 105, and 98 after that. */
	WALK({C, 100, 101, LEDGER_CLOSED, LEDGER_APPLIED}, {O, NO, 105, LEDGER_OPEN, LEDGER_APPLIED},
	     {C, 98, 106, LEDGER_OPEN, LEDGER_HISTORY});
	WALK({O, 100, 101, LEDGER_OPEN, LEDGER_APPLIED}, {C, NO, 105, LEDGER_CLOSED, LEDGER_APPLIED},
	     {O, 98, 106, LEDGER_CLOSED, LEDGER_HISTORY});
}

static void a_clock_a_little_ahead_does_not_hide_what_was_first(void **unused)
{
	(void)unused;
	/* Three seconds ahead; the closing overtakes the opening. Both are dated after their receipt. */
	WALK({C, 104, 101, LEDGER_CLOSED, LEDGER_APPLIED}, {O, 103, 102, LEDGER_CLOSED, LEDGER_HISTORY});
}

static void a_clock_far_ahead_freezes_nothing(void **unused)
{
	(void)unused;
	WALK({O, 7300, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 101, 102, LEDGER_CLOSED, LEDGER_APPLIED});
	WALK({O, 7300, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 99, 102, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, 7302, 103, LEDGER_OPEN, LEDGER_APPLIED}, {C, 7303, 104, LEDGER_CLOSED, LEDGER_APPLIED});
	/* At the limit, where some are dated ten seconds ahead and some less. */
	WALK({O, 115, 101, LEDGER_OPEN, LEDGER_APPLIED}, {C, 116, 108, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, 124, 109, LEDGER_OPEN, LEDGER_APPLIED}, {C, 125, 116, LEDGER_CLOSED, LEDGER_APPLIED});
}

static void a_clock_that_is_set_back_by_an_hour_freezes_nothing(void **unused)
{
	(void)unused;
	/* Our clock and the desk's, which runs on the same machine and counts in seconds. */
	WALK({O, 4000, 4000.1, LEDGER_OPEN, LEDGER_APPLIED}, {C, 405, 405.9, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, 406, 406.3, LEDGER_OPEN, LEDGER_APPLIED}, {C, 400, 406.5, LEDGER_OPEN, LEDGER_HISTORY});
	/* Our clock alone. */
	WALK({O, 4000, 4000.1, LEDGER_OPEN, LEDGER_APPLIED}, {C, 4005, 405.9, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, 4006, 406.3, LEDGER_OPEN, LEDGER_APPLIED});
	/* Undated signals, and both kinds. */
	WALK({O, NO, 4000, LEDGER_OPEN, LEDGER_APPLIED}, {C, NO, 405, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, NO, 406, LEDGER_OPEN, LEDGER_APPLIED});
	WALK({O, NO, 4000, LEDGER_OPEN, LEDGER_APPLIED}, {C, 405, 406, LEDGER_CLOSED, LEDGER_APPLIED},
	     {R, 420, 460, LEDGER_OPEN, LEDGER_APPLIED});
	/* An undated reply meets the desk's mark first: a closing by a slow clock still counts. */
	WALK({O, 4000, 4000.1, LEDGER_OPEN, LEDGER_APPLIED}, {O, NO, 405, LEDGER_OPEN, LEDGER_DUPLICATE},
	     {C, 402, 407, LEDGER_CLOSED, LEDGER_APPLIED});
	/* A signal dated long before its receipt is still history. */
	WALK({O, 4000, 4000.1, LEDGER_OPEN, LEDGER_APPLIED}, {C, 300, 405, LEDGER_OPEN, LEDGER_HISTORY});
}

static void what_was_received_before_is_history_where_a_later_one_was_taken(void **unused)
{
	(void)unused;
	/* An undated webhook that waited in the store, behind a dated one, a dated one by a slow clock, an undated one,
	 * and an hour of a clock that was set back. */
	WALK({O, 99, 99, LEDGER_OPEN, LEDGER_APPLIED, 1}, {C, 106, 107, LEDGER_CLOSED, LEDGER_APPLIED, 3},
	     {R, NO, 105, LEDGER_CLOSED, LEDGER_HISTORY, 2});
	WALK({O, 99, 99, LEDGER_OPEN, LEDGER_APPLIED, 1}, {C, 100, 107, LEDGER_CLOSED, LEDGER_APPLIED, 3},
	     {R, NO, 105, LEDGER_CLOSED, LEDGER_HISTORY, 2});
	WALK({O, NO, 99, LEDGER_OPEN, LEDGER_APPLIED, 1}, {C, NO, 107, LEDGER_CLOSED, LEDGER_APPLIED, 3},
	     {R, NO, 105, LEDGER_CLOSED, LEDGER_HISTORY, 2});
	/* A dated webhook behind an undated one. */
	WALK({O, 99, 99, LEDGER_OPEN, LEDGER_APPLIED, 1}, {C, NO, 107, LEDGER_CLOSED, LEDGER_APPLIED, 3},
	     {R, 104, 105, LEDGER_CLOSED, LEDGER_HISTORY, 2});
	/* The later one is dated long before: it is not newer. */
	WALK({O, 80, 111, LEDGER_OPEN, LEDGER_APPLIED, 3}, {C, NO, 100, LEDGER_CLOSED, LEDGER_APPLIED, 2});
}

static void two_webhooks_without_a_time_are_two_signals_though_received_together(void **unused)
{
	(void)unused;
	WALK({O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED, 1}, {C, NO, 100, LEDGER_CLOSED, LEDGER_APPLIED, 2},
	     {O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED, 3}, {C, NO, 100, LEDGER_OPEN, LEDGER_DUPLICATE, 2},
	     {O, NO, 100, LEDGER_OPEN, LEDGER_DUPLICATE, 3});
	/* A time of the desk is not the receipt of another signal. */
	WALK({O, NO, 100, LEDGER_OPEN, LEDGER_APPLIED}, {C, 100, 100.5, LEDGER_CLOSED, LEDGER_APPLIED},
	     {O, 100, 101, LEDGER_OPEN, LEDGER_APPLIED});
}

static void an_entry_of_before_the_second_mark_goes_on(void **unused)
{
	struct ledger_entry e = {.state = LEDGER_OPEN,
				 .as_of_ms = AT(100),
				 .first_opened_ms = AT(90),
				 .opened_ms = AT(90),
				 .addressed = true};
	static const struct step steps[] = {{C, 99, 101, LEDGER_OPEN, LEDGER_HISTORY, 501},
					    {C, NO, 102, LEDGER_CLOSED, LEDGER_APPLIED, 502},
					    {R, 100, 103, LEDGER_OPEN, LEDGER_APPLIED, 503}};

	(void)unused;
	walk_from(&e, steps, 3);
}

static void settle_puts_two_signals_in_the_same_order(void **unused)
{
	static const struct {
		double dated[2], received[2];
		bool older[2]; /* whether the first is older than the second, and the reverse */
	} cases[] = {
		{{100, 101}, {102, 101}, {true, false}}, {{100, 100}, {101, 102}, {false, false}},
		{{NO, NO}, {100, 101}, {true, false}},   {{NO, 97}, {100, 102}, {true, false}},
		{{NO, 90}, {100, 102}, {false, true}},   {{97, NO}, {98, 100}, {true, false}},
		{{103, NO}, {98, 100}, {true, false}},   {{200, NO}, {98, 100}, {true, false}},
		{{200, 99}, {98, 100}, {true, false}},   {{NO, NO}, {4000, 400}, {true, false}},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ledger_signal s[2];

		for (int k = 0; k < 2; k++)
			s[k] = (struct ledger_signal){
				.undated = cases[i].dated[k] < 0,
				.time_ms = AT(cases[i].dated[k] < 0 ? cases[i].received[k] : cases[i].dated[k]),
				.received_ms = AT(cases[i].received[k]),
				.order = k + 1,
			};
		if (ledger_is_older(&s[0], &s[1]) != cases[i].older[0] ||
		    ledger_is_older(&s[1], &s[0]) != cases[i].older[1])
			fail_msg("case %zu", i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_end_right_where_clock_and_way_stay_below_nine_seconds),
		cmocka_unit_test(a_clock_set_back_by_an_hour_freezes_no_history_that_comes_in_order),
		cmocka_unit_test(a_closing_in_the_second_of_a_reply_without_a_time_counts),
		cmocka_unit_test(a_closing_dated_by_a_slow_clock_counts),
		cmocka_unit_test(the_cycle_ends_as_the_signal_without_a_time_says),
		cmocka_unit_test(a_clock_a_little_ahead_does_not_hide_what_was_first),
		cmocka_unit_test(a_clock_far_ahead_freezes_nothing),
		cmocka_unit_test(a_clock_that_is_set_back_by_an_hour_freezes_nothing),
		cmocka_unit_test(what_was_received_before_is_history_where_a_later_one_was_taken),
		cmocka_unit_test(two_webhooks_without_a_time_are_two_signals_though_received_together),
		cmocka_unit_test(an_entry_of_before_the_second_mark_goes_on),
		cmocka_unit_test(settle_puts_two_signals_in_the_same_order),
	};

	return cmocka_run_group_tests_name("ledger clocks", tests, NULL, NULL);
}
