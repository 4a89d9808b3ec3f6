/*
 * lookup: asks the helpdesk what a webhook does not tell, above all who its customer is: the doing half of
 * helpdesk/inquiry.h.
 *
 * Runs on the courier's thread, on its HTTP client. A source's lookups have a window: how many may be under way. It is
 * LOOKUP_WINDOW in good times, 0 while parked (401/403: probe after 1 min doubling to 15, at once when its secrets
 * change or after a reload), 1 for a probe, 0 for as long as a 429 says; 0 too where the source is no longer configured
 * or has no lookup. The window is told, never asked: whoever puts questions keeps below it; one that comes while it is
 * 0 is answered at once (LOOKUP_PARKED, LOOKUP_RETRY, LOOKUP_RETURNED) without being asked. One question a customer at
 * a time is the asker's duty too. A window that changes is told before the answer that changed it.
 */
#ifndef LOOKUP_LOOKUP_H
#define LOOKUP_LOOKUP_H

#include <stdint.h>

#include "config/generation.h"
#include "helpdesk/customer.h"
#include "helpdesk/webhook.h"
#include "http/client.h"

#define LOOKUP_WINDOW 4
#define LOOKUP_ANSWER_MAX (1024 * 1024) /* bytes; what is longer is refused */
#define LOOKUP_CONNECT_MS 5000
#define LOOKUP_TIMEOUT_MS 15000

enum lookup_outcome {
	LOOKUP_FOUND,
	LOOKUP_GONE,     /* 404: there is no such customer */
	LOOKUP_RETRY,    /* ask again later: 429, 5xx, transport, an answer that is not what it should be */
	LOOKUP_PARKED,   /* credentials; the window is 0 */
	LOOKUP_REFUSED,  /* this question will never be answered */
	LOOKUP_RETURNED, /* not asked: the source is no longer configured so, or the daemon stops */
};
const char *lookup_outcome_name(enum lookup_outcome o);

struct lookup_question {
	char *source;
	char *key;              /* under which the asker knows it; comes back with the answer */
	struct webhook webhook; /* the one that wants it: its values fill the URL */
};

struct lookup_answer {
	char *source;
	char *key;
	enum lookup_outcome outcome;
	struct customer found;  /* LOOKUP_FOUND */
	struct err reason;      /* else: for people */
	int64_t retry_after_ms; /* -1: not told */
};
void lookup_answer_done(struct lookup_answer *a);

struct lookup;
struct lookup_sink {
	void (*answer)(void *ctx, struct lookup_answer *a); /* a is lent: take what you need by TAKE */
	void (*window)(void *ctx, const char *source, unsigned window, const char *parked_reason_or_null);
	void *ctx;
};

/* For tests: shorter times. 0: the constants above. */
struct lookup_options {
	int64_t connect_ms, timeout_ms;
};

/* The client must outlive all questions; options: NULL for none. */
struct lookup *lookup_new(struct http_client *client, const struct lookup_sink *sink,
			  const struct lookup_options *options);
/* Questions under way come back as LOOKUP_RETURNED. Before http_client_free. NULL allowed. */
void lookup_free(struct lookup *l);
/* The generation by which later questions are asked; tells every source's window anew. A source that is parked is asked
 * again at once where its secrets changed, or after a reload; after a reload it counts as parked until it answers.
 * Takes its own reference. */
void lookup_generation(struct lookup *l, struct generation *g);
/* Takes over q and what is in it. The answer comes through the sink, maybe before this returns. */
void lookup_ask(struct lookup *l, struct lookup_question *q);
/* Opens windows for probes and after pauses. Returns when to call again (now_ms and the answer: clock_mono_ms time;
 * CLOCK_NEVER_MS). */
int64_t lookup_tick(struct lookup *l, int64_t now_ms);
unsigned lookup_under_way(const struct lookup *l);

#endif
