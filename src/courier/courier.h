/* SPDX-License-Identifier: MIT */
/*
 * courier: the thread that delivers events to Klaviyo and looks up customers at helpdesks, on one curl loop.
 *
 * The courier sends events when the account's pace and state allow, and reports each result. It decides nothing
 * durable: results go to the pipeline, which commits them. The caller stays within each account's window, which the
 * sink reports (0 while parked, on hold or unknown), and sends only a person's first event. So the store and the
 * pipeline keep each person's order, and the courier may send all its events at once.
 *
 * Nothing here survives a crash. An event that was sent but not committed is sent again with the same unique_id.
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

/* The result of one event. */
struct delivery {
	struct event *event; /* owned; unchanged */
	bool returned;       /* not sent: parked, on hold, not configured, or stopping; `verdict` is not set then */
	enum lane lane;
	struct outcome_verdict verdict;
	int64_t done_ms; /* clock_now_ms */
};

/*
 * All functions are called on the courier's thread and must not block. Each owns the delivery or answer that it gets.
 *
 * A window is reported when it or its reason changes, and for all accounts and all sources with lookups at start and
 * with each generation. A window that a result closes is reported before that result. The reason is set while work
 * waits for the operator or for a long pause:
 *
 *   - the reason of a park, also while the window is 1 for a probe
 *   - "on hold", "not configured"
 *   - the end of a pause of more than a minute; an account's window stays open then
 */
struct courier_sink {
	void (*delivered)(void *ctx, struct delivery *d); /* heap; delivery_free() */
	/* for_new: only webhooks without a previous lookup request may use the window. */
	void (*window)(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
		       const char *reason_or_null);
	void (*lookup_answered)(void *ctx, struct lookup_answer *a); /* heap; lookup_answer_done() and free() */
	void (*alive)(void *ctx, uint64_t token);                    /* the answer to courier_ping() */
	void *ctx;
};
void delivery_free(struct delivery *d); /* with its event; NULL allowed */

#define COURIER_CONNECT_MS 10000
#define COURIER_TIMEOUT_MS 30000

/* Timeouts for tests; 0: the constants. */
struct courier_options {
	int64_t connect_ms, timeout_ms;
	struct lookup_options lookup;
};

struct courier;
/* Starts the thread. Takes a reference to g. options may be NULL. */
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

/* Returns unsent events, waits for deliveries in flight until deadline_ms (clock_mono_ms), returns the rest as retry,
 * and ends the thread. Blocks. All calls of the sink are made before it returns. Frees c. */
void courier_stop(struct courier *c, int64_t deadline_ms);

#endif
