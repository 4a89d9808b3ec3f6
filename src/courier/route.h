/*
 * route: one upstream as the courier knows it, an account (sender.c) or a source with its lookups (lookup.c), and the
 * list of all of them. It has no thread and no mailbox: all is called on the courier's thread, which is the one of the
 * HTTP client's loop, and nothing blocks.
 *
 * Each event and each question that is handed over comes back through the sink exactly once, maybe before the call that
 * hands it over returns.
 */
#ifndef COURIER_ROUTE_H
#define COURIER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/courier.h"
#include "courier/report.h"
#include "courier/upstream.h"
#include "http/client.h"

/* Shared by all routes; outlives them and their transfers. */
struct route_shared {
	struct http_client *client;
	struct courier_sink sink;
	struct courier_options options; /* no 0 in it */
	unsigned deliveries;            /* in flight, of all accounts */
};

struct route;
/* The functions that differ by the kind of a route. */
struct route_ops {
	/* As g configures it, or does not any more; all that is needed of g is copied or referenced. reloaded: the
	 * operator asked for it, else only secrets changed. Tells the window anew in any case. */
	void (*configure)(struct route *r, struct generation *g, bool reloaded);
	/* Opens for a probe and after a pause, sends what may go where `sending`. Returns when to call again
	 * (CLOCK_NEVER_MS: when something is handed over or comes back). */
	int64_t (*run)(struct route *r, bool sending, int64_t now_ms);
	/* Gives back all that can be given back, and whatever is handed over later. Deliveries in flight are waited
	 * for. */
	void (*close)(struct route *r);
	/* With nothing in flight, or closed. */
	void (*free)(struct route *r);
};

/* The first member of struct sender and struct lookup. */
struct route {
	const struct route_ops *ops;
	struct route_shared *shared;
	struct upstream *upstream;
	struct report report; /* with kind and name */
	bool configured, closed;
};

struct routes {
	struct route_shared shared;
	struct generation *generation; /* the newest; NULL: none yet */
	struct route **all;            /* those configured, and those that still have something in flight */
	size_t n;
};

/* options: 0 in it becomes the constants; NULL: all of them. The client is borrowed. */
void routes_init(struct routes *r, struct http_client *client, const struct courier_sink *sink,
		 const struct courier_options *options);
/* The generation by which is worked from now on. Takes its own reference. */
void routes_generation(struct routes *r, struct generation *g);
void routes_send(struct routes *r, struct event *e);          /* takes over e, heap */
void routes_ask(struct routes *r, struct lookup_question *q); /* takes over q, heap */
/* Lets each send what may go; returns when to call again. */
int64_t routes_run(struct routes *r, bool sending, int64_t now_ms);
void routes_close(struct routes *r);
/* After routes_close and the end of the client. */
void routes_done(struct routes *r);

#endif
