/*
 * Which pending webhooks are ready, and who waits for whom. Letting many go at once: release.c.
 *
 * Order: a webhook waits BEHIND an earlier pending one of its conversation, and behind an earlier pending one of its
 * customer unless that one is only held by `settle` (or stands behind such a one in its own conversation), because held
 * webhooks order their own conversation only.
 *
 * Progress: of those that wait BEHIND in one conversation each also waits for the one before it, and so do those of one
 * customer. So it is enough to let the first of each go when one ends or comes to be held: it goes on, or it finds
 * another that it is behind, which will let it go in turn. That makes an end O(log n) however many wait. Whoever was
 * let go asks store_webhook_is_behind again, so letting too many go costs time only.
 */
#include <config.h>

#include <errno.h>

#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"

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

/* ---- moving ------------------------------------------------------------------------------------------------------ */

int webhook_make_ready(struct store *s, const struct webhook_claim *claim, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	struct err why = {0};
	int r = webhook_place_load(s, claim->id, &p, reterr);

	if (r == -ENOENT || (r == 0 && (p.state != STORE_WEBHOOK_PENDING || p.wait != claim->wait)))
		return webhook_mend(s, claim, reterr);
	if (r < 0)
		return r;
	r = webhook_move(s, &p, STORE_WEBHOOK_PENDING, STORE_WAIT_NONE, 0, &why);
	if (r == -EBADMSG) {
		loss_note(s, STORE_LOSS_WEBHOOK, p.id, p.source, why.text);
		return store_webhook_dead(s, p.id, why.text, reterr);
	}
	return r < 0 ? err_set(reterr, r, "%s", why.text) : 0;
}

