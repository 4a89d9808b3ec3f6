/* SPDX-License-Identifier: MIT */
/*
 * outcome: the meaning of a delivery attempt for its event: one pure function with the whole table.
 *
 *   202                                         delivered, also with X-Klaviyo-Partial-Failure
 *   every other 2xx, 3xx                        park: not Klaviyo's answer, but that of a log-in page or a wrong URL
 *   400, 422 in JSON; 413                       reject by the single lane; single by the bulk lane
 *   400, 422 not in JSON                        park
 *   401, 404, 405, 410, 415                     park
 *   403 in JSON, or a page without a challenge  park
 *   403 with a challenge                        retry
 *   408, 425, 429, 5xx, no answer               retry
 *   every other 4xx                             retry, odd
 *
 * Delivered and reject end the event; reject makes it a dead letter. Retry tries again after a back-off. Park holds the
 * whole account: its events wait, and one at a time is tried. Odd is a retry that pace.h counts.
 *
 * An answer is JSON in two cases: its media type says so, and its body is neither empty nor a page; or the media type
 * does not say HTML, and the body is a JSON object. A page is a body that begins with "<", or a body of an HTML type
 * that is not blank. Details of the table:
 *
 *   202                 with a page: park, because Klaviyo's 202 has an empty body, and a firewall's challenge or a
 *                       log-in page may have this status. With any other body: delivered.
 *   403                 with Cloudflare's challenge header and no body: retry, as with a page. Without that header, no
 *                       body or plain text is neither JSON nor a page: as every other 4xx.
 *   1xx, 600 and above  retry: not HTTP
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

/* Klaviyo's answer to an attempt, or the error in its place. The pointers are borrowed. */
struct outcome_answer {
	enum lane lane;
	const char *transport_error; /* NULL: there was an answer */
	unsigned status;
	const char *type; /* Content-Type, or NULL */
	const struct pairs *headers;
	const char *body;
	size_t body_len;
	bool truncated;                 /* the body was longer than the limit, and `body` does not hold it */
	const struct redactor *secrets; /* redacted in the reason; NULL: none */
};

#define OUTCOME_REASON_MAX 512
struct outcome_verdict {
	enum outcome outcome;
	unsigned status; /* of the answer; 0: there was none */
	bool throttled; /* a 429: concerns the quota: it changes neither the account's state nor the event's back-off */
	bool odd;       /* a retry that (402, 409, 451, …) may concern the event or the account */
	int64_t retry_after_ms; /* announced by a 429 or 503; -1: not announced; at most RETRY_AFTER_MAX_MS */
	bool partial_failure;   /* 202 with X-Klaviyo-Partial-Failure, whose text is in `reason` */
	/* For people: Klaviyo's `detail`, with the pointer where one event is refused ("Invalid email address
	 * (/data/attributes/email)"), otherwise with the status ("Missing or invalid private key. (401)"); for an
	 * answer without JSON the status's meaning; "" on a plain 202. Printable UTF-8 without control characters, cut
	 * to the size, e-mail addresses masked, secrets redacted. Never the request's content. */
	char reason[OUTCOME_REASON_MAX];
	/* RateLimit headers of the steady window; -1: not announced */
	int64_t limit, remaining, reset_s;
};

/* Decides what an attempt means. Overwrites *ret. */
void outcome_of(const struct outcome_answer *a, struct outcome_verdict *ret);

#endif
