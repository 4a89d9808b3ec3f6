/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "courier/upstream.h"

#include "base/clock.h"
#include "base/mem.h"

void upstream_init(struct upstream *u, const struct upstream_kind *kind)
{
	*u = (struct upstream){.kind = kind, .state = UPSTREAM_READY, .probe_wait_ms = UPSTREAM_PROBE_FIRST_MS};
}

static void set_state(struct upstream *u, enum upstream_state state)
{
	u->state = state;
	u->period++;
	u->odd_n = 0;
}

void upstream_renew(struct upstream *u)
{
	u->epoch++;
	u->probe_wait_ms = UPSTREAM_PROBE_FIRST_MS;
	u->paused_until_ms = 0;
	u->pauses = 0;
	set_state(u, u->state == UPSTREAM_READY ? UPSTREAM_READY : u->kind->renewed);
}

unsigned upstream_window(const struct upstream *u, int64_t now_ms)
{
	if (u->kind->pause_closes && now_ms < u->paused_until_ms)
		return 0;
	switch (u->state) {
	case UPSTREAM_PARKED:
		return u->kind->window_parked;
	case UPSTREAM_PROBING:
		return 1;
	case UPSTREAM_READY:
		break;
	}
	return u->kind->window;
}

int64_t upstream_tick(struct upstream *u, int64_t now_ms)
{
	int64_t next_ms = now_ms < u->paused_until_ms ? u->paused_until_ms : CLOCK_NEVER_MS;

	if (u->state != UPSTREAM_PARKED)
		return next_ms;
	if (now_ms < u->probe_at_ms)
		return u->probe_at_ms < next_ms ? u->probe_at_ms : next_ms;
	set_state(u, UPSTREAM_PROBING);
	return next_ms;
}

void upstream_park(struct upstream *u, int64_t now_ms)
{
	set_state(u, UPSTREAM_PARKED);
	u->parks++;
	u->probe_at_ms = now_ms + u->probe_wait_ms;
	u->probe_wait_ms *= 2;
	if (u->probe_wait_ms > UPSTREAM_PROBE_LAST_MS)
		u->probe_wait_ms = UPSTREAM_PROBE_LAST_MS;
}

bool upstream_open(struct upstream *u)
{
	bool opens = u->state != UPSTREAM_READY;

	u->odd_n = 0;
	u->probe_wait_ms = UPSTREAM_PROBE_FIRST_MS;
	u->pauses = 0;
	if (opens)
		set_state(u, UPSTREAM_READY);
	return opens;
}

bool upstream_odd(struct upstream *u, uint64_t subject)
{
	for (unsigned i = 0; i < u->odd_n; i++)
		if (u->odd[i] == subject)
			return true;
	INSIST(u->odd_n < UPSTREAM_ODD_MAX); /* the last one parks, which empties the list */
	u->odd[u->odd_n++] = subject;
	return false;
}

/* ---- the rules of a source --------------------------------------------------------------------------------------- */

static void throttled(struct upstream *u, int64_t retry_after_ms, int64_t now_ms)
{
	int64_t wait_ms = retry_after_ms;

	if (retry_after_ms <= 0) {
		/* 429s of one burst come back together and count once. */
		if (now_ms < u->paused_until_ms)
			return;
		wait_ms = (int64_t)UPSTREAM_PAUSE_FIRST_MS << (u->pauses < 6 ? u->pauses : 6);
		if (wait_ms > UPSTREAM_PAUSE_LAST_MS)
			wait_ms = UPSTREAM_PAUSE_LAST_MS;
		u->pauses++;
	}
	if (wait_ms < UPSTREAM_PAUSE_FIRST_MS)
		wait_ms = UPSTREAM_PAUSE_FIRST_MS;
	if (wait_ms > UPSTREAM_PAUSE_MAX_MS)
		wait_ms = UPSTREAM_PAUSE_MAX_MS;
	if (now_ms + wait_ms > u->paused_until_ms)
		u->paused_until_ms = now_ms + wait_ms;
}

void upstream_answered(struct upstream *u, struct upstream_stamp stamp, enum upstream_answer answer, uint64_t subject,
		       int64_t retry_after_ms, int64_t now_ms)
{
	const bool is_news = stamp.period == u->period && u->state != UPSTREAM_PARKED;
	bool parks = false;

	/* A pause concerns the helpdesk, whichever credentials were used. */
	if (answer == UPSTREAM_ANSWER_THROTTLED)
		throttled(u, retry_after_ms, now_ms);
	if (stamp.epoch != u->epoch)
		return;
	switch (answer) {
	case UPSTREAM_ANSWER_USEFUL:
		(void)upstream_open(u);
		break;
	case UPSTREAM_ANSWER_REFUSED:
		parks = is_news;
		break;
	case UPSTREAM_ANSWER_ODD:
		parks = is_news &&
			(u->state == UPSTREAM_PROBING || (!upstream_odd(u, subject) && u->odd_n == UPSTREAM_ODD_MAX));
		break;
	case UPSTREAM_ANSWER_TROUBLE:
	case UPSTREAM_ANSWER_THROTTLED:
		break;
	}
	if (parks)
		upstream_park(u, now_ms);
}
