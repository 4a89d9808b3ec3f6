/* SPDX-License-Identifier: MIT */
/*
 * ledger: the state machine of one conversation. A pure function of (entry, signal).
 *
 * The entry is what is known of a conversation of a source; whom its opening reached is kept beside it by the caller
 * (struct reached), because deciding whom to reach is the rules' business.
 *
 * Two clocks tell when a signal happened: the desk's, and ours where the desk gives no time. They may differ, so the
 * entry keeps the newest time of each and a time of one clock is never compared exactly with a time of the other:
 *
 * - A signal's own time counts while it lies less than LEDGER_CLOCKS_MS after the receipt. A time further ahead is no
 *   time: the signal counts as one without.
 * - A dated signal is history where it is older than the desk's mark, or LEDGER_CLOCKS_MS or more older than ours. It
 *   is also history where a signal that was received later has been taken and our mark lies after its own receipt. An
 *   opening at the desk's mark itself is history where the conversation is closed and no opening is known: desks count
 *   in seconds, and the opening came first.
 * - A signal without a time is history only where one that was received later has been taken.
 * - A mark of the desk that lies LEDGER_CLOCKS_MS or more after a receipt, and a mark of ours that lies after it,
 *   count as that receipt from then on: a clock was set back, and nothing may wait until it comes to that time again.
 *
 * The order of receipt is the order of the webhooks' numbers, which no clock changes.
 *
 * The table. The first row that fits a signal counts; - is what stays or is not there:
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
 * Desks that report states (reports_state) tell of what was so before our time too: of their history the rules see
 * nothing, and of an unknown conversation's closing only where it was closed less than late_closed_ms before its
 * receipt. A conversation that was closed when it was created was never opened: its first opening is `opened`.
 *
 * A closing goes to all whom the openings since the last closing reached, and an expiry too. It goes to the webhook's
 * own addresses where no opening with an address is known. The signal of every row but the first advances the marks,
 * unless it is a mere address. An expiry is no signal and advances no mark.
 */
#ifndef DECISION_LEDGER_H
#define DECISION_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "helpdesk/expr/webhook.h"

#define LEDGER_TAKEN_MAX 32
/* The desk's clock and ours, and the time on the way, may differ by less than this: nine seconds, and one for desks
 * that count in whole seconds. */
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
	int64_t opened_received_ms; /* our receipt of what last opened it: `expire_after` runs from here */
	int64_t closed_ms;          /* of the latest closing; 0: none */
	unsigned reopen_count;
	/* The latest opening met an address (reached, dropped or ignored); false while open: "no address yet". Stays
	 * after a closing, as those reached do, for history; false where no opening but history is known. */
	bool addressed;
	struct ledger_taken taken[LEDGER_TAKEN_MAX]; /* oldest first */
	unsigned taken_n;
};

struct ledger_signal {
	enum transition kind; /* NONE: only the address became known */
	int64_t time_ms;      /* the desk's; undated: the receipt */
	bool undated;         /* the desk gave no time */
	int64_t received_ms;
	int64_t order;        /* the webhook's number: what was received later has a higher one. 0: the newest */
	int64_t created_ms;   /* 0: not told */
	int64_t closed_at_ms; /* 0: not told */
	bool has_address;     /* at least one well-formed address came with it */
};

struct ledger_policy {
	bool reports_state;
	int64_t late_closed_ms; /* reports_state: a closing older than this, or of an unknown age, is not told */
};

/* Why the verdict is what it is; each has a name for logs, metrics and explain. */
enum ledger_why {
	LEDGER_APPLIED,      /* the state changed, or a late address was met */
	LEDGER_DUPLICATE,    /* kind and time already taken, or the state says so already */
	LEDGER_HISTORY,      /* older than what is known */
	LEDGER_BASELINE,     /* a state desk told of a closing before our time */
	LEDGER_LATE_ADDRESS, /* an opening without address is made good */
	LEDGER_NOTHING,      /* an address for a conversation that needs none */
	LEDGER_EXPIRED,
};

struct ledger_verdict {
	enum ledger_why why;
	enum transition transition; /* what the rules see; NONE: nothing */
	int64_t time_ms;            /* the event's time: for a late address the opening's */
	bool opens;                 /* the webhook's addresses are decided (account, drop) and added to those reached */
	bool forgets_reached;       /* …and those reached before the last closing are forgotten first */
	bool to_own_addresses;      /* it goes to the webhook's own addresses; else (a closing) to all reached */
	bool backfill;              /* always, whatever `late` says */
	bool history;
	/* The signal made the conversation known: since_ms is when it was created (a closing: closed) by the desk,
	 * received_ms when we were told. Older than `late` allows, it is backfill. since_ms 0: its own time counts. */
	int64_t since_ms;
	int64_t received_ms;
};

/* Changes *e. The verdict says what follows. A signal already taken changes nothing. */
void ledger_apply(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
		  struct ledger_verdict *ret);
/* Whether applying s would change the state, whatever the rules get to see of it: for `settle`. */
bool ledger_would_change(const struct ledger_entry *e, const struct ledger_signal *s);
/* Whether a happened before b, as the rows compare them. False both ways where the desk dates both alike. */
bool ledger_is_older(const struct ledger_signal *a, const struct ledger_signal *b);
/* Takes the signal's time and kind as seen (the marks advance), without effect on the state: what `settle` ended. */
void ledger_skip(struct ledger_entry *e, const struct ledger_signal *s);
/* Closes an open entry whose deadline (opened_received_ms + expire_after_ms) has passed. Returns whether it did. */
bool ledger_expire(struct ledger_entry *e, int64_t expire_after_ms, int64_t now_ms, struct ledger_verdict *ret);

/*
 * Whom an opening reached. Owned by the list. Kept while the conversation is open and after it was closed (a history
 * closing goes to them too), until it opens again (verdict.forgets_reached). The flag's count only counts open
 * conversations.
 */
struct reached {
	char *account;
	char *email;
	char *flag; /* profile property */
};
struct reached_list {
	struct reached *items;
	size_t n;
};
void reached_add(struct reached_list *l, const char *account, const char *email, const char *flag); /* once each */
bool reached_has(const struct reached_list *l, const char *account, const char *email, const char *flag);
void reached_clear(struct reached_list *l);                                  /* frees what it holds; usable again */
void reached_copy(struct reached_list *to, const struct reached_list *from); /* what `to` held is not freed */

#endif
