/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "courier/pace.h"

#include <string.h>

#include "base/clock.h"

static const struct upstream_kind kind = {
	.window = PACE_WINDOW,
	.window_parked = 0,
	.pause_closes = false, /* the quota delays the queue */
	.renewed = UPSTREAM_PROBING,
};

/* ---- an event's odd answers -------------------------------------------------------------------------------------- */

static struct pace_odd *odd_slot(struct pace *p, int64_t event)
{
	return &p->odd[(uint64_t)event % PACE_ODD_SLOTS];
}

/* Counts one odd answer of an event. Returns the number that counts as the event's own. */
static unsigned odd_count(struct pace *p, const struct pace_request *r, int64_t now_ms)
{
	struct pace_odd *odd = odd_slot(p, r->event);

	if (odd->event != r->event) {
		if (odd->event != 0 && now_ms - odd->at_ms < PACE_ODD_STALE_MS)
			return 1;
		*odd = (struct pace_odd){.event = r->event, .since = r->since};
	}
	if (odd->successes_at != p->successes)
		odd->since_success = 0;
	odd->successes_at = p->successes;
	odd->at_ms = now_ms;
	if (odd->tries == 0 || p->successes > odd->since) {
		odd->tries++;
		odd->since_success++;
	}
	return odd->tries;
}

static void odd_end(struct pace *p, int64_t event)
{
	struct pace_odd *odd = odd_slot(p, event);

	if (odd->event == event)
		*odd = (struct pace_odd){0};
}

/* Cancels the latest odd answers at a park: they concerned the account, not their events. */
static void odd_cancel(struct pace *p)
{
	for (size_t i = 0; i < PACE_ODD_SLOTS; i++) {
		struct pace_odd *odd = &p->odd[i];

		if (odd->event == 0 || odd->successes_at != p->successes)
			continue;
		odd->tries -= odd->since_success;
		odd->since_success = 0;
		if (odd->tries == 0)
			*odd = (struct pace_odd){0};
	}
}

/* ---- states and pauses ------------------------------------------------------------------------------------------- */

void pace_init(struct pace *p, const struct quota_limits *limits, int64_t now_ms)
{
	*p = (struct pace){0};
	upstream_init(&p->upstream, &kind);
	quota_init(&p->quota, limits, now_ms);
}

void pace_renew(struct pace *p, const struct quota_limits *limits)
{
	quota_limits(&p->quota, limits);
	quota_set_probing(&p->quota);
	quota_forget_pauses(&p->quota);
	memset(p->odd, 0, sizeof(p->odd));
	p->parked_by_odd = false;
	upstream_renew(&p->upstream);
}

void pace_tick(struct pace *p, int64_t now_ms)
{
	bool parked = p->upstream.state == UPSTREAM_PARKED;

	(void)upstream_tick(&p->upstream, now_ms);
	if (parked && p->upstream.state == UPSTREAM_PROBING)
		quota_set_probing(&p->quota);
	p->upstream.paused_until_ms = quota_pause_ms(&p->quota, now_ms, &p->paused_by);
}

int64_t pace_next_ms(struct pace *p, int64_t now_ms)
{
	if (p->upstream.state == UPSTREAM_PARKED)
		return p->upstream.probe_at_ms;
	if (p->upstream.in_flight >= PACE_IN_FLIGHT_SINGLE)
		return CLOCK_NEVER_MS;
	return quota_next_ms(&p->quota, p->upstream.in_flight, now_ms);
}

void pace_sent(struct pace *p, struct pace_request *r, int64_t now_ms)
{
	quota_consume(&p->quota, now_ms);
	r->stamp = upstream_sent(&p->upstream);
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

static void park(struct pace *p, bool parked_by_odd, int64_t now_ms)
{
	odd_cancel(p);
	p->parked_by_odd = parked_by_odd;
	upstream_park(&p->upstream, now_ms);
}

/* Returns true where the answer parks the account. */
static bool answered_oddly(struct pace *p, const struct pace_request *r, int64_t now_ms, enum outcome *ret)
{
	bool probing = p->upstream.state == UPSTREAM_PROBING;
	bool again = upstream_odd(&p->upstream, r->person);
	bool parks = p->upstream.odd_n == UPSTREAM_ODD_MAX;

	if (probing)
		parks = parks || again || p->parked_by_odd;
	if (parks || probing) {
		*ret = OUTCOME_PARK;
	} else if (odd_count(p, r, now_ms) < PACE_ODD_TRIES || p->upstream.odd_n > 1) {
		*ret = OUTCOME_RETRY;
	} else {
		*ret = OUTCOME_REJECT; /* too many odd answers of its own */
		odd_end(p, r->event);
	}
	if (parks)
		park(p, true, now_ms);
	return parks;
}

/* Returns true where the 202 ends the park of the account. */
static bool delivered(struct pace *p)
{
	quota_success(&p->quota);
	p->successes++;
	p->parked_by_odd = false;
	return upstream_open(&p->upstream);
}

/* Handles an answer from before the last park or renewal. Returns true where it opens the account. */
static bool stale_returned(struct pace *p, const struct pace_request *r, const struct outcome_verdict *v,
			   enum outcome *ret)
{
	const struct upstream *u = &p->upstream;

	/* A park outcome: it does not count, the event does not age, and it is sent again when the account opens. */
	if (v->odd)
		*ret = OUTCOME_PARK;
	return v->outcome == OUTCOME_DELIVERED && p->parked_by_odd && u->state != UPSTREAM_READY &&
	       r->stamp.epoch == u->epoch && r->stamp.parks + 1 == u->parks && delivered(p);
}

bool pace_returned(struct pace *p, const struct pace_request *r, const struct outcome_verdict *v, double jitter,
		   int64_t now_ms, enum outcome *ret)
{
	bool changed;

	upstream_returned(&p->upstream);
	*ret = v->outcome;
	/* Quota and throttling belong to the account, whichever key was used. */
	quota_set_remaining(&p->quota, v->remaining, v->reset_s, now_ms);
	if (v->throttled)
		quota_throttled(&p->quota, v->retry_after_ms, jitter, now_ms);
	if (v->outcome == OUTCOME_DELIVERED || v->outcome == OUTCOME_REJECT)
		odd_end(p, r->event);
	if (r->stamp.epoch != p->upstream.epoch || r->stamp.parks != p->upstream.parks) {
		changed = stale_returned(p, r, v, ret);
	} else if (v->odd) {
		changed = answered_oddly(p, r, now_ms, ret);
	} else if (v->outcome == OUTCOME_PARK) {
		park(p, false, now_ms);
		changed = true;
	} else {
		changed = v->outcome == OUTCOME_DELIVERED && delivered(p);
	}
	p->upstream.paused_until_ms = quota_pause_ms(&p->quota, now_ms, &p->paused_by);
	return changed;
}
