/*
 * outcome: what an attempt means for an event: one pure function with the whole table of DESIGN section 13.
 */
#ifndef KLAVIYO_OUTCOME_H
#define KLAVIYO_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum lane {
	LANE_SINGLE,
	LANE_BULK,
};
const char *lane_name(enum lane l);

enum outcome {
	OUTCOME_DELIVERED,
	OUTCOME_RETRY,
	OUTCOME_REJECT,
	OUTCOME_PARK,
	OUTCOME_SINGLE, /* try again by the single lane */
};
const char *outcome_name(enum outcome o);

/* What came back. Borrowed. */
struct outcome_answer {
	enum lane lane;
	const char *transport_error; /* NULL: there was an answer */
	unsigned status;
	const char *type; /* Content-Type, or NULL */
	const struct pairs *headers;
	const char *body;
	size_t body_len;
};

#define OUTCOME_REASON_MAX 512
struct outcome_verdict {
	enum outcome outcome;
	bool throttled;         /* a 429: counts neither for the breaker nor for the event's back-off */
	int64_t retry_after_ms; /* of a 429 or 503; -1: not told */
	bool partial_failure;   /* 2xx with X-Klaviyo-Partial-Failure */
	/* For people: Klaviyo's `detail` and pointer ("Invalid email address (/data/attributes/…)"), or status and what
	 * it means. Printable UTF-8, no control characters, cut. Never the request's content. */
	char reason[OUTCOME_REASON_MAX];
	/* RateLimit headers of the steady window; -1: not told */
	int64_t limit, remaining, reset_s;
};

void outcome_of(const struct outcome_answer *a, struct outcome_verdict *ret);

#endif
