/*
 * Who waits for whom: questions only. What becomes of the answers: webhook_state.c.
 *
 * Order: a webhook waits BEHIND an earlier pending one of its conversation, and behind an earlier pending one of its
 * customer unless that one is only held by `settle` (or stands behind such a one in its own conversation), because held
 * webhooks order their own conversation only.
 */
#include <config.h>

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

/* ---- who stands before whom -------------------------------------------------------------------------------------- */

/* Whether the query finds one that stands before p in its conversation, or among those of its customer. */
static bool finds_one(struct change *c, struct query *q, const struct webhook_place *p, const char *of)
{
	query_bind_text(q, p->source);
	query_bind_text(q, of);
	query_bind_int(q, p->id);
	return change_step(c, q);
}

/* INDEXED BY: the index on `state` serves as well in SQLite's eyes, and which one it takes depends on their order in
 * the file. By that one it would read all undone rows, and fail where one of them is not there. */
static bool behind_conversation(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
	       " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.conversation = ?2 AND i.wait IN " SQL_WAITS_ALL
	       " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1");
	return finds_one(c, &q, p, p->conversation);
}

static bool behind_customer(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
	       " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2"
	       " AND i.wait IN " SQL_WAITS_OF_CUSTOMER " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1");
	return finds_one(c, &q, p, p->customer);
}

/* Behind one that is itself BEHIND, unless that one only waits for a held one of its conversation. */
static bool behind_the_behind(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
	       " AND i.source = ?1 AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND
	       " AND i.id < ?3 AND w.state = " SQL_PENDING
	       " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id"
	       " WHERE h.state = " SQL_PENDING " AND h.source = ?1 AND h.conversation = w.conversation"
	       " AND h.wait = " SQL_WAIT_TIME " AND h.id < i.id AND g.state = " SQL_PENDING ") LIMIT 1");
	return finds_one(c, &q, p, p->customer);
}

bool webhook_is_behind(struct change *c, const struct webhook_place *p)
{
	return (p->conversation && behind_conversation(c, p)) ||
	       (p->customer && (behind_customer(c, p) || behind_the_behind(c, p)));
}

int store_webhook_is_behind(struct store *s, const struct webhook *w, struct err *reterr)
{
	const struct webhook_place p = {
		.id = w->id, .source = w->source, .conversation = w->conversation, .customer = w->customer};
	struct change c = change_begin(s, reterr);
	bool behind = webhook_is_behind(&c, &p);
	int r = change_end(&c);

	return r < 0 ? r : behind;
}

bool webhook_is_behind_held(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
	       " AND i.source = ?1 AND i.conversation = ?2 AND i.wait = " SQL_WAIT_TIME
	       " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1");
	return finds_one(c, &q, p, p->conversation);
}

bool webhook_conversation_goes_on(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
	       " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.conversation = ?2"
	       " AND i.wait IN " SQL_WAITS_GOING_ON " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1");
	return finds_one(c, &q, p, p->conversation);
}

bool webhook_customer_goes_on(struct change *c, const struct webhook_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
	       " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2"
	       " AND i.wait IN " SQL_WAITS_GOING_ON " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1");
	return finds_one(c, &q, p, p->customer);
}

/* ---- of one conversation ----------------------------------------------------------------------------------------- */

/* Whether it is pending and reads. */
static bool neighbour_load(struct change *c, int64_t id, struct store_neighbour *ret)
{
	CHANGE(q, c,
	       "SELECT w.wait, w.received, w.transition, t.time, t.undated FROM webhooks w"
	       " LEFT JOIN webhook_times t ON t.id = w.id WHERE w.id = ?1 AND w.state = " SQL_PENDING);
	query_bind_int(&q, id);
	if (!change_step(c, &q))
		return false;
	*ret = (struct store_neighbour){.id = id};
	ret->wait = (enum store_wait)query_enum(&q, (int)WAITS);
	ret->received_ms = query_int(&q);
	ret->transition = (enum transition)query_enum(&q, TRANSITION_EXPIRED + 1);
	if (q.bad)
		return false;
	ret->time_ms = query_int(&q);
	ret->undated = query_enum(&q, 2);
	ret->is_timed = !q.bad;
	return true;
}

int store_webhooks_of_conversation(struct store *s, const char *source, const char *conversation,
				   int (*fn)(void *ctx, const struct store_neighbour *n), void *ctx, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	struct change c = change_begin(s, reterr);

	CHANGE(q, &c,
	       "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	       " AND source = ?1 AND conversation = ?2 ORDER BY id");
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	change_ids(&c, &q, &ids);
	for (size_t i = 0; i < ids.n && c.status == 0; i++) {
		struct store_neighbour n;
		int r;

		/* One that has ended meanwhile, or does so with its reason when it is taken, is passed over. */
		if (!neighbour_load(&c, ids.items[i], &n))
			continue;
		r = fn(ctx, &n);
		if (r != 0)
			return r < 0 ? r : change_end(&c);
	}
	return change_end(&c);
}
