/* SPDX-License-Identifier: MIT */
/*
 * A client stands in a list of all that do what it does (asking, idle), and in one of those of its address; in each the
 * order is that in which they began, which is that in which their time ends. The thread sleeps until the first one's
 * end. All under one lock, also the shutdown: so no socket is cut that was closed and opened anew by somebody else.
 */
#include <config.h>

#include "http/conn_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

#define BUCKETS 1024u
#define TRANSFERRING_SHARE 4 /* a quarter of a limit is for clients that are asking */

enum conn_state {
	CONN_TRANSFERRING,
	CONN_IDLE,
	CONN_LISTS_, /* these two stand in lists */
	CONN_BUSY = CONN_LISTS_,
	CONN_CUT,
};

enum {
	GROUP_ALL,
	GROUP_ADDRESS,
	GROUPS_,
};

struct conn_link {
	struct conn *prev, *next;
};

struct conn_list {
	struct conn *first, *last;
	unsigned n;
};

/* All clients, or those of one address. */
struct conn_group {
	unsigned kept; /* that are not cut off */
	struct conn_list lists[CONN_LISTS_];
};

struct address_conns {
	struct address_conns *next; /* in its bucket */
	struct ip ip;
	unsigned clients; /* that point here, cut off or not */
	struct conn_group group;
};

struct conn {
	struct conn_limits *owner;
	struct address_conns *holder; /* NULL: not counted */
	struct conn_link links[GROUPS_];
	enum conn_state state;
	bool newcomer; /* it was never heard */
	bool over;     /* there was no room when it arrived */
	bool has_ip;
	struct ip from;
	int fd;
	int64_t end_ms; /* clock_mono_ms; in a list */
};

struct conn_limits {
	struct conn_limits_options options; /* constant */
	pthread_t thread;
	struct lock lock;    /* over all below, and the clients */
	struct cond changed; /* a time ends before wakes_ms, or the thread is to stop */
	struct cond heard;   /* newcomers became 0 */
	struct conn_group all;
	struct address_conns *buckets[BUCKETS];
	unsigned newcomers;
	int64_t wakes_ms; /* until then the thread sleeps (CLOCK_NEVER_MS: until it is woken); 0: it is awake */
	bool stopping;
};

/* A client that was turned away, to be told of without the lock. */
struct drop {
	enum http_drop_reason why;
	bool has_ip;
	struct ip from;
};

static void tell(struct conn_limits *p, const struct drop *n)
{
	if (p->options.dropped)
		p->options.dropped(p->options.ctx, n->why, n->has_ip ? &n->from : NULL);
}

