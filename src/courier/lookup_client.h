/* SPDX-License-Identifier: MIT */
/*
 * lookup_client: asks the helpdesk what a webhook does not tell, above all who its customer is. A route, one a source.
 *
 * A source's lookups have a window: how many may be in flight. It is LOOKUP_WINDOW in good times; 1 while parked
 * (upstream.h says when), then for customers only who were not asked about yet, but for a slow probe; 0 for as long as
 * a 429 says; 0 too where the source is no longer configured or has no lookup. A reload and changed secrets open it at
 * once; after a reload it is shown as parked until it answers. The window is told, never asked: whoever puts questions
 * keeps within it; a question that comes too late for it is returned without being asked (LOOKUP_LATE,
 * LOOKUP_RETURNED). One question a customer at a time is the asker's duty too. A window that changes is told before the
 * answer that changed it.
 *
 * The asker keeps beyond the end of the process that a source's lookups have worked: a mark, a digest of base_url,
 * parameters and credentials, comes with each answer once the helpdesk has answered something in JSON, and is given
 * back with each question.
 */
#ifndef COURIER_LOOKUP_CLIENT_H
#define COURIER_LOOKUP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/parse/parsed_webhook.h"

#define LOOKUP_WINDOW 4
#define LOOKUP_ANSWER_MAX (1024 * 1024) /* bytes; what is longer is refused */
#define LOOKUP_CONNECT_MS 5000
#define LOOKUP_TIMEOUT_MS 15000

enum lookup_outcome {
	LOOKUP_FOUND,
	LOOKUP_GONE,     /* there is no such customer, as far as the helpdesk knows by now */
	LOOKUP_RETRY,    /* the helpdesk has trouble: 429, 5xx, transport */
	LOOKUP_PARKED,   /* an answer that concerns every customer: 401, or GONE before anything worked */
	LOOKUP_ODD,      /* an answer that says nothing about the customer; three customers' in a row park */
	LOOKUP_RETURNED, /* not asked: the source is no longer configured so, or the daemon stops */
	LOOKUP_LATE,     /* not asked: the window had closed */
};
const char *lookup_outcome_name(enum lookup_outcome o); /* as the metric has it; and for tests */

#define LOOKUP_MARK_BYTES 16
struct lookup_mark {
	bool is_set;
	unsigned char bytes[LOOKUP_MARK_BYTES];
};

struct lookup_request {
	char *source;
	char *key;                     /* under which the asker knows it; comes back with the answer */
	struct parsed_webhook *parsed; /* the webhook that wants it: its values fill the URL */
	struct generation *generation; /* by which it was parsed; NULL: it is bare */
	bool is_new;                   /* nobody was asked for this webhook yet */
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
	struct err reason;      /* else: for people */
	int64_t retry_after_ms; /* -1: not told */
	struct lookup_mark worked;
	/* The question's, back as it came; NULL where asking has put a merged customer's id into it. */
	struct parsed_webhook *parsed;
	struct generation *generation;
};
void lookup_answer_done(struct lookup_answer *a);

/* For tests: shorter times. 0: the constants above. */
struct lookup_options {
	int64_t connect_ms, timeout_ms;
};

struct courier_sink;
struct destination;
struct destination_shared;
struct destination *lookup_client_new(struct destination_shared *shared, const char *source);
/* Takes over request and what is in it (heap). The answer comes through the sink, maybe before this returns. */
void lookup_client_start(struct destination *d, struct lookup_request *request);
/* Gives back a question that is not asked. Takes over request. */
void lookup_client_return(const struct courier_sink *sink, struct lookup_request *request, enum lookup_outcome outcome,
			  const char *why);

#endif
