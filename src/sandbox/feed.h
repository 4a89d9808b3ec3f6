/* SPDX-License-Identifier: MIT */
/*
 * feed: the activity feed on standard output, one line per event, as in Klaviyo's own feed:
 *
 *   16:00:00  jo@example.com  started conversation in Gladly   In Gladly Conversation = true
 *
 * The time is the event's, in UTC. Addresses are shown in full, as this is the operator's own screen and not a log. A
 * thread of its own writes the lines, so that a slow reader blocks no request. Lines beyond FEED_WAITING_MAX are left
 * out and counted.
 */
#ifndef SANDBOX_FEED_H
#define SANDBOX_FEED_H

#include "base/buf.h"
#include "sandbox/world.h"

#define FEED_WAITING_MAX 10000
#define FEED_LINE_MAX 2048 /* bytes with the newline: a pipe that polls ready takes as many at once */

struct feed;

/* The caller keeps fd. Lines wait until feed_begin(). */
struct feed *feed_new(int fd);
void feed_begin(struct feed *f); /* starts the thread; call it once */
/* Any thread; never blocks. */
void feed_event(struct feed *f, const struct world_event *e);
/* Writes the waiting lines as long as the reader takes them, then frees f. f may be NULL. */
void feed_free(struct feed *f);

/* Adds an event's line with its newline. Public for tests. */
void feed_line(const struct world_event *e, struct buf *to);

#endif
