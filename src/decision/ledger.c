/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * row_of() finds the row of the header's table for a signal; the rest acts by it. Nothing but the entry is remembered,
 * so a repeat of a signal against the same entry gives the same verdict: a crash before the commit is harmless.
 *
 * Times that people read (opened, closed) are the helpdesk's own, whatever the marks are.
 */

enum row {
	ROW_DUPLICATE,    /* kind and time already taken */
	ROW_LATE_ADDRESS, /* open without an address until now, and the signal has one */
	ROW_NOTHING,      /* neither opening nor closing, and no address is missing */
	ROW_HISTORY,      /* older than the newest signal */
	ROW_OPENS,        /* unknown or closed becomes open */
	ROW_CLOSES,       /* unknown or open becomes closed */
	ROW_AGREES,       /* newer, but the state is the same */
};

static bool is_opening(enum transition kind)
{
	return kind == TRANSITION_OPENED || kind == TRANSITION_REOPENED;
}

/* True where the desk gave a time that can be compared. */
static bool is_dated(const struct ledger_signal *s)
{
	return !s->undated && s->time_ms - s->received_ms < LEDGER_CLOCKS_MS;
}

/* True where no signal received later has been taken. */
static bool is_in_order(const struct ledger_entry *e, const struct ledger_signal *s)
{
	return s->order == 0 || s->order >= e->newest;
}

/* A desk's time identifies a signal. Without a time, a newer webhook is another signal, and a repeat of the same
 * webhook has the same receipt. */
static bool is_taken(const struct ledger_entry *e, const struct ledger_signal *s)
{
	if (s->undated && s->order > e->newest)
		return false;
	for (unsigned i = 0; i < e->taken_n; i++)
		if (e->taken[i].kind == s->kind && e->taken[i].time_ms == s->time_ms &&
		    e->taken[i].undated == s->undated)
			return true;
	return false;
}

/* ---- the two marks ----------------------------------------------------------------------------------------------- */

struct marks {
	int64_t desk_ms, own_ms; /* 0: none */
};

/* Returns the marks as they count for s. All taken signals were received before s (is_in_order), so a mark after the
 * receipt of s was written while a clock was ahead. Such a mark of the desk becomes a mark of ours, because it counts
 * as our receipt. */
static struct marks marks_of(const struct ledger_entry *e, const struct ledger_signal *s)
{
	struct marks m = {e->as_of_ms, e->as_of_received_ms};

	if (!is_in_order(e, s))
		return m;
	if (m.desk_ms - s->received_ms >= LEDGER_CLOCKS_MS)
		m = (struct marks){.own_ms = s->received_ms};
	else if (m.own_ms > s->received_ms)
		m.own_ms = s->received_ms;
	return m;
}

static bool is_history_dated(const struct ledger_entry *e, const struct ledger_signal *s, const struct marks *m)
{
	if (s->time_ms < m->desk_ms || m->own_ms - s->time_ms >= LEDGER_CLOCKS_MS)
		return true;
	if (!is_in_order(e, s) && m->own_ms > s->received_ms)
		return true;
	/* A desk that counts in seconds: the opening happened before the closing that arrived first. */
	return s->time_ms == m->desk_ms && is_opening(s->kind) && e->state == LEDGER_CLOSED && e->first_opened_ms == 0;
}

static bool is_history(const struct ledger_entry *e, const struct ledger_signal *s)
{
	struct marks m = marks_of(e, s);

	if (is_dated(s))
		return is_history_dated(e, s, &m);
	if (is_in_order(e, s))
		return false;
	/* A signal that was received later is not newer where the desk dates it long before. */
	return m.own_ms >= s->received_ms || s->received_ms - m.desk_ms < LEDGER_CLOCKS_MS;
}

static bool is_received_before(const struct ledger_signal *a, const struct ledger_signal *b)
{
	return a->order != 0 && b->order != 0 ? a->order < b->order : a->received_ms < b->received_ms;
}

bool ledger_is_older(const struct ledger_signal *a, const struct ledger_signal *b)
{
	bool before = is_received_before(a, b);

	if (is_dated(a) && is_dated(b))
		return a->time_ms < b->time_ms;
	if (is_dated(a) && !before)
		return b->received_ms - a->time_ms >= LEDGER_CLOCKS_MS;
	if (is_dated(b) && before)
		return a->received_ms - b->time_ms < LEDGER_CLOCKS_MS;
	return before;
}

/* ---- the rows ---------------------------------------------------------------------------------------------------- */

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

static void advance_marks(struct ledger_entry *e, const struct ledger_signal *s)
{
	struct marks m = marks_of(e, s);

	if (!is_dated(s)) {
		if (s->received_ms > m.own_ms)
			m.own_ms = s->received_ms;
	} else if (s->time_ms > m.desk_ms) {
		m.desk_ms = s->time_ms;
	}
	e->as_of_ms = m.desk_ms;
	e->as_of_received_ms = m.own_ms;
	if (s->order > e->newest)
		e->newest = s->order;
}

/* A mere address has no time of its own and must not make an older closing history. */
static void take(struct ledger_entry *e, const struct ledger_signal *s)
{
	if (s->kind == TRANSITION_NONE || is_taken(e, s))
		return;
	advance_marks(e, s);
	if (e->taken_n == LEDGER_TAKEN_MAX)
		memmove(e->taken, e->taken + 1, --e->taken_n * sizeof(*e->taken));
	e->taken[e->taken_n++] = (struct ledger_taken){.kind = s->kind, .undated = s->undated, .time_ms = s->time_ms};
}

