/* SPDX-License-Identifier: MIT */
/*
 * The order of webhooks: which one waits for which. These functions only read; webhook_state.c obeys their results.
 *
 * A webhook waits BEHIND an earlier pending webhook of its conversation. It also waits BEHIND an earlier pending
 * webhook of its customer, unless that one is held by `settle` or waits BEHIND a held one of its own conversation:
 * held webhooks order only their own conversation.
 */
#include <config.h>

#include <stdlib.h>

#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

static const char *const wait_names[] = {
	[STORE_WAIT_NONE] = "ready",
	[STORE_WAIT_TIME] = "settle",
	[STORE_WAIT_RETRY] = "retry",
	[STORE_WAIT_LOOKUP] = "lookup",
	[STORE_WAIT_SLOT] = "slot",
	[STORE_WAIT_BEHIND] = "behind",
	[STORE_WAIT_UNCONFIGURED] = "not configured",
	[STORE_WAIT_PARKED] = "parked",
};
#define WAITS (sizeof(wait_names) / sizeof(*wait_names))

const char *store_wait_name(enum store_wait w)
{
	return (size_t)w < WAITS ? wait_names[w] : "unknown";
}

/* ---- earlier webhooks -------------------------------------------------------------------------------------------- */

/* True where `sql`, a literal, finds a webhook of this conversation or customer (of) before p. */
static bool exists(struct change *c, const char *sql, const struct webhook_brief *p, const char *of)
{
	CHANGE(q, c, sql);
	query_bind_text(&q, p->source);
	query_bind_text(&q, of);
	query_bind_int(&q, p->id);
	return change_step(c, &q);
}

/* Mostly a conversation or a customer has no other pending webhook. To find that takes one look into an index, and the
 * statements below take one for each wait. */
static bool conversation_has_others(struct change *c, const struct webhook_brief *p)
{
	return p->conversation &&
	       exists(c,
		      "SELECT 1 FROM webhooks INDEXED BY webhooks_conversation WHERE state = " SQL_PENDING
		      " AND source = ?1 AND conversation = ?2 AND id <> ?3 LIMIT 1",
		      p, p->conversation);
}

static bool customer_has_others(struct change *c, const struct webhook_brief *p)
{
	return p->customer && exists(c,
				     "SELECT 1 FROM webhooks INDEXED BY webhooks_customer WHERE state = " SQL_PENDING
				     " AND source = ?1 AND customer = ?2 AND id <> ?3 LIMIT 1",
				     p, p->customer);
}

/* INDEXED BY, here and below: SQLite rates the index on `state` as equal and chooses by the order in the file. With
 * that one it would read all undone rows, and fail where one of them is missing. */
bool webhook_is_behind(struct change *c, const struct webhook_brief *p)
{
	if (p->id <= c->store->pending.first)
		return false;
	if (conversation_has_others(c, p) &&
	    exists(c,
		   "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
		   " WHERE i.state = " SQL_PENDING
		   " AND i.source = ?1 AND i.conversation = ?2 AND i.wait IN " SQL_WAITS_ALL
		   " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
		   p, p->conversation))
		return true;
	if (!customer_has_others(c, p))
		return false;
	if (exists(c,
		   "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
		   " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2"
		   " AND i.wait IN " SQL_WAITS_OF_CUSTOMER " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
		   p, p->customer))
		return true;
	/* It is also behind a webhook that is itself BEHIND, unless that one waits for a held one of its conversation.
	 */
	return store_webhooks_may_wait(c->store, STORE_WAIT_BEHIND) &&
	       exists(c,
		      "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
		      " AND i.source = ?1 AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND
		      " AND i.id < ?3 AND w.state = " SQL_PENDING
		      " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id"
		      " WHERE h.state = " SQL_PENDING " AND h.source = ?1 AND h.conversation = w.conversation"
		      " AND h.wait = " SQL_WAIT_TIME " AND h.id < i.id AND g.state = " SQL_PENDING ") LIMIT 1",
		      p, p->customer);
}

int store_webhook_is_behind(struct store *s, const struct webhook *w, struct err *reterr)
{
	const struct webhook_brief p = {
		.id = w->id, .source = w->source, .conversation = w->conversation, .customer = w->customer};
	struct change c = change_begin(s, reterr);
	bool behind = webhook_is_behind(&c, &p);
	int r = change_end(&c);

	return r < 0 ? r : behind;
}

