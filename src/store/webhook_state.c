/* SPDX-License-Identifier: MIT */
/*
 * The state of a webhook: its row, its counter, and the webhooks that wait BEHIND it. wake.c wakes many at once.
 *
 * Progress: each webhook that waits BEHIND in a conversation also waits for the one before it, and so does each of a
 * customer. So when a webhook ends or becomes held, it is enough to wake the first of its conversation and the first of
 * its customer. That one is decided, or it finds another webhook before it, which will wake it in turn. So an end costs
 * O(log n), whatever the number of waiting webhooks. A woken webhook calls store_webhook_is_behind again, so a needless
 * wake costs time only.
 */
#include <config.h>

#include <errno.h>

#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* ---- the brief --------------------------------------------------------------------------------------------------- */

void webhook_brief_done(struct webhook_brief *p)
{
	free(p->source);
	free(p->conversation);
	free(p->customer);
	*p = (struct webhook_brief){0};
}

bool webhook_brief_find(struct change *c, int64_t id, struct webhook_brief *ret)
{
	CHANGE(q, c,
	       "SELECT w.state, w.wait, w.received, w.source, w.conversation, w.customer, a.id, t.id FROM webhooks w"
	       " LEFT JOIN lookup_answers a ON a.id = w.id LEFT JOIN webhook_times t ON t.id = w.id WHERE w.id = ?1");
	query_bind_int(&q, id);
	if (!change_step(c, &q))
		return false;
	*ret = (struct webhook_brief){.id = id};
	ret->state = (enum store_webhook_state)query_int(&q);
	ret->wait = (enum store_wait)query_int(&q);
	ret->received_ms = query_int(&q);
	ret->source = query_text(&q);
	ret->conversation = query_text_or_null(&q);
	ret->customer = query_text_or_null(&q);
	ret->has_answers = !query_is_null(&q);
	query_skip(&q);
	ret->has_time = !query_is_null(&q);
	return true;
}

static void webhook_brief_load(struct change *c, int64_t id, enum store_webhook_state state, struct webhook_brief *ret)
{
	bool found = webhook_brief_find(c, id, ret);

	if (c->status < 0 || (found && ret->state == state))
		return;
	if (!found)
		c->status = err_set(c->reterr, -ENOENT, "there is no webhook %016llx", (long long)id);
	else if (state == STORE_WEBHOOK_PENDING)
		c->status = err_set(c->reterr, -ENOENT, "the webhook %016llx is not pending", (long long)id);
	else
		c->status = err_set(c->reterr, -ENOENT, "the webhook %016llx is no dead letter", (long long)id);
}

/* ---- its state --------------------------------------------------------------------------------------------------- */

/* The new state of a webhook. */
struct webhook_state {
	enum store_webhook_state state;
	enum store_wait wait;  /* pending */
	int64_t not_before_ms; /* pending, for a time */
	const char *result;    /* done, dead */
};
/* Changes a webhook's state; only repairs bypass it. Updates the row, the counter and p. A webhook that ends or becomes
 * held (TIME) wakes webhooks BEHIND it. A webhook that begins to wait BEHIND wakes the first one if all before it are
 * stalled. A row that SQLite refuses to change can still end. The function may recurse, because a woken webhook may
 * have to end; each time one webhook less is pending. */
static void webhook_change_state(struct change *c, struct webhook_brief *p, const struct webhook_state *to);
/* A state for p of a webhook that no counter holds. */
#define WEBHOOK_NOWHERE ((enum store_webhook_state)COUNT_NOWHERE)

static const struct webhook_state ready = {.state = STORE_WEBHOOK_PENDING, .wait = STORE_WAIT_NONE};

static void row_end(struct change *c, const struct webhook_brief *p, const struct webhook_state *to)
{
	int64_t now_ms = c->store->now_ms > p->received_ms ? c->store->now_ms : p->received_ms;

	CHANGE(q, c,
	       "UPDATE webhooks SET state = ?2, wait = " SQL_WAIT_NONE
	       ", not_before = 0, ended = ?3, result = ?4 WHERE id = ?1");
	query_bind_int(&q, p->id);
	query_bind_int(&q, (int64_t)to->state);
	query_bind_int(&q, to->state == STORE_WEBHOOK_DONE ? now_ms : 0);
	query_bind_text(&q, to->result);
	(void)change_run(c, &q);
}

