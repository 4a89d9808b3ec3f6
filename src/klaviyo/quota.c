/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "klaviyo/quota.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- one window -------------------------------------------------------------------------------------------------- */

static int64_t share_of(int64_t n, double share)
{
	/* 0.7 × 10 is 6.999… in binary. */
	return (int64_t)((double)n * share + 1e-9);
}

/* Returns the oldest slot with a millisecond that is younger than the window's length. */
static int64_t window_first(const struct quota_window *w, int64_t now_ms)
{
	return now_ms < w->length_ms ? 0 : (now_ms - w->length_ms + 1) / w->slot_ms;
}

static void window_expire(struct quota_window *w, int64_t now_ms)
{
	int64_t first = window_first(w, now_ms);

	if (first - w->first_slot >= QUOTA_SLOTS) {
		memset(w->slots, 0, sizeof(w->slots));
		w->used = 0;
		w->first_slot = first;
	}
	for (; w->first_slot < first; w->first_slot++) {
		uint32_t *slot = &w->slots[w->first_slot % QUOTA_SLOTS];

		w->used -= *slot;
		*slot = 0;
	}
}

/* Returns the time at which enough of the counted requests have left the window. */
static int64_t window_next_ms(struct quota_window *w, int64_t now_ms)
{
	int64_t used, slot;

	window_expire(w, now_ms);
	used = w->used;
	slot = w->first_slot;
	for (; used >= w->limit; slot++)
		used -= w->slots[slot % QUOTA_SLOTS];
	/* `slot` is the first slot that still counts then. */
	return slot == w->first_slot ? now_ms : slot * w->slot_ms + w->length_ms - 1;
}

/* ---- the quota --------------------------------------------------------------------------------------------------- */

void quota_init(struct quota *q, const struct quota_limits *l, int64_t now_ms)
{
	struct quota_window *windows[] = {&q->second, &q->minute};

	*q = (struct quota){
		.server_remaining = -1,
		.probing = true,
		.second.length_ms = CLOCK_SECOND_MS,
		.minute.length_ms = CLOCK_MINUTE_MS,
	};
	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		struct quota_window *w = windows[i];

		/* Two slots more than the window: the one that is being filled, and the one that is only partly too
		 * old. */
		w->slot_ms = (w->length_ms + QUOTA_SLOTS - 3) / (QUOTA_SLOTS - 2);
		w->first_slot = window_first(w, now_ms);
	}
	quota_limits(q, l);
}

void quota_limits(struct quota *q, const struct quota_limits *l)
{
	int64_t second = share_of(l->per_second, l->share);
	int64_t minute = share_of(l->per_minute, l->share);

	INSIST(l->share > 0 && l->share <= 1);
	q->share = l->share;
	q->second.limit = second < 1 ? 1 : second;
	q->minute.limit = minute < 1 ? 1 : minute;
}

int64_t quota_next_ms(struct quota *q, unsigned in_flight, int64_t now_ms)
{
	int64_t next_ms = window_next_ms(&q->second, now_ms);
	int64_t minute_ms = window_next_ms(&q->minute, now_ms);

	if (q->probing && in_flight > 0)
		return CLOCK_NEVER_MS;
	if (minute_ms > next_ms)
		next_ms = minute_ms;
	if (q->pause_until_ms > next_ms)
		next_ms = q->pause_until_ms;
	if (q->server_remaining == 0 && q->server_reset_ms > next_ms)
		next_ms = q->server_reset_ms;
	return next_ms;
}

void quota_consume(struct quota *q, int64_t now_ms)
{
	struct quota_window *windows[] = {&q->second, &q->minute};

	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		window_expire(windows[i], now_ms);
		windows[i]->slots[now_ms / windows[i]->slot_ms % QUOTA_SLOTS]++;
		windows[i]->used++;
	}
	if (q->server_remaining > 0)
		q->server_remaining--;
}

void quota_set_remaining(struct quota *q, int64_t remaining, int64_t reset_s, int64_t now_ms)
{
	int64_t budget, until_ms;

	if (q->server_remaining >= 0 && now_ms >= q->server_reset_ms)
		q->server_remaining = -1;
	if (remaining < 0 || reset_s < 0)
		return;
	budget = share_of(remaining, q->share);
	if (q->server_remaining >= 0 && budget >= q->server_remaining)
		return;
	until_ms = now_ms + (reset_s < QUOTA_RESET_MAX_S ? reset_s : QUOTA_RESET_MAX_S) * 1000;
	if (q->server_remaining < 0 || until_ms > q->server_reset_ms)
		q->server_reset_ms = until_ms;
	q->server_remaining = budget;
}

void quota_throttled(struct quota *q, int64_t retry_after_ms, double jitter, int64_t now_ms)
{
	int64_t wait_ms = retry_after_ms;
	int64_t most_ms = QUOTA_PAUSE_SERVER_MAX_MS;

	if (retry_after_ms <= 0) {
		/* Answers to one burst come together; only a request that was sent after the pause makes it longer. */
		if (now_ms < q->pause_until_ms)
			return;
		most_ms = QUOTA_PAUSE_MAX_MS;
		wait_ms = (int64_t)QUOTA_PAUSE_FIRST_MS << (q->pauses < 6 ? q->pauses : 6);
		q->pauses++;
	}
	if (wait_ms < QUOTA_PAUSE_FIRST_MS)
		wait_ms = QUOTA_PAUSE_FIRST_MS;
	if (wait_ms < most_ms)
		wait_ms += (int64_t)((double)wait_ms * jitter / 4);
	if (wait_ms > most_ms)
		wait_ms = most_ms;
	if (now_ms + wait_ms > q->pause_until_ms)
		q->pause_until_ms = now_ms + wait_ms;
}

int64_t quota_pause_ms(const struct quota *q, int64_t now_ms, enum quota_pause *ret_why)
{
	int64_t until_ms = q->pause_until_ms > now_ms ? q->pause_until_ms : 0;

	*ret_why = QUOTA_PAUSE_THROTTLED;
	if (q->server_remaining == 0 && q->server_reset_ms > now_ms && q->server_reset_ms > until_ms) {
		*ret_why = QUOTA_PAUSE_REMAINING;
		until_ms = q->server_reset_ms;
	}
	return until_ms;
}
