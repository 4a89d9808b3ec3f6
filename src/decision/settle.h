/* SPDX-License-Identifier: MIT */
/*
 * settle: a transition counts only after it has lasted for the configured time (`settle`). Pure.
 *
 * A signal that would change the state is held until its time + settle. An opposite signal within that time ends it:
 * the ledger takes its time as seen and nothing else, and its result is `settled`. The opposite signal ends too where
 * the state agrees with it already. A signal that is older than a held one goes to the ledger before it.
 *
 * The rule looks at one signal and at the other pending signals of its conversation. It reads kind, time, receipt and
 * number of the others only: their addresses, created_ms and closed_at_ms do not matter.
 */
#ifndef DECISION_SETTLE_H
#define DECISION_SETTLE_H

#include "decision/ledger.h"
#include "decision/policy.h"

/* True where the source holds any signal. */
bool settle_applies(const struct source_policy *s);
/* Returns how long this source holds a signal of that kind; 0: not at all. */
int64_t settle_ms(const struct source_policy *s, enum transition t);

enum settle_verdict {
	SETTLE_CONTINUE, /* the signal goes to the ledger now */
	SETTLE_HELD,     /* it waits until until_ms */
	SETTLE_BEHIND,   /* an earlier signal of its conversation must go first */
	SETTLE_ENDED,    /* it is ended: `settled` */
};

/* One signal and its neighbours. Starts as {.source, .self}. */
struct settle {
	const struct source_policy *source;
	struct ledger_signal self;
	/* by settle_add_neighbour: the signals that end self and those that self ends, in the order of the calls */
	struct ledger_signal *others;
	size_t others_n;
	bool is_behind;
	/* by settle_rule */
	int64_t until_ms;
	int64_t *settled; /* numbers (ledger_signal.order) of the ended others, in order */
	size_t settled_n;
	bool changed; /* the entry has changed and must be saved */
};

/* Adds one of the other pending signals. is_held: it waits for its time. False: self is behind it, and no more need be
 * added. */
bool settle_add_neighbour(struct settle *x, const struct ledger_signal *other, bool is_held);
/* Rules after all neighbours were added, and marks the ended signals as seen in *e. Call once. */
enum settle_verdict settle_rule(struct settle *x, int64_t now_ms, struct ledger_entry *e);
void settle_done(struct settle *x);

#endif