static void row_change(struct change *c, const struct webhook_brief *p, const struct webhook_state *to)
{
	struct change part = change_part(c, NULL);

	if (to->state == STORE_WEBHOOK_PENDING) {
		/* ended = 0: a damaged row may hold another number, and would not be found as ready. */
		CHANGE(q, c, "UPDATE webhooks SET state = ?2, wait = ?3, not_before = ?4, ended = 0 WHERE id = ?1");
		query_bind_int(&q, p->id);
		query_bind_int(&q, (int64_t)to->state);
		query_bind_int(&q, (int64_t)to->wait);
		query_bind_int(&q, to->not_before_ms);
		(void)change_run(c, &q);
		return;
	}
	row_end(&part, p, to);
	if (!change_part_failed(c, &part, -EBADMSG))
		return;
	/* SQLite refuses to change a row that holds a value of another type than its column's, but the row can be
	 * replaced. The replacement loses the bad value, so only a row that ends is replaced. */
	(void)change_by_id(
		c,
		"INSERT OR REPLACE INTO webhooks (id, source, state, wait, not_before, ended, received, tries, lookups,"
		" read, transition, conversation, customer, result) SELECT id, CAST(source AS TEXT),"
		" CAST(state AS INTEGER), CAST(wait AS INTEGER), CAST(not_before AS INTEGER), CAST(ended AS INTEGER),"
		" CAST(received AS INTEGER), CAST(tries AS INTEGER), CAST(lookups AS INTEGER), CAST(read AS INTEGER),"
		" CAST(transition AS INTEGER), CAST(conversation AS TEXT), CAST(customer AS TEXT), CAST(result AS TEXT)"
		" FROM webhooks WHERE id = ?1",
		p->id);
	row_end(c, p, to);
}

/* ---- webhooks that wait BEHIND ----------------------------------------------------------------------------------- */

void webhook_make_ready(struct change *c, const struct webhook_index_entry *entry)
{
	CLEANUP(webhook_brief_done) struct webhook_brief p = {0};
	struct err why = {0};
	struct change part = change_part(c, &why);

	if (!webhook_brief_find(c, entry->id, &p) || p.state != STORE_WEBHOOK_PENDING || p.wait != entry->wait) {
		webhook_repair(c, entry);
		return;
	}
	webhook_change_state(&part, &p, &ready);
	if (change_part_failed(c, &part, -EBADMSG)) {
		loss_note(c->store, STORE_LOSS_WEBHOOK, p.id, p.source, why.text);
		webhook_change_state(c, &p, &(struct webhook_state){.state = STORE_WEBHOOK_DEAD, .result = why.text});
	}
}

void webhooks_make_ready(struct change *c, const struct ids *ids, const struct webhook_index_entry *entry)
{
	struct webhook_index_entry one = *entry;

	for (size_t i = 0; i < ids->n; i++) {
		one.id = ids->items[i];
		webhook_make_ready(c, &one);
	}
}

/* Wakes the customer's first webhook BEHIND, without those behind a held webhook of their own conversation: no other
 * webhook of the customer waits for these. The LEFT JOIN also finds an entry whose row is missing. */
static void wake_customer(struct change *c, const struct webhook_brief *p)
{
	struct webhook_index_entry entry = {
		.wait = STORE_WAIT_BEHIND,
		.source = p->source,
		.customer = p->customer,
	};

	CHANGE(q, c,
	       "SELECT i.id FROM webhooks i LEFT JOIN webhooks w ON w.id = i.id WHERE i.state = " SQL_PENDING
	       " AND i.source = ?1 AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND
	       " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id"
	       " WHERE h.state = " SQL_PENDING " AND h.source = ?1 AND h.conversation = w.conversation"
	       " AND h.wait = " SQL_WAIT_TIME " AND h.id < i.id AND g.state = " SQL_PENDING ") ORDER BY i.id LIMIT 1");
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	if (change_one_int(c, &q, &entry.id))
		webhook_make_ready(c, &entry);
}

