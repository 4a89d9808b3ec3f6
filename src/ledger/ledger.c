#include <config.h>

#include "ledger/ledger.h"

#include <string.h>

/*
 * Every signal falls into one row of the table in DESIGN section 10; row_of() finds it, the rest acts by it. Nothing
 * but the entry is remembered, so a repeat of the same signal against the same entry says the same: that is what makes
 * a crash before the commit harmless.
 *
 * as_of and the rows compare the earlier of a signal's time and its receipt; what a person will read (when opened,
 * when closed) and what tells two signals apart is the helpdesk's own time.
 */

enum row {
	ROW_DUPLICATE,    /* kind and time already taken */
	ROW_LATE_ADDRESS, /* open without address so far, and here is one */
	ROW_NOTHING,      /* says nothing of opening or closing, and no address is wanted */
	ROW_HISTORY,      /* older than what is known */
	ROW_OPENS,        /* unknown or closed, now open */
	ROW_CLOSES,       /* unknown or open, now closed */
	ROW_AGREES,       /* newer, but the state says so already */
};

static bool is_opening(enum transition kind)
{
	return kind == TRANSITION_OPENED || kind == TRANSITION_REOPENED;
}

static int64_t effective_ms(const struct ledger_signal *s)
{
	return s->time_ms < s->received_ms ? s->time_ms : s->received_ms;
}

static bool is_taken(const struct ledger_entry *e, const struct ledger_signal *s)
{
	for (unsigned i = 0; i < e->taken_n; i++)
		if (e->taken[i].kind == s->kind && e->taken[i].time_ms == s->time_ms)
			return true;
	return false;
}

static bool is_history(const struct ledger_entry *e, const struct ledger_signal *s)
{
	int64_t t = effective_ms(s);

	if (t != e->as_of_ms)
		return t < e->as_of_ms;
	/* A desk that counts in seconds: the opening belongs before the closing that came first. */
	return is_opening(s->kind) && e->state == LEDGER_CLOSED && e->first_opened_ms == 0;
}

static enum row row_of(const struct ledger_entry *e, const struct ledger_signal *s)
{
	bool opening = is_opening(s->kind);

	if (is_taken(e, s))
		return ROW_DUPLICATE;
	if (s->has_address && (opening || s->kind == TRANSITION_NONE) && e->state == LEDGER_OPEN && !e->addressed)
		return ROW_LATE_ADDRESS;
	if (!opening && s->kind != TRANSITION_CLOSED)
		return ROW_NOTHING;
	if (is_history(e, s))
		return ROW_HISTORY;
	if (opening)
		return e->state == LEDGER_OPEN ? ROW_AGREES : ROW_OPENS;
	return e->state == LEDGER_CLOSED ? ROW_AGREES : ROW_CLOSES;
}

/* An address that became known is no signal of its own time: it must not make an older closing history. */
static void take(struct ledger_entry *e, const struct ledger_signal *s)
{
	if (s->kind == TRANSITION_NONE)
		return;
	if (effective_ms(s) > e->as_of_ms)
		e->as_of_ms = effective_ms(s);
	if (is_taken(e, s))
		return;
	if (e->taken_n == LEDGER_TAKEN_MAX)
		memmove(e->taken, e->taken + 1, --e->taken_n * sizeof(*e->taken));
	e->taken[e->taken_n++] = (struct ledger_taken){.kind = s->kind, .time_ms = s->time_ms};
}

/* The earliest opening that is known, in whatever order they come. */
static void learn_opening(struct ledger_entry *e, int64_t time_ms)
{
	if (e->first_opened_ms == 0 || time_ms < e->first_opened_ms)
		e->first_opened_ms = time_ms;
}

/* A state desk's first "is open" of a conversation that is long since open: no news. */
static bool is_old_opening(const struct ledger_signal *s, const struct ledger_policy *p)
{
	return p->reports_state && s->created_ms != 0 && s->received_ms - s->created_ms > p->late_opened_ms;
}

static void apply_opens(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
			struct ledger_verdict *v)
{
	bool again = e->state == LEDGER_CLOSED;

