/* SPDX-License-Identifier: MIT */
/*
 * courier: the thread that talks to the outside: deliveries to Klaviyo and lookups at helpdesks, on one curl loop.
 *
 * The courier holds what it was handed, sends it as pace and state of the account allow, and reports what came of it.
 * It decides nothing durable: results go to the pipeline, which commits them. Who hands over keeps, for each account,
 * below its window (told through the sink: 0 while parked, held or unknown) and hands over only the first event of a
 * person; so order per person is kept by the store and the pipeline, and the courier may send all it holds at once.
 *
 * Nothing here survives a crash, and nothing needs to: an event that was sent but not committed is sent again with the
 * same unique_id.
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "decision/event.h"
#include "klaviyo/outcome.h"
#include "courier/lookup_client.h"
#include "courier/report.h"

/* An event comes back with what became of it. */
struct delivery {
	struct event *event; /* owned; as it was handed over */
	bool returned; /* not sent: parked, held, no longer configured, or stopping; `verdict` says nothing then */
	enum lane lane;
	struct outcome_verdict verdict;
	int64_t done_ms; /* clock_now_ms */
};

/*
 * All are called on the courier's thread and must not block; what they are given is theirs to free. A window is told
 * whenever it or its reason changes, and for every account and every source with lookups at start and with each
 * generation. The reason is there while events or webhooks wait for the operator: why the account or the lookups are
 * parked (also with a window of 1, while they are probed), "on hold" or "not configured"; and until when there is a
 * pause of more than a minute, with which an account's window stays whole. A window that an outcome or an answer closes
 * is told before that outcome or answer.
 */
struct courier_sink {
	void (*delivered)(void *ctx, struct delivery *d); /* heap; delivery_free */
	/* for_new: for lookups only of customers who were not asked about yet. */
	void (*window)(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		       const char *reason_or_null);
	void (*lookup_answered)(void *ctx, struct lookup_answer *a); /* heap; lookup_answer_done + free */
	void (*alive)(void *ctx, uint64_t token);                    /* answer to courier_ping */
	void *ctx;
};
void delivery_free(struct delivery *d); /* with its event; NULL allowed */

#define COURIER_CONNECT_MS 10000
#define COURIER_TIMEOUT_MS 30000

/* Shorter times, for tests. 0: the constants. */
struct courier_options {
	int64_t connect_ms, timeout_ms;
	struct lookup_options lookup;
};

struct courier;
/* Starts the thread. Takes its own reference of g. options: NULL: none. */
struct courier *courier_start(struct generation *g, const struct courier_sink *sink,
			      const struct courier_options *options);

/*
 * The functions of a courier that the pipeline's turn calls. A test passes a table of its own. Each posts a message and
 * returns at once. Any thread.
 */
struct courier_ops {
	void (*send)(void *courier, struct event *e);
	void (*lookup)(void *courier, struct lookup_request *request);
	void (*generation)(void *courier, struct generation *g);
	void (*stall)(void *courier, bool stalled);
};
/* By value. `courier` is borrowed. */
struct courier_port {
	const struct courier_ops *ops;
	void *courier;
};
struct courier_port courier_port(struct courier *c);

/* Takes ownership of e (heap). */
static inline void courier_send(struct courier_port to, struct event *e)
{
	to.ops->send(to.courier, e);
}
/* Takes ownership of request (heap). */
static inline void courier_lookup(struct courier_port to, struct lookup_request *request)
{
	to.ops->lookup(to.courier, request);
}
/* Takes a reference to g. */
static inline void courier_generation(struct courier_port to, struct generation *g)
{
	to.ops->generation(to.courier, g);
}
/* True while results cannot be committed: the courier starts no delivery. */
static inline void courier_stall(struct courier_port to, bool stalled)
{
	to.ops->stall(to.courier, stalled);
}

/* Posts and returns at once. Any thread. */
void courier_ping(struct courier *c, uint64_t token);

/* Sends nothing new, returns what was not sent, gives transfers under way until deadline_ms (clock_mono_ms), returns
 * the rest as retry; then the thread ends. Blocks until then. The sink is called for all of it before this returns.
 * Frees c. */
void courier_stop(struct courier *c, int64_t deadline_ms);

#endif
