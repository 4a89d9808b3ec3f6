/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/lock.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

/* Its address identifies this thread while it runs. */
static _Thread_local char self;

static struct timespec timespec_of(int64_t ms)
{
	return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
}

/* pthread's timed waits refuse a negative time. */
static int64_t not_negative(int64_t ms)
{
	return ms > 0 ? ms : 0;
}

/* Only the holder can find its own address here, so relaxed order is enough. The mutex orders other memory. */
static void set_holder(struct lock *l, const void *holder)
{
	atomic_store_explicit(&l->holder, holder, memory_order_relaxed);
}

bool lock_is_mine(const struct lock *l)
{
	return atomic_load_explicit(&l->holder, memory_order_relaxed) == &self;
}

void lock_init(struct lock *l)
{
	INSIST(pthread_mutex_init(&l->mutex, NULL) == 0);
	set_holder(l, NULL);
}

void lock_done(struct lock *l)
{
	INSIST(pthread_mutex_destroy(&l->mutex) == 0);
}

void lock_acquire(struct lock *l)
{
	INSIST(!lock_is_mine(l));
	INSIST(pthread_mutex_lock(&l->mutex) == 0);
	set_holder(l, &self);
}

bool lock_acquire_until(struct lock *l, int64_t until_mono_ms)
{
	int r;

	if (lock_is_mine(l))
		return false;
	if (until_mono_ms == CLOCK_NEVER_MS) {
		r = pthread_mutex_lock(&l->mutex);
	} else {
		/* The deadline by the present wall clock: ThreadSanitizer of gcc 12 does not know
		 * pthread_mutex_clocklock(). One millisecond more, because clock_mono_ms() rounds down. */
		int64_t wait_ms = not_negative(not_negative(until_mono_ms) - clock_mono_ms());
		const struct timespec until = timespec_of(clock_now_ms() + wait_ms + 1);

		r = pthread_mutex_timedlock(&l->mutex, &until);
	}
	if (r != 0)
		return false;
	set_holder(l, &self);
	return true;
}

void lock_release(struct lock *l)
{
	INSIST(lock_is_mine(l));
	set_holder(l, NULL);
	INSIST(pthread_mutex_unlock(&l->mutex) == 0);
}

void cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	INSIST(pthread_condattr_init(&attr) == 0);
	INSIST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	INSIST(pthread_cond_init(&c->cond, &attr) == 0);
	INSIST(pthread_condattr_destroy(&attr) == 0);
}

void cond_done(struct cond *c)
{
	INSIST(pthread_cond_destroy(&c->cond) == 0);
}

void cond_wait(struct cond *c, struct lock *l)
{
	(void)cond_wait_until(c, l, CLOCK_NEVER_MS);
}

bool cond_wait_until(struct cond *c, struct lock *l, int64_t until_mono_ms)
{
	const struct timespec until = timespec_of(not_negative(until_mono_ms));
	int r;

	INSIST(lock_is_mine(l));
	set_holder(l, NULL);
	r = until_mono_ms == CLOCK_NEVER_MS ? pthread_cond_wait(&c->cond, &l->mutex)
					    : pthread_cond_timedwait(&c->cond, &l->mutex, &until);
	INSIST(r == 0 || r == ETIMEDOUT);
	set_holder(l, &self);
	return r == 0;
}

void cond_signal(struct cond *c)
{
	INSIST(pthread_cond_signal(&c->cond) == 0);
}

void cond_broadcast(struct cond *c)
{
	INSIST(pthread_cond_broadcast(&c->cond) == 0);
}
