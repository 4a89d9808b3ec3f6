/* SPDX-License-Identifier: MIT */
/*
 * The server's threads answer requests. Everything that they share is in struct state, under its lock. A request whose
 * answer is delayed, or whose connection is cut, is suspended and passed to the delay thread. The feed has a thread of
 * its own. Nothing survives the process.
 *
 * One thread delays all answers, so that hundreds can wait while the server's few threads continue to serve. The
 * server's threads post to it. It keeps the waiting answers in a list sorted by due time, which the server's
 * max_connections bounds. Once the delay thread is closed, delays_post() answers at once, under the lock under which it
 * was closed. So no suspended request is ever left without an answer.
 */
#include <config.h>

#include "sandbox/sandbox.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/thread.h"
#include "http/server.h"
#include "sandbox/state.h"

#define SANDBOX_THREADS 2
#define SANDBOX_CONNECTIONS 1024
#define SANDBOX_BODY_MAX 16777216 /* more than Klaviyo takes, so that Klaviyo's rule refuses it (api.c) */
#define SANDBOX_TIMEOUT_MS (60 * CLOCK_SECOND_MS)

/* ---- delays ------------------------------------------------------------------------------------------------------ */

enum delay_kind {
	DELAY_EXCHANGE,
	DELAY_CLOSE,
};

struct delay {
	struct message message;
	struct delay *later; /* the next in the thread's sorted list */
	struct http_exchange *x;
	int64_t due_mono_ms;
	enum fault_cut cut;
	struct answer answer;
};

struct delays {
	struct mailbox *mailbox;
	pthread_t thread;
	struct lock lock; /* guards closed, and the order of posts and closing */
	bool closed;
};

/* Returns the answer in the server's form. It borrows from a. */
static struct http_answer http_answer_of(const struct answer *a)
{
	return (struct http_answer){.status = a->status,
				    .type = a->type,
				    .body = a->body,
				    .body_len = a->body ? strlen(a->body) : 0,
				    .headers = &a->headers};
}

static void delay_finish(struct delay *d)
{
	const struct http_answer answer = http_answer_of(&d->answer);

	if (d->cut != FAULT_CUT_NONE)
		http_resume_cut(d->x, d->cut == FAULT_CUT_RESET);
	else
		http_resume(d->x, &answer);
	answer_done(&d->answer);
	free(d);
}

static void insert(struct delay **list, struct delay *d)
{
	while (*list && (*list)->due_mono_ms <= d->due_mono_ms)
		list = &(*list)->later;
	d->later = *list;
	*list = d;
}

static void *delays_main(void *arg)
{
	struct delays *self = arg;
	struct delay *waiting = NULL;
	bool closing = false;

	while (!closing || waiting) {
		struct message *m;
		struct message *next;

		mailbox_wait(self->mailbox, closing ? 0 : waiting ? waiting->due_mono_ms : CLOCK_NEVER_MS);
		for (m = mailbox_take(self->mailbox); m; m = next) {
			next = m->next;
			if (m->kind == DELAY_EXCHANGE) {
				insert(&waiting, (struct delay *)m);
			} else {
				closing = true;
				free(m);
			}
		}
		while (waiting && (closing || waiting->due_mono_ms <= clock_mono_ms())) {
			struct delay *due = waiting;

			waiting = due->later;
			delay_finish(due);
		}
	}
	return NULL;
}

/* Starts the thread. */
static struct delays *delays_new(void)
{
	struct delays *self = mem_new(1, sizeof(*self));

	self->mailbox = mailbox_new();
	lock_init(&self->lock);
	thread_start(&self->thread, "sandbox-delays", delays_main, self);
	return self;
}

/*
 * Answers x at due_mono_ms (by clock_mono_ms(); may have passed), or cuts its connection as `cut` says. The caller has
 * just suspended x and must not use it any more. Takes ownership of *a.
 */
static void delays_post(struct delays *self, struct http_exchange *x, int64_t due_mono_ms, enum fault_cut cut,
			struct answer *a)
{
	struct delay *d = mem_new(1, sizeof(*d));

	d->message.kind = DELAY_EXCHANGE;
	d->x = x;
	d->due_mono_ms = due_mono_ms;
	d->cut = cut;
	d->answer = *a;
	*a = (struct answer){0};
	lock_acquire(&self->lock);
	if (self->closed)
		delay_finish(d);
	else
		mailbox_post(self->mailbox, &d->message);
	lock_release(&self->lock);
}