/* p has ended or is held: wakes the first webhook BEHIND of its conversation, and that of its customer. */
static void wake_followers(struct change *c, const struct webhook_brief *p)
{
	struct webhook_index_entry entry = {
		.wait = STORE_WAIT_BEHIND, .source = p->source, .conversation = p->conversation};

	if (!store_webhooks_may_wait(c->store, STORE_WAIT_BEHIND))
		return;
	if (p->conversation) {
		CHANGE(q, c,
		       "SELECT id FROM webhooks WHERE state = " SQL_PENDING
		       " AND source = ?1 AND conversation = ?2 AND wait = " SQL_WAIT_BEHIND " ORDER BY id LIMIT 1");
		query_bind_text(&q, p->source);
		query_bind_text(&q, p->conversation);
		if (change_one_int(c, &q, &entry.id))
			webhook_make_ready(c, &entry);
	}
	if (p->customer)
		wake_customer(c, p);
}

/* q: finds the first webhook that waits BEHIND before p. Wakes it if nothing is before it any more. */
static void wake_first(struct change *c, struct query *q, const struct webhook_brief *p, const char *of)
{
	CLEANUP(webhook_brief_done) struct webhook_brief first = {0};
	struct webhook_index_entry entry = {.wait = STORE_WAIT_BEHIND};

	query_bind_text(q, p->source);
	query_bind_text(q, of);
	query_bind_int(q, p->id);
	if (!change_one_int(c, q, &entry.id))
		return;
	if (!webhook_brief_find(c, entry.id, &first))
		webhook_repair(c, &entry);
	else if (!webhook_is_behind(c, &first))
		webhook_make_ready(c, &entry);
}

/* p waits BEHIND now. If all webhooks before it wait BEHIND too, the one that they wait for may have been deleted by
 * hand, and nothing would ever wake them. If p waits for a held webhook of its own conversation, other webhooks of its
 * customer do not wait for it. */
static void wake_stalled(struct change *c, const struct webhook_brief *p)
{
	if (p->conversation && !webhook_conversation_progresses(c, p)) {
		CHANGE(q, c,
		       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND source = ?1 AND conversation = ?2"
		       " AND wait = " SQL_WAIT_BEHIND " AND id < ?3 ORDER BY id LIMIT 1");
		wake_first(c, &q, p, p->conversation);
	}
	if (p->customer && !webhook_customer_progresses(c, p)) {
		CHANGE(q, c,
		       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND source = ?1 AND customer = ?2"
		       " AND wait = " SQL_WAIT_BEHIND " AND id < ?3 ORDER BY id LIMIT 1");
		wake_first(c, &q, p, p->customer);
	}
	if (p->conversation && p->customer && webhook_is_behind_held(c, p))
		wake_customer(c, p);
}

static void webhook_change_state(struct change *c, struct webhook_brief *p, const struct webhook_state *to)
{
	row_change(c, p, to);
	if (c->status < 0)
		return;
	counts_move(c->store, COUNT_WEBHOOKS, p->source, (int)p->state, (int)p->wait, (int)to->state, (int)to->wait);
	pending_ends(c->store, p->wait);
	if (to->state == STORE_WEBHOOK_PENDING)
		pending_begins(c->store, p->id, to->wait, to->not_before_ms);
	p->state = to->state;
	p->wait = to->wait;
	/* An ended webhook needs these rows no more. */
	if (to->state != STORE_WEBHOOK_PENDING && p->has_answers)
		(void)change_by_id(c, "DELETE FROM lookup_answers WHERE id = ?1", p->id);
	if (to->state != STORE_WEBHOOK_PENDING && p->has_time)
		(void)change_by_id(c, "DELETE FROM webhook_times WHERE id = ?1", p->id);
	if (to->state != STORE_WEBHOOK_PENDING || to->wait == STORE_WAIT_TIME)
		wake_followers(c, p);
	else if (to->wait == STORE_WAIT_BEHIND)
		wake_stalled(c, p);
}

