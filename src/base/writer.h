/* SPDX-License-Identifier: MIT */
/*
 * writer: a thread that writes pieces of text, so that no other thread waits for their reader.
 *
 * A bounded queue and one thread, which is the only one that may block. Pieces are written in the order in which they
 * were put. A piece that does not fit is dropped and counted, and so is every later one until the queue is empty. Then
 * the number is reported, in the place of the missing pieces.
 */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct writer;

struct writer_options {
	const char *name; /* the thread's; at most 15 characters */
	size_t max_bytes; /* limit of all pieces in the queue together */
	/* Writes one piece. Runs on the writer's thread, without a lock, and may block without limit. */
	void (*put)(const char *bytes, size_t len);
	/* Reports that n pieces were dropped. Runs on the writer's thread; pieces that it puts are written at once.
	 * NULL: no report. */
	void (*dropped)(uint64_t n);
};

/* Starts the thread. */
struct writer *writer_start(const struct writer_options *o) MUSTCHECK;
/* Adds a copy of a piece. Any thread, never blocks. False: dropped. */
bool writer_put(struct writer *w, const char *bytes, size_t len);
/* Returns the number of pieces that wait or are being written. Any thread. */
size_t writer_waiting(struct writer *w);
/* Waits until all pieces are written, at most until until_mono_ms (clock_mono_ms). Any thread but the writer's. Returns
 * true where all are written. */
bool writer_flush(struct writer *w, int64_t until_mono_ms);
/* As writer_flush(), then ends the thread and frees w. If the time is too short, the thread is left behind: it ends and
 * frees w once the reader takes the piece that it is writing. Put nothing afterwards. NULL allowed. */
bool writer_stop(struct writer *w, int64_t until_mono_ms);

#endif
