/*
 * A client stands in a list of all that do what it does (asking, idle), and in one of those of its address; in each the
 * order is that in which they began, which is that in which their time ends. The thread sleeps until the first one's
 * end. All under one lock, also the shutdown: so no socket is cut that was closed and opened anew by somebody else.
 */
#include <config.h>

#include "http/patience.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"

#define BUCKETS 1024u
#define ASKING_SHARE 4 /* a quarter of a limit is for clients that are asking */

enum client_state {
	CLIENT_ASKING,
	CLIENT_IDLE,
	CLIENT_LISTS_, /* these two stand in lists */
	CLIENT_BUSY = CLIENT_LISTS_,
	CLIENT_CUT,
};

enum {
	OF_ALL,
	OF_ADDRESS,
	PARTIES_,
};

struct link {
	struct client *prev, *next;
};

struct list {
	struct client *first, *last;
	unsigned n;
};

/* All clients, or those of one address. */
struct party {
	unsigned kept; /* that are not cut off */
	struct list lists[CLIENT_LISTS_];
};

struct holder {
	struct holder *next; /* in its bucket */
	struct ip ip;
	unsigned clients; /* that point here, cut off or not */
	struct party party;
};

struct client {
	struct patience *owner;
	struct holder *holder; /* NULL: not counted */
	struct link links[PARTIES_];
	enum client_state state;
	bool newcomer; /* it was never heard */
	bool over;     /* there was no room when it arrived */
	bool has_ip;
	struct ip from;
	int fd;
	int64_t end_ms; /* clock_mono_ms; in a list */
};

struct patience {
	struct patience_options options; /* constant */
	pthread_t thread;
	struct lock lock;    /* over all below, and the clients */
	struct cond changed; /* a time ends before wakes_ms, or the thread is to stop */
	struct cond heard;   /* newcomers became 0 */
	struct party all;
	struct holder *buckets[BUCKETS];
	unsigned newcomers;
	int64_t wakes_ms; /* until then the thread sleeps (CLOCK_NEVER_MS: until it is woken); 0: it is awake */
	bool stopping;
};

/* A client that was turned away, to be told of without the lock. */
struct notice {
	enum http_turned_away why;
	bool has_ip;
	struct ip from;
};

static void tell(struct patience *p, const struct notice *n)
{
	if (p->options.turned_away)
		p->options.turned_away(p->options.ctx, n->why, n->has_ip ? &n->from : NULL);
}

