/*
 * The courier's thread: takes what was posted, lets every outlet send what may go, and waits in the HTTP client's loop.
 * Mail is handled in the order of posting; a generation so comes before the events that were queued by it. All below
 * struct courier belongs to that thread, but the mailbox and what stands under `lock`. Nothing survives a crash.
 */
#include <config.h>

#include "courier/courier.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "courier/outlet.h"
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

	struct outlet_shared shared;
	struct lookup *lookup;
	struct generation *generation; /* the newest; NULL: none yet */
	struct outlet **outlets;       /* those configured, and those that still have something under way */
	size_t outlets_n;
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

static struct outlet *outlet_find(struct courier *c, const char *name)
{
	for (size_t i = 0; i < c->outlets_n; i++)
		if (text_is(outlet_name(c->outlets[i]), name))
			return c->outlets[i];
	return NULL;
}

static struct outlet *outlet_add(struct courier *c, const char *name)
{
	struct outlet *o = outlet_new(&c->shared, name, clock_mono_ms());

	MEM_ROOM(c->outlets, c->outlets_n);
	c->outlets[c->outlets_n++] = o;
	return o;
}

/* Accounts that are gone, once their last transfer is back. */
static void outlets_sweep(struct courier *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->outlets_n; i++) {
		struct outlet *o = c->outlets[i];

		if (outlet_is_configured(o) || outlet_in_flight(o) > 0)
			c->outlets[kept++] = o;
		else
			outlet_free(o);
	}
	c->outlets_n = kept;
}

static void take_generation(struct courier *c, struct generation *g)
{
	/* Changed secrets come with the same configuration. */
	bool reloaded = !c->generation || c->generation->config != g->config;

	for (size_t i = 0; i < g->config->accounts_n; i++)
		if (!outlet_find(c, g->config->accounts[i].name))
			(void)outlet_add(c, g->config->accounts[i].name);
	for (size_t i = 0; i < c->outlets_n; i++)
		outlet_configure(c->outlets[i], config_account(g->config, outlet_name(c->outlets[i])), g->secrets,
				 reloaded);
	outlets_sweep(c);
	lookup_generation(c->lookup, g);
	generation_unref(c->generation);
	c->generation = generation_ref(g);
}

static void take_event(struct courier *c, struct event *e)
{
	struct outlet *o = outlet_find(c, e->account);

	if (o)
		outlet_take(o, e);
	else
		c->shared.sink.delivered(c->shared.sink.ctx, delivery_new(e, NULL));
}

static void take_stop(struct courier *c, int64_t deadline_ms)
{
	c->stopping = true;
	c->deadline_ms = deadline_ms;
	for (size_t i = 0; i < c->outlets_n; i++)
		outlet_close(c->outlets[i]);
	/* A lookup's answer could not be used before the next start, which asks anew. */
	lookup_free(TAKE(c->lookup));
}

static void take_question(struct courier *c, struct lookup_question *q)
{
	struct lookup_answer *a;

	if (c->lookup) {
		lookup_ask(c->lookup, q);
		return;
	}
	a = mem_new(1, sizeof(*a));
	a->source = q->source;
	a->key = q->key;
	a->outcome = LOOKUP_RETURNED;
	a->retry_after_ms = -1;
	(void)err_set(&a->reason, -ESHUTDOWN, "deskbridge stops");
	webhook_done(&q->webhook);
	free(q);
	c->shared.sink.lookup_answered(c->shared.sink.ctx, a);
}

static void take_letter(struct courier *c, struct letter *letter)
{
	switch ((enum mail_kind)letter->mail.kind) {
	case MAIL_SEND:
		take_event(c, letter->event);
		break;
	case MAIL_ASK:
		take_question(c, letter->question);
		break;
	case MAIL_GENERATION:
		if (!c->stopping)
			take_generation(c, letter->generation);
		generation_unref(letter->generation);
		break;
	case MAIL_STALL:
		c->stalled = letter->stalled;
		break;
	case MAIL_PING:
		c->shared.sink.alive(c->shared.sink.ctx, letter->token);
		break;
	case MAIL_STOP:
		take_stop(c, letter->deadline_ms);
		break;
	}
	free(letter);
}

static void take_mail(struct courier *c)
{
	struct mail *next;

	for (struct mail *m = mailbox_take(c->mailbox); m; m = next) {
		next = m->next;
		take_letter(c, (struct letter *)(void *)m);
	}
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Sends what may go; returns when there is something to do that no mail and no answer tells of. */
static int64_t courier_turn(struct courier *c, int64_t now_ms)
{
	int64_t next_ms = c->stopping ? c->deadline_ms : CLOCK_NEVER_MS, again_ms;

	for (size_t i = 0; i < c->outlets_n; i++) {
		again_ms = outlet_run(c->outlets[i], !c->stalled, now_ms);
		if (again_ms < next_ms)
			next_ms = again_ms;
	}
	if (c->lookup) {
		again_ms = lookup_tick(c->lookup, now_ms);
		if (again_ms < next_ms)
			next_ms = again_ms;
	}
	return next_ms;
}

static void *courier_main(void *arg)
{
	struct courier *c = arg;
	int64_t now_ms, next_ms;

	for (;;) {
		take_mail(c);
		now_ms = clock_mono_ms();
		next_ms = courier_turn(c, now_ms);
		if (c->stopping && (c->shared.in_flight == 0 || now_ms >= c->deadline_ms))
			break;
		http_client_turn(c->shared.client, next_ms);
	}
	lock_acquire(&c->lock);
	c->wakes = NULL;
	lock_release(&c->lock);
	/* What still runs comes back as aborted: a retry, or a lookup that was answered already. */
	http_client_free(c->shared.client);
	take_mail(c);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* The sink frees lookup answers that it is given; lookup lends them. */
static void on_lookup_answer(void *ctx, struct lookup_answer *a)
{
	struct courier *c = ctx;
	struct lookup_answer *own = mem_new(1, sizeof(*own));

	*own = *a;
	*a = (struct lookup_answer){0};
	c->shared.sink.lookup_answered(c->shared.sink.ctx, own);
}

static void on_lookup_window(void *ctx, const char *source, unsigned window, bool for_new, const char *reason)
{
	struct courier *c = ctx;

	c->shared.sink.lookup_window(c->shared.sink.ctx, source, window, for_new, reason);
}

struct courier *courier_start(struct generation *g, const struct courier_sink *sink)
{
	return courier_start_with(g, sink, &(struct courier_options){0});
}

struct courier *courier_start_with(struct generation *g, const struct courier_sink *sink,
				   const struct courier_options *options)
{
	struct courier *c = mem_new(1, sizeof(*c));

	c->shared.options = *options;
	if (c->shared.options.connect_ms <= 0)
		c->shared.options.connect_ms = COURIER_CONNECT_MS;
	if (c->shared.options.timeout_ms <= 0)
		c->shared.options.timeout_ms = COURIER_TIMEOUT_MS;
	c->shared.sink = *sink;
	c->shared.client = http_client_new("deskbridge/" PACKAGE_VERSION);
	c->wakes = c->shared.client;
	c->lookup = lookup_new(c->shared.client, &(struct lookup_sink){on_lookup_answer, on_lookup_window, c},
			       &c->shared.options.lookup);
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
	for (size_t i = 0; i < c->outlets_n; i++)
		outlet_free(c->outlets[i]);
	free(c->outlets);
	generation_unref(c->generation);
	mailbox_free(c->mailbox);
	lock_done(&c->lock);
	free(c);
}
