/* SPDX-License-Identifier: MIT */
/*
 * Webhooks: inserts and loads them, and counts their tries and lookups. The row that changes is narrow; path, headers
 * and body are in webhook_bodies. webhook_state.c changes their states.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define HEADERS_MAX (256 * 1024)

/* ---- headers as bytes -------------------------------------------------------------------------------------------- */

static void headers_write(const struct pairs *headers, struct buf *to)
{
	for (size_t i = 0; i < headers->n; i++) {
		buf_add(to, headers->items[i].name, strlen(headers->items[i].name) + 1);
		buf_add(to, headers->items[i].value, strlen(headers->items[i].value) + 1);
	}
}

/* Reads name NUL value NUL …; anything else is -EBADMSG. */
static int headers_read(const char *bytes, size_t n, struct pairs *ret)
{
	const char *end = bytes + n;

	if (n > 0 && end[-1] != '\0')
		return -EBADMSG;
	while (bytes < end) {
		const char *value = bytes + strlen(bytes) + 1;

		if (value >= end)
			return -EBADMSG;
		pairs_add(ret, bytes, value);
		bytes = value + strlen(value) + 1;
	}
	return 0;
}

/* ---- inserting --------------------------------------------------------------------------------------------------- */

static void row_insert(struct change *c, struct webhook *w, enum store_webhook_state state, const char *result)
{
	int64_t now_ms = c->store->now_ms > w->received_ms ? c->store->now_ms : w->received_ms;

	CHANGE(q, c,
	       "INSERT INTO webhooks (id, source, state, wait, not_before, ended, received, read, transition,"
	       " conversation, customer, result) VALUES (?1, ?2, ?3, " SQL_WAIT_NONE
	       ", 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
	query_bind_int(&q, w->id);
	query_bind_text(&q, w->source);
	query_bind_int(&q, (int64_t)state);
	query_bind_int(&q, state == STORE_WEBHOOK_DONE ? now_ms : 0);
	query_bind_int(&q, w->received_ms);
	query_bind_int(&q, w->read);
	query_bind_int(&q, (int64_t)w->transition);
	query_bind_text(&q, w->conversation);
	query_bind_text(&q, w->customer);
	query_bind_text(&q, result);
	if (change_run(c, &q) > 0)
		id_given(c->store, IDS_WEBHOOKS, w->id);
}

/* Inserts the rows of the other tables. OR REPLACE: a row that already has the new webhook's id belongs to none. */
static void body_insert(struct change *c, const struct webhook *w, const struct buf *headers)
{
	CHANGE(body, c,
	       "INSERT OR REPLACE INTO webhook_bodies (id, path, query, headers, delivery, body)"
	       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	query_bind_int(&body, w->id);
	query_bind_text(&body, w->path ? w->path : "");
	query_bind_text(&body, w->query ? w->query : "");
	query_bind_blob(&body, headers->data, headers->len);
	query_bind_blob(&body, w->delivery, w->has_delivery ? sizeof(w->delivery) : 0);
	query_bind_blob(&body, w->body, w->body_len);
	(void)change_run(c, &body);
	if (w->has_delivery)
		delivery_add(c, w);
}

int store_webhook_is_repeat(struct store *s, const struct webhook *w, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	bool known = w->has_delivery && delivery_is_known(&c, w);

	return c.status < 0 ? c.status : known;
}

int store_webhook_next_id(struct store *s, int64_t *ret, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	*ret = id_next(&c, IDS_WEBHOOKS);
	return change_end(&c);
}

int store_webhooks_any_pending(struct store *s, struct err *reterr)
{
	int r;

	if (pending_is_none(s))
		return 0;
	QUERY(q, s, "SELECT 1 FROM webhooks WHERE state = " SQL_PENDING " LIMIT 1", reterr);
	r = query_step(&q);
	if (r == 0)
		pending_none(s);
	return r;
}

int store_webhook_insert(struct store *s, struct webhook *w, const char *dead_reason, const char *result,
			 struct err *reterr)
{
	CLEANUP(buf_done) struct buf headers;
	enum store_webhook_state state = dead_reason ? STORE_WEBHOOK_DEAD
					 : result    ? STORE_WEBHOOK_DONE
						     : STORE_WEBHOOK_PENDING;
	struct change c = change_begin(s, reterr);

	buf_init(&headers, HEADERS_MAX);
	headers_write(&w->headers, &headers);
	if (headers.error < 0)
		return err_set(reterr, headers.error, "the webhook's headers are larger than %d bytes", HEADERS_MAX);
	if (w->id == 0)
		w->id = id_next(&c, IDS_WEBHOOKS);
	row_insert(&c, w, state, dead_reason ? dead_reason : result);
	body_insert(&c, w, &headers);
	if (c.status == 0) {
		counts_move(s, COUNT_WEBHOOKS, w->source, COUNT_NOWHERE, 0, (int)state, STORE_WAIT_NONE);
		if (state == STORE_WEBHOOK_PENDING)
			pending_begins(s, w->id, STORE_WAIT_NONE, 0);
	}
	return change_end(&c);
}

int store_webhook_save_signal(struct store *s, const struct webhook *w, struct err *reterr)
{
	int r;

	QUERY(q, s, "UPDATE webhooks SET read = ?2, transition = ?3, conversation = ?4, customer = ?5 WHERE id = ?1",
	      reterr);
	query_bind_int(&q, w->id);
	query_bind_int(&q, w->read);
	query_bind_int(&q, (int64_t)w->transition);
	query_bind_text(&q, w->conversation);
	query_bind_text(&q, w->customer);
	r = query_run(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no webhook %016llx", (long long)w->id);
	return r < 0 ? r : 0;
}

int store_webhook_save_time(struct store *s, int64_t id, int64_t time_ms, bool undated, struct err *reterr)
{
	int r;

	QUERY(q, s, "INSERT OR REPLACE INTO webhook_times (id, time, undated) VALUES (?1, ?2, ?3)", reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, time_ms);
	query_bind_int(&q, undated);
	r = query_run(&q);
	return r < 0 ? r : 0;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

int store_webhook_is_pending(struct store *s, const struct webhook *w, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks WHERE id = ?1 AND state = " SQL_PENDING
	      " AND source = ?2 AND received = ?3 AND read = ?4 AND transition = ?5 AND conversation IS ?6"
	      " AND customer IS ?7",
	      reterr);
	query_bind_int(&q, w->id);
	query_bind_text(&q, w->source);
	query_bind_int(&q, w->received_ms);
	query_bind_int(&q, w->read);
	query_bind_int(&q, (int64_t)w->transition);
	query_bind_text(&q, w->conversation);
	query_bind_text(&q, w->customer);
	return query_step(&q);
}

int store_webhook_load(struct store *s, int64_t id, struct webhook *ret, struct err *reterr)
{
	struct webhook w = {0};
	const void *blob;
	size_t n;
	int r;

	QUERY(q, s,
	      "SELECT w.id, w.source, w.received, w.read, w.transition, w.conversation, w.customer, b.path, b.query,"
	      " b.headers, b.delivery, b.body FROM webhooks w LEFT JOIN webhook_bodies b ON b.id = w.id"
	      " WHERE w.id = ?1",
	      reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no webhook %016llx", (long long)id);
	if (r < 0)
		return r;
	w.id = query_int(&q);
	w.source = query_text(&q);
	w.received_ms = query_int(&q);
	w.read = query_enum(&q, 2);
	w.transition = (enum transition)query_enum(&q, TRANSITION_EXPIRED + 1);
	w.conversation = query_text_or_null(&q);
	w.customer = query_text_or_null(&q);
	w.path = query_text(&q);
	w.query = query_text(&q);
	blob = query_blob(&q, &n);
	if (headers_read(blob, n, &w.headers) < 0 && !q.bad)
		q.bad = "headers";
	blob = query_blob(&q, &n);
	w.has_delivery = n == sizeof(w.delivery);
	if (w.has_delivery)
		memcpy(w.delivery, blob, sizeof(w.delivery));
	else if (n != 0 && !q.bad)
		q.bad = "delivery";
	blob = query_blob(&q, &w.body_len);
	w.body = mem_dup(blob, w.body_len);
	if (q.bad) {
		webhook_done(&w);
		return err_set(reterr, -EBADMSG, "the stored webhook %016llx does not read: its %s", (long long)id,
			       q.bad);
	}
	*ret = w;
	return 0;
}

/* ---- tries and lookups ------------------------------------------------------------------------------------------- */

int64_t store_webhook_last_id(struct store *s)
{
	int64_t last = 0;

	QUERY(q, s, "SELECT max(id) FROM webhooks", NULL);
	return query_one_int(&q, &last) < 0 ? 0 : last;
}

int64_t store_newest_ms(struct store *s)
{
	int64_t webhook = 0;
	int64_t event = 0;

	/* By id: a time that a wrong clock wrote counts only until the next row. */
	QUERY(webhooks, s, "SELECT received FROM webhooks WHERE id = (SELECT max(id) FROM webhooks)", NULL);
	if (query_one_int(&webhooks, &webhook) < 0)
		webhook = 0;
	QUERY(events, s, "SELECT created FROM events WHERE id = (SELECT max(id) FROM events)", NULL);
	if (query_one_int(&events, &event) < 0)
		event = 0;
	return webhook > event ? webhook : event;
}

int store_webhook_tries(struct store *s, int64_t id, unsigned *ret, struct err *reterr)
{
	int64_t tries = 0;
	int r;

	QUERY(q, s, "SELECT tries FROM webhooks WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_one_int(&q, &tries);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no webhook %016llx", (long long)id);
	if (r < 0)
		return r;
	*ret = tries < 0 ? 0 : (unsigned)tries;
	return 0;
}

int store_webhook_set_tries(struct store *s, int64_t id, unsigned tries, struct err *reterr)
{
	int r;

	QUERY(q, s, "UPDATE webhooks SET tries = ?2 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)tries);
	r = query_run(&q);
	return r < 0 ? r : 0;
}

static void lookups_load(struct change *c, int64_t id, struct store_lookups *ret)
{
	CHANGE(q, c,
	       "SELECT w.lookups, coalesce(a.gone, 0), coalesce(a.odd, 0), coalesce(a.odd_since, 0) FROM webhooks w"
	       " LEFT JOIN lookup_answers a ON a.id = w.id WHERE w.id = ?1");
	query_bind_int(&q, id);
	if (change_step(c, &q)) {
		ret->asked = (unsigned)query_int(&q);
		ret->gone = (unsigned)query_int(&q);
		ret->odd = (unsigned)query_int(&q);
		ret->odd_since_ms = query_int(&q);
	} else if (c->status == 0) {
		c->status = err_set(c->reterr, -ENOENT, "there is no webhook %016llx", (long long)id);
	}
}

int store_webhook_lookups(struct store *s, int64_t id, struct store_lookups *ret, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	lookups_load(&c, id, ret);
	return change_end(&c);
}

int store_webhook_count_lookup(struct store *s, int64_t id, enum store_lookup what, const char *reason, int64_t now_ms,
			       struct store_lookups *ret, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	bool odd = what == STORE_LOOKUP_ODD;

	CHANGE(row, &c, "UPDATE webhooks SET lookups = lookups + 1, result = ?2 WHERE id = ?1");
	query_bind_int(&row, id);
	query_bind_text(&row, reason);
	(void)change_run(&c, &row);
	if (what != STORE_LOOKUP_TROUBLE) {
		CHANGE(answer, &c,
		       "INSERT INTO lookup_answers (id, gone, odd, odd_since) VALUES (?1, ?2, ?3, ?4)"
		       " ON CONFLICT (id) DO UPDATE SET gone = gone + excluded.gone, odd = odd + excluded.odd,"
		       " odd_since = CASE WHEN odd = 0 THEN excluded.odd_since ELSE odd_since END");
		query_bind_int(&answer, id);
		query_bind_int(&answer, !odd);
		query_bind_int(&answer, odd);
		query_bind_int(&answer, odd ? now_ms : 0);
		(void)change_run(&c, &answer);
	}
	lookups_load(&c, id, ret);
	return change_end(&c);
}
