/* SPDX-License-Identifier: MIT */
/*
 * lock: a mutex that knows which thread holds it, and a condition variable on the monotonic clock.
 *
 * A function that must be called with a lock held begins with INSIST(lock_is_mine(&x->lock)). The process ends (INSIST)
 * when a thread acquires a lock that it holds, or when it releases a lock or waits with a lock that it does not hold.
 *
 * Times are those of clock_mono_ms(); CLOCK_NEVER_MS waits for ever. lock_acquire_until() converts its time to the wall
 * clock when it is called: if the clock is set back meanwhile, the wait is longer.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	pthread_mutex_t mutex;
	_Atomic(const void *) holder; /* identifies the thread; NULL: no thread */
};

/* For a lock with static storage: static struct lock lock = LOCK_INIT. It is never destroyed. */
#define LOCK_INIT                                  \
	{                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER \
	}

void lock_init(struct lock *l);
void lock_done(struct lock *l); /* destroys it; no thread may hold it */

void lock_acquire(struct lock *l);
/* False where the time came before the lock was free, and at once where this thread holds it. Neither allocates nor
 * insists, because mem_on_abort() functions call it. */
bool lock_acquire_until(struct lock *l, int64_t until_mono_ms) __attribute__((warn_unused_result));
void lock_release(struct lock *l);
/* True where this thread holds it. Says nothing about other threads. */
bool lock_is_mine(const struct lock *l);

struct cond {
	pthread_cond_t cond;
};

void cond_init(struct cond *c);
void cond_done(struct cond *c); /* destroys it; no thread may wait */

/* Releases the lock while it waits. May return without a signal, so the caller checks its condition again. */
void cond_wait(struct cond *c, struct lock *l);
/* As cond_wait(); returns false when the time has come. */
bool cond_wait_until(struct cond *c, struct lock *l, int64_t until_mono_ms);
void cond_signal(struct cond *c);    /* wakes one waiting thread */
void cond_broadcast(struct cond *c); /* wakes all waiting threads */

#endif
