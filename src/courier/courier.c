/* SPDX-License-Identifier: MIT */
/*
 * The courier's thread: the only thread that talks to Klaviyo and to the helpdesks.
 *
 * DESIGN
 * ------
 *
 * Jobs. The pipeline posts jobs to a mailbox and never waits for them:
 *
 *   send        deliver one event to Klaviyo (an account's sender)
 *   lookup      look up one customer at a helpdesk (a source's lookup client)
 *   generation  work with another configuration and other secrets from now on
 *   stall       start no new delivery, as long as results cannot be committed
 *   ping        answer the watchdog
 *   stop        close all destinations, give deliveries in flight until the deadline, end the thread
 *
 * Threads. There is one thread and one curl multi handle, so transfers in flight cost no threads. The thread waits in
 * http_client_turn(), which calls curl_multi_poll(). A post calls http_client_wake(), the one function of the client
 * for other threads. `lock` protects only the pointer to the client, because the thread may end between a post and its
 * wake. All that follows `client` in struct courier belongs to this thread. Nothing in the loop blocks on a peer.
 *
 * Loop. Take all messages; let each destination start what its state and pace allow; wait until the next time that a
 * destination named, a transfer makes progress, or a post wakes the loop.
 *
 * Results. Every event and every lookup request that was posted comes back through the sink exactly once, on this
 * thread: as a result, or as returned (parked, on hold, not configured, stopping). The sink only posts to the
 * pipeline's mailbox. The courier decides nothing durable.
 *
 * Ordering guarantee.
 *   - Jobs are taken in the order of posting, so a generation takes effect before the events that were posted after it.
 *   - A window that an answer closes is reported before that answer, so the pipeline sends nothing into a closed window
 *     because of it.
 *   - Events of different persons overtake each other. The store and the pipeline keep the order of one person's
 *     events: they send only a person's first undelivered event.
 *
 * What survives a crash. Nothing, and nothing has to. An event stays `ready` in the store until its result is
 * committed; after a crash it is sent again with the same unique_id, which Klaviyo drops. A webhook that waited for a
 * lookup is made ready at the next start and asks again.
 *
 * End. After `stop` the loop runs until no delivery is in flight or the deadline has passed. Lookups in flight do not
 * delay it. http_client_free() aborts the transfers that are left: deliveries come back as a retry, and lookup requests
 * were answered at the stop. The last take_messages() returns what was posted meanwhile.
 */
#include <config.h>

#include "courier/courier.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "courier/destination.h"
#include "http/client.h"

enum courier_message_kind {
	COURIER_SEND,
	COURIER_LOOKUP,
	COURIER_GENERATION,
	COURIER_STALL,
	COURIER_PING,
	COURIER_STOP,
};

struct courier_message {
	struct message message;
	union {
		struct event *event;
		struct lookup_request *request;
		struct generation *generation;
		bool stalled;
		uint64_t token;
		int64_t deadline_ms;
	};
};

struct courier {
	struct mailbox *mailbox;
	pthread_t thread;
	struct lock lock;           /* protects client */
	struct http_client *client; /* the client that a post wakes; NULL once the thread ends */

	struct destinations destinations;
	bool stalled, stopping;
	int64_t deadline_ms; /* while stopping; clock_mono_ms */
};

/* ---- posting: any thread ----------------------------------------------------------------------------------------- */

/* The mailbox's waker. The thread may end, and its client with it, between a post and its wake. */
static void courier_wake(void *arg)
{
	struct courier *c = arg;

	lock_acquire(&c->lock);
	if (c->client)
		http_client_wake(c->client);
	lock_release(&c->lock);
}

static void courier_post(struct courier *c, enum courier_message_kind kind, struct courier_message contents)
{
	struct courier_message *cm = mem_new(1, sizeof(*cm));

	*cm = contents;
	cm->message.kind = kind;
	mailbox_post(c->mailbox, &cm->message);
}

static void post_event(void *c, struct event *e)
{
	courier_post(c, COURIER_SEND, (struct courier_message){.event = e});
}

static void post_lookup(void *c, struct lookup_request *request)
{
	courier_post(c, COURIER_LOOKUP, (struct courier_message){.request = request});
}

static void post_generation(void *c, struct generation *g)
{
	courier_post(c, COURIER_GENERATION, (struct courier_message){.generation = generation_ref(g)});
}

static void post_stall(void *c, bool stalled)
{
	courier_post(c, COURIER_STALL, (struct courier_message){.stalled = stalled});
}

struct courier_port courier_port(struct courier *c)
{
	static const struct courier_ops ops = {
		.send = post_event,
		.lookup = post_lookup,
		.generation = post_generation,
		.stall = post_stall,
	};

	return (struct courier_port){.ops = &ops, .courier = c};
}

void courier_ping(struct courier *c, uint64_t token)
{
	courier_post(c, COURIER_PING, (struct courier_message){.token = token});
}

/* ---- what came --------------------------------------------------------------------------------------------------- */

static void take_messages(struct courier *c)
{
	struct message *next;

	for (struct message *m = mailbox_take(c->mailbox); m; m = next) {
		struct courier_message *cm = (struct courier_message *)(void *)m;

		next = m->next;
		switch ((enum courier_message_kind)m->kind) {
		case COURIER_SEND:
			destinations_send(&c->destinations, cm->event);
			break;
		case COURIER_LOOKUP:
			destinations_lookup(&c->destinations, cm->request);
			break;
		case COURIER_GENERATION:
			if (!c->stopping)
				destinations_generation(&c->destinations, cm->generation);
			generation_unref(cm->generation);
			break;
		case COURIER_STALL:
			c->stalled = cm->stalled;
			break;
		case COURIER_PING:
			c->destinations.shared.sink.alive(c->destinations.shared.sink.ctx, cm->token);
			break;
		case COURIER_STOP:
			c->stopping = true;
			c->deadline_ms = cm->deadline_ms;
			destinations_close(&c->destinations);
			break;
		}
		free(cm);
	}
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void *courier_main(void *arg)
{
	struct courier *c = arg;
	struct http_client *client = c->destinations.shared.client;
	int64_t now_ms, next_ms;

	for (;;) {
		take_messages(c);
		now_ms = clock_mono_ms();
		next_ms = destinations_run(&c->destinations, !c->stalled, now_ms);
		if (c->stopping && (c->destinations.shared.deliveries == 0 || now_ms >= c->deadline_ms))
			break;
		if (c->stopping && c->deadline_ms < next_ms)
			next_ms = c->deadline_ms;
		http_client_turn(client, next_ms);
	}
	lock_acquire(&c->lock);
	c->client = NULL;
	lock_release(&c->lock);
	/* Transfers that still run come back as aborted. */
	http_client_free(client);
	take_messages(c);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct courier *courier_start(struct generation *g, const struct courier_sink *sink,
			      const struct courier_options *options)
{
	struct courier *c = mem_new(1, sizeof(*c));

	c->client = http_client_new("deskbridge/" PACKAGE_VERSION);
	destinations_init(&c->destinations, c->client, sink, options);
	lock_init(&c->lock);
	c->mailbox = mailbox_new();
	mailbox_set_waker(c->mailbox, courier_wake, c);
	post_generation(c, g);
	thread_start(&c->thread, "courier", courier_main, c);
	return c;
}

void courier_stop(struct courier *c, int64_t deadline_ms)
{
	courier_post(c, COURIER_STOP, (struct courier_message){.deadline_ms = deadline_ms});
	thread_join(c->thread);
	destinations_done(&c->destinations);
	mailbox_free(c->mailbox);
	lock_done(&c->lock);
	free(c);
}