int webhooks_make_ready(struct store *s, const struct ids *ids, const struct webhook_claim *claim, struct err *reterr)
{
	struct webhook_claim one = *claim;

	for (size_t i = 0; i < ids->n; i++) {
		int r;

		one.id = ids->items[i];
		r = webhook_make_ready(s, &one, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int query_make_ready(struct query *q, struct store *s, const struct webhook_claim *claim, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r = query_ids(q, &ids);

	query_close(q);
	return r < 0 ? r : webhooks_make_ready(s, &ids, claim, reterr);
}

static int let_go_of_conversation(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	const struct webhook_claim claim = {
		.wait = STORE_WAIT_BEHIND,
		.source = p->source,
		.conversation = p->conversation,
	};

	if (!p->conversation)
		return 0;
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND conversation = ?2 AND wait = " SQL_WAIT_BEHIND " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	return query_make_ready(&q, s, &claim, reterr);
}

/* Those behind a held one of their own conversation keep nobody of their customer waiting, and so stand back here too.
 */
static int let_go_of_customer(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	const struct webhook_claim claim = {
		.wait = STORE_WAIT_BEHIND,
		.source = p->source,
		.customer = p->customer,
	};

	if (!p->customer)
		return 0;
	/* By a LEFT JOIN, so that one whose row is not there is found too. */
	QUERY(q, s,
	      "SELECT i.id FROM webhooks i LEFT JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND
	      " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id WHERE"
	      " h.state = " SQL_PENDING
	      " AND h.source = ?1 AND h.conversation = w.conversation AND h.wait = " SQL_WAIT_TIME
	      " AND h.id < i.id AND g.state = " SQL_PENDING ")"
	      " ORDER BY i.id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	return query_make_ready(&q, s, &claim, reterr);
}

int webhook_let_go(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	int r = let_go_of_conversation(s, p, reterr);

	return r < 0 ? r : let_go_of_customer(s, p, reterr);
}

/* 1: what it waits for is a held one of its own conversation. */
static int webhook_is_behind_held(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	if (!p->conversation)
		return 0;
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
	      " AND i.source = ?1"
	      " AND i.conversation = ?2 AND i.wait = " SQL_WAIT_TIME " AND i.id < ?3 AND w.state = " SQL_PENDING
	      " LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	query_bind_int(&q, p->id);
	return query_step(&q);
}

/* 1: one that may end by itself stands before it in its conversation. */
static int conversation_goes_on(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING
	      " AND i.source = ?1 AND i.conversation = ?2 AND i.wait IN " SQL_WAITS_GOING_ON
	      " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	query_bind_int(&q, p->id);
	return query_step(&q);
}

static int customer_goes_on(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2 AND i.wait IN " SQL_WAITS_GOING_ON
	      " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	query_bind_int(&q, p->id);
	return query_step(&q);
}

/* The one that the query finds, where nothing is before it any more. */
static int wake(struct query *q, struct store *s, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	struct webhook_claim claim = {.wait = STORE_WAIT_BEHIND};
	int r = query_one_int(q, &claim.id);

	query_close(q);
	if (r <= 0)
		return r;
	r = webhook_place_load(s, claim.id, &p, reterr);
	if (r == -ENOENT)
		return webhook_mend(s, &claim, reterr);
	if (r == 0)
		r = store_webhook_is_behind(
			s,
			&(struct webhook){
				.id = p.id, .source = p.source, .conversation = p.conversation, .customer = p.customer},
			reterr);
	return r != 0 ? (r < 0 ? r : 0) : webhook_make_ready(s, &claim, reterr);
}

static int wake_of_conversation(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND conversation = ?2 AND wait = " SQL_WAIT_BEHIND " AND id < ?3"
	      " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	query_bind_int(&q, p->id);
	return wake(&q, s, reterr);
}

static int wake_of_customer(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND customer = ?2 AND wait = " SQL_WAIT_BEHIND " AND id < ?3"
	      " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	query_bind_int(&q, p->id);
	return wake(&q, s, reterr);
}

/* Where all that stand before it wait BEHIND as well, the one they waited for may have been deleted by hand: then
 * nobody would ever let them go. The first goes on where nothing is before it. */
static int wake_the_first(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	int r = p->conversation ? conversation_goes_on(s, p, reterr) : 1;

	if (r == 0)
		r = wake_of_conversation(s, p, reterr);
	if (r >= 0)
		r = p->customer ? customer_goes_on(s, p, reterr) : 1;
	if (r == 0)
		r = wake_of_customer(s, p, reterr);
	return r < 0 ? r : 0;
}

int store_webhook_wait(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	bool timed = why == STORE_WAIT_TIME || why == STORE_WAIT_RETRY;
	int r = webhook_place_load(s, id, &p, reterr);

	if (r < 0)
		return r;
	if (p.state != STORE_WEBHOOK_PENDING)
		return err_set(reterr, -ENOENT, "the webhook %016llx is not pending", (long long)id);
	/* Not before 1 ms: 0 says that there is no time to wait for. */
	r = webhook_move(s, &p, STORE_WEBHOOK_PENDING, why, !timed ? 0 : not_before_ms > 0 ? not_before_ms : 1, reterr);
	if (r < 0)
		return r;
	if (why == STORE_WAIT_TIME)
		return webhook_let_go(s, &p, reterr);
	if (why != STORE_WAIT_BEHIND)
		return 0;
	r = wake_the_first(s, &p, reterr);
	if (r < 0)
		return r;
	r = webhook_is_behind_held(s, &p, reterr);
	return r <= 0 ? r : let_go_of_customer(s, &p, reterr);
}

/* ---- ready ------------------------------------------------------------------------------------------------------- */

/* One that is lost costs a look through the indexes of all that is undone: so many a call. */
#define MENDS_MAX 16

/* As an index names them. */
static int ready_ids(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr)
{
	size_t n = 0;
	int r;

	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait = " SQL_WAIT_NONE
	      " AND ended = 0 ORDER BY id LIMIT ?1",
	      reterr);
	query_bind_int(&q, (int64_t)max);
	while ((r = query_step(&q)) > 0)
		ret_ids[n++] = query_int(&q);
	return r < 0 ? r : (int)n;
}

/* As the row says. */
static int is_ready(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks WHERE id = ?1 AND +state = " SQL_PENDING " AND +wait = " SQL_WAIT_NONE
	      " AND +ended = 0",
	      reterr);
	query_bind_int(&q, id);
	return query_step(&q);
}

int store_webhooks_ready(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr)
{
	int n = ready_ids(s, ret_ids, max, reterr);
	unsigned mended = 0;

	for (int i = 0; s->in_transaction && i < n && mended < MENDS_MAX; i++) {
		const struct webhook_claim claim = {.id = ret_ids[i], .wait = STORE_WAIT_NONE};
		int r = is_ready(s, claim.id, reterr);

		if (r > 0)
			continue;
		if (r == 0)
			r = webhook_mend(s, &claim, reterr);
		if (r < 0)
			return r;
		mended++;
		n = ready_ids(s, ret_ids, max, reterr);
		i = -1;
	}
	return n;
}

/* INDEXED BY, here and above: the index on `state` serves as well in SQLite's eyes, and which one it takes depends on
 * their order in the file. By that one it would read all undone rows, and fail where one of them is not there. */

/* ---- behind ------------------------------------------------------------------------------------------------------ */

static int behind_conversation(struct store *s, const struct webhook *w, struct err *reterr)
{
	if (!w->conversation)
		return 0;
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i INDEXED BY webhooks_conversation CROSS JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.conversation = ?2 AND i.wait IN " SQL_WAITS_ALL
	      " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
	      reterr);
	query_bind_text(&q, w->source);
	query_bind_text(&q, w->conversation);
	query_bind_int(&q, w->id);
	return query_step(&q);
}

static int behind_customer(struct store *s, const struct webhook *w, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i INDEXED BY webhooks_customer CROSS JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING
	      " AND i.source = ?1 AND i.customer = ?2 AND i.wait IN " SQL_WAITS_OF_CUSTOMER
	      " AND i.id < ?3 AND w.state = " SQL_PENDING " LIMIT 1",
	      reterr);
	query_bind_text(&q, w->source);
	query_bind_text(&q, w->customer);
	query_bind_int(&q, w->id);
	return query_step(&q);
}