static struct notice notice_of(const struct client *c, enum http_turned_away why)
{
	return (struct notice){.why = why, .has_ip = c->has_ip, .from = c->from};
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static struct party *party_of(struct client *c, unsigned which)
{
	if (which == OF_ALL)
		return &c->owner->all;
	return c->holder ? &c->holder->party : NULL;
}

static void list_append(struct list *l, struct client *c, unsigned which)
{
	c->links[which] = (struct link){.prev = l->last};
	*(l->last ? &l->last->links[which].next : &l->first) = c;
	l->last = c;
	l->n++;
}

static void list_remove(struct list *l, struct client *c, unsigned which)
{
	struct link link = c->links[which];

	*(link.prev ? &link.prev->links[which].next : &l->first) = link.next;
	*(link.next ? &link.next->links[which].prev : &l->last) = link.prev;
	l->n--;
}

/* Out of the lists of its present state, into those of the next, with the time that this one gives. */
static void client_become(struct client *c, enum client_state next)
{
	struct patience *p = c->owner;

	INSIST(lock_is_mine(&p->lock));
	for (unsigned which = 0; which < PARTIES_; which++) {
		struct party *party = party_of(c, which);

		if (party && c->state < CLIENT_LISTS_)
			list_remove(&party->lists[c->state], c, which);
		if (party && next == CLIENT_CUT)
			party->kept--;
	}
	c->state = next;
	if (next >= CLIENT_LISTS_)
		return;
	c->end_ms = clock_mono_ms() + (next == CLIENT_IDLE ? p->options.idle_ms : p->options.request_ms);
	for (unsigned which = 0; which < PARTIES_; which++)
		if (party_of(c, which))
			list_append(&party_of(c, which)->lists[next], c, which);
	/* New times end after most older ones, so this is rare: a good request wakes no thread. */
	if (c->end_ms < p->wakes_ms)
		cond_signal(&p->changed);
}

static void client_cut(struct client *c)
{
	client_become(c, CLIENT_CUT);
	(void)shutdown(c->fd, SHUT_RDWR);
}

/* Its first request is there, or will never come. */
static void client_is_known(struct client *c)
{
	struct patience *p = c->owner;

	INSIST(lock_is_mine(&p->lock));
	if (!c->newcomer)
		return;
	c->newcomer = false;
	if (--p->newcomers == 0)
		cond_broadcast(&p->heard);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static struct holder **holder_place(struct patience *p, const struct ip *ip)
{
	struct holder **place;

	INSIST(lock_is_mine(&p->lock));
	for (place = &p->buckets[ip_hash(ip) % BUCKETS]; *place; place = &(*place)->next)
		if (ip_same(&(*place)->ip, ip))
			break;
	return place;
}

static struct holder *holder_get(struct patience *p, const struct ip *from)
{
	struct ip ip = ip_limit_key(from);
	struct holder **place = holder_place(p, &ip);

	if (!*place) {
		*place = mem_new(1, sizeof(**place));
		(*place)->ip = ip;
	}
	(*place)->clients++;
	return *place;
}

static void holder_put(struct patience *p, struct holder *h)
{
	struct holder **place;

	if (--h->clients > 0)
		return;
	place = holder_place(p, &h->ip);
	INSIST(*place == h);
	*place = h->next;
	free(h);
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

static bool is_over(struct client *c, unsigned which, unsigned limit)
{
	const struct party *party = party_of(c, which);

	return party && limit > 0 && party->kept > limit;
}

/* Whether there is something to tell. */
static bool make_room(struct client *newcomer, unsigned which, unsigned from, struct notice *ret)
{
	const struct patience_options *o = &newcomer->owner->options;
	const unsigned limit = which == OF_ALL ? o->most : o->per_address;
	const struct list *asking, *idle;
	struct client *victim;
	bool beyond;

	INSIST(lock_is_mine(&newcomer->owner->lock));
	if (!is_over(newcomer, which, from))
		return false;
	asking = &party_of(newcomer, which)->lists[CLIENT_ASKING];
	idle = &party_of(newcomer, which)->lists[CLIENT_IDLE];
	/* The newcomer is the last of those who ask: where it is the first, too, it is alone. */
	victim = asking->n > limit / ASKING_SHARE && asking->first != newcomer ? asking->first : idle->first;
	if (victim)
		client_cut(victim);
	/* Still: busy ones take all the room. */
	beyond = is_over(newcomer, which, limit);
	if (beyond)
		newcomer->over = true;
	*ret = notice_of(victim ? victim : newcomer, which == OF_ALL ? HTTP_TURNED_FULL : HTTP_TURNED_ADDRESS);
	return victim || beyond;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* The one whose time ends first, or NULL. */
static struct client *next_to_end(const struct patience *p)
{
	struct client *asking = p->all.lists[CLIENT_ASKING].first, *idle = p->all.lists[CLIENT_IDLE].first;

	if (!asking || !idle)
		return asking ? asking : idle;
	return asking->end_ms <= idle->end_ms ? asking : idle;
}

static void *patience_main(void *arg)
{
	struct patience *p = arg;

	lock_acquire(&p->lock);
	while (!p->stopping) {
		struct client *c = next_to_end(p);

		if (!c || c->end_ms > clock_mono_ms()) {
			/* Until the first time ends, or one is new that ends earlier. */
			p->wakes_ms = c ? c->end_ms : CLOCK_NEVER_MS;
			(void)cond_wait_until(&p->changed, &p->lock, p->wakes_ms);
			p->wakes_ms = 0;
		} else {
			struct notice notice = notice_of(c, HTTP_TURNED_SLOW);
			bool slow = c->state == CLIENT_ASKING;

			client_cut(c);
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

struct patience *patience_new(const struct patience_options *o)
{
	struct patience *p = mem_new(1, sizeof(*p));

	p->options = *o;
	lock_init(&p->lock);
	cond_init(&p->changed);
	cond_init(&p->heard);
	thread_start(&p->thread, "http-patience", patience_main, p);
	return p;
}

void patience_stop(struct patience *p)
{
	lock_acquire(&p->lock);
	p->stopping = true;
	cond_signal(&p->changed);
	lock_release(&p->lock);
	thread_join(p->thread);
}

void patience_free(struct patience *p)
{
	INSIST(p->all.kept == 0 && !next_to_end(p));
	cond_done(&p->heard);
	cond_done(&p->changed);
	lock_done(&p->lock);
	free(p);
}

struct client *patience_arrived(struct patience *p, int fd, const struct ip *from, bool counted)
{
	struct client *c = mem_new(1, sizeof(*c));
	const unsigned most = p->options.most;
	struct notice of_all, of_address;
	bool tell_all, tell_address;

	c->owner = p;
	c->fd = fd;
	c->newcomer = true;
	c->state = CLIENT_BUSY; /* in no list yet */
	c->has_ip = from != NULL;
	if (from)
		c->from = *from;
	lock_acquire(&p->lock);
	if (from && counted)
		c->holder = holder_get(p, from);
	p->newcomers++;
	for (unsigned which = 0; which < PARTIES_; which++)
		if (party_of(c, which))
			party_of(c, which)->kept++;
	client_become(c, CLIENT_ASKING);
	/* First: a client that is cut off for its address leaves room among all, too. */
	tell_address = make_room(c, OF_ADDRESS, p->options.per_address, &of_address);
	tell_all = make_room(c, OF_ALL, most - most / ASKING_SHARE, &of_all);
	lock_release(&p->lock);
	if (tell_address)
		tell(p, &of_address);
	if (tell_all)
		tell(p, &of_all);
	return c;
}

void patience_line(struct client *c)
{
	lock_acquire(&c->owner->lock);
	if (c->state == CLIENT_IDLE)
		client_become(c, CLIENT_ASKING);
	lock_release(&c->owner->lock);
}

bool patience_heard(struct client *c)
{
	bool room;

	lock_acquire(&c->owner->lock);
	client_is_known(c);
	/* Room that came free since is as good. */
	room = !c->over ||
	       (!is_over(c, OF_ALL, c->owner->options.most) && !is_over(c, OF_ADDRESS, c->owner->options.per_address));
	c->over = false;
	lock_release(&c->owner->lock);
	return room;
}

bool patience_whole(struct client *c)
{
	bool kept;

	lock_acquire(&c->owner->lock);
	kept = c->state != CLIENT_CUT;
	if (kept)
		client_become(c, CLIENT_BUSY);
	lock_release(&c->owner->lock);
	return kept;
}

void patience_answering(struct client *c)
{
	lock_acquire(&c->owner->lock);
	if (c->state != CLIENT_CUT)
		client_become(c, CLIENT_ASKING);
	lock_release(&c->owner->lock);
}

void patience_served(struct client *c, bool proven)
{
	lock_acquire(&c->owner->lock);
	client_is_known(c);
	if (c->state != CLIENT_CUT)
		client_become(c, proven ? CLIENT_IDLE : CLIENT_ASKING);
	lock_release(&c->owner->lock);
}

void patience_left(struct client *c)
{
	struct patience *p = c->owner;

	lock_acquire(&p->lock);
	client_is_known(c);
	if (c->state != CLIENT_CUT)
		client_become(c, CLIENT_CUT);
	if (c->holder)
		holder_put(p, c->holder);
	lock_release(&p->lock);
	free(c);
}

void patience_wait_heard(struct patience *p, int64_t until_mono_ms)
{
	lock_acquire(&p->lock);
	while (p->newcomers > 0 && cond_wait_until(&p->heard, &p->lock, until_mono_ms))
		;
	lock_release(&p->lock);
}
