/* SPDX-License-Identifier: MIT */
/*
 * outcome: what an attempt means for an event: one pure function with the whole table.
 *
 *   202                                         delivered, also with X-Klaviyo-Partial-Failure
 *   every other 2xx, 3xx                        park: Klaviyo does not answer so; a log-in page or a wrong URL does
 *   400, 422 in JSON; 413                       reject by the single lane; single by the bulk lane
 *   400, 422 not in JSON                        park
 *   401, 404, 405, 410, 415                     park
 *   403 in JSON, or a page without a challenge  park
 *   403 with a challenge                        retry
 *   408, 425, 429, 5xx, no answer               retry
 *   every other 4xx                             retry, odd
 *
 * Delivered and reject end the event, reject as a dead letter. Retry comes again after a back-off. Park holds the whole
 * account: its events wait, and one at a time is tried. Odd is a retry that pace.h counts.
 *
 * An answer is in JSON where its media type says so and its body is not empty and no page; or where the media type does
 * not say HTML and the body is a JSON object. A page is a body that begins with a "<", or one of an HTML type that is
 * not blank. The table in detail:
 *   202                 with a page: park. Klaviyo's 202 has an empty body; a firewall's challenge or a log-in page may
 *                       come with this status. With any other body: delivered.
 *   403                 with Cloudflare's challenge header and no body: retry, as with a page; else one without a body
 *                       or in plain text is neither JSON nor HTML, so one of the other 4xx
 *   1xx, 600 and above  retry: this is not HTTP
 */
#ifndef KLAVIYO_OUTCOME_H
#define KLAVIYO_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/redact.h"
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
	bool truncated;                 /* the body was longer than what is kept, and `body` does not hold it */
	const struct redactor *secrets; /* which the reason must not hold; NULL: none */
};

#define OUTCOME_REASON_MAX 512
struct outcome_verdict {
	enum outcome outcome;
	unsigned status;        /* of the answer; 0: there was none */
	bool throttled;         /* a 429: counts neither for the breaker nor for the event's back-off */
	bool odd;               /* a retry that (402, 409, 451, …) may concern the event or the account */
	int64_t retry_after_ms; /* of a 429 or 503; -1: not told; at most RETRY_AFTER_MAX_MS */
	bool partial_failure;   /* 2xx with X-Klaviyo-Partial-Failure, which stands in `reason` */
	/* For people: Klaviyo's `detail` with the pointer where one event is refused ("Invalid email address
	 * (/data/attributes/email)"), with the status else ("Missing or invalid private key. (401)"); without JSON what
	 * the status means. "" on a plain 2xx. Printable UTF-8, no control characters, cut, e-mail addresses masked,
	 * secrets struck out. Never the request's content. */
	char reason[OUTCOME_REASON_MAX];
	/* RateLimit headers of the steady window; -1: not told */
	int64_t limit, remaining, reset_s;
};

void outcome_of(const struct outcome_answer *a, struct outcome_verdict *ret);

#endif
