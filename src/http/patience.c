/*
 * Those who are waited for stand in a list in the order in which their time began, which is that in which it ends: the
 * thread sleeps until the first one's end. All under one lock, also the shutdown: so no socket is cut that was closed
 * and opened anew by somebody else.
 */
#include <config.h>

#include "http/patience.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

struct client {
	struct patience *owner;
	struct client *prev, *next; /* while it is waited for */
	bool waited_for;
	bool newcomer; /* it was never heard */
	int fd;
	int64_t end_us; /* monotonic */
};

struct patience {
	int64_t limit_us; /* constant */
	pthread_t thread;
	pthread_mutex_t lock;   /* over all below, and the clients */
	pthread_cond_t changed; /* the list has a first one, or it ends */
	pthread_cond_t heard;   /* newcomers became 0 */
	struct client *first, *last;
	unsigned newcomers;
	bool stopping;
};

static void hold(struct patience *p)
{
	INSIST(pthread_mutex_lock(&p->lock) == 0);
}

static void release(struct patience *p)
{
	INSIST(pthread_mutex_unlock(&p->lock) == 0);
}

/* ---- the list: with the lock held -------------------------------------------------------------------------------- */

static void client_add(struct client *c)
{
	struct patience *p = c->owner;

	c->end_us = clock_mono_us() + p->limit_us;
	c->waited_for = true;
	c->next = NULL;
	c->prev = p->last;
	*(p->last ? &p->last->next : &p->first) = c;
	p->last = c;
	if (!c->prev)
		INSIST(pthread_cond_signal(&p->changed) == 0);
}

static void client_remove(struct client *c)
{
	struct patience *p = c->owner;

	if (!c->waited_for)
		return;
	c->waited_for = false;
	*(c->prev ? &c->prev->next : &p->first) = c->next;
	*(c->next ? &c->next->prev : &p->last) = c->prev;
}

/* Its first request is there, or will never come. */
static void client_is_known(struct client *c)
{
	struct patience *p = c->owner;

	if (!c->newcomer)
		return;
	c->newcomer = false;
	if (--p->newcomers == 0)
		INSIST(pthread_cond_broadcast(&p->heard) == 0);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void wait_until(struct patience *p, pthread_cond_t *what, int64_t until_us)
{
	struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};

	(void)pthread_cond_timedwait(what, &p->lock, &until);
}

static void *patience_main(void *arg)
{
	struct patience *p = arg;

	hold(p);
	while (!p->stopping) {
		struct client *c = p->first;

		if (!c) {
			INSIST(pthread_cond_wait(&p->changed, &p->lock) == 0);
		} else if (c->end_us > clock_mono_us()) {
			wait_until(p, &p->changed, c->end_us);
		} else {
			client_remove(c);
			(void)shutdown(c->fd, SHUT_RDWR);
		}
	}
	release(p);
	return NULL;
}

/* ---- the face ---------------------------------------------------------------------------------------------------- */

struct patience *patience_new(int64_t limit_ms)
{
	struct patience *p = mem_new(1, sizeof(*p));
	pthread_condattr_t attr;

	p->limit_us = limit_ms * 1000;
	INSIST(pthread_mutex_init(&p->lock, NULL) == 0);
	INSIST(pthread_condattr_init(&attr) == 0);
	INSIST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	INSIST(pthread_cond_init(&p->changed, &attr) == 0);
	INSIST(pthread_cond_init(&p->heard, &attr) == 0);
	INSIST(pthread_condattr_destroy(&attr) == 0);
	thread_start(&p->thread, "http-patience", patience_main, p);
	return p;
}

void patience_stop(struct patience *p)
{
	hold(p);
	p->stopping = true;
	INSIST(pthread_cond_signal(&p->changed) == 0);
	release(p);
	thread_join(p->thread);
}

void patience_free(struct patience *p)
{
	INSIST(!p->first);
	INSIST(pthread_cond_destroy(&p->heard) == 0);
	INSIST(pthread_cond_destroy(&p->changed) == 0);
	INSIST(pthread_mutex_destroy(&p->lock) == 0);
	free(p);
}

struct client *patience_arrived(struct patience *p, int fd)
{
	struct client *c = mem_new(1, sizeof(*c));

	c->owner = p;
	c->fd = fd;
	c->newcomer = true;
	hold(p);
	p->newcomers++;
	client_add(c);
	release(p);
	return c;
}

void patience_heard(struct client *c)
{
	hold(c->owner);
	client_remove(c);
	client_is_known(c);
	release(c->owner);
}

void patience_served(struct client *c)
{
	hold(c->owner);
	client_remove(c);
	client_add(c);
	release(c->owner);
}

void patience_left(struct client *c)
{
	struct patience *p = c->owner;

	hold(p);
	client_remove(c);
	client_is_known(c);
	release(p);
	free(c);
}

void patience_wait_heard(struct patience *p, int64_t until_us)
{
	hold(p);
	while (p->newcomers > 0 && clock_mono_us() < until_us)
		wait_until(p, &p->heard, until_us);
	release(p);
}
