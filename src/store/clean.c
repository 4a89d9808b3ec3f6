/* SPDX-License-Identifier: MIT */
/*
 * Deletes rows that are past their time, in small steps, oldest first, by indexes. While the store is nearly full
 * (store_is_nearly_full) it also deletes the oldest done webhooks and delivered events early, so that only undone work
 * can fill it.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define DELIVERIES_MS (7 * CLOCK_DAY_MS)
#define CUSTOMERS_MS CLOCK_DAY_MS

struct cleaning {
	struct change change;
	size_t left; /* rows that this step may still delete */
};

static void count_deleted(struct cleaning *c, size_t n)
{
	c->left -= n < c->left ? n : c->left;
}

static bool can_delete(const struct cleaning *c)
{
	return c->change.status == 0 && c->left > 0;
}

/* ---- webhooks and events ----------------------------------------------------------------------------------------- */

/* A body on a damaged page cannot be deleted, and SQLite writes nothing more in a transaction that tried. So this
 * fails, and the next cleaning leaves the body out: its row is deleted all the same. row: the id; of an event, its
 * negative. */
static void body_delete(struct change *c, const char *sql, int64_t id, int64_t row)
{
	struct damaged_bodies *damaged = &c->store->damaged_bodies;
	bool is_damaged = damaged->n == DAMAGED_BODIES;

	for (size_t i = 0; i < damaged->n; i++)
		is_damaged = is_damaged || damaged->rows[i] == row;
	if (!is_damaged) {
		(void)change_by_id(c, sql, id);
		if (c->status == -EUCLEAN)
			damaged->rows[damaged->n++] = row;
	} else if (c->status == 0) {
		loss_note(c->store, STORE_LOSS_OTHER, id, NULL,
			  "the text of a row past its time is damaged and stays in the file");
	}
}

static void clean_webhooks(struct cleaning *cleaning, int64_t until_ms, size_t max)
{
	CLEANUP(ids_done) struct ids ids = {0};
	struct change *c = &cleaning->change;

	if (!can_delete(cleaning))
		return;
	CHANGE(q, c,
	       "SELECT w.id FROM webhooks i CROSS JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_WEBHOOK_DONE
	       " AND i.wait = " SQL_WAIT_NONE " AND i.ended <= ?1 AND w.state = " SQL_WEBHOOK_DONE
	       " ORDER BY i.ended LIMIT ?2");
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)(max < cleaning->left ? max : cleaning->left));
	change_ids(c, &q, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		CLEANUP(webhook_brief_done) struct webhook_brief p = {0};

		if (!webhook_brief_find(c, ids.items[i], &p))
			continue;
		id_deleting(c, IDS_WEBHOOKS, p.id);
		body_delete(c, "DELETE FROM webhook_bodies WHERE id = ?1", p.id, p.id);
		(void)change_by_id(c, "DELETE FROM webhooks WHERE id = ?1", p.id);
		if (c->status == 0)
			counts_move(c->store, COUNT_WEBHOOKS, p.source, (int)p.state, (int)p.wait, COUNT_NOWHERE, 0);
	}
	count_deleted(cleaning, ids.n);
}

static void clean_events(struct cleaning *cleaning, int64_t until_ms, size_t max)
{
	CLEANUP(ids_done) struct ids ids = {0};
	struct change *c = &cleaning->change;

	if (!can_delete(cleaning))
		return;
	CHANGE(q, c,
	       "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.state > " SQL_READY
	       " AND i.state = " SQL_DELIVERED " AND i.ended <= ?1 AND e.state = " SQL_DELIVERED
	       " ORDER BY i.ended LIMIT ?2");
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)(max < cleaning->left ? max : cleaning->left));
	change_ids(c, &q, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		CLEANUP(mem_freep) char *account = NULL;
		const unsigned char *unique_id;
		int64_t key = 0;
		size_t n;

		id_deleting(c, IDS_EVENTS, ids.items[i]);
		body_delete(c, "DELETE FROM event_bodies WHERE id = ?1", ids.items[i], -ids.items[i]);
		CHANGE(row, c, "DELETE FROM events WHERE id = ?1 RETURNING account, unique_id");
		query_bind_int(&row, ids.items[i]);
		if (!change_step(c, &row))
			continue;
		account = query_text(&row);
		unique_id = query_blob(&row, &n);
		if (n == EVENT_KEY_BYTES || n == EVENT_UNIQUE_ID_BYTES)
			key = key_of_event(unique_id, n);
		/* A DELETE with RETURNING ends with the step after its last row. */
		(void)change_step(c, &row);
		query_close(&row);
		keys_remove(c, KEY_EVENT, key, ids.items[i]);
		if (c->status == 0)
			counts_move(c->store, COUNT_EVENTS, account, EVENT_DELIVERED, 0, COUNT_NOWHERE, 0);
	}
	count_deleted(cleaning, ids.n);
}

/* ---- digests and customers --------------------------------------------------------------------------------------- */

static void clean_deliveries(struct cleaning *c, int64_t life_ms, int64_t until_ms, int64_t now_ms)
{
	if (can_delete(c))
		count_deleted(c, deliveries_clean(&c->change, life_ms, until_ms, now_ms, c->left));
}

