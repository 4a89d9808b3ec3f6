/* SPDX-License-Identifier: MIT */
/*
 * turn: one transaction of the pipeline. turn.c describes its steps and what it guarantees.
 */
#ifndef PIPELINE_TURN_H
#define PIPELINE_TURN_H

#include "pipeline/messages.h"
#include "pipeline/health.h"
#include "store/store.h"

struct turn;

/* Takes a reference to g. The rest is borrowed. The store is not in a transaction. mailbox: while a message waits in
 * it, a turn ends before its commit is synced, and turn_run() is called again at once; NULL: never. */
struct turn *turn_new(struct store *s, struct generation *g, struct courier_port courier, struct health *health,
		      struct mailbox *mailbox_or_null);
/* Call after every submission is answered. Uncommitted results are lost. Store and courier may be gone. */
void turn_free(struct turn *t);

/* Takes ownership of a message. Windows, generations and pings take effect at once, other messages in the next turn. */
void turn_take(struct turn *t, struct message *m);
/* Runs one turn: works, commits, answers, sends. Returns the time (clock_mono_ms, or CLOCK_NEVER_MS) of the next turn,
 * unless a message comes first. MESSAGE_RECHECK announces a clock that was set and a store file that vanished. */
int64_t turn_run(struct turn *t);
/* The last turn: commits the courier's last results, refuses submissions, processes no webhook. On a slow disk the WAL
 * is left to the next start. */
void turn_last(struct turn *t);
/* As pipeline_caches_parsed(). Any thread. */
bool turn_caches_parsed(const struct turn *t);

#endif
