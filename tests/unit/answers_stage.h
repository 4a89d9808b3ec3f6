/* SPDX-License-Identifier: MIT */
/*
 * What the tables of answers share (test_klaviyo_answers, test_lookup_answers): the pipeline's turn and the courier's
 * routes on one thread, which call each other; time that goes from one moment at which there is something to do to the
 * next; and a HTTP client whose answers come LATENCY_MS after they were asked for. Included by one program each, which
 * defines struct row, the kinds of answer, and __wrap_http_client_start.
 */
#ifndef ANSWERS_STAGE_H
#define ANSWERS_STAGE_H

#include "base/metrics.h"
#include "courier/destination.h"
#include "pipeline/turn.h"
#include "pipeline_stage.h"

#define PEOPLE 30
#define ODD 6 /* the odd person or customer: neither the first nor the last */
#define LATENCY_MS 50
#define RUN_MS (30 * CLOCK_MINUTE_MS)
#define MONO_BEGIN INT64_C(5000000) /* the monotonic clock's time when the wall clock shows NOW */

struct reply {
	struct reply *next;
	int64_t at_ms;
	http_done_fn done;
	void *ctx;
	struct http_response reply;
};

static struct world {
	int64_t now_ms; /* of the wall clock, which does not jump here */
	struct stage *stage;
	struct health *health;
	struct turn *turn;
	struct destinations destinations;
	enum report_kind kind;   /* whose windows the turn is told */
	bool (*hand_over)(void); /* to the routes, what a turn left for them; whether it did. NULL: nothing */
	struct reply *replies, **replies_end; /* all have the same latency: the order of asking is that of answering */
	const struct row *row;                /* NULL: everybody is answered well */
	bool for_all, posted;                 /* posted: the turn has mail since it began to run */
	unsigned requests;
} world;

/* The disk is not what is looked at here: SQLite's calls of these come here, and take no time. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

int64_t __wrap_clock_now_ms(void);
int64_t __wrap_clock_now_ms(void)
{
	return world.now_ms;
}

int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
	return world.now_ms - NOW + MONO_BEGIN;
}

/* For __wrap_http_client_start: the answer that will be given, to be filled in. */
static struct http_response *reply_later(http_done_fn done, void *ctx)
{
	struct reply *r = mem_new(1, sizeof(*r));

	*r = (struct reply){.at_ms = world.now_ms + LATENCY_MS, .done = done, .ctx = ctx};
	buf_init(&r->reply.body, 65536);
	*world.replies_end = r;
	world.replies_end = &r->next;
	world.requests++;
	return &r->reply;
}

static bool reply_next(void)
{
	struct reply *r = world.replies;

	if (!r || r->at_ms > world.now_ms)
		return false;
	world.replies = r->next;
	if (!world.replies)
		world.replies_end = &world.replies;
	r->done(r->ctx, &r->reply);
	http_response_done(&r->reply);
	free(r);
	return true;
}

static void post(struct message *m, enum pipeline_message_kind kind)
{
	m->kind = (int)kind;
	world.posted = true;
	turn_take(world.turn, m);
}

static void sink_window(void *ctx, enum report_kind kind, const char *name, unsigned window, bool for_new,
			const char *reason)
{
	struct window_message *m;

	(void)ctx;
	if (kind != world.kind)
		return;
	m = mem_new(1, sizeof(*m));
	m->kind = kind;
	m->name = mem_str(name);
	m->window = window;
	m->for_new = for_new;
	m->reason = mem_str(reason);
	post(&m->message, MESSAGE_WINDOW);
}

/* The routes have no configuration yet. */
static void world_start(enum report_kind kind, const struct courier_sink *sink)
{
	world = (struct world){.now_ms = NOW, .kind = kind};
	world.replies_end = &world.replies;
	metrics_reset();
	(void)stage_setup((void **)&world.stage);
	world.health = health_new();
	world.turn = turn_new(world.stage->store, world.stage->generation, NULL, world.health);
	destinations_init(&world.destinations, NULL, sink, &(struct courier_options){0});
}

static void world_end(void)
{
	if (world.hand_over)
		(void)world.hand_over();
	destinations_close(&world.destinations);
	world.now_ms += LATENCY_MS;
	while (reply_next())
		;
	destinations_done(&world.destinations);
	turn_last(world.turn);
	turn_free(world.turn);
	health_free(world.health);
	(void)stage_teardown((void **)&world.stage);
}

static void world_run(int64_t until_ms)
{
	while (world.now_ms < until_ms) {
		int64_t next_ms, courier_ms;
		bool any;

		world.posted = false;
		next_ms = turn_run(world.turn);
		courier_ms = destinations_run(&world.destinations, true, __wrap_clock_mono_ms());
		any = world.hand_over && world.hand_over();
		while (reply_next())
			any = true;
		if (any || world.posted)
			continue;
		if (courier_ms < next_ms)
			next_ms = courier_ms;
		next_ms = next_ms == CLOCK_NEVER_MS ? until_ms : next_ms - MONO_BEGIN + NOW;
		if (world.replies && world.replies->at_ms < next_ms)
			next_ms = world.replies->at_ms;
		if (next_ms > world.now_ms)
			world.now_ms = next_ms < until_ms ? next_ms : until_ms;
	}
}

#endif
