/* SPDX-License-Identifier: MIT */
/*
 * turn: one transaction of the pipeline: what came in, what came back, what was pending; then the answers.
 */
#ifndef PIPELINE_TURN_H
#define PIPELINE_TURN_H

#include "pipeline/messages.h"
#include "pipeline/health.h"
#include "store/store.h"

struct turn;

/* Takes its own reference of g; store, courier and health are lent. The store is not in a transaction. */
struct turn *turn_new(struct store *s, struct generation *g, struct courier_port courier, struct health *health);
/* Every submission is answered by now; what is left to commit is lost. Store and courier may be gone. */
void turn_free(struct turn *t);

/* Takes over what the mailbox held; windows, generations and pings act at once, all else in the next turn. */
void turn_take(struct turn *t, struct message *m);
/* Does what there is to do now, commits, answers, hands over. Returns when to be called again where nothing comes
 * before: clock_mono_ms time, or CLOCK_NEVER_MS. A clock that is set and a store's file that goes are such things:
 * MESSAGE_RECHECK tells. */
int64_t turn_run(struct turn *t);
/* The last: commits the results that the courier left, takes up nothing, refuses what was submitted. Where the disk is
 * slow the store leaves its WAL to the next start. */
void turn_last(struct turn *t);
/* pipeline_caches_parsed(). Any thread. */
bool turn_caches_parsed(const struct turn *t);

#endif
