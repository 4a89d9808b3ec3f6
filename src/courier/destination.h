/* SPDX-License-Identifier: MIT */
/*
 * destination: one upstream of the courier, an account (sender.c) or a source with lookups (lookup_client.c), and the
 * list of all of them. It has no thread and no mailbox: all functions run on the courier's thread, which runs the HTTP
 * client's loop, and do not block.
 *
 * Each event and each lookup request comes back through the sink exactly once, possibly before the call that passed it
 * returns.
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

/* Shared by all destinations; outlives them and their transfers. */
struct destination_shared {
	struct http_client *client;
	struct courier_sink sink;
	struct courier_options options; /* without zeros */
	unsigned deliveries;            /* in flight, of all accounts */
	uint64_t series;                /* the last http_request.series */
};

struct destination;
/* The functions that differ by kind. */
struct destination_ops {
	/* Applies g's configuration, or its absence. Copies or references what it needs of g. reloaded: true for the
	 * start and a reload; false where only secrets changed. Reports the window in any case. */
	void (*configure)(struct destination *d, struct generation *g, bool reloaded);
	/* Starts probes, ends pauses and, where `sending`, sends events. Returns the time of the next call
	 * (CLOCK_NEVER_MS: after a new event or an answer). */
	int64_t (*run)(struct destination *d, bool sending, int64_t now_ms);
	/* Returns all that is not in flight, and all lookup requests, now and later. Deliveries in flight continue. */
	void (*close)(struct destination *d);
	/* Call with nothing in flight, or after close. */
	void (*free)(struct destination *d);
};

/* The first member, `base`, of struct sender and struct lookup_client. */
struct destination {
	const struct destination_ops *ops;
	struct destination_shared *shared;
	struct upstream *upstream;
	struct report report; /* its kind and name are the destination's */
	bool configured, closed;
};

struct destinations {
	struct destination_shared shared;
	struct generation *generation; /* the latest; NULL: none yet */
	struct destination **all;      /* the configured ones, and former ones with transfers in flight */
	size_t n;
};

/* options: a zero becomes the constant; NULL: all constants. The client is borrowed. */
void destinations_init(struct destinations *d, struct http_client *client, const struct courier_sink *sink,
		       const struct courier_options *options);
/* Applies a generation. Takes a reference. */
void destinations_generation(struct destinations *d, struct generation *g);
/* Take ownership of the heap object. */
void destinations_send(struct destinations *d, struct event *e);
void destinations_lookup(struct destinations *d, struct lookup_request *request);
/* Runs each destination. Returns the time of the next call. */
int64_t destinations_run(struct destinations *d, bool sending, int64_t now_ms);
void destinations_close(struct destinations *d);
/* Call after destinations_close() and the end of the client. */
void destinations_done(struct destinations *d);

#endif
