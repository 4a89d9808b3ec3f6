/* SPDX-License-Identifier: MIT */
/*
 * feed: the activity feed on standard output, one line an event, as Klaviyo's own shows it:
 *
 *   16:00:00  jo@example.com  started conversation in Gladly   In Gladly Conversation = true
 *
 * The time is the event's, in UTC. Whole addresses are fine here: this is the operator's own screen, no log. A thread
 * of its own writes, so that a reader who does not read stops nobody; lines beyond FEED_WAITING_MAX are left out,
 * counted.
 */
#ifndef SANDBOX_FEED_H
#define SANDBOX_FEED_H

#include "base/buf.h"
#include "sandbox/world.h"

#define FEED_WAITING_MAX 10000
#define FEED_LINE_MAX 2048 /* bytes, with the line's end: what a pipe that is ready takes at once */

struct feed;

/* fd stays the caller's. Lines wait until feed_begin(). */
struct feed *feed_new(int fd);
void feed_begin(struct feed *f); /* starts the thread; once */
/* Any thread; never blocks. */
void feed_event(struct feed *f, const struct world_event *e);
/* Writes what waits as long as the reader reads, then frees; NULL allowed. */
void feed_free(struct feed *f);

/* One line with its end. For feed_event, and for tests. */
void feed_line(const struct world_event *e, struct buf *to);

#endif