static struct drop drop_of(const struct conn *c, enum http_drop_reason why)
{
	return (struct drop){.why = why, .has_ip = c->has_ip, .from = c->from};
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static struct conn_group *group_of(struct conn *c, unsigned which)
{
	if (which == GROUP_ALL)
		return &c->owner->all;
	return c->holder ? &c->holder->group : NULL;
}

static void list_append(struct conn_list *l, struct conn *c, unsigned which)
{
	c->links[which] = (struct conn_link){.prev = l->last};
	*(l->last ? &l->last->links[which].next : &l->first) = c;
	l->last = c;
	l->n++;
}

static void list_remove(struct conn_list *l, struct conn *c, unsigned which)
{
	struct conn_link link = c->links[which];

	*(link.prev ? &link.prev->links[which].next : &l->first) = link.next;
	*(link.next ? &link.next->links[which].prev : &l->last) = link.prev;
	l->n--;
}

/* Out of the lists of its present state, into those of the next, with the time that this one gives. */
static void conn_become(struct conn *c, enum conn_state next)
{
	struct conn_limits *p = c->owner;

	INSIST(lock_is_mine(&p->lock));
	for (unsigned which = 0; which < GROUPS_; which++) {
		struct conn_group *group = group_of(c, which);

		if (group && c->state < CONN_LISTS_)
			list_remove(&group->lists[c->state], c, which);
		if (group && next == CONN_CUT)
			group->kept--;
	}
	c->state = next;
	if (next >= CONN_LISTS_)
		return;
	c->end_ms = clock_mono_ms() + (next == CONN_IDLE ? p->options.idle_ms : p->options.request_ms);
	for (unsigned which = 0; which < GROUPS_; which++)
		if (group_of(c, which))
			list_append(&group_of(c, which)->lists[next], c, which);
	/* New times end after most older ones, so this is rare: a good request wakes no thread. */
	if (c->end_ms < p->wakes_ms)
		cond_signal(&p->changed);
}

static void conn_cut(struct conn *c)
{
	conn_become(c, CONN_CUT);
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Its first request is there, or will never come. */
static void conn_is_known(struct conn *c)
{
	struct conn_limits *p = c->owner;

	INSIST(lock_is_mine(&p->lock));
	if (!c->newcomer)
		return;
	c->newcomer = false;
	if (--p->newcomers == 0)
		cond_broadcast(&p->heard);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static struct address_conns **address_slot(struct conn_limits *p, const struct ip *ip)
{
	struct address_conns **place;

	INSIST(lock_is_mine(&p->lock));
	for (place = &p->buckets[ip_hash(ip) % BUCKETS]; *place; place = &(*place)->next)
		if (ip_same(&(*place)->ip, ip))
			break;
	return place;
}

static struct address_conns *address_ref(struct conn_limits *p, const struct ip *from)
{
	struct ip ip = ip_limit_key(from);
	struct address_conns **place = address_slot(p, &ip);

	if (!*place) {
		*place = mem_new(1, sizeof(**place));
		(*place)->ip = ip;
	}
	(*place)->clients++;
	return *place;
}

static void address_unref(struct conn_limits *p, struct address_conns *h)
{
	struct address_conns **place;

	if (--h->clients > 0)
		return;
	place = address_slot(p, &h->ip);
	INSIST(*place == h);
	*place = h->next;
	free(h);
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

static bool is_over(struct conn *c, unsigned which, unsigned limit)
{
	const struct conn_group *group = group_of(c, which);

	return group && limit > 0 && group->kept > limit;
}

/* Whether there is something to tell. */
static bool make_room(struct conn *newcomer, unsigned which, unsigned from, struct drop *ret)
{
	const struct conn_limits_options *o = &newcomer->owner->options;
	const unsigned limit = which == GROUP_ALL ? o->most : o->per_address;
	const struct conn_list *asking, *idle;
	struct conn *victim;
	bool beyond;

	INSIST(lock_is_mine(&newcomer->owner->lock));
	if (!is_over(newcomer, which, from))
		return false;
	asking = &group_of(newcomer, which)->lists[CONN_TRANSFERRING];
	idle = &group_of(newcomer, which)->lists[CONN_IDLE];
	/* The newcomer is the last of those who ask: where it is the first, too, it is alone. */
	victim = asking->n > limit / TRANSFERRING_SHARE && asking->first != newcomer ? asking->first : idle->first;
	if (victim)
		conn_cut(victim);
	/* Still: busy ones take all the room. */
	beyond = is_over(newcomer, which, limit);
	if (beyond)
		newcomer->over = true;
	*ret = drop_of(victim ? victim : newcomer, which == GROUP_ALL ? HTTP_DROP_FULL : HTTP_DROP_ADDRESS);
	return victim || beyond;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* The one whose time ends first, or NULL. */
static struct conn *next_to_end(const struct conn_limits *p)
{
	struct conn *asking = p->all.lists[CONN_TRANSFERRING].first, *idle = p->all.lists[CONN_IDLE].first;

	if (!asking || !idle)
		return asking ? asking : idle;
	return asking->end_ms <= idle->end_ms ? asking : idle;
}

static void *conn_limits_main(void *arg)
{
	struct conn_limits *p = arg;

	lock_acquire(&p->lock);
	while (!p->stopping) {
		struct conn *c = next_to_end(p);

		if (!c || c->end_ms > clock_mono_ms()) {
			/* Until the first time ends, or one is new that ends earlier. */
			p->wakes_ms = c ? c->end_ms : CLOCK_NEVER_MS;
			(void)cond_wait_until(&p->changed, &p->lock, p->wakes_ms);
			p->wakes_ms = 0;
		} else {
			struct drop notice = drop_of(c, HTTP_DROP_SLOW);
			bool slow = c->state == CONN_TRANSFERRING;

			conn_cut(c);
			lock_release(&p->lock);
			if (slow)
				tell(p, &notice);
			lock_acquire(&p->lock);
		}
	}
	lock_release(&p->lock);
	return NULL;
}

/* ---- the face ---------------------------------------------------------------------------------------------------- */

struct conn_limits *conn_limits_new(const struct conn_limits_options *o)
{
	struct conn_limits *p = mem_new(1, sizeof(*p));

	p->options = *o;
	lock_init(&p->lock);
	cond_init(&p->changed);
	cond_init(&p->heard);
	thread_start(&p->thread, "http-conns", conn_limits_main, p);
	return p;
}

void conn_limits_stop(struct conn_limits *p)
{
	lock_acquire(&p->lock);
	p->stopping = true;
	cond_signal(&p->changed);
	lock_release(&p->lock);
	thread_join(p->thread);
}

void conn_limits_free(struct conn_limits *p)
{
	INSIST(p->all.kept == 0 && !next_to_end(p));
	cond_done(&p->heard);
	cond_done(&p->changed);
	lock_done(&p->lock);
	free(p);
}

struct conn *conn_opened(struct conn_limits *p, int fd, const struct ip *from, bool counted)
{
	struct conn *c = mem_new(1, sizeof(*c));
	const unsigned most = p->options.most;
	struct drop of_all, of_address;
	bool tell_all, tell_address;

	c->owner = p;
	c->fd = fd;
	c->newcomer = true;
	c->state = CONN_BUSY; /* in no list yet */
	c->has_ip = from != NULL;
	if (from)
		c->from = *from;
	lock_acquire(&p->lock);
	if (from && counted)
		c->holder = address_ref(p, from);
	p->newcomers++;
	for (unsigned which = 0; which < GROUPS_; which++)
		if (group_of(c, which))
			group_of(c, which)->kept++;
	conn_become(c, CONN_TRANSFERRING);
	/* First: a client that is cut off for its address leaves room among all, too. */
	tell_address = make_room(c, GROUP_ADDRESS, p->options.per_address, &of_address);
	tell_all = make_room(c, GROUP_ALL, most - most / TRANSFERRING_SHARE, &of_all);
	lock_release(&p->lock);
	if (tell_address)
		tell(p, &of_address);
	if (tell_all)
		tell(p, &of_all);
	return c;
}

void conn_request_began(struct conn *c)
{
	lock_acquire(&c->owner->lock);
	if (c->state == CONN_IDLE)
		conn_become(c, CONN_TRANSFERRING);
	lock_release(&c->owner->lock);
}

bool conn_headers_complete(struct conn *c)
{
	bool room;

	lock_acquire(&c->owner->lock);
	conn_is_known(c);
	/* Room that came free since is as good. */
	room = !c->over || (!is_over(c, GROUP_ALL, c->owner->options.most) &&
			    !is_over(c, GROUP_ADDRESS, c->owner->options.per_address));
	c->over = false;
	lock_release(&c->owner->lock);
	return room;
}

bool conn_request_complete(struct conn *c)
{
	bool kept;

	lock_acquire(&c->owner->lock);
	kept = c->state != CONN_CUT;
	if (kept)
		conn_become(c, CONN_BUSY);
	lock_release(&c->owner->lock);
	return kept;
}

void conn_response_began(struct conn *c)
{
	lock_acquire(&c->owner->lock);
	if (c->state != CONN_CUT)
		conn_become(c, CONN_TRANSFERRING);
	lock_release(&c->owner->lock);
}

void conn_response_complete(struct conn *c, bool proven)
{
	lock_acquire(&c->owner->lock);
	conn_is_known(c);
	if (c->state != CONN_CUT)
		conn_become(c, proven ? CONN_IDLE : CONN_TRANSFERRING);
	lock_release(&c->owner->lock);
}

void conn_closed(struct conn *c)
{
	struct conn_limits *p = c->owner;

	lock_acquire(&p->lock);
	conn_is_known(c);
	if (c->state != CONN_CUT)
		conn_become(c, CONN_CUT);
	if (c->holder)
		address_unref(p, c->holder);
	lock_release(&p->lock);
	free(c);
}

void conn_limits_wait_headers(struct conn_limits *p, int64_t until_mono_ms)
{
	lock_acquire(&p->lock);
	while (p->newcomers > 0 && cond_wait_until(&p->heard, &p->lock, until_mono_ms))
		;
	lock_release(&p->lock);
}
