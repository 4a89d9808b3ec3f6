/* SPDX-License-Identifier: MIT */
/*
 * settle: a transition counts only once it has lasted so long. Pure.
 *
 * A signal that would change the state is held until its time + settle. An opposite one that comes within that time
 * ends it (`settled`: its time is taken as seen, nothing else), and itself where the state says so already. A signal
 * that is older than a held one goes to the ledger before it.
 *
 * The rule looks at one signal and at the others of its conversation that are pending. Of these others it reads kind,
 * time and receipt only: addresses, created_ms and closed_at_ms change no ruling.
 */
#ifndef DECISION_SETTLE_H
#define DECISION_SETTLE_H

#include "decision/ledger.h"
#include "decision/policy.h"

/* Whether this source holds anything at all, and how long a signal of this kind; 0: not. */
bool settle_applies(const struct source_policy *s);
int64_t settle_ms(const struct source_policy *s, enum transition t);

enum settle_verdict {
	SETTLE_CONTINUE, /* goes to the ledger now */
	SETTLE_HELD,     /* waits until until_ms */
	SETTLE_BEHIND,   /* an earlier one of its conversation must go first */
	SETTLE_ENDED,    /* is over: `settled` */
};

/* One signal among the others. Begins as {.source, .self}. */
struct settle {
	const struct source_policy *source;
	struct ledger_signal self;
	/* by settle_add_neighbour: those that end self or that it ends, in the order in which they were met */
	struct ledger_signal *others;
	size_t others_n;
	bool is_behind;
	/* by settle_rule */
	int64_t until_ms;
	int64_t *settled; /* numbers (ledger_signal.order) of the others that are over: `settled`, in this order */
	size_t settled_n;
	bool changed; /* the entry: it is to be saved */
};

/* Meets one more of the others. is_held: it waits for its time. False: self is behind it, and the rest need not be met.
 */
bool settle_add_neighbour(struct settle *x, const struct ledger_signal *other, bool is_held);
/* Rules, after all were met, and takes as seen in *e what is over. Once. */
enum settle_verdict settle_rule(struct settle *x, int64_t now_ms, struct ledger_entry *e);
void settle_done(struct settle *x);

#endif
