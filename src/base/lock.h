/* SPDX-License-Identifier: MIT */
/*
 * lock: a mutex that knows which thread holds it, and a condition that threads wait for on the monotonic clock.
 *
 * A function that is called with a lock held says so in its first line: INSIST(lock_is_mine(&x->lock)). A thread that
 * acquires what it holds, or releases or waits with what it does not hold, ends the process (INSIST).
 *
 * Times are those of clock_mono_ms(); CLOCK_NEVER_MS waits for ever. lock_acquire_until() turns its time into one of
 * the wall clock when it is called: a clock that is set back meanwhile makes the wait longer.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	pthread_mutex_t mutex;
	_Atomic(const void *) holder; /* stands for a thread; NULL: nobody */
};

/* For a lock that is as old as the process: static struct lock lock = LOCK_INIT. It is never done. */
#define LOCK_INIT                                  \
	{                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER \
	}

void lock_init(struct lock *l);
void lock_done(struct lock *l); /* nobody holds it */

void lock_acquire(struct lock *l);
/* False where the time came before the lock was free, and at once where this thread holds it. Neither allocates nor
 * insists: for mem_on_abort(). */
bool lock_acquire_until(struct lock *l, int64_t until_mono_ms) __attribute__((warn_unused_result));
void lock_release(struct lock *l);
/* Whether this thread holds it; what another one does has no answer. */
bool lock_is_mine(const struct lock *l);

struct cond {
	pthread_cond_t cond;
};

void cond_init(struct cond *c);
void cond_done(struct cond *c); /* nobody waits */

/* Releases the lock while it waits. May return before the condition is signalled: ask again what was waited for. */
void cond_wait(struct cond *c, struct lock *l);
/* The same; false once the time has come. */
bool cond_wait_until(struct cond *c, struct lock *l, int64_t until_mono_ms);
void cond_signal(struct cond *c);    /* wakes one that waits */
void cond_broadcast(struct cond *c); /* wakes all */

#endif
