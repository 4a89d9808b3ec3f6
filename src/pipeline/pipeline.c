/* SPDX-License-Identifier: MIT */
/*
 * The thread and its mailbox. Owns the store's only writer, the ledger, and the courier.
 *
 * Intake posts submissions, the main thread posts generations, pings and the stop, the courier posts delivery results,
 * lookup answers and windows. The courier is started before the thread. The thread stops it after its last turn with
 * work, so that the courier's last results are still committed.
 */
#include <config.h>

#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "courier/courier.h"
#include "pipeline/messages.h"
#include "pipeline/health.h"
#include "pipeline/recovery.h"
#include "pipeline/turn.h"

struct stop_message {
	struct message message;
	int64_t deadline_ms;
};

struct pipeline {
	struct mailbox *mailbox;
	struct courier *courier;   /* set before the thread starts; the thread stops it */
	struct health *health;     /* any thread */
	struct store_files *files; /* any thread; never changed */
	pthread_t thread;
	/* used by the thread only */
	struct store *store;
	struct turn *turn; /* except turn_caches_parsed(), for any thread */
	bool stopping;
	int64_t stop_deadline_ms;
};

/* ---- the courier's sink: on its thread --------------------------------------------------------------------------- */

static void post(struct pipeline *p, struct message *m, enum pipeline_message_kind kind)
{
	m->kind = (int)kind;
	mailbox_post(p->mailbox, m);
}

static void sink_delivered(void *ctx, struct delivery *d)
{
	struct delivery_message *m = mem_new(1, sizeof(*m));

	m->delivery = d;
	post(ctx, &m->message, MESSAGE_DELIVERY);
}

static void sink_answered(void *ctx, struct lookup_answer *a)
{
	struct answer_message *m = mem_new(1, sizeof(*m));

	m->answer = a;
	post(ctx, &m->message, MESSAGE_ANSWER);
}

static void sink_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
			const char *reason)
{
	struct window_message *m = mem_new(1, sizeof(*m));

	m->kind = kind;
	m->name = mem_str(name);
	m->window = window;
	m->for_new = for_new;
	m->reason = mem_str(reason);
	post(ctx, &m->message, MESSAGE_WINDOW);
}

