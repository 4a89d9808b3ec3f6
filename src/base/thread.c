/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/thread.h"

#include <signal.h>

#include "base/lock.h"
#include "base/mem.h"

void thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;

	/* The new thread inherits the mask, so that no signal reaches it even before its first instruction. */
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
	struct lock lock; /* over first and last */
	struct cond filled;
	struct message *first, *last;
	void (*wake)(void *); /* set before the first post, afterwards only read */
	void *wake_arg;
};

struct mailbox *mailbox_new(void)
{
	struct mailbox *m = mem_new(1, sizeof(*m));

	lock_init(&m->lock);
	cond_init(&m->filled);
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	INSIST(!m->first);
	cond_done(&m->filled);
	lock_done(&m->lock);
	free(m);
}

void mailbox_set_waker(struct mailbox *m, void (*wake)(void *), void *arg)
{
	m->wake = wake;
	m->wake_arg = arg;
}

/* Wakes the reader only for the first message: the reader takes all of them, also those that come before it wakes. */
void mailbox_post(struct mailbox *m, struct message *message)
{
	bool was_empty;

	message->next = NULL;
	lock_acquire(&m->lock);
	was_empty = !m->first;
	if (was_empty)
		m->first = message;
	else
		m->last->next = message;
	m->last = message;
	if (was_empty)
		cond_signal(&m->filled);
	lock_release(&m->lock);
	if (was_empty && m->wake)
		m->wake(m->wake_arg);
}

struct message *mailbox_take(struct mailbox *m)
{
	struct message *all;

	lock_acquire(&m->lock);
	all = m->first;
	m->first = m->last = NULL;
	lock_release(&m->lock);
	return all;
}

bool mailbox_is_empty(struct mailbox *m)
{
	bool is_empty;

	lock_acquire(&m->lock);
	is_empty = !m->first;
	lock_release(&m->lock);
	return is_empty;
}

void mailbox_wait(struct mailbox *m, int64_t until_mono_ms)
{
	lock_acquire(&m->lock);
	while (!m->first && cond_wait_until(&m->filled, &m->lock, until_mono_ms))
		;
	lock_release(&m->lock);
}
