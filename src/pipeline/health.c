/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/health.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/text.h"

struct health_park {
	struct health_park *next;
	char *kind, *name, *reason;
};

struct health {
	atomic_bool ready;
	atomic_bool stopping;
	atomic_uint_least64_t tokens[HEALTH_COURIER + 1]; /* of the latest ping that the thread answered */
	atomic_int_least64_t disk_since_us;               /* 0: not in a disk call */
	int news;                                         /* eventfd */
	struct lock lock;                                 /* protects what follows */
	struct {
		struct err why;
		unsigned order; /* larger is later; 0: not set */
	} causes[HEALTH_CAUSES];
	unsigned last_order;
	struct health_park *parked;
};

struct health *health_new(void)
{
	struct health *h = mem_new(1, sizeof(*h));

	atomic_init(&h->ready, true);
	h->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	INSIST(h->news >= 0);
	lock_init(&h->lock);
	return h;
}

static void park_free(struct health_park *p)
{
	free(p->kind);
	free(p->name);
	free(p->reason);
	free(p);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	for (struct health_park *p = h->parked, *next; p; p = next) {
		next = p->next;
		park_free(p);
	}
	lock_done(&h->lock);
	close(h->news);
	free(h);
}

static void notify(struct health *h)
{
	(void)!write(h->news, &(uint64_t){1}, sizeof(uint64_t));
}

int health_news_fd(const struct health *h)
{
	return h->news;
}

void health_read_news(struct health *h)
{
	uint64_t n;

	(void)!read(h->news, &n, sizeof(n));
}

/* Returns the latest cause; NULL: none is set. */
static const struct err *last_cause(const struct health *h)
{
	const struct err *last = NULL;
	unsigned order = 0;

	INSIST(lock_is_mine(&h->lock));
	for (size_t i = 0; i < HEALTH_CAUSES; i++) {
		if (h->causes[i].order <= order)
			continue;
		last = &h->causes[i].why;
		order = h->causes[i].order;
	}
	return last;
}

void health_set(struct health *h, enum health_cause cause, const struct err *why)
{
	const struct err *last;
	struct err before;
	bool was_ready, news;

	lock_acquire(&h->lock);
	last = last_cause(h);
	was_ready = !last;
	before = last ? *last : (struct err){0};
	if (!why)
		h->causes[cause].order = 0;
	else if (h->causes[cause].order == 0)
		h->causes[cause].order = ++h->last_order;
	h->causes[cause].why = why ? *why : (struct err){0};
	last = last_cause(h);
	atomic_store(&h->ready, !last);
	news = was_ready != !last || (last && !text_is(last->text, before.text));
	lock_release(&h->lock);
	if (news)
		notify(h);
}

bool health_is_ready(const struct health *h)
{
	return atomic_load(&h->ready) && !atomic_load(&h->stopping);
}

void health_stop(struct health *h)
{
	atomic_store(&h->stopping, true);
}

void health_why_not(struct health *h, struct err *ret)
{
	const struct err *last;

	lock_acquire(&h->lock);
	last = last_cause(h);
	*ret = last ? *last : (struct err){0};
	lock_release(&h->lock);
	if (atomic_load(&h->stopping))
		(void)err_set(ret, -ECANCELED, "the daemon is stopping");
}

void health_park(struct health *h, const char *kind, const char *name, const char *reason)
{
	bool news = false;
	struct health_park **at;
	struct health_park *p;

	lock_acquire(&h->lock);
	for (at = &h->parked; (p = *at); at = &p->next)
		if (text_is(p->kind, kind) && text_is(p->name, name))
			break;
	if (p && !text_is(p->reason, reason)) {
		*at = p->next;
		park_free(p);
		p = NULL;
		news = true;
	}
	if (!p && reason) {
		news = true;
		p = mem_new(1, sizeof(*p));
		p->kind = mem_str(kind);
		p->name = mem_str(name);
		p->reason = mem_str(reason);
		p->next = h->parked;
		h->parked = p;
	}
	lock_release(&h->lock);
	if (news)
		notify(h);
}

void health_parked(struct health *h, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		   void *ctx)
{
	lock_acquire(&h->lock);
	for (const struct health_park *p = h->parked; p; p = p->next)
		fn(ctx, p->kind, p->name, p->reason);
	lock_release(&h->lock);
}

void health_alive(struct health *h, enum health_thread thread, uint64_t token)
{
	atomic_store(&h->tokens[thread], token);
}

void health_disk(struct health *h, bool busy)
{
	atomic_store(&h->disk_since_us, busy ? clock_mono_us() : 0);
}

bool health_is_alive(const struct health *h, uint64_t token)
{
	int64_t since_us = atomic_load(&h->disk_since_us);

	if (atomic_load(&h->tokens[HEALTH_COURIER]) < token)
		return false;
	return atomic_load(&h->tokens[HEALTH_PIPELINE]) >= token ||
	       (since_us != 0 && clock_mono_us() - since_us < (int64_t)HEALTH_DISK_MS * 1000);
}