/* Keeps the earliest known opening, in any order of arrival. */
static void learn_opening(struct ledger_entry *e, int64_t time_ms)
{
	if (e->first_opened_ms == 0 || time_ms < e->first_opened_ms)
		e->first_opened_ms = time_ms;
}

/* True where the conversation was closed when it was created. It was never open, so its first opening follows no other.
 */
static bool is_born_closed(const struct ledger_entry *e, const struct ledger_signal *s)
{
	return e->first_opened_ms == 0 && s->created_ms != 0 && e->closed_ms - s->created_ms < LEDGER_CLOCKS_MS;
}

static enum transition opens_as(const struct ledger_entry *e, const struct ledger_signal *s)
{
	if (e->state == LEDGER_UNKNOWN)
		return s->kind;
	return is_born_closed(e, s) ? TRANSITION_OPENED : TRANSITION_REOPENED;
}

static void apply_opens(struct ledger_entry *e, const struct ledger_signal *s, struct ledger_verdict *v)
{
	bool known = e->state != LEDGER_UNKNOWN;

	v->transition = opens_as(e, s);
	v->opens = true;
	v->forgets_reached = known;
	v->since_ms = known ? 0 : s->created_ms;
	e->state = LEDGER_OPEN;
	e->opened_ms = s->time_ms;
	e->opened_received_ms = s->received_ms;
	e->addressed = s->has_address;
	learn_opening(e, s->time_ms);
	if (v->transition == TRANSITION_REOPENED)
		e->reopen_count++;
}

/* The opening is judged by its age at its receipt. An opening after a closing did not make the conversation known. */
static void apply_late_address(struct ledger_entry *e, const struct ledger_signal *s, struct ledger_verdict *v)
{
	v->why = LEDGER_LATE_ADDRESS;
	v->transition = TRANSITION_OPENED;
	v->time_ms = e->opened_ms;
	v->opens = true;
	v->since_ms = e->closed_ms == 0 ? s->created_ms : 0;
	v->received_ms = e->opened_received_ms;
	e->addressed = true;
	if (is_opening(s->kind))
		learn_opening(e, s->time_ms);
}

static void apply_closes(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
			 struct ledger_verdict *v)
{
	bool known = e->state != LEDGER_UNKNOWN;

	e->state = LEDGER_CLOSED;
	e->closed_ms = s->time_ms;
	if (!known && p->reports_state &&
	    (s->closed_at_ms == 0 || s->received_ms - s->closed_at_ms >= p->late_closed_ms)) {
		v->why = LEDGER_BASELINE;
		return;
	}
	v->transition = TRANSITION_CLOSED;
	v->to_own_addresses = !e->addressed;
	v->since_ms = known ? 0 : s->closed_at_ms;
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
	v->to_own_addresses = is_opening(s->kind) || !e->addressed;
	v->backfill = true;
}

void ledger_apply(struct ledger_entry *e, const struct ledger_signal *s, const struct ledger_policy *p,
		  struct ledger_verdict *ret)
{
	enum row row = row_of(e, s);

	*ret = (struct ledger_verdict){
		.why = LEDGER_APPLIED,
		.transition = TRANSITION_NONE,
		.time_ms = s->time_ms,
		.received_ms = s->received_ms,
	};
	if (row != ROW_DUPLICATE)
		take(e, s);
	switch (row) {
	case ROW_DUPLICATE:
	case ROW_AGREES:
		ret->why = LEDGER_DUPLICATE;
		break;
	case ROW_LATE_ADDRESS:
		apply_late_address(e, s, ret);
		break;
	case ROW_NOTHING:
		ret->why = LEDGER_NOTHING;
		break;
	case ROW_HISTORY:
		apply_history(e, s, p, ret);
		break;
	case ROW_OPENS:
		apply_opens(e, s, ret);
		break;
	case ROW_CLOSES:
		apply_closes(e, s, p, ret);
		break;
	}
}

bool ledger_would_change(const struct ledger_entry *e, const struct ledger_signal *s)
{
	enum row row = row_of(e, s);

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
	/* as_of stays: this is no signal, and any later signal counts as newer. */
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

/* ---- people reached ---------------------------------------------------------------------------------------------- */

/* A list is enough: it holds at most the addresses of an opening (ADDRESSES_MAX) times the source's flags, and its late
 * addresses. */
static void reached_append(struct reached_list *l, const char *account, const char *email, const char *flag)
{
	const size_t account_bytes = strlen(account) + 1;
	const size_t email_bytes = strlen(email) + 1;
	const size_t flag_bytes = strlen(flag) + 1;
	struct reached r = {.account = mem_new(account_bytes + email_bytes + flag_bytes, 1)};

	r.email = r.account + account_bytes;
	r.flag = r.email + email_bytes;
	memcpy(r.account, account, account_bytes);
	memcpy(r.email, email, email_bytes);
	memcpy(r.flag, flag, flag_bytes);
	MEM_ROOM(l->items, l->n);
	l->items[l->n++] = r;
}

bool reached_has(const struct reached_list *l, const char *account, const char *email, const char *flag)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct reached *r = &l->items[i];

		if (strcmp(r->account, account) == 0 && strcmp(r->email, email) == 0 && strcmp(r->flag, flag) == 0)
			return true;
	}
	return false;
}

void reached_add(struct reached_list *l, const char *account, const char *email, const char *flag)
{
	if (!reached_has(l, account, email, flag))
		reached_append(l, account, email, flag);
}

void reached_clear(struct reached_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].account);
	free(l->items);
	*l = (struct reached_list){0};
}

void reached_copy(struct reached_list *to, const struct reached_list *from)
{
	*to = (struct reached_list){0};
	for (size_t i = 0; i < from->n; i++)
		reached_append(to, from->items[i].account, from->items[i].email, from->items[i].flag);
}