bool webhook_is_behind_held(struct change *c, const struct webhook_brief *p)
{
	return exists(c,
		      "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
		      " AND i.source = ?1 AND i.conversation = ?2 AND i.wait = " SQL_WAIT_TIME
		      " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
		      p, p->conversation);
}

bool webhook_conversation_progresses(struct change *c, const struct webhook_brief *p)
{
	return exists(c,
		      "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
		      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.conversation = ?2"
		      " AND i.wait IN " SQL_WAITS_PROGRESSING " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
		      p, p->conversation);
}

bool webhook_customer_progresses(struct change *c, const struct webhook_brief *p)
{
	return exists(c,
		      "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
		      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2"
		      " AND i.wait IN " SQL_WAITS_PROGRESSING " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
		      p, p->customer);
}

/* ---- of one conversation ----------------------------------------------------------------------------------------- */

/* Most calls end at one of the first, because the webhook is behind another one. */
#define NEIGHBOURS_FIRST 16
#define NEIGHBOURS_ALL (-1)

struct neighbours {
	struct store_neighbour *items;
	size_t n;
	int64_t last_id; /* the newest id from the index; its row may be unreadable */
	int named;       /* the number of ids that the last load found */
};

static int by_id(const void *a, const void *b)
{
	const struct store_neighbour *one = a;
	const struct store_neighbour *other = b;

	return (one->id > other->id) - (one->id < other->id);
}

/* Replaces the items by the next ones in order of receipt, at most max; by none after a failure. The subquery selects
 * them by the index alone, so that only their rows are read. A join has no order without an ORDER BY, which takes
 * SQLite a third of the time; qsort costs hardly anything. */
static void neighbours_load(struct change *c, const char *source, const char *conversation, int64_t max,
			    struct neighbours *to)
{
	CHANGE(q, c,
	       "SELECT i.id, w.state, w.wait, w.received, w.transition, t.time, t.undated FROM"
	       " (SELECT id FROM webhooks INDEXED BY webhooks_conversation WHERE state = " SQL_PENDING
	       " AND source = ?1 AND conversation = ?2 AND id > ?3 ORDER BY id LIMIT ?4) i"
	       " LEFT JOIN webhooks w ON w.id = i.id LEFT JOIN webhook_times t ON t.id = i.id");
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	query_bind_int(&q, to->last_id);
	query_bind_int(&q, max);
	to->named = 0;
	to->n = 0;
	while (change_step(c, &q)) {
		struct store_neighbour n = {.id = query_int(&q)};

		if (to->last_id < n.id)
			to->last_id = n.id;
		to->named++;
		(void)query_enum(&q, N_PENDING + 1);
		n.wait = (enum store_wait)query_enum(&q, (int)WAITS);
		n.received_ms = query_int(&q);
		n.transition = (enum transition)query_enum(&q, TRANSITION_EXPIRED + 1);
		/* An unreadable webhook, or one that is not pending, ends with its reason when its pass runs. */
		if (q.bad)
			continue;
		n.time_ms = query_int(&q);
		n.undated = query_enum(&q, 2);
		n.is_timed = !q.bad;
		MEM_ROOM(to->items, to->n);
		to->items[to->n++] = n;
	}
	if (c->status < 0)
		to->n = 0;
	if (to->n > 0)
		qsort(to->items, to->n, sizeof(*to->items), by_id);
}

int store_webhooks_of_conversation(struct store *s, const char *source, const char *conversation,
				   int (*fn)(void *ctx, const struct store_neighbour *n), void *ctx, struct err *reterr)
{
	struct neighbours some = {.last_id = INT64_MIN};
	struct change c = change_begin(s, reterr);
	int64_t max = NEIGHBOURS_FIRST;
	bool is_more;
	int r = 0;

	do {
		neighbours_load(&c, source, conversation, max, &some);
		for (size_t i = 0; r == 0 && i < some.n; i++)
			r = fn(ctx, &some.items[i]);
		is_more = some.named == max;
		max = NEIGHBOURS_ALL;
	} while (r == 0 && is_more);
	free(some.items);
	return r < 0 ? r : change_end(&c);
}
