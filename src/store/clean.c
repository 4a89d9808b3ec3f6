/*
 * What is past its time goes in small steps, oldest first, each found by an index. While the store is above four fifths
 * of max_size, or the disk has hardly room for new webhooks, the oldest done webhooks and delivered events go before
 * their time, so that what fills it in the end is undone work.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define DELIVERIES_MS (7 * CLOCK_DAY_MS)
#define CUSTOMERS_MS CLOCK_DAY_MS

struct cleaning {
	struct store *store;
	size_t left; /* rows that this step may still delete */
	int status;
	struct err *reterr;
};

static void cleaned(struct cleaning *c, int r)
{
	if (r < 0)
		c->status = r;
	else
		c->left -= (size_t)r < c->left ? (size_t)r : c->left;
}

static bool may_clean(const struct cleaning *c)
{
	return c->status == 0 && c->left > 0;
}

/* ---- webhooks and events ----------------------------------------------------------------------------------------- */

/* A body whose pages are damaged cannot be deleted and stays; its row goes all the same. */
static int body_delete(struct store *s, const char *sql, int64_t id, struct err *reterr)
{
	int r;

	QUERY(q, s, sql, reterr);
	query_bind_int(&q, id);
	r = query_run(&q);
	if (r != -EUCLEAN)
		return r;
	loss_note(s, STORE_LOSS_OTHER, id, NULL, "the text of a row past its time is damaged and stays in the file");
	return 0;
}

static int webhook_delete(struct store *s, int64_t id, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	struct change c = change_begin(s, reterr);
	bool found = webhook_place_find(&c, id, &p);

	if (!found)
		return change_end(&c);
	c.status = body_delete(s, "DELETE FROM webhook_bodies WHERE id = ?1", id, reterr);
	if (c.status > 0)
		c.status = 0;
	(void)change_by_id(&c, "DELETE FROM webhooks WHERE id = ?1", id);
	if (c.status == 0)
		counts_move(s, COUNT_WEBHOOKS, p.source, (int)p.state, (int)p.wait, COUNT_NOWHERE, 0);
	return change_end(&c);
}

static void clean_webhooks(struct cleaning *c, int64_t until_ms, size_t max)
{
	CLEANUP(ids_done) struct ids ids = {0};

	if (!may_clean(c))
		return;
	QUERY(q, c->store,
	      "SELECT w.id FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_WEBHOOK_DONE
	      " AND i.wait = " SQL_WAIT_NONE " AND i.ended <= ?1 AND w.state = " SQL_WEBHOOK_DONE
	      " ORDER BY i.ended LIMIT ?2",
	      c->reterr);
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)(max < c->left ? max : c->left));
	c->status = query_ids(&q, &ids);
	query_close(&q);
	for (size_t i = 0; c->status == 0 && i < ids.n; i++)
		c->status = webhook_delete(c->store, ids.items[i], c->reterr);
	cleaned(c, c->status < 0 ? c->status : (int)ids.n);
}

static int event_delete(struct store *s, int64_t id, struct err *reterr)
{
	CLEANUP(mem_freep) char *account = NULL;
	int r;

	r = body_delete(s, "DELETE FROM event_bodies WHERE id = ?1", id, reterr);
	if (r < 0)
		return r;
	QUERY(row, s, "DELETE FROM events WHERE id = ?1 RETURNING account", reterr);
	query_bind_int(&row, id);
	r = query_step(&row);
	if (r <= 0)
		return r;
	account = query_text(&row);
	/* A deletion that returns rows is over when they have been taken. */
	r = query_step(&row);
	if (r < 0)
		return r;
	counts_move(s, COUNT_EVENTS, account, EVENT_DELIVERED, 0, COUNT_NOWHERE, 0);
	return 0;
}

