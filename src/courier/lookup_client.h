/* SPDX-License-Identifier: MIT */
/*
 * lookup_client: the lookup client of one source. It asks the helpdesk for what a webhook lacks, above all the
 * customer's address. A destination.
 *
 * A source has a window: the most requests that may be in flight.
 *
 *   - LOOKUP_WINDOW normally
 *   - 1 while parked (upstream.h), only for webhooks without a previous request; 1 for a probe of a parked source
 *   - 0 during a 429's pause, and where the source is not configured or has no lookup
 *
 * A reload and changed secrets open the window at once. A source that was parked before a reload is shown as parked
 * until it answers.
 *
 * The window is reported through the sink, before the answer that changed it, and the caller stays within it. A request
 * that comes too late is returned unsent (LOOKUP_LATE, LOOKUP_RETURNED). The caller also keeps to one request at a time
 * for each customer.
 *
 * The caller stores a mark for each source whose lookups have worked: a digest of base_url, parameters and credentials.
 * Answers carry it once the helpdesk has answered in JSON; the caller passes it with each request.
 */
#ifndef COURIER_LOOKUP_CLIENT_H
#define COURIER_LOOKUP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/parse/parsed_webhook.h"

#define LOOKUP_WINDOW 4
#define LOOKUP_ANSWER_MAX (1024 * 1024) /* bytes; a longer answer is unusable */
#define LOOKUP_CONNECT_MS 5000
#define LOOKUP_TIMEOUT_MS 15000

enum lookup_outcome {
	LOOKUP_FOUND,
	LOOKUP_GONE,     /* the helpdesk knows no such customer, at least not yet */
	LOOKUP_RETRY,    /* the helpdesk has trouble: 429, 5xx, transport */
	LOOKUP_PARKED,   /* an answer about all customers: 401, or GONE before any lookup worked */
	LOOKUP_ODD,      /* an unusable answer; three customers in a row park the source */
	LOOKUP_RETURNED, /* not sent: the source has no lookup any more, or the daemon stops */
	LOOKUP_LATE,     /* not sent: the window had closed */
};
const char *lookup_outcome_name(enum lookup_outcome o); /* the metric's label; and for tests */

#define LOOKUP_MARK_BYTES 16
struct lookup_mark {
	bool is_set;
	unsigned char bytes[LOOKUP_MARK_BYTES];
};

struct lookup_request {
	char *source;
	char *key;                     /* the caller's key; returned with the answer */
	struct parsed_webhook *parsed; /* the webhook; its values fill the URL */
	struct generation *generation; /* the generation that parsed it; NULL: `parsed` is a bare webhook */
	bool is_new;                   /* this webhook's first request */
	struct lookup_mark worked;
};
static inline void lookup_request_free(struct lookup_request *request)
{
	free(request->source);
	free(request->key);
	parsed_webhook_free(request->parsed);
	generation_unref(request->generation);
	free(request);
}

struct lookup_answer {
	char *source;
	char *key;
	enum lookup_outcome outcome;
	struct customer found;  /* LOOKUP_FOUND */
	struct err reason;      /* otherwise; for people */
	int64_t retry_after_ms; /* -1: not given */
	struct lookup_mark worked;
	/* The request's, returned unchanged; NULL: the lookup changed it (a merged customer's id). */
	struct parsed_webhook *parsed;
	struct generation *generation;
};
void lookup_answer_done(struct lookup_answer *a);

/* Timeouts for tests; 0: the constants above. */
struct lookup_options {
	int64_t connect_ms, timeout_ms;
};

struct courier_sink;
struct destination;
struct destination_shared;
struct destination *lookup_client_new(struct destination_shared *shared, const char *source);
/* Takes ownership of request (heap). The sink gets the answer, possibly before this returns. */
void lookup_client_start(struct destination *d, struct lookup_request *request);
/* Returns a request unsent. Takes ownership of request. */
void lookup_client_return(const struct courier_sink *sink, struct lookup_request *request, enum lookup_outcome outcome,
			  const char *why);

#endif