/* Answers all waiting requests at once, and those that are posted later when they are posted. */
static void delays_close(struct delays *self)
{
	struct delay *d = mem_new(1, sizeof(*d));

	d->message.kind = DELAY_CLOSE;
	lock_acquire(&self->lock);
	self->closed = true;
	mailbox_post(self->mailbox, &d->message);
	lock_release(&self->lock);
	thread_join(self->thread);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct sandbox {
	struct state state;
	struct http_server *server;
	struct delays *delays;
	struct answer page;           /* Cloudflare's page, for malformed requests */
	struct http_answer malformed; /* page in the server's form */
};

/* True where the request is for Klaviyo. These are counted, and faults apply to them. */
static bool is_api(const struct sandbox *s, const struct http_exchange *x)
{
	return strncmp(x->path, "/api/", 5) == 0 && !desk_owns(&s->state.desk, x);
}

static int on_begin(void *ctx, struct http_exchange *x)
{
	struct sandbox *s = ctx;

	if (!is_api(s, x))
		return 0;
	lock_acquire(&s->state.lock);
	if (++s->state.concurrent > s->state.peak_concurrent)
		s->state.peak_concurrent = s->state.concurrent;
	lock_release(&s->state.lock);
	return 0;
}

static void on_done(void *ctx, struct http_exchange *x)
{
	struct sandbox *s = ctx;

	if (!is_api(s, x))
		return;
	lock_acquire(&s->state.lock);
	s->state.concurrent--;
	lock_release(&s->state.lock);
}

static void on_complete(void *ctx, struct http_exchange *x)
{
	struct sandbox *s = ctx;
	struct fault_verdict v = {0};
	struct answer a = {0};
	struct http_answer answer;

	if (is_api(s, x))
		v = api_serve(&s->state, x, &a);
	else if (desk_owns(&s->state.desk, x)) {
		lock_acquire(&s->state.lock);
		desk_serve(&s->state.desk, x, &a);
		lock_release(&s->state.lock);
	} else
		inspect_serve(&s->state, x, &a);
	if (v.delay_ms > 0 || v.cut != FAULT_CUT_NONE) {
		int64_t due_ms = x->received_mono_ms + v.delay_ms;

		http_suspend(x);
		delays_post(s->delays, x, due_ms, v.cut, &a);
		return;
	}
	answer = http_answer_of(&a);
	http_answer(x, &answer);
	answer_done(&a);
}

/* ---- start and stop ---------------------------------------------------------------------------------------------- */

static void sandbox_free(struct sandbox *s)
{
	if (s->delays) { /* closed, and no thread posts any more */
		mailbox_free(s->delays->mailbox);
		lock_done(&s->delays->lock);
		free(s->delays);
	}
	feed_free(s->state.feed);
	world_free(s->state.world);
	answer_done(&s->page);
	faults_clear(&s->state.faults);
	desk_done(&s->state.desk);
	lock_done(&s->state.lock);
	free(s);
}

int sandbox_start(const struct sandbox_options *o, struct sandbox **ret, struct err *reterr)
{
	struct sandbox *s = mem_new(1, sizeof(*s));
	const struct http_handler handler = {.begin = on_begin, .complete = on_complete, .done = on_done, .ctx = s};
	const struct http_server_options server = {
		.address = o->address,
		.threads = SANDBOX_THREADS,
		.max_connections = SANDBOX_CONNECTIONS,
		.max_body = SANDBOX_BODY_MAX,
		.timeout_ms = SANDBOX_TIMEOUT_MS,
		.malformed = &s->malformed,
	};
	int r = 0;

	answer_html(&s->page, 400);
	s->malformed = http_answer_of(&s->page);
	s->malformed.close = true;
	lock_init(&s->state.lock);
	s->state.world = world_new(o->max_events > 0 ? o->max_events : SANDBOX_EVENTS_DEFAULT);
	s->state.no_quota = o->no_quota;
	s->state.feed = o->quiet ? NULL : feed_new(STDOUT_FILENO);
	for (size_t i = 0; r == 0 && i < o->faults_n; i++)
		r = faults_add(&s->state.faults, o->faults[i], clock_mono_ms(), reterr);
	for (size_t i = 0; i < o->definitions_n; i++)
		pages_add(&s->state.desk.pages, o->definitions[i]);
	for (size_t i = 0; r == 0 && i < o->customers_n; i++) {
		r = desk_add(&s->state.desk, o->customers[i], reterr);
		if (r < 0)
			(void)err_prefix(reterr, "--customer");
	}
	if (r == 0) {
		s->delays = delays_new();
		r = http_server_start(&server, &handler, &s->server, reterr);
		if (r < 0) {
			(void)err_prefix(reterr, "--listen");
			delays_close(s->delays);
		}
	}
	if (r < 0) {
		sandbox_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *sandbox_address(const struct sandbox *s)
{
	return http_server_address(s->server);
}

void sandbox_feed(struct sandbox *s)
{
	if (s->state.feed)
		feed_begin(s->state.feed);
}

void sandbox_stop(struct sandbox *s)
{
	if (!s)
		return;
	http_server_quiesce(s->server);
	delays_close(s->delays);
	http_server_stop(s->server);
	sandbox_free(s);
}