/* ---- the functions of store.h ------------------------------------------------------------------------------------ */

int store_webhook_wait(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	CLEANUP(webhook_brief_done) struct webhook_brief p = {0};
	struct webhook_state to = {.state = STORE_WEBHOOK_PENDING, .wait = why};
	struct change c = change_begin(s, reterr);

	/* At least 1 ms, because 0 means no time. */
	if (why == STORE_WAIT_TIME || why == STORE_WAIT_RETRY)
		to.not_before_ms = not_before_ms > 0 ? not_before_ms : 1;
	webhook_brief_load(&c, id, STORE_WEBHOOK_PENDING, &p);
	webhook_change_state(&c, &p, &to);
	return change_end(&c);
}

static int webhook_end(struct store *s, int64_t id, enum store_webhook_state state, const char *result,
		       struct err *reterr)
{
	CLEANUP(webhook_brief_done) struct webhook_brief p = {0};
	struct change c = change_begin(s, reterr);

	webhook_brief_load(&c, id, STORE_WEBHOOK_PENDING, &p);
	webhook_change_state(&c, &p, &(struct webhook_state){.state = state, .result = result});
	return change_end(&c);
}

int store_webhook_done(struct store *s, int64_t id, const char *result, struct err *reterr)
{
	return webhook_end(s, id, STORE_WEBHOOK_DONE, result, reterr);
}

int store_webhook_dead(struct store *s, int64_t id, const char *reason, struct err *reterr)
{
	return webhook_end(s, id, STORE_WEBHOOK_DEAD, reason, reterr);
}

int store_webhook_revive(struct store *s, int64_t id, struct err *reterr)
{
	CLEANUP(webhook_brief_done) struct webhook_brief p = {0};
	struct change c = change_begin(s, reterr);

	webhook_brief_load(&c, id, STORE_WEBHOOK_DEAD, &p);
	(void)change_by_id(&c, "UPDATE webhooks SET tries = 0, lookups = 0, result = NULL WHERE id = ?1", id);
	webhook_change_state(&c, &p, &ready);
	return change_end(&c);
}

/* ---- damaged rows ------------------------------------------------------------------------------------------------ */

/* The columns of a webhook that are in indexes. */
struct webhook_keys {
	int64_t state, wait, not_before, ended;
	char *source, *conversation, *customer;
};

static void webhook_keys_done(struct webhook_keys *k)
{
	free(k->source);
	free(k->conversation);
	free(k->customer);
}