static void clean_events(struct cleaning *c, int64_t until_ms, size_t max)
{
	CLEANUP(ids_done) struct ids ids = {0};

	if (!may_clean(c))
		return;
	QUERY(q, c->store,
	      "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.state = " SQL_DELIVERED
	      " AND i.ended <= ?1"
	      " AND e.state = " SQL_DELIVERED " ORDER BY i.ended LIMIT ?2",
	      c->reterr);
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)(max < c->left ? max : c->left));
	c->status = query_ids(&q, &ids);
	query_close(&q);
	for (size_t i = 0; c->status == 0 && i < ids.n; i++)
		c->status = event_delete(c->store, ids.items[i], c->reterr);
	cleaned(c, c->status < 0 ? c->status : (int)ids.n);
}

/* ---- digests and customers --------------------------------------------------------------------------------------- */

/* Ids follow the order of receipt, so the oldest stand first and no index on the time is needed. Among them may be some
 * that were received by a clock that was ahead: they are as old as their neighbours, and go with the ones behind them.
 */
static void clean_deliveries(struct cleaning *c, int64_t until_ms, int64_t now_ms)
{
	int64_t last = 0;
	size_t seen = 0;
	int r = 0;

	if (!may_clean(c))
		return;
	QUERY(q, c->store, "SELECT id, received FROM deliveries WHERE id > 0 ORDER BY id", c->reterr);
	while (seen < c->left && (r = query_step(&q)) > 0) {
		int64_t id = query_int(&q), received_ms = query_int(&q);

		if (received_ms > now_ms)
			continue;
		if (received_ms > until_ms)
			break;
		last = id;
		seen++;
	}
	query_close(&q);
	if (r >= 0 && last > 0) {
		QUERY(gone, c->store,
		      "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id <= ?1 ORDER BY id LIMIT "
		      "?2)",
		      c->reterr);
		query_bind_int(&gone, last);
		query_bind_int(&gone, (int64_t)c->left);
		cleaned(c, query_run(&gone));
	} else if (r < 0) {
		c->status = r;
	}
}

static void clean_customers(struct cleaning *c, int64_t until_ms)
{
	if (!may_clean(c))
		return;
	QUERY(q, c->store,
	      "DELETE FROM customers WHERE (source, customer) IN"
	      " (SELECT c.source, c.customer FROM customers i CROSS JOIN customers c ON c.source = i.source"
	      " AND c.customer = i.customer WHERE i.saved <= ?1 ORDER BY i.saved LIMIT ?2)",
	      c->reterr);
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)c->left);
	cleaned(c, query_run(&q));
}

/* ---- conversations ----------------------------------------------------------------------------------------------- */

