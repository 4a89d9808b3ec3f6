/* SPDX-License-Identifier: MIT */
/*
 * One lock protects the queue and the flags; it is not held while a piece is written. Pieces in the queue are lost in a
 * crash; as the thread wakes with the first piece, these are only the latest.
 */
#include <config.h>

#include "base/writer.h"

#include <pthread.h>
#include <string.h>

#include "base/lock.h"
#include "base/thread.h"

struct piece {
	struct piece *next;
	size_t len;
	char bytes[];
};

struct writer {
	struct writer_options options;
	pthread_t thread;
	struct lock lock;     /* over all members below */
	struct cond filled;   /* the thread waits for a piece or the end */
	struct cond finished; /* others wait until the queue is empty or the thread has ended */
	struct piece *first, *last;
	size_t bytes, n; /* of the queue */
	uint64_t dropped;
	bool busy; /* a piece, or the report of dropped ones, is being written */
	bool ending, ended, abandoned;
};

static void writer_free(struct writer *w)
{
	for (struct piece *p = w->first, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	cond_done(&w->filled);
	cond_done(&w->finished);
	lock_done(&w->lock);
	free(w);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* Writes the next piece or the report of dropped ones, without the lock. Returns false where there is neither. */
static bool write_next(struct writer *w)
{
	struct piece *p = w->first;
	uint64_t dropped = 0;

	INSIST(lock_is_mine(&w->lock));
	if (p) {
		w->first = p->next;
		if (!w->first)
			w->last = NULL;
		w->n--;
		w->bytes -= p->len;
	} else if (w->dropped > 0) {
		dropped = w->dropped;
		w->dropped = 0; /* new pieces are accepted again: they follow the report */
	} else {
		return false;
	}
	w->busy = true;
	lock_release(&w->lock);
	if (p)
		w->options.put(p->bytes, p->len);
	else if (w->options.dropped)
		w->options.dropped(dropped);
	free(p);
	lock_acquire(&w->lock);
	w->busy = false;
	return true;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	bool abandoned;

	lock_acquire(&w->lock);
	while (!w->abandoned) {
		if (write_next(w))
			continue;
		cond_broadcast(&w->finished);
		if (w->ending)
			break;
		cond_wait(&w->filled, &w->lock);
	}
	w->ended = true;
	abandoned = w->abandoned;
	cond_broadcast(&w->finished);
	lock_release(&w->lock);
	if (abandoned)
		writer_free(w);
	return NULL;
}

/* ---- from other threads ------------------------------------------------------------------------------------------ */

struct writer *writer_start(const struct writer_options *o)
{
	struct writer *w = mem_new(1, sizeof(*w));

	w->options = *o;
	lock_init(&w->lock);
	cond_init(&w->filled);
	cond_init(&w->finished);
	/* With the lock, because the thread must not read w->thread before it is set. */
	lock_acquire(&w->lock);
	thread_start(&w->thread, o->name, writer_main, w);
	lock_release(&w->lock);
	return w;
}

bool writer_put(struct writer *w, const char *bytes, size_t len)
{
	struct piece *p;
	bool fits;

	if (pthread_equal(pthread_self(), w->thread)) {
		w->options.put(bytes, len);
		return true;
	}
	p = mem_new(1, sizeof(*p) + len);
	p->len = len;
	memcpy(p->bytes, bytes, len);
	lock_acquire(&w->lock);
	fits = w->dropped == 0 && w->bytes + len <= w->options.max_bytes && !w->ending;
	if (fits) {
		if (w->last)
			w->last->next = p;
		else
			w->first = p;
		w->last = p;
		w->n++;
		w->bytes += len;
		cond_signal(&w->filled);
	} else {
		w->dropped++;
	}
	lock_release(&w->lock);
	if (!fits)
		free(p);
	return fits;
}

size_t writer_waiting(struct writer *w)
{
	size_t n;

	lock_acquire(&w->lock);
	n = w->n + w->busy;
	lock_release(&w->lock);
	return n;
}

static bool wait_until_finished(struct writer *w, int64_t until_mono_ms)
{
	INSIST(lock_is_mine(&w->lock));
	while (w->first || w->busy || w->dropped > 0 || (w->ending && !w->ended))
		if (!cond_wait_until(&w->finished, &w->lock, until_mono_ms))
			return !w->first && !w->busy && w->dropped == 0;
	return true;
}

bool writer_flush(struct writer *w, int64_t until_mono_ms)
{
	bool all;

	/* In a process that aborts, the caller may be this very thread, or hold the lock. */
	if (pthread_equal(pthread_self(), w->thread) || !lock_acquire_until(&w->lock, until_mono_ms))
		return false;
	all = wait_until_finished(w, until_mono_ms);
	lock_release(&w->lock);
	return all;
}

bool writer_stop(struct writer *w, int64_t until_mono_ms)
{
	pthread_t thread;
	bool all, ended;

	if (!w)
		return true;
	thread = w->thread;
	lock_acquire(&w->lock);
	w->ending = true;
	cond_signal(&w->filled);
	all = wait_until_finished(w, until_mono_ms);
	ended = w->ended;
	w->abandoned = !ended;
	lock_release(&w->lock);
	if (ended) {
		thread_join(thread);
		writer_free(w);
	} else {
		INSIST(pthread_detach(thread) == 0);
	}
	return all;
}
