/* SPDX-License-Identifier: MIT */
/*
 * A connection that is transferring or idle is in two lists: that of its state, and that of its state within its
 * address. All connections have the same time limit in a state, so a list in order of entry is sorted by deadline. The
 * thread sleeps until the first deadline.
 *
 * One lock protects everything, also during the shutdown(2): so no socket is shut down that was closed and opened again
 * for another connection.
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
#define TRANSFERRING_SHARE 4 /* a quarter of a limit is for transferring connections */

enum conn_state {
	CONN_TRANSFERRING,
	CONN_IDLE,
	CONN_LISTS_, /* number of the states above, which have lists */
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

/* All connections, or those of one address. */
struct conn_group {
	unsigned n; /* connections that are not dropped */
	struct conn_list lists[CONN_LISTS_];
};

struct address_conns {
	struct address_conns *next; /* in the same bucket */
	struct ip ip;
	unsigned conns; /* connections that point here, dropped ones too */
	struct conn_group group;
};

struct conn {
	struct conn_limits *owner;
	struct address_conns *address; /* NULL: not counted */
	struct conn_link links[GROUPS_];
	enum conn_state state;
	/* Written with the lock, and by the connection's own thread of the pool only, which reads both without it. */
	bool newcomer;     /* its first headers have not come yet */
	bool beyond_limit; /* a limit was exceeded when it arrived */
	bool has_ip;
	struct ip from;
	int fd;
	int64_t end_ms; /* clock_mono_ms; valid in a list */
};

struct conn_limits {
	struct conn_limits_options options; /* constant */
	pthread_t thread;
	struct lock lock;         /* over all members below, and the connections */
	struct cond changed;      /* a deadline is earlier than wakes_ms, or the thread must stop */
	struct cond no_newcomers; /* newcomers has become 0 */
	struct conn_group all;
	struct address_conns *buckets[BUCKETS];
	unsigned newcomers;
	int64_t wakes_ms; /* the thread sleeps until then (CLOCK_NEVER_MS: until woken); 0: awake */
	bool stopping;
};

/* A dropped connection, to be reported without the lock. */
struct drop {
	enum http_drop_reason why;
	bool has_ip;
	struct ip from;
};

static void report_drop(struct conn_limits *cl, const struct drop *drop)
{
	if (cl->options.dropped)
		cl->options.dropped(cl->options.ctx, drop->why, drop->has_ip ? &drop->from : NULL);
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
	return c->address ? &c->address->group : NULL;
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

/* Moves it from the lists of its state to those of the next one, with a new deadline. */
static void conn_become(struct conn *c, enum conn_state next)
{
	struct conn_limits *cl = c->owner;

	INSIST(lock_is_mine(&cl->lock));
	for (unsigned which = 0; which < GROUPS_; which++) {
		struct conn_group *group = group_of(c, which);

		if (group && c->state < CONN_LISTS_)
			list_remove(&group->lists[c->state], c, which);
		if (group && next == CONN_CUT)
			group->n--;
	}
	c->state = next;
	if (next >= CONN_LISTS_)
		return;
	c->end_ms = clock_mono_ms() + (next == CONN_IDLE ? cl->options.idle_ms : cl->options.request_ms);
	for (unsigned which = 0; which < GROUPS_; which++)
		if (group_of(c, which))
			list_append(&group_of(c, which)->lists[next], c, which);
	/* New deadlines are later than most others, so this is rare: a good request wakes no thread. */
	if (c->end_ms < cl->wakes_ms)
		cond_signal(&cl->changed);
}

static void conn_cut(struct conn *c)
{
	conn_become(c, CONN_CUT);
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Notes that the connection's first headers are complete, or will never come. */
static void conn_is_known(struct conn *c)
{
	struct conn_limits *cl = c->owner;

	INSIST(lock_is_mine(&cl->lock));
	if (!c->newcomer)
		return;
	c->newcomer = false;
	if (--cl->newcomers == 0)
		cond_broadcast(&cl->no_newcomers);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static struct address_conns **address_slot(struct conn_limits *cl, const struct ip *ip)
{
	struct address_conns **slot;

	INSIST(lock_is_mine(&cl->lock));
	for (slot = &cl->buckets[ip_hash(ip) % BUCKETS]; *slot; slot = &(*slot)->next)
		if (ip_same(&(*slot)->ip, ip))
			break;
	return slot;
}

static struct address_conns *address_ref(struct conn_limits *cl, const struct ip *from)
{
	struct ip ip = ip_limit_key(from);
	struct address_conns **slot = address_slot(cl, &ip);

	if (!*slot) {
		*slot = mem_new(1, sizeof(**slot));
		(*slot)->ip = ip;
	}
	(*slot)->conns++;
	return *slot;
}

static void address_unref(struct conn_limits *cl, struct address_conns *a)
{
	struct address_conns **slot;

	if (--a->conns > 0)
		return;
	slot = address_slot(cl, &a->ip);
	INSIST(*slot == a);
	*slot = a->next;
	free(a);
}

/* ---- dropping connections ---------------------------------------------------------------------------------------- */

static bool is_beyond(struct conn *c, unsigned which, unsigned limit)
{
	const struct conn_group *group = group_of(c, which);

	return group && limit > 0 && group->n > limit;
}

/* Drops a connection of the newcomer's group if this has more than `from`. If all are busy and the group exceeds its
 * limit, marks the newcomer. True: *ret is to be reported. */
static bool drop_one(struct conn *newcomer, unsigned which, unsigned from, struct drop *ret)
{
	const struct conn_limits_options *o = &newcomer->owner->options;
	const unsigned limit = which == GROUP_ALL ? o->most : o->per_address;
	const struct conn_list *transferring;
	const struct conn_list *idle;
	struct conn *victim;
	bool beyond;

	INSIST(lock_is_mine(&newcomer->owner->lock));
	if (!is_beyond(newcomer, which, from))
		return false;
	transferring = &group_of(newcomer, which)->lists[CONN_TRANSFERRING];
	idle = &group_of(newcomer, which)->lists[CONN_IDLE];
	/* The newcomer is the last of the transferring ones. If it is also the first, it is the only one. */
	victim = transferring->n > limit / TRANSFERRING_SHARE && transferring->first != newcomer ? transferring->first
												 : idle->first;
	if (victim)
		conn_cut(victim);
	/* Still too many: all others are busy. */
	beyond = is_beyond(newcomer, which, limit);
	if (beyond)
		newcomer->beyond_limit = true;
	*ret = drop_of(victim ? victim : newcomer, which == GROUP_ALL ? HTTP_DROP_FULL : HTTP_DROP_ADDRESS);
	return victim || beyond;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* Returns the connection with the earliest deadline, or NULL. */
static struct conn *next_to_end(const struct conn_limits *cl)
{
	struct conn *transferring = cl->all.lists[CONN_TRANSFERRING].first;
	struct conn *idle = cl->all.lists[CONN_IDLE].first;

	if (!transferring || !idle)
		return transferring ? transferring : idle;
	return transferring->end_ms <= idle->end_ms ? transferring : idle;
}

static void *conn_limits_main(void *arg)
{
	struct conn_limits *cl = arg;

	lock_acquire(&cl->lock);
	while (!cl->stopping) {
		struct conn *c = next_to_end(cl);

		if (!c || c->end_ms > clock_mono_ms()) {
			/* Until the first deadline, or a new earlier one. */
			cl->wakes_ms = c ? c->end_ms : CLOCK_NEVER_MS;
			(void)cond_wait_until(&cl->changed, &cl->lock, cl->wakes_ms);
			cl->wakes_ms = 0;
		} else {
			struct drop drop = drop_of(c, HTTP_DROP_SLOW);
			bool slow = c->state == CONN_TRANSFERRING;

			conn_cut(c);
			lock_release(&cl->lock);
			if (slow)
				report_drop(cl, &drop);
			lock_acquire(&cl->lock);
		}
	}
	lock_release(&cl->lock);
	return NULL;
}

/* ---- public functions -------------------------------------------------------------------------------------------- */

struct conn_limits *conn_limits_new(const struct conn_limits_options *o)
{
	struct conn_limits *cl = mem_new(1, sizeof(*cl));

	cl->options = *o;
	lock_init(&cl->lock);
	cond_init(&cl->changed);
	cond_init(&cl->no_newcomers);
	thread_start(&cl->thread, "http-conns", conn_limits_main, cl);
	return cl;
}

void conn_limits_stop(struct conn_limits *cl)
{
	lock_acquire(&cl->lock);
	cl->stopping = true;
	cond_signal(&cl->changed);
	lock_release(&cl->lock);
	thread_join(cl->thread);
}

void conn_limits_free(struct conn_limits *cl)
{
	INSIST(cl->all.n == 0 && !next_to_end(cl));
	cond_done(&cl->no_newcomers);
	cond_done(&cl->changed);
	lock_done(&cl->lock);
	free(cl);
}

struct conn *conn_opened(struct conn_limits *cl, int fd, const struct ip *from, bool counted)
{
	struct conn *c = mem_new(1, sizeof(*c));
	const unsigned most = cl->options.most;
	struct drop of_all, of_address;
	bool has_dropped_all, has_dropped_address;

	c->owner = cl;
	c->fd = fd;
	c->newcomer = true;
	c->state = CONN_BUSY; /* in no list yet */
	c->has_ip = from != NULL;
	if (from)
		c->from = *from;
	lock_acquire(&cl->lock);
	if (from && counted)
		c->address = address_ref(cl, from);
	cl->newcomers++;
	for (unsigned which = 0; which < GROUPS_; which++)
		if (group_of(c, which))
			group_of(c, which)->n++;
	conn_become(c, CONN_TRANSFERRING);
	/* The address first: a connection that is dropped for it counts no longer among all. */
	has_dropped_address = drop_one(c, GROUP_ADDRESS, cl->options.per_address, &of_address);
	has_dropped_all = drop_one(c, GROUP_ALL, most - most / TRANSFERRING_SHARE, &of_all);
	lock_release(&cl->lock);
	if (has_dropped_address)
		report_drop(cl, &of_address);
	if (has_dropped_all)
		report_drop(cl, &of_all);
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
	bool served;

	if (!c->newcomer && !c->beyond_limit)
		return true;
	lock_acquire(&c->owner->lock);
	conn_is_known(c);
	/* If the group is within its limit again, the connection is served. */
	served = !c->beyond_limit || (!is_beyond(c, GROUP_ALL, c->owner->options.most) &&
				      !is_beyond(c, GROUP_ADDRESS, c->owner->options.per_address));
	c->beyond_limit = false;
	lock_release(&c->owner->lock);
	return served;
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
	struct conn_limits *cl = c->owner;

	lock_acquire(&cl->lock);
	conn_is_known(c);
	if (c->state != CONN_CUT)
		conn_become(c, CONN_CUT);
	if (c->address)
		address_unref(cl, c->address);
	lock_release(&cl->lock);
	free(c);
}

void conn_limits_wait_headers(struct conn_limits *cl, int64_t until_mono_ms)
{
	lock_acquire(&cl->lock);
	while (cl->newcomers > 0 && cond_wait_until(&cl->no_newcomers, &cl->lock, until_mono_ms))
		;
	lock_release(&cl->lock);
}