static void sink_alive(void *ctx, uint64_t token)
{
	health_alive(((struct pipeline *)ctx)->health, HEALTH_COURIER, token);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void take_all(struct pipeline *p)
{
	for (struct message *m = mailbox_take(p->mailbox), *next; m; m = next) {
		next = m->next;
		if (m->kind == MESSAGE_STOP) {
			p->stopping = true;
			p->stop_deadline_ms = ((struct stop_message *)m)->deadline_ms;
		}
		turn_take(p->turn, m);
	}
}

static void *run(void *arg)
{
	struct pipeline *p = arg;
	int64_t next_ms;

	for (;;) {
		take_all(p);
		next_ms = turn_run(p->turn);
		if (p->stopping)
			break;
		mailbox_wait(p->mailbox, next_ms);
	}
	courier_stop(p->courier, p->stop_deadline_ms);
	take_all(p);
	turn_last(p->turn);
	return NULL;
}

/* ---- from other threads ------------------------------------------------------------------------------------------ */

static void log_migration(const char *path, int64_t from, int64_t to, int64_t bytes)
{
	char needs[AMOUNT_MAX];

	log_notice(NULL,
		   "the store %s is brought from schema %lld to %lld: this may need %s of free disk, and up to half a "
		   "minute for each million of conversations and of events",
		   path, (long long)from, (long long)to, amount_size(needs, bytes));
}

/* A long opening is reported at its beginning, and then so often. */
#define OPENING_MS 5000

struct opening {
	void (*works)(const char *what);
	int64_t told_ms; /* 0: not yet */
};

static void opening_works(void *ctx, const char *path, const char *part, int percent)
{
	struct opening *o = ctx;
	int64_t now_ms = clock_mono_ms();
	char how_far[32] = "";
	char what[128];

	if (o->told_ms > 0 && now_ms - o->told_ms < OPENING_MS)
		return;
	if (percent >= 0)
		(void)snprintf(how_far, sizeof(how_far), " (%d %%)", percent);
	(void)snprintf(what, sizeof(what), "%s%s", part, how_far);
	if (o->told_ms > 0)
		log_notice(NULL, "the store %s is not open yet: %s", path, what);
	o->works(what);
	o->told_ms = now_ms;
}

int pipeline_start(struct generation *g, void (*works)(const char *what), struct pipeline **ret, struct err *reterr)
{
	struct opening opening = {.works = works};
	const struct store_options options = {
		.path = g->config->store.path,
		.max_size = g->config->store.max_size,
		.migrates = log_migration,
		.works = opening_works,
		.works_ctx = &opening,
	};
	struct courier_sink sink = {
		.delivered = sink_delivered,
		.window = sink_window,
		.lookup_answered = sink_answered,
		.alive = sink_alive,
	};
	struct pipeline *p;
	struct store *store;
	int64_t from, to;
	int r = store_open(&options, STORE_WRITE, &store, reterr);

	if (r < 0)
		return r;
	if (store_is_new(store))
		log_notice(NULL, "a new store was made: %s", options.path);
	if (store_was_migrated(store, &from, &to))
		log_info(NULL,
			 "the store %s was brought from schema %lld to %lld: versions that know only the older one "
			 "refuse it from now on",
			 options.path, (long long)from, (long long)to);
	r = recovery_restart(store, reterr);
	if (r < 0) {
		store_close(store);
		return r;
	}
	p = mem_new(1, sizeof(*p));
	p->mailbox = mailbox_new();
	p->health = health_new();
	p->store = store;
	p->files = store_files_new(store);
	sink.ctx = p;
	p->courier = courier_start(g, &sink, NULL);
	p->turn = turn_new(store, g, courier_port(p->courier), p->health, p->mailbox);
	thread_start(&p->thread, "pipeline", run, p);
	*ret = p;
	return 0;
}

void pipeline_submit(struct pipeline *p, struct submission *s)
{
	post(p, &s->message, MESSAGE_SUBMISSION);
}

void pipeline_generation(struct pipeline *p, struct generation *g)
{
	struct generation_message *m = mem_new(1, sizeof(*m));

	m->generation = generation_ref(g);
	post(p, &m->message, MESSAGE_GENERATION);
}

void pipeline_recheck(struct pipeline *p)
{
	post(p, mem_new(1, sizeof(struct message)), MESSAGE_RECHECK);
}

void pipeline_ping(struct pipeline *p, uint64_t token)
{
	struct ping_message *m = mem_new(1, sizeof(*m));

	m->token = token;
	post(p, &m->message, MESSAGE_PING);
	courier_ping(p->courier, token);
}

bool pipeline_alive(struct pipeline *p, uint64_t token)
{
	return health_is_alive(p->health, token);
}

bool pipeline_caches_parsed(const struct pipeline *p)
{
	return turn_caches_parsed(p->turn);
}

bool pipeline_is_ready(const struct pipeline *p)
{
	return health_is_ready(p->health);
}

bool pipeline_readiness(struct pipeline *p, struct err *ret)
{
	if (!health_is_ready(p->health)) {
		health_why_not(p->health, ret);
		return false;
	}
	return store_files_check(p->files, ret) == 0;
}

void pipeline_parked(struct pipeline *p, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx)
{
	health_parked(p->health, fn, ctx);
}

int pipeline_news_fd(const struct pipeline *p)
{
	return health_news_fd(p->health);
}

void pipeline_read_news(struct pipeline *p)
{
	health_read_news(p->health);
}

void pipeline_stop(struct pipeline *p, int64_t deadline_ms)
{
	struct stop_message *m = mem_new(1, sizeof(*m));

	health_stop(p->health);
	m->deadline_ms = deadline_ms;
	post(p, &m->message, MESSAGE_STOP);
	thread_join(p->thread);
	store_close(p->store);
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	turn_free(p->turn); /* not in pipeline_stop(), because pipeline_caches_parsed() uses it */
	health_free(p->health);
	store_files_free(p->files);
	mailbox_free(p->mailbox);
	free(p);
}