static int row_delete(struct store *s, const char *sql, int64_t id, struct err *reterr)
{
	QUERY(q, s, sql, reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

/* A row that takes no change is deleted. */
static int reached_digest(struct store *s, int64_t id, const char *email, struct err *reterr)
{
	unsigned char sum[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();
	int r;

	digest_add(d, email, strlen(email));
	digest_end(d, sum);
	QUERY(q, s, "UPDATE reached SET email = NULL, digest = ?2 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_blob(&q, sum, DIGEST_DELIVERY_BYTES);
	r = query_run(&q);
	return r == -EBADMSG ? row_delete(s, "DELETE FROM reached WHERE id = ?1", id, reterr) : r;
}

static int conversation_delete(struct store *s, int64_t id, struct err *reterr)
{
	int r;

	QUERY(reached, s,
	      "DELETE FROM reached WHERE id IN (SELECT r.id FROM reached i CROSS JOIN reached r ON r.id = i.id"
	      " WHERE i.conversation = ?1 AND r.conversation = ?1)",
	      reterr);
	query_bind_int(&reached, id);
	r = query_run(&reached);
	if (r < 0)
		return r;
	QUERY(marks, s, "DELETE FROM marks WHERE conversation = ?1", reterr);
	query_bind_int(&marks, id);
	r = query_run(&marks);
	if (r < 0)
		return r;
	QUERY(row, s, "DELETE FROM conversations WHERE id = ?1", reterr);
	query_bind_int(&row, id);
	return query_run(&row);
}

/* Only who was reached and when is needed by now, not at which address. */
static int conversation_digest(struct store *s, int64_t id, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r;

	QUERY(rows, s,
	      "SELECT r.id FROM reached i CROSS JOIN reached r ON r.id = i.id WHERE i.conversation = ?1"
	      " AND r.conversation = ?1 AND r.email IS NOT NULL",
	      reterr);
	query_bind_int(&rows, id);
	r = query_ids(&rows, &ids);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		CLEANUP(mem_freep) char *email = NULL;

		QUERY(row, s, "SELECT email FROM reached WHERE id = ?1", reterr);
		query_bind_int(&row, ids.items[i]);
		r = query_step(&row);
		if (r <= 0)
			continue;
		email = query_text(&row);
		query_close(&row);
		r = reached_digest(s, ids.items[i], email, reterr);
	}
	if (r < 0)
		return r;
	QUERY(done, s, "UPDATE conversations SET clear = 0 WHERE id = ?1", reterr);
	query_bind_int(&done, id);
	r = query_run(&done);
	return r == -EBADMSG ? conversation_delete(s, id, reterr) : r;
}

static void clean_conversations(struct cleaning *c, bool clear, int64_t until_ms,
				int (*fn)(struct store *s, int64_t id, struct err *reterr))
{
	CLEANUP(ids_done) struct ids ids = {0};

	if (!may_clean(c))
		return;
	QUERY(q, c->store,
	      "SELECT c.id FROM conversations i CROSS JOIN conversations c ON c.id = i.id WHERE i.state <> " SQL_OPEN
	      " AND i.clear = ?1 AND i.changed <= ?2 AND c.state <> " SQL_OPEN
	      " AND c.clear = ?1 ORDER BY i.changed LIMIT ?3",
	      c->reterr);
	query_bind_int(&q, clear);
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)c->left);
	c->status = query_ids(&q, &ids);
	query_close(&q);
	for (size_t i = 0; c->status >= 0 && i < ids.n; i++)
		c->status = fn(c->store, ids.items[i], c->reterr);
	if (c->status > 0)
		c->status = 0;
	cleaned(c, c->status < 0 ? c->status : (int)ids.n);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

/* Until when a stamp is older than this age; never where no such age may be judged now. */
static int64_t older_ms(const struct store *s, int64_t now_ms, int64_t age_ms)
{
	int64_t ms;

	return age_ms > s->longest_age_ms || __builtin_sub_overflow(now_ms, age_ms, &ms) ? INT64_MIN : ms;
}

int store_clean(struct store *s, int64_t retention_ms, int64_t remember_ms, int64_t now_ms, size_t max,
		struct err *reterr)
{
	struct cleaning c = {.store = s, .left = max, .reterr = reterr};
	int64_t deliveries_ms = retention_ms > DELIVERIES_MS ? retention_ms : DELIVERIES_MS;

	store_tell(s, now_ms);
	clean_webhooks(&c, older_ms(s, now_ms, retention_ms), max);
	clean_events(&c, older_ms(s, now_ms, retention_ms), max);
	clean_deliveries(&c, older_ms(s, now_ms, deliveries_ms), now_ms);
	clean_customers(&c, older_ms(s, now_ms, CUSTOMERS_MS));
	clean_conversations(&c, true, older_ms(s, now_ms, remember_ms), conversation_delete);
	clean_conversations(&c, false, older_ms(s, now_ms, remember_ms), conversation_delete);
	clean_conversations(&c, true, older_ms(s, now_ms, retention_ms), conversation_digest);
	if (may_clean(&c) && store_is_tight(s)) {
		clean_webhooks(&c, INT64_MAX, (c.left + 1) / 2);
		clean_events(&c, INT64_MAX, c.left);
	}
	return c.status < 0 ? c.status : (int)(max - c.left);
}
