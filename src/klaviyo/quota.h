/* SPDX-License-Identifier: MIT */
/*
 * quota: the number of requests that an endpoint of an account may get now. It counts our requests in sliding windows
 * of a second and a minute; Klaviyo's headers and 429s lower the result. Pure: the time is a parameter that must not go
 * back (clock_mono_ms()).
 */
#ifndef KLAVIYO_QUOTA_H
#define KLAVIYO_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota_limits {
	int64_t per_second, per_minute; /* Klaviyo's; at least 1 */
	double share;                   /* 0 < share ≤ 1: the part of the limits that we use */
};

#define QUOTA_PAUSE_FIRST_MS 1000                  /* the floor of every pause */
#define QUOTA_PAUSE_MAX_MS (60 * 1000)             /* the longest pause without an announced length */
#define QUOTA_PAUSE_SERVER_MAX_MS (60 * 60 * 1000) /* the longest pause by a Retry-After, with jitter */
#define QUOTA_RESET_MAX_S (5 * 60)                 /* the steady window is a minute: a longer reset is a mistake */

/* Counts requests in slots of slot_ms. A request counts until its whole slot is length_ms old, so never for too
 * short. */
#define QUOTA_SLOTS 64
struct quota_window {
	int64_t length_ms, slot_ms;
	int64_t limit;      /* Klaviyo's limit times our share, at least 1 */
	int64_t first_slot; /* number of the oldest slot that still counts */
	uint32_t slots[QUOTA_SLOTS];
	int64_t used;
};
struct quota {
	struct quota_window second, minute;
	double share;
	int64_t server_remaining; /* requests left until server_reset_ms; -1: not announced */
	int64_t server_reset_ms;
	int64_t pause_until_ms; /* the end of a pause after a 429 */
	unsigned pauses;        /* consecutive pauses without an announced length */
	bool probing;           /* one request at a time until a 202 */
};

/* Begins with empty windows, probing. */
void quota_init(struct quota *q, const struct quota_limits *l, int64_t now_ms);
/* Sets new limits and keeps the counts. */
void quota_limits(struct quota *q, const struct quota_limits *l);
/* Returns now_ms if a request may be sent now, else the earliest time to ask again. in_flight matters only while
 * probing: CLOCK_NEVER_MS until that request returns. */
int64_t quota_next_ms(struct quota *q, unsigned in_flight, int64_t now_ms);
void quota_consume(struct quota *q, int64_t now_ms); /* counts a request that is sent */
/* Takes RateLimit-Remaining and RateLimit-Reset of an answer; -1: not announced. They only lower the budget: until the
 * last announced reset, a late answer or one of a new window does not raise it. */
void quota_set_remaining(struct quota *q, int64_t remaining, int64_t reset_s, int64_t now_ms);
/* Pauses after a 429 for retry_after_ms, at least 1 s, plus up to a quarter of it by jitter (0…1), at most an hour in
 * total. Without an announced length (-1 or 0) the pause doubles from 1 s to 1 min until a 202; the 429s of one burst
 * count once. */
void quota_throttled(struct quota *q, int64_t retry_after_ms, double jitter, int64_t now_ms);
enum quota_pause {
	QUOTA_PAUSE_THROTTLED, /* a 429 */
	QUOTA_PAUSE_REMAINING, /* RateLimit-Remaining and RateLimit-Reset */
};
/* Returns the time until which Klaviyo's answers hold the endpoint back, and which kind of answer; 0: they do not. */
int64_t quota_pause_ms(const struct quota *q, int64_t now_ms, enum quota_pause *ret_why);
/* Forgets what Klaviyo announced. Call after a change of key or URL or a reload: it may be about another server. */
static inline void quota_forget_pauses(struct quota *q)
{
	q->pause_until_ms = 0;
	q->pauses = 0;
	q->server_remaining = -1;
}
/* Allows one request at a time until a 202. Call at start, after a reload and when an account is no longer parked. */
static inline void quota_set_probing(struct quota *q)
{
	q->probing = true;
}
/* Call after a 202: ends probing. */
static inline void quota_success(struct quota *q)
{
	q->probing = false;
	q->pauses = 0;
}

#endif
