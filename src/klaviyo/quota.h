/* SPDX-License-Identifier: MIT */
/*
 * quota: how many requests an endpoint of an account may take now: sliding windows of a second and a minute from our
 * own count, lowered by what Klaviyo's headers and 429s say. Pure: time by parameter, must not go back:
 * clock_mono_ms().
 */
#ifndef KLAVIYO_QUOTA_H
#define KLAVIYO_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota_limits {
	int64_t per_second, per_minute; /* Klaviyo's; at least 1 */
	double share;                   /* 0 < share ≤ 1: how much of it we take */
};

#define QUOTA_PAUSE_FIRST_MS 1000                  /* the floor of every pause */
#define QUOTA_PAUSE_MAX_MS (60 * 1000)             /* to where pauses grow while nobody says how long */
#define QUOTA_PAUSE_SERVER_MAX_MS (60 * 60 * 1000) /* the longest pause that a Retry-After makes, jitter included */
#define QUOTA_RESET_MAX_S (5 * 60)                 /* the steady window is a minute: what is longer is a slip */

/* Counts in slots of slot_ms: a request counts until its whole slot is length_ms old, so never too short. */
#define QUOTA_SLOTS 64
struct quota_window {
	int64_t length_ms, slot_ms;
	int64_t limit;      /* Klaviyo's, times our share, at least 1 */
	int64_t first_slot; /* number of the oldest slot that counts */
	uint32_t slots[QUOTA_SLOTS];
	int64_t used;
};
struct quota {
	struct quota_window second, minute;
	double share;
	int64_t server_remaining; /* requests left until server_reset_ms; -1: nothing told */
	int64_t server_reset_ms;
	int64_t pause_until_ms; /* of a 429 */
	unsigned pauses;        /* in a row that nobody gave a length */
	bool probing;           /* one request at a time until a 2xx */
};

void quota_init(struct quota *q, const struct quota_limits *l, int64_t now_ms);
/* New limits, counts kept. */
void quota_limits(struct quota *q, const struct quota_limits *l);
/* now_ms where a request may go; else the earliest time at which to ask again (in_flight matters only while `alone`:
 * CLOCK_NEVER_MS then, until something returns). */
int64_t quota_next_ms(struct quota *q, unsigned in_flight, int64_t now_ms);
void quota_consume(struct quota *q, int64_t now_ms); /* a request goes out */
/* RateLimit-Remaining and -Reset of an answer; -1: not told. Only ever lowers: until the reset that was told last,
 * answers that came late or a new window's do not raise the budget. */
void quota_set_remaining(struct quota *q, int64_t remaining, int64_t reset_s, int64_t now_ms);
/* A 429: pauses for retry_after_ms, floor 1 s, plus jitter (0…1) of up to a quarter, at most an hour in all. Where it
 * is not told (-1, or 0) the pause doubles from 1 s to 1 min until a 2xx; those of one burst count once. */
void quota_throttled(struct quota *q, int64_t retry_after_ms, double jitter, int64_t now_ms);
enum quota_pause {
	QUOTA_PAUSE_THROTTLED, /* a 429 */
	QUOTA_PAUSE_REMAINING, /* RateLimit-Remaining and RateLimit-Reset */
};
/* Until when answers of Klaviyo hold the endpoint back, and which ones; 0: they do not. */
int64_t quota_pause_ms(const struct quota *q, int64_t now_ms, enum quota_pause *ret_why);
/* Another key, URL or reload: what was told may concern another server. */
static inline void quota_forget_pauses(struct quota *q)
{
	q->pause_until_ms = 0;
	q->pauses = 0;
	q->server_remaining = -1;
}
/* Start, reload, un-parking. */
static inline void quota_set_probing(struct quota *q)
{
	q->probing = true;
}
/* A 2xx: no longer alone. */
static inline void quota_success(struct quota *q)
{
	q->probing = false;
	q->pauses = 0;
}

#endif
