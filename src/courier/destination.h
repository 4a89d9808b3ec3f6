/* SPDX-License-Identifier: MIT */
/*
 * destination: one upstream as the courier knows it, an account (sender.c) or a source with its lookups
 * (lookup_client.c), and the list of all of them. It has no thread and no mailbox: all is called on the courier's
 * thread, which is the one of the HTTP client's loop, and nothing blocks.
 *
 * Each event and each question that is handed over comes back through the sink exactly once, maybe before the call that
 * hands it over returns.
 */
#ifndef COURIER_DESTINATION_H
#define COURIER_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/courier.h"
#include "courier/report.h"
#include "courier/upstream.h"
#include "http/client.h"

/* Shared by all routes; outlives them and their transfers. */
struct destination_shared {
	struct http_client *client;
	struct courier_sink sink;
	struct courier_options options; /* no 0 in it */
	unsigned deliveries;            /* in flight, of all accounts */
};

struct destination;
/* The functions that differ by the kind of a route. */
struct destination_ops {
	/* As g configures it, or does not any more; all that is needed of g is copied or referenced. reloaded: the
	 * operator asked for it, else only secrets changed. Tells the window anew in any case. */
	void (*configure)(struct destination *d, struct generation *g, bool reloaded);
	/* Opens for a probe and after a pause, sends what may go where `sending`. Returns when to call again
	 * (CLOCK_NEVER_MS: when something is handed over or comes back). */
	int64_t (*run)(struct destination *d, bool sending, int64_t now_ms);
	/* Gives back all that can be given back, and whatever is handed over later. Deliveries in flight are waited
	 * for. */
	void (*close)(struct destination *d);
	/* With nothing in flight, or closed. */
	void (*free)(struct destination *d);
};

/* The first member of struct sender and struct lookup_client. */
struct destination {
	const struct destination_ops *ops;
	struct destination_shared *shared;
	struct upstream *upstream;
	struct report report; /* with kind and name */
	bool configured, closed;
};

struct destinations {
	struct destination_shared shared;
	struct generation *generation; /* the newest; NULL: none yet */
	struct destination **all;      /* those configured, and those that still have something in flight */
	size_t n;
};

/* options: 0 in it becomes the constants; NULL: all of them. The client is borrowed. */
void destinations_init(struct destinations *d, struct http_client *client, const struct courier_sink *sink,
		       const struct courier_options *options);
/* The generation by which is worked from now on. Takes its own reference. */
void destinations_generation(struct destinations *d, struct generation *g);
void destinations_send(struct destinations *d, struct event *e);                  /* takes over e, heap */
void destinations_lookup(struct destinations *d, struct lookup_request *request); /* takes over request, heap */
/* Lets each send what may go; returns when to call again. */
int64_t destinations_run(struct destinations *d, bool sending, int64_t now_ms);
void destinations_close(struct destinations *d);
/* After destinations_close and the end of the client. */
void destinations_done(struct destinations *d);

#endif
