/* SPDX-License-Identifier: MIT */
/*
 * writer: a thread that carries pieces of text out, so that nobody else ever waits for whoever reads them.
 *
 * A bounded queue and one thread, which alone may block. Pieces go out in the order in which they were put. A piece
 * that does not fit is dropped and counted, and so is every later one until the queue is empty; then the number is
 * told, at the place where they are missing.
 */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct writer;

struct writer_options {
	const char *name; /* of the thread: at most 15 letters */
	size_t max_bytes; /* of all pieces in the queue */
	/* Carries one piece out. On the writer's thread, without a lock; may block for as long as it likes. */
	void (*put)(const char *bytes, size_t len);
	/* So many pieces were dropped. On the writer's thread: what it puts goes out at once. NULL: nobody is told. */
	void (*dropped)(uint64_t n);
};

/* Starts the thread. */
struct writer *writer_start(const struct writer_options *o) MUSTCHECK;
/* Any thread; copies, never blocks. False: dropped. */
bool writer_put(struct writer *w, const char *bytes, size_t len);
/* Pieces that wait, the one that is on its way out included. Any thread. */
size_t writer_waiting(struct writer *w);
/* Waits until all that was put is out, until_mono_ms (clock_mono_ms) at the latest. Any thread but the writer's.
 * Returns whether all is out. */
bool writer_flush(struct writer *w, int64_t until_mono_ms);
/* The same, then ends the thread and frees w. Where the time is not enough, the thread is left behind: it ends (and
 * frees w) once whoever reads takes the piece that is on its way. Nothing may be put any more. NULL allowed. */
bool writer_stop(struct writer *w, int64_t until_mono_ms);

#endif