static void webhook_keys_set(struct change *c, int64_t id, const struct webhook_keys *k)
{
	CHANGE(q, c,
	       "UPDATE webhooks SET state = ?2, wait = ?3, not_before = ?4, ended = ?5, source = ?6, conversation = ?7,"
	       " customer = ?8 WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_int(&q, k->state);
	query_bind_int(&q, k->wait);
	query_bind_int(&q, k->not_before);
	query_bind_int(&q, k->ended);
	query_bind_text(&q, k->source);
	query_bind_text(&q, k->conversation);
	query_bind_text(&q, k->customer);
	(void)change_run(c, &q);
}

/* Copies the texts that are not known yet. */
static void copy_text(struct change *c, struct query *q, int64_t id, char **source, char **text)
{
	query_bind_int(q, id);
	if (!change_step(c, q))
		return;
	if (!*source)
		*source = query_text(q);
	else
		query_skip(q);
	if (text && !*text)
		*text = query_text(q);
}

/* Collects a lost row's columns from other indexes and from its delivery, for the dead letter and for the webhooks that
 * waited for it. Scans each index once. The indexes hold undone webhooks only. */
static void webhook_keys_recover(struct change *c, int64_t id, struct webhook_keys *k)
{
	CHANGE(conversation, c,
	       "SELECT source, conversation FROM webhooks INDEXED BY webhooks_conversation WHERE state = " SQL_PENDING
	       " AND conversation IS NOT NULL AND id = ?1");
	copy_text(c, &conversation, id, &k->source, &k->conversation);
	CHANGE(customer, c,
	       "SELECT source, customer FROM webhooks INDEXED BY webhooks_customer WHERE state = " SQL_PENDING
	       " AND customer IS NOT NULL AND id = ?1");
	copy_text(c, &customer, id, &k->source, &k->customer);
	CHANGE(delivery, c,
	       "SELECT source FROM delivery_tail WHERE id = ?1 UNION ALL SELECT source FROM deliveries WHERE id = ?1");
	copy_text(c, &delivery, id, &k->source, NULL);
	if (!k->source)
		k->source = mem_str("");
}

/* Inserts a row that is a dead letter. */
static void webhook_put_placeholder(struct change *c, int64_t id, const struct webhook_keys *k)
{
	CHANGE(q, c,
	       "INSERT INTO webhooks (id, source, state, wait, not_before, ended, received, read, transition,"
	       " conversation, customer, result) VALUES (?1, ?2, " SQL_WEBHOOK_DEAD ", " SQL_WAIT_NONE
	       ", 0, 0, ?3, 0, " SQL_TRANSITION_NONE ", ?4, ?5, ?6)");
	query_bind_int(&q, id);
	query_bind_text(&q, k->source);
	query_bind_int(&q, c->store->now_ms);
	query_bind_text(&q, k->conversation);
	query_bind_text(&q, k->customer);
	query_bind_text(&q, NOT_THERE);
	(void)change_run(c, &q);
}

/* Updates the row to what the index says and back, which removes the entry. False: there is no row. */
static bool webhook_remove_entry(struct change *c, const struct webhook_index_entry *entry)
{
	CLEANUP(webhook_keys_done) struct webhook_keys own = {0};
	struct webhook_keys indexed;

	CHANGE(q, c,
	       "SELECT state, wait, not_before, ended, source, conversation, customer FROM webhooks WHERE id = ?1");
	query_bind_int(&q, entry->id);
	if (!change_step(c, &q))
		return false;
	own.state = query_int(&q);
	own.wait = query_int(&q);
	own.not_before = query_int(&q);
	own.ended = query_int(&q);
	own.source = query_text(&q);
	own.conversation = query_text_or_null(&q);
	own.customer = query_text_or_null(&q);
	query_close(&q);
	indexed = own;
	indexed.state = STORE_WEBHOOK_PENDING;
	indexed.wait = (int64_t)entry->wait;
	indexed.not_before = entry->not_before_ms;
	indexed.ended = 0;
	if (entry->source)
		indexed.source = (char *)(uintptr_t)entry->source;
	if (entry->conversation)
		indexed.conversation = (char *)(uintptr_t)entry->conversation;
	if (entry->customer)
		indexed.customer = (char *)(uintptr_t)entry->customer;
	webhook_keys_set(c, entry->id, &indexed);
	webhook_keys_set(c, entry->id, &own);
	pending_forget(c->store); /* the row may have been in no index */
	return true;
}

void webhook_repair(struct change *c, const struct webhook_index_entry *entry)
{
	CLEANUP(webhook_keys_done) struct webhook_keys k = {0};
	struct webhook_brief p = {
		.id = entry->id,
		.state = STORE_WEBHOOK_PENDING,
		.wait = entry->wait,
		.has_answers = true, /* unknown */
		.has_time = true,
	};

	if (webhook_remove_entry(c, entry) || c->status < 0)
		return;
	k.source = mem_str(entry->source);
	k.conversation = mem_str(entry->conversation);
	k.customer = mem_str(entry->customer);
	webhook_keys_recover(c, entry->id, &k);
	webhook_put_placeholder(c, entry->id, &k);
	ids_forget(c->store);
	(void)webhook_remove_entry(c, entry);
	if (c->status < 0)
		return;
	loss_note(c->store, STORE_LOSS_WEBHOOK, entry->id, k.source, NOT_THERE);
	p.source = k.source;
	p.conversation = k.conversation;
	p.customer = k.customer;
	if (k.source[0] == '\0') /* a counter holds it, by a name that is lost */
		p.state = WEBHOOK_NOWHERE;
	webhook_change_state(c, &p, &(struct webhook_state){.state = STORE_WEBHOOK_DEAD, .result = NOT_THERE});
}