	v->transition = again ? TRANSITION_REOPENED : s->kind;
	v->opens = true;
	v->renews = again;
	v->backfill = !again && is_old_opening(s, p);
	e->state = LEDGER_OPEN;
	e->opened_ms = s->time_ms;
	e->opened_received_ms = s->received_ms;
	e->addressed = s->has_address;
	learn_opening(e, s->time_ms);
	if (v->transition == TRANSITION_REOPENED)
		e->reopen_count++;
}

static void apply_closes(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
			 struct ledger_verdict *v)
{
	bool unknown = e->state == LEDGER_UNKNOWN;

	e->state = LEDGER_CLOSED;
	e->closed_ms = s->time_ms;
	if (unknown && p->reports_state &&
	    (s->closed_at_ms == 0 || s->received_ms - s->closed_at_ms >= p->late_closed_ms)) {
		v->why = LEDGER_BASELINE;
		return;
	}
	v->transition = TRANSITION_CLOSED;
	v->to_own = !e->addressed;
}

static void apply_history(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
			  struct ledger_verdict *v)
{
	v->why = LEDGER_HISTORY;
	v->history = true;
	if (is_opening(s->kind)) {
		learn_opening(e, s->time_ms);
		if (e->opened_ms == 0)
			e->opened_ms = s->time_ms;
		if (s->kind == TRANSITION_REOPENED)
			e->reopen_count++;
	} else if (s->time_ms > e->closed_ms) {
		e->closed_ms = s->time_ms;
	}
	if (p->reports_state)
		return;
	v->transition = s->kind;
	v->to_own = is_opening(s->kind) || !e->addressed;
	v->backfill = true;
}

void ledger_apply(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
		  struct ledger_verdict *ret)
{
	enum row row = row_of(e, s);

	*ret = (struct ledger_verdict){.why = LEDGER_TAKEN, .transition = TRANSITION_NONE, .time_ms = s->time_ms};
	if (row != ROW_DUPLICATE)
		take(e, s);
	switch (row) {
	case ROW_DUPLICATE:
	case ROW_AGREES:
		ret->why = LEDGER_DUPLICATE;
		break;
	case ROW_LATE_ADDRESS:
		ret->why = LEDGER_LATE_ADDRESS;
		ret->transition = TRANSITION_OPENED;
		ret->time_ms = e->opened_ms;
		ret->opens = true;
		ret->backfill = is_old_opening(s, p);
		e->addressed = true;
		if (is_opening(s->kind))
			learn_opening(e, s->time_ms);
		break;
	case ROW_NOTHING:
		ret->why = LEDGER_NOTHING;
		break;
	case ROW_HISTORY:
		apply_history(e, s, p, ret);
		break;
	case ROW_OPENS:
		apply_opens(e, s, p, ret);
		break;
	case ROW_CLOSES:
		apply_closes(e, s, p, ret);
		break;
	}
}

bool ledger_would_change(const struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p)
{
	enum row row = row_of(e, s);

	(void)p; /* what a state desk tells changes the state as well, whatever the rules get to see */
	return row == ROW_OPENS || row == ROW_CLOSES;
}

void ledger_skip(struct ledger_entry *e, const struct ledger_signal *s)
{
	take(e, s);
}

bool ledger_expire(struct ledger_entry *e, int64_t expire_after_ms, int64_t now_ms, struct ledger_verdict *ret)
{
	int64_t deadline_ms;

	if (e->state != LEDGER_OPEN || __builtin_add_overflow(e->opened_received_ms, expire_after_ms, &deadline_ms) ||
	    now_ms < deadline_ms)
		return false;
	/* as_of stays: no signal was seen, and one that comes later, of whatever age, is news. */
	e->state = LEDGER_CLOSED;
	e->closed_ms = deadline_ms;
	*ret = (struct ledger_verdict){
		.why = LEDGER_EXPIRED,
		.transition = TRANSITION_EXPIRED,
		.time_ms = deadline_ms,
		.backfill = true,
	};
	return true;
}
