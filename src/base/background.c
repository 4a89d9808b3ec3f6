/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/background.h"

#include <stdlib.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

struct background {
	pthread_t thread;
	struct lock lock; /* over the rest */
	struct cond changed;
	void (*job)(void *arg); /* NULL: no job runs */
	void *arg;
	bool ends;
};

static void *run(void *arg)
{
	struct background *b = arg;

	lock_acquire(&b->lock);
	for (;;) {
		while (!b->job && !b->ends)
			cond_wait(&b->changed, &b->lock);
		if (!b->job)
			break;
		lock_release(&b->lock);
		b->job(b->arg); /* background_start() sets both only while no job runs */
		lock_acquire(&b->lock);
		b->job = NULL;
		cond_broadcast(&b->changed);
	}
	lock_release(&b->lock);
	return NULL;
}

struct background *background_new(const char *name)
{
	struct background *b = mem_new(1, sizeof(*b));

	lock_init(&b->lock);
	cond_init(&b->changed);
	thread_start(&b->thread, name, run, b);
	return b;
}

void background_free(struct background *b)
{
	if (!b)
		return;
	lock_acquire(&b->lock);
	b->ends = true;
	cond_broadcast(&b->changed);
	lock_release(&b->lock);
	thread_join(b->thread);
	cond_done(&b->changed);
	lock_done(&b->lock);
	free(b);
}

void background_start(struct background *b, void (*job)(void *arg), void *arg)
{
	lock_acquire(&b->lock);
	INSIST(!b->job && !b->ends);
	b->job = job;
	b->arg = arg;
	cond_broadcast(&b->changed);
	lock_release(&b->lock);
}

bool background_is_busy(struct background *b)
{
	bool busy;

	lock_acquire(&b->lock);
	busy = b->job != NULL;
	lock_release(&b->lock);
	return busy;
}

void background_wait(struct background *b)
{
	lock_acquire(&b->lock);
	while (b->job)
		cond_wait(&b->changed, &b->lock);
	lock_release(&b->lock);
}
