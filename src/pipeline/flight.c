/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/flight.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "pipeline/commit.h"

void flight_done(struct flight *f)
{
	INSIST(!f->runs);
	for (size_t i = 0; i < f->events_n; i++) {
		event_done(f->events[i]);
		free(f->events[i]);
	}
	free(f->events);
}

void flight_answer(struct message_list *submissions, bool refused)
{
	struct message *m;

	while ((m = message_list_take(submissions))) {
		struct submission *s = (struct submission *)m;

		s->refused = s->refused || refused;
		s->answered(s);
	}
}

/* ---- the commit -------------------------------------------------------------------------------------------------- */

/* On the store's sync thread. */
static void synced(void *arg)
{
	struct flight *f = arg;

	if (f->changed)
		metrics_observe(METRIC_COMMIT_SECONDS, (double)(clock_mono_us() - f->began_us) / 1e6);
	flight_answer(&f->submissions, false);
}

int flight_commit(struct flight *f, struct turn_context *tc, struct message_list *submissions, struct err *reterr)
{
	int r;

	INSIST(!f->runs);
	f->submissions = *submissions;
	f->changed = tc->changed;
	f->began_us = clock_mono_us();
	r = commit_end_async(tc, synced, f, reterr);
	if (r < 0) {
		f->submissions = (struct message_list){0};
		return r;
	}
	f->runs = true;
	*submissions = (struct message_list){0};
	return 0;
}

int flight_end(struct flight *f, struct store *s, struct err *reterr)
{
	int r;

	if (!f->runs)
		return 0;
	r = store_sync_wait(s, reterr);
	f->runs = false;
	if (r == 0 && f->submissions.first)
		log_warning(NULL, "the disk failed to keep a commit, and kept it when it was written again");
	flight_answer(&f->submissions, r < 0);
	return r;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void keep_event(void *courier, struct event *e)
{
	struct flight *f = courier;

	MEM_ROOM_KEPT(f->events, f->events_n, f->events_alloc);
	f->events[f->events_n++] = e;
}

struct courier_port flight_courier(struct flight *f)
{
	static const struct courier_ops ops = {.send = keep_event};

	return (struct courier_port){.ops = &ops, .courier = f};
}

void flight_send(struct flight *f, struct courier_port courier)
{
	for (size_t i = 0; i < f->events_n; i++)
		courier_send(courier, f->events[i]);
	f->events_n = 0;
}
