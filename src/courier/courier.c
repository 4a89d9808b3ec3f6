/*
 * The courier's thread: takes what was posted, lets every route send what may go, and waits in the HTTP client's loop.
 * Mail is handled in the order of posting; a generation so comes before the events that were queued by it. All below
 * struct courier belongs to that thread, but the mailbox and what stands under `lock`. Nothing survives a crash.
 */
#include <config.h>

#include "courier/courier.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "courier/route.h"
#include "http/client.h"

enum mail_kind {
	MAIL_SEND,
	MAIL_ASK,
	MAIL_GENERATION,
	MAIL_STALL,
	MAIL_PING,
	MAIL_STOP,
};

struct letter {
	struct mail mail;
	union {
		struct event *event;
		struct lookup_question *question;
		struct generation *generation;
		bool stalled;
		uint64_t token;
		int64_t deadline_ms;
	};
};

struct courier {
	struct mailbox *mailbox;
	pthread_t thread;
	struct lock lock;          /* over `wakes` */
	struct http_client *wakes; /* whom a post wakes; NULL: the thread ends */

	struct routes routes;
	bool stalled, stopping;
	int64_t deadline_ms; /* stopping; clock_mono_ms */
};

/* ---- posting: any thread ----------------------------------------------------------------------------------------- */

/* The thread may end, and its client with it, between a post and its wake. */
static void courier_wake(void *arg)
{
	struct courier *c = arg;

	lock_acquire(&c->lock);
	if (c->wakes)
		http_client_wake(c->wakes);
	lock_release(&c->lock);
}

static void courier_post(struct courier *c, enum mail_kind kind, struct letter contents)
{
	struct letter *letter = mem_new(1, sizeof(*letter));

	*letter = contents;
	letter->mail.kind = kind;
	mailbox_post(c->mailbox, &letter->mail);
}

void courier_send(struct courier *c, struct event *e)
{
	courier_post(c, MAIL_SEND, (struct letter){.event = e});
}

void courier_ask(struct courier *c, struct lookup_question *q)
{
	courier_post(c, MAIL_ASK, (struct letter){.question = q});
}

void courier_generation(struct courier *c, struct generation *g)
{
	courier_post(c, MAIL_GENERATION, (struct letter){.generation = generation_ref(g)});
}

void courier_stall(struct courier *c, bool stalled)
{
	courier_post(c, MAIL_STALL, (struct letter){.stalled = stalled});
}

void courier_ping(struct courier *c, uint64_t token)
{
	courier_post(c, MAIL_PING, (struct letter){.token = token});
}

/* ---- what came --------------------------------------------------------------------------------------------------- */

static void take_mail(struct courier *c)
{
	struct mail *next;

	for (struct mail *m = mailbox_take(c->mailbox); m; m = next) {
		struct letter *letter = (struct letter *)(void *)m;

		next = m->next;
		switch ((enum mail_kind)m->kind) {
		case MAIL_SEND:
			routes_send(&c->routes, letter->event);
			break;
		case MAIL_ASK:
			routes_ask(&c->routes, letter->question);
			break;
		case MAIL_GENERATION:
			if (!c->stopping)
				routes_generation(&c->routes, letter->generation);
			generation_unref(letter->generation);
			break;
		case MAIL_STALL:
			c->stalled = letter->stalled;
			break;
		case MAIL_PING:
			c->routes.shared.sink.alive(c->routes.shared.sink.ctx, letter->token);
			break;
		case MAIL_STOP:
			c->stopping = true;
			c->deadline_ms = letter->deadline_ms;
			routes_close(&c->routes);
			break;
		}
		free(letter);
	}
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void *courier_main(void *arg)
{
	struct courier *c = arg;
	struct http_client *client = c->routes.shared.client;
	int64_t now_ms, next_ms;

	for (;;) {
		take_mail(c);
		now_ms = clock_mono_ms();
		next_ms = routes_run(&c->routes, !c->stalled, now_ms);
		if (c->stopping && (c->routes.shared.deliveries == 0 || now_ms >= c->deadline_ms))
			break;
		if (c->stopping && c->deadline_ms < next_ms)
			next_ms = c->deadline_ms;
		http_client_turn(client, next_ms);
	}
	lock_acquire(&c->lock);
	c->wakes = NULL;
	lock_release(&c->lock);
	/* Transfers that still run come back as aborted: a retry, or a lookup that was answered already. */
	http_client_free(client);
	take_mail(c);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct courier *courier_start(struct generation *g, const struct courier_sink *sink,
			      const struct courier_options *options)
{
	struct courier *c = mem_new(1, sizeof(*c));

	c->wakes = http_client_new("deskbridge/" PACKAGE_VERSION);
	routes_init(&c->routes, c->wakes, sink, options);
	lock_init(&c->lock);
	c->mailbox = mailbox_new();
	mailbox_set_waker(c->mailbox, courier_wake, c);
	courier_generation(c, g);
	thread_start(&c->thread, "courier", courier_main, c);
	return c;
}

void courier_stop(struct courier *c, int64_t deadline_ms)
{
	courier_post(c, MAIL_STOP, (struct letter){.deadline_ms = deadline_ms});
	thread_join(c->thread);
	routes_done(&c->routes);
	mailbox_free(c->mailbox);
	lock_done(&c->lock);
	free(c);
}