static void clean_customers(struct cleaning *c, int64_t until_ms)
{
	if (!can_delete(c))
		return;
	CHANGE(q, &c->change,
	       "DELETE FROM customers WHERE (source, customer) IN"
	       " (SELECT c.source, c.customer FROM customers i CROSS JOIN customers c ON c.source = i.source"
	       " AND c.customer = i.customer WHERE i.saved <= ?1 ORDER BY i.saved LIMIT ?2)");
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)c->left);
	count_deleted(c, (size_t)change_run(&c->change, &q));
}

/* ---- conversations ----------------------------------------------------------------------------------------------- */

static void conversation_delete(struct change *c, int64_t id)
{
	int64_t key;

	CHANGE(q, c, "DELETE FROM conversations WHERE id = ?1 RETURNING source, conversation");
	query_bind_int(&q, id);
	if (change_step(c, &q)) {
		CLEANUP(mem_freep) char *source = query_text(&q);
		CLEANUP(mem_freep) char *conversation = query_text(&q);

		key = key_of_conversation(source, conversation);
		(void)change_step(c, &q);
		query_close(&q);
		keys_remove(c, KEY_CONVERSATION, key, id);
	}
}

/* Appends the people of a list to another one, with the digests of their addresses. What does not read is left out. */
static void people_digest(struct people from, struct buf *to)
{
	struct person p;

	while (people_next(&from, &p) > 0) {
		unsigned char sum[DIGEST_SHA256_BYTES];
		char hex[2 * DIGEST_DELIVERY_BYTES + 1];
		struct digest *d = digest_new();

		digest_add(d, p.email, strlen(p.email));
		digest_end(d, sum);
		hex_write(sum, DIGEST_DELIVERY_BYTES, hex);
		people_add(to, hex, p.account, p.flag);
	}
}

/* Replaces a conversation's addresses by their digests. A row that SQLite refuses to change is deleted. */
static void conversation_digest(struct change *c, int64_t id)
{
	CLEANUP(buf_done) struct buf digests;
	struct people people, kept;
	struct change part;

	people_init(&digests);
	CHANGE(row, c, "SELECT people, digests FROM conversations WHERE id = ?1");
	query_bind_int(&row, id);
	if (!change_step(c, &row))
		return;
	people.bytes = query_blob(&row, &people.n);
	kept.bytes = query_blob(&row, &kept.n);
	buf_add(&digests, kept.bytes, kept.n);
	people_digest(people, &digests);
	query_close(&row);
	part = change_part(c, NULL);
	CHANGE(q, &part, "UPDATE conversations SET people = x'', digests = ?2, clear = 0 WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_blob(&q, digests.data, digests.len);
	(void)change_run(&part, &q);
	query_close(&q);
	if (change_part_failed(c, &part, -EBADMSG))
		conversation_delete(c, id);
}

static void clean_conversations(struct cleaning *c, bool clear, int64_t until_ms,
				void (*fn)(struct change *c, int64_t id))
{
	CLEANUP(ids_done) struct ids ids = {0};

	if (!can_delete(c))
		return;
	CHANGE(q, &c->change,
	       "SELECT c.id FROM conversations i CROSS JOIN conversations c ON c.id = i.id WHERE i.state <> " SQL_OPEN
	       " AND i.clear = ?1 AND i.changed <= ?2 AND c.state <> " SQL_OPEN
	       " AND c.clear = ?1 ORDER BY i.changed LIMIT ?3");
	query_bind_int(&q, clear);
	query_bind_int(&q, until_ms);
	query_bind_int(&q, (int64_t)c->left);
	change_ids(&c->change, &q, &ids);
	for (size_t i = 0; i < ids.n; i++)
		fn(&c->change, ids.items[i]);
	count_deleted(c, ids.n);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

/* Returns the newest time that is older than age_ms; INT64_MIN where longest_age_ms forbids this age limit. */
static int64_t older_ms(const struct store *s, int64_t now_ms, int64_t age_ms)
{
	int64_t ms;

	return age_ms > s->longest_age_ms || __builtin_sub_overflow(now_ms, age_ms, &ms) ? INT64_MIN : ms;
}

int store_clean(struct store *s, int64_t retention_ms, int64_t remember_ms, int64_t now_ms, size_t max,
		struct err *reterr)
{
	struct cleaning c = {.change = change_begin(s, reterr), .left = max};
	int64_t deliveries_ms = retention_ms > DELIVERIES_MS ? retention_ms : DELIVERIES_MS;
	int r;

	store_advance_now(s, now_ms);
	keys_look_at_disk(s);
	clean_webhooks(&c, older_ms(s, now_ms, retention_ms), max);
	clean_events(&c, older_ms(s, now_ms, retention_ms), max);
	clean_deliveries(&c, deliveries_ms, older_ms(s, now_ms, deliveries_ms), now_ms);
	clean_customers(&c, older_ms(s, now_ms, CUSTOMERS_MS));
	clean_conversations(&c, true, older_ms(s, now_ms, remember_ms), conversation_delete);
	clean_conversations(&c, false, older_ms(s, now_ms, remember_ms), conversation_delete);
	clean_conversations(&c, true, older_ms(s, now_ms, retention_ms), conversation_digest);
	if (can_delete(&c) && store_is_nearly_full(s)) {
		clean_webhooks(&c, INT64_MAX, (c.left + 1) / 2);
		clean_events(&c, INT64_MAX, c.left);
	}
	r = change_end(&c.change);
	return r < 0 ? r : (int)(max - c.left);
}
