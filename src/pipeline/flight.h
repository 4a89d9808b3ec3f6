/* SPDX-License-Identifier: MIT */
/*
 * flight: a commit whose sync runs in the background, and what waits for it: the answers to its submissions, which the
 * store's sync thread gives, and events for the courier, which the pipeline's thread sends after the next commit.
 *
 * Runs on the pipeline's thread, except for the answers. At most one commit is in flight; flight_end() comes before the
 * next one.
 */
#ifndef PIPELINE_FLIGHT_H
#define PIPELINE_FLIGHT_H

#include "courier/courier.h"
#include "pipeline/messages.h"
#include "pipeline/turn_context.h"

/* Zero before its first use. */
struct flight {
	bool runs;                       /* from its commit until flight_end() */
	struct message_list submissions; /* the sync thread's while it runs */
	bool changed;                    /* the commit wrote something */
	int64_t began_us;
	struct event **events; /* heap, each */
	size_t events_n, events_alloc;
};
/* Call it after flight_end(). Events that were not sent are ready in the store. */
void flight_done(struct flight *f);

/* Answers all submissions of the list, and empties it. */
void flight_answer(struct message_list *submissions, bool refused);

/* As commit_end(), but returns before the sync. Takes the submissions if it returns 0. No commit is in flight. */
int flight_commit(struct flight *f, struct turn_context *tc, struct message_list *submissions,
		  struct err *reterr) MUSTCHECK;
/* Waits for the sync, and returns its result; 0: no commit was in flight. Submissions whose sync failed are refused,
 * although the store may keep them: a repeated delivery is recognized. The store keeps the error: it begins no
 * transaction before it has synced again. */
int flight_end(struct flight *f, struct store *s, struct err *reterr);

/* A courier that only takes events, and keeps them for flight_send(). */
struct courier_port flight_courier(struct flight *f);
/* Sends the events that were kept. Their commit is on the disk. */
void flight_send(struct flight *f, struct courier_port courier);

#endif
