/* SPDX-License-Identifier: MIT */
/*
 * ledger: the state machine of one conversation. A pure function of (entry, signal).
 *
 * The entry is the state of one conversation of a source. The caller keeps the people reached next to it (struct
 * reached), because the rules decide whom an opening reaches.
 *
 * Two clocks date signals: the desk's clock, and ours where the desk gives no time. They may differ, so the entry keeps
 * the newest time of each (a mark), and never compares times of the two clocks exactly:
 *
 * - A signal's own time counts while it lies less than LEDGER_CLOCKS_MS after the receipt. With a time further ahead,
 *   the signal counts as undated.
 * - A dated signal is history where it is older than the desk's mark, or LEDGER_CLOCKS_MS or more older than our mark.
 *   It is also history where a signal received later has been taken and our mark lies after its own receipt. An opening
 *   at exactly the desk's mark is history where the conversation is closed and no opening is known: desks count in
 *   seconds, and the opening came first.
 * - An undated signal is history only where a signal received later has been taken.
 * - A mark of the desk that lies LEDGER_CLOCKS_MS or more after a receipt counts as that receipt, and so does a mark of
 *   ours that lies after the receipt: a clock was set back, and no signal may wait until it reaches that time again.
 *
 * The numbers of the webhooks give the order of receipt. No clock changes them.
 *
 * The table. The first row that fits a signal counts; - means unchanged, or nothing:
 *
 *   state              signal                                   new state  what the rules see
 *   any                kind and time already taken              -          -
 *   open, no address   opening or mere address, of any age,
 *                      with an address                          -          opened, at the opening's time
 *   any                neither opening nor closing              -          -
 *   any                history                                  -          what it says, always backfill
 *   unknown            opened, reopened                         open       what it says
 *   closed             opened, reopened                         open       reopened
 *   open               opened, reopened                         -          -
 *   unknown, open      closed                                   closed     closed
 *   closed             closed                                   -          -
 *   open               expire_after has passed (ledger_expire)  closed     expired, always backfill
 *
 * A desk that reports states (reports_state) also reports states from before our time. The rules see nothing of its
 * history, and of an unknown conversation's closing only where closed_at is less than late_closed_ms before the
 * receipt. A conversation that was closed when it was created was never opened: its first opening is `opened`.
 *
 * A closing or expiry goes to all whom the openings since the last closing reached. A closing goes to the webhook's own
 * addresses where no opening with an address is known. The signal of every row but the first advances the marks, unless
 * it is a mere address. An expiry is no signal and advances no mark.
 */
#ifndef DECISION_LEDGER_H
#define DECISION_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "helpdesk/expr/webhook.h"

#define LEDGER_TAKEN_MAX 32
/* The desk's clock and ours differ by less than this, travel time included: nine seconds, and one for desks that count
 * in whole seconds. */
#define LEDGER_CLOCKS_MS (10 * CLOCK_SECOND_MS)

enum ledger_state {
	LEDGER_UNKNOWN = 0,
	LEDGER_OPEN,
	LEDGER_CLOSED,
};

struct ledger_taken {
	enum transition kind;
	bool undated; /* time_ms is our receipt */
	int64_t time_ms;
};

struct ledger_entry {
	enum ledger_state state;
	int64_t as_of_ms;           /* the newest time that the desk gave; 0: none */
	int64_t as_of_received_ms;  /* the newest receipt of a signal without a time that counts; 0: none */
	int64_t newest;             /* the newest webhook taken, by its number; 0: none known */
	int64_t first_opened_ms;    /* the earliest known; 0: no opening known */
	int64_t opened_ms;          /* of the latest opening; 0: none known */
	int64_t opened_received_ms; /* our receipt of the signal that last opened it; `expire_after` runs from here */
	int64_t closed_ms;          /* of the latest closing; 0: none */
	unsigned reopen_count;
	/* The latest opening had an address (reached, dropped or ignored). False while open: "no address yet". Stays
	 * after a closing, because it decides whom a history closing goes to. False where the only known opening is
	 * history. */
	bool addressed;
	struct ledger_taken taken[LEDGER_TAKEN_MAX]; /* oldest first */
	unsigned taken_n;
};

