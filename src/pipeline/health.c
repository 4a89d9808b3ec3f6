#include <config.h>

#include "pipeline/health.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

struct standing_park {
	struct standing_park *next;
	char *kind, *name, *reason;
};

struct standing {
	atomic_bool ready;
	atomic_bool stopping;
	atomic_uint_least64_t pipeline_token, courier_token;
	atomic_int_least64_t disk_since_us; /* 0: not in a disk call */
	int news;                           /* eventfd */
	pthread_mutex_t lock;               /* over what follows */
	struct err why_not;
	struct standing_park *parked;
};

static void hold(struct standing *s)
{
	INSIST(pthread_mutex_lock(&s->lock) == 0);
}

static void release(struct standing *s)
{
	INSIST(pthread_mutex_unlock(&s->lock) == 0);
}

struct standing *standing_new(void)
{
	struct standing *s = mem_new(1, sizeof(*s));

	atomic_init(&s->ready, true);
	s->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	INSIST(s->news >= 0);
	INSIST(pthread_mutex_init(&s->lock, NULL) == 0);
	return s;
}

static void park_free(struct standing_park *p)
{
	free(p->kind);
	free(p->name);
	free(p->reason);
	free(p);
}

void standing_free(struct standing *s)
{
	if (!s)
		return;
	for (struct standing_park *p = s->parked, *next; p; p = next) {
		next = p->next;
		park_free(p);
	}
	INSIST(pthread_mutex_destroy(&s->lock) == 0);
	close(s->news);
	free(s);
}

static void tell_news(struct standing *s)
{
	(void)!write(s->news, &(uint64_t){1}, sizeof(uint64_t));
}

int standing_news_fd(const struct standing *s)
{
	return s->news;
}

void standing_read_news(struct standing *s)
{
	uint64_t n;

	(void)!read(s->news, &n, sizeof(n));
}

bool standing_set_ready(struct standing *s, const struct err *why_not)
{
	bool was, news;

	hold(s);
	was = atomic_exchange(&s->ready, !why_not);
	news = was == (why_not != NULL) || (why_not && !text_is(why_not->text, s->why_not.text));
	s->why_not = why_not ? *why_not : (struct err){0};
	release(s);
	if (news)
		tell_news(s);
	return was == (why_not != NULL);
}

bool standing_is_ready(const struct standing *s)
{
	return atomic_load(&s->ready) && !atomic_load(&s->stopping);
}

void standing_stop(struct standing *s)
{
	atomic_store(&s->stopping, true);
}

void standing_why_not(struct standing *s, struct err *ret)
{
	hold(s);
	*ret = s->why_not;
	release(s);
	if (atomic_load(&s->stopping))
		(void)err_set(ret, -ECANCELED, "the daemon is stopping");
}

void standing_park(struct standing *s, const char *kind, const char *name, const char *reason)
{
	struct standing_park **at, *p;
	bool news = false;

	hold(s);
	for (at = &s->parked; (p = *at); at = &p->next)
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
		p->next = s->parked;
		s->parked = p;
	}
	release(s);
	if (news)
		tell_news(s);
}

void standing_parked(struct standing *s, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx)
{
	hold(s);
	for (const struct standing_park *p = s->parked; p; p = p->next)
		fn(ctx, p->kind, p->name, p->reason);
	release(s);
}

void standing_pipeline_alive(struct standing *s, uint64_t token)
{
	atomic_store(&s->pipeline_token, token);
}

void standing_courier_alive(struct standing *s, uint64_t token)
{
	atomic_store(&s->courier_token, token);
}

void standing_disk(struct standing *s, bool busy)
{
	atomic_store(&s->disk_since_us, busy ? clock_mono_us() : 0);
}

bool standing_is_alive(const struct standing *s, uint64_t token)
{
	int64_t since_us = atomic_load(&s->disk_since_us);

	if (atomic_load(&s->courier_token) < token)
		return false;
	return atomic_load(&s->pipeline_token) >= token ||
	       (since_us != 0 && clock_mono_us() - since_us < (int64_t)STANDING_DISK_MS * 1000);
}
