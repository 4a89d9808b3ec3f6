#include <config.h>

#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

void thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;

	/* The new thread inherits the mask: no signal can reach it even before its first instruction. */
	sigfillset(&all);
	INSIST(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	INSIST(pthread_create(ret, NULL, fn, arg) == 0);
	INSIST(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	(void)pthread_setname_np(*ret, name);
}

void thread_join(pthread_t t)
{
	INSIST(pthread_join(t, NULL) == 0);
}

struct mailbox {
	pthread_mutex_t lock; /* over first and last */
	pthread_cond_t filled;
	struct mail *first, *last;
	void (*wake)(void *); /* set before the first post, then only read */
	void *wake_arg;
};

struct mailbox *mailbox_new(void)
{
	struct mailbox *m = mem_new(1, sizeof(*m));
	pthread_condattr_t attr;

	INSIST(pthread_mutex_init(&m->lock, NULL) == 0);
	INSIST(pthread_condattr_init(&attr) == 0);
	INSIST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	INSIST(pthread_cond_init(&m->filled, &attr) == 0);
	INSIST(pthread_condattr_destroy(&attr) == 0);
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	INSIST(!m->first);
	INSIST(pthread_cond_destroy(&m->filled) == 0);
	INSIST(pthread_mutex_destroy(&m->lock) == 0);
	free(m);
}

void mailbox_set_waker(struct mailbox *m, void (*wake)(void *), void *arg)
{
	m->wake = wake;
	m->wake_arg = arg;
}

void mailbox_post(struct mailbox *m, struct mail *mail)
{
	mail->next = NULL;
	INSIST(pthread_mutex_lock(&m->lock) == 0);
	if (m->first)
		m->last->next = mail;
	else
		m->first = mail;
	m->last = mail;
	INSIST(pthread_cond_signal(&m->filled) == 0);
	INSIST(pthread_mutex_unlock(&m->lock) == 0);
	if (m->wake)
		m->wake(m->wake_arg);
}

struct mail *mailbox_take(struct mailbox *m)
{
	struct mail *all;

	INSIST(pthread_mutex_lock(&m->lock) == 0);
	all = m->first;
	m->first = m->last = NULL;
	INSIST(pthread_mutex_unlock(&m->lock) == 0);
	return all;
}

/* False when until_mono_ms is there. Called with the lock held. */
static bool mailbox_wait_once(struct mailbox *m, int64_t until_mono_ms)
{
	struct timespec due;
	int r;

	if (until_mono_ms == CLOCK_NEVER_MS) {
		INSIST(pthread_cond_wait(&m->filled, &m->lock) == 0);
		return true;
	}
	if (until_mono_ms <= clock_mono_ms())
		return false;
	due.tv_sec = (time_t)(until_mono_ms / 1000);
	due.tv_nsec = (long)(until_mono_ms % 1000 * 1000000);
	r = pthread_cond_timedwait(&m->filled, &m->lock, &due);
	INSIST(r == 0 || r == ETIMEDOUT);
	return true;
}

void mailbox_wait(struct mailbox *m, int64_t until_mono_ms)
{
	INSIST(pthread_mutex_lock(&m->lock) == 0);
	while (!m->first && mailbox_wait_once(m, until_mono_ms))
		;
	INSIST(pthread_mutex_unlock(&m->lock) == 0);
}