struct ledger_signal {
	enum transition kind; /* NONE: only the address became known */
	int64_t time_ms;      /* the desk's time; undated: the receipt */
	bool undated;         /* the desk gave no time */
	int64_t received_ms;
	int64_t order;        /* the webhook's number, which grows with each receipt; 0: the newest */
	int64_t created_ms;   /* 0: not given */
	int64_t closed_at_ms; /* 0: not given */
	bool has_address;     /* at least one well-formed address came with it */
};

struct ledger_policy {
	bool reports_state;
	int64_t late_closed_ms; /* reports_state: the rules do not see an unknown conversation's closing that is this
				   old or of unknown age */
};

/* The reason of a verdict. */
enum ledger_why {
	LEDGER_APPLIED,      /* the state changed */
	LEDGER_DUPLICATE,    /* kind and time already taken, or the state is the same */
	LEDGER_HISTORY,      /* older than the newest signal */
	LEDGER_BASELINE,     /* a state desk reported a closing from before our time */
	LEDGER_LATE_ADDRESS, /* an opening without address gets its address */
	LEDGER_NOTHING,      /* an address, where none is missing */
	LEDGER_EXPIRED,
};

struct ledger_verdict {
	enum ledger_why why;
	enum transition transition; /* the transition that the rules see; NONE: nothing */
	int64_t time_ms;            /* the event's time; of a late address the opening's */
	bool opens;                 /* the webhook's addresses are decided (account, drop) and added to those reached */
	bool forgets_reached;       /* with opens: those reached before the last closing are forgotten first */
	bool to_own_addresses;      /* it goes to the webhook's own addresses; else a closing goes to all reached */
	bool backfill;              /* always backfill, whatever `late` says */
	bool history;
	/* The signal made the conversation known: since_ms is the desk's time of creation (of a closing: of closing),
	 * received_ms our receipt. If older than `late` allows at the receipt, the event is backfill. since_ms 0: the
	 * event's own time counts. */
	int64_t since_ms;
	int64_t received_ms;
};

/* Applies a signal to *e and fills *ret. A repeat of a taken signal changes nothing. */
void ledger_apply(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
		  struct ledger_verdict *ret);
/* True where applying s would change the state, whatever the rules see. For `settle`. */
bool ledger_would_change(const struct ledger_entry *e, const struct ledger_signal *s);
/* True where a happened before b, by the comparison of the rows. False for both orders where both have the same time of
 * the desk. */
bool ledger_is_older(const struct ledger_signal *a, const struct ledger_signal *b);
/* Marks the signal as seen: the marks advance, and its kind and time count as taken. The state does not change. For
 * signals that `settle` ended. */
void ledger_skip(struct ledger_entry *e, const struct ledger_signal *s);
/* Closes an open entry whose deadline (opened_received_ms + expire_after_ms) has passed. Returns true if so, and fills
 * *ret. */
bool ledger_expire(struct ledger_entry *e, int64_t expire_after_ms, int64_t now_ms, struct ledger_verdict *ret);

/*
 * A person whom an opening reached. The list owns the texts. It is kept while the conversation is open and after its
 * closing, as a history closing goes to these people too, until the next opening (verdict.forgets_reached). The count
 * of a flag counts open conversations only.
 */
struct reached {
	char *account; /* the allocation; the other texts lie in it */
	char *email;
	char *flag; /* profile property */
};
struct reached_list {
	struct reached *items;
	size_t n;
};
void reached_add(struct reached_list *l, const char *account, const char *email, const char *flag); /* once each */
bool reached_has(const struct reached_list *l, const char *account, const char *email, const char *flag);
void reached_clear(struct reached_list *l); /* frees the items; the list is usable again */
void reached_copy(struct reached_list *to,
		  const struct reached_list *from); /* does not free the former items of `to` */

#endif