/* Behind one that is itself BEHIND, unless that one only waits for a held one of its conversation. */
static int behind_the_behind(struct store *s, const struct webhook *w, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
	      " AND i.source = ?1"
	      " AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND " AND i.id < ?3 AND w.state = " SQL_PENDING
	      " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id WHERE"
	      " h.state = " SQL_PENDING
	      " AND h.source = ?1 AND h.conversation = w.conversation AND h.wait = " SQL_WAIT_TIME
	      " AND h.id < i.id AND g.state = " SQL_PENDING ")"
	      " LIMIT 1",
	      reterr);
	query_bind_text(&q, w->source);
	query_bind_text(&q, w->customer);
	query_bind_int(&q, w->id);
	return query_step(&q);
}

int store_webhook_is_behind(struct store *s, const struct webhook *w, struct err *reterr)
{
	int r = behind_conversation(s, w, reterr);

	if (r != 0 || !w->customer)
		return r;
	r = behind_customer(s, w, reterr);
	return r != 0 ? r : behind_the_behind(s, w, reterr);
}

/* ---- of one conversation ----------------------------------------------------------------------------------------- */

/* -ENOENT: it is not pending any more. */
static int webhook_waits(struct store *s, int64_t id, enum store_wait *ret_why, int64_t *ret_not_before_ms,
			 struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT wait, not_before FROM webhooks WHERE id = ?1 AND state = " SQL_PENDING, reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r < 0 ? r : err_set(reterr, -ENOENT, "the webhook %016llx is not pending", (long long)id);
	*ret_why = (enum store_wait)query_enum(&q, (int)WAITS);
	*ret_not_before_ms = query_int(&q);
	return 0;
}

int store_webhooks_of_conversation(struct store *s, const char *source, const char *conversation,
				   int (*fn)(void *ctx, const struct webhook *w, enum store_wait why,
					     int64_t not_before_ms),
				   void *ctx, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r;

	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND source = ?1 AND conversation = ?2 ORDER BY id",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	r = query_ids(&q, &ids);
	query_close(&q);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		struct webhook w = {0};
		enum store_wait wait = STORE_WAIT_NONE;
		int64_t not_before = 0;

		r = webhook_waits(s, ids.items[i], &wait, &not_before, reterr);
		if (r == 0)
			r = store_webhook_load(s, ids.items[i], &w, reterr);
		if (r == -EBADMSG || r == -ENOENT) {
			/* It has ended meanwhile, or does so with its reason when it is taken. */
			r = 0;
			continue;
		}
		if (r < 0)
			break;
		r = fn(ctx, &w, wait, not_before);
		webhook_done(&w);
		if (r != 0)
			return 0;
	}
	return r;
}
