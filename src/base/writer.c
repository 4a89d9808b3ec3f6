/*
 * One lock over the queue and the flags; nobody holds it while a piece is carried out. Nothing survives a crash but
 * what is out: the thread wakes with the first piece, so that is all but the last moment.
 */
#include <config.h>

#include "base/writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

struct piece {
	struct piece *next;
	size_t len;
	char bytes[];
};

struct writer {
	struct writer_options options;
	pthread_t thread;
	pthread_mutex_t lock;    /* over what follows */
	pthread_cond_t filled;   /* the thread waits: a piece is there, or the end */
	pthread_cond_t finished; /* others wait: the queue is empty, or the thread has ended */
	struct piece *first, *last;
	size_t bytes, n; /* of the queue */
	uint64_t dropped;
	bool busy; /* a piece, or the number of dropped ones, is on its way out */
	bool ending, ended, abandoned;
};

static void hold(struct writer *w)
{
	INSIST(pthread_mutex_lock(&w->lock) == 0);
}

static void release(struct writer *w)
{
	INSIST(pthread_mutex_unlock(&w->lock) == 0);
}

static void writer_free(struct writer *w)
{
	for (struct piece *p = w->first, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	INSIST(pthread_cond_destroy(&w->filled) == 0);
	INSIST(pthread_cond_destroy(&w->finished) == 0);
	INSIST(pthread_mutex_destroy(&w->lock) == 0);
	free(w);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static struct piece *take(struct writer *w)
{
	struct piece *p = w->first;

	w->first = p->next;
	if (!w->first)
		w->last = NULL;
	w->n--;
	w->bytes -= p->len;
	return p;
}

/* With the lock held; without it while something is carried out. Returns whether there was something. */
static bool carry_out_next(struct writer *w)
{
	uint64_t dropped = w->first ? 0 : w->dropped;
	struct piece *p = w->first ? take(w) : NULL;

	if (!p && dropped == 0)
		return false;
	w->busy = true;
	if (!p)
		w->dropped = 0; /* from now on pieces are taken again: they go out behind the number */
	release(w);
	if (p)
		w->options.put(p->bytes, p->len);
	else if (w->options.dropped)
		w->options.dropped(dropped);
	free(p);
	hold(w);
	w->busy = false;
	return true;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	bool abandoned;

	hold(w);
	while (!w->abandoned) {
		if (carry_out_next(w))
			continue;
		INSIST(pthread_cond_broadcast(&w->finished) == 0);
		if (w->ending)
			break;
		INSIST(pthread_cond_wait(&w->filled, &w->lock) == 0);
	}
	w->ended = true;
	abandoned = w->abandoned;
	INSIST(pthread_cond_broadcast(&w->finished) == 0);
	release(w);
	if (abandoned)
		writer_free(w);
	return NULL;
}

/* ---- from other threads ------------------------------------------------------------------------------------------ */

struct writer *writer_start(const struct writer_options *o)
{
	struct writer *w = mem_new(1, sizeof(*w));
	pthread_condattr_t attr;

	w->options = *o;
	INSIST(pthread_mutex_init(&w->lock, NULL) == 0);
	INSIST(pthread_condattr_init(&attr) == 0);
	INSIST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	INSIST(pthread_cond_init(&w->filled, &attr) == 0);
	INSIST(pthread_cond_init(&w->finished, &attr) == 0);
	INSIST(pthread_condattr_destroy(&attr) == 0);
	/* The thread reads w->thread: not before it is there. */
	hold(w);
	thread_start(&w->thread, o->name, writer_main, w);
	release(w);
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
	hold(w);
	fits = w->dropped == 0 && w->bytes + len <= w->options.max_bytes && !w->ending;
	if (fits) {
		if (w->last)
			w->last->next = p;
		else
			w->first = p;
		w->last = p;
		w->n++;
		w->bytes += len;
		INSIST(pthread_cond_signal(&w->filled) == 0);
	} else {
		w->dropped++;
	}
	release(w);
	if (!fits)
		free(p);
	return fits;
}

size_t writer_waiting(struct writer *w)
{
	size_t n;

	hold(w);
	n = w->n + w->busy;
	release(w);
	return n;
}

/* With the lock held. */
static bool wait_until_finished(struct writer *w, int64_t until_mono_ms)
{
	const struct timespec until = {.tv_sec = (time_t)(until_mono_ms / 1000),
				       .tv_nsec = (long)(until_mono_ms % 1000 * 1000000)};

	while (w->first || w->busy || w->dropped > 0 || (w->ending && !w->ended))
		if (pthread_cond_timedwait(&w->finished, &w->lock, &until) == ETIMEDOUT)
			return !w->first && !w->busy && w->dropped == 0;
	return true;
}

/* A process that dies may hold the lock itself. */
static bool hold_in_time(struct writer *w, int64_t until_mono_ms)
{
	int64_t until_ms = clock_now_ms() + until_mono_ms - clock_mono_ms();
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				       .tv_nsec = (long)(until_ms % 1000 * 1000000)};

	return !pthread_equal(pthread_self(), w->thread) && pthread_mutex_timedlock(&w->lock, &until) == 0;
}

bool writer_flush(struct writer *w, int64_t until_mono_ms)
{
	bool all;

	if (!hold_in_time(w, until_mono_ms))
		return false;
	all = wait_until_finished(w, until_mono_ms);
	release(w);
	return all;
}

bool writer_stop(struct writer *w, int64_t until_mono_ms)
{
	pthread_t thread;
	bool all, ended;

	if (!w)
		return true;
	thread = w->thread;
	hold(w);
	w->ending = true;
	INSIST(pthread_cond_signal(&w->filled) == 0);
	all = wait_until_finished(w, until_mono_ms);
	ended = w->ended;
	w->abandoned = !ended;
	release(w);
	if (ended) {
		thread_join(thread);
		writer_free(w);
	} else {
		INSIST(pthread_detach(thread) == 0);
	}
	return all;
}
