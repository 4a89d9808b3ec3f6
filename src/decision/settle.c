/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/settle.h"

#include <stdlib.h>

bool settle_applies(const struct source_policy *s)
{
	return s->settle_open_ms > 0 || s->settle_close_ms > 0;
}

int64_t settle_ms(const struct source_policy *s, enum transition t)
{
	if (t == TRANSITION_NONE)
		return 0;
	return transition_closes(t) ? s->settle_close_ms : s->settle_open_ms;
}

/* A signal lasts from the earlier of its time and its receipt. */
static int64_t begins_ms(const struct ledger_signal *s)
{
	return s->time_ms < s->received_ms ? s->time_ms : s->received_ms;
}

/* True where `newer` is opposite to `older` and came before `older` had lasted its time. */
static bool ends(const struct source_policy *s, const struct ledger_signal *newer, const struct ledger_signal *older)
{
	if (newer->kind == TRANSITION_NONE || older->kind == TRANSITION_NONE ||
	    transition_closes(newer->kind) == transition_closes(older->kind))
		return false;
	return ledger_is_older(older, newer) && begins_ms(newer) - begins_ms(older) < settle_ms(s, older->kind);
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

bool settle_add_neighbour(struct settle *x, const struct ledger_signal *other, bool is_held)
{
	bool ended = ends(x->source, &x->self, other);

	/* A signal that came before and counts must go to the ledger first, whatever it waits for: an ended signal
	 * advances the marks, which would make all older signals history. */
	if (other->order < x->self.order && !ended && !(is_held && ledger_is_older(&x->self, other))) {
		x->is_behind = true;
		return false;
	}
	if (ended || ends(x->source, other, &x->self)) {
		MEM_ROOM(x->others, x->others_n);
		x->others[x->others_n++] = *other;
	}
	return true;
}

/* ---- ruling ------------------------------------------------------------------------------------------------------ */

static void end_other(struct settle *x, const struct ledger_signal *other, struct ledger_entry *e)
{
	ledger_skip(e, other);
	MEM_ROOM(x->settled, x->settled_n);
	x->settled[x->settled_n++] = other->order;
}

/* True where the state agrees with a signal that ended another one. No event went out for a conversation whose opening
 * did not last, so its closing has no effect either. */
static bool agrees(const struct ledger_entry *e, const struct ledger_signal *s)
{
	return !ledger_would_change(e, s) || (transition_closes(s->kind) && e->state == LEDGER_UNKNOWN);
}

enum settle_verdict settle_rule(struct settle *x, int64_t now_ms, struct ledger_entry *e)
{
	int64_t held_ms = settle_ms(x->source, x->self.kind);
	bool ended = false;
	bool any;

	if (x->is_behind)
		return SETTLE_BEHIND;
	for (size_t i = 0; i < x->others_n; i++)
		if (ends(x->source, &x->self, &x->others[i]))
			end_other(x, &x->others[i], e);
	any = x->settled_n > 0;
	/* A newer signal that ends self, and then agrees with the state, is ended too. */
	for (size_t i = 0; i < x->others_n; i++)
		if (ends(x->source, &x->others[i], &x->self)) {
			ended = true;
			ledger_skip(e, &x->self);
			if (agrees(e, &x->others[i]))
				end_other(x, &x->others[i], e);
		}
	if (any && !ended && agrees(e, &x->self)) {
		ended = true;
		ledger_skip(e, &x->self);
	}
	x->changed = any || ended;
	if (ended)
		return SETTLE_ENDED;
	x->until_ms = begins_ms(&x->self) + held_ms;
	/* A time further away than the signal may be held comes from a clock that was ahead at its receipt. */
	if (now_ms < x->until_ms && x->until_ms - now_ms <= held_ms && ledger_would_change(e, &x->self))
		return SETTLE_HELD;
	return SETTLE_CONTINUE;
}

void settle_done(struct settle *x)
{
	free(x->others);
	free(x->settled);
	*x = (struct settle){0};
}
