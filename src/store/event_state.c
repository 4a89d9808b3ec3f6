/* SPDX-License-Identifier: MIT */
/*
 * The state of an event: its row, its counter, and the order of a person's events.
 *
 * One of a person's (account, e-mail address) ready events is the head: it is sent next, and may be in flight. It stays
 * the head until it is delivered or dead; then the ready event with the smallest id becomes the head. So an index over
 * heads finds due events, whatever the length of the queues behind them, and a revived dead letter never overtakes an
 * event in flight.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* ---- the brief --------------------------------------------------------------------------------------------------- */

void event_brief_done(struct event_brief *p)
{
	free(p->account);
	free(p->email);
}

static bool event_brief_find(struct change *c, int64_t id, enum event_state state, struct event_brief *ret)
{
	CHANGE(q, c, "SELECT account, email, head, later, gap FROM events WHERE id = ?1 AND state = ?2");
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)state);
	if (!change_step(c, &q))
		return false;
	ret->id = id;
	ret->state = state;
	ret->account = query_text(&q);
	ret->email = query_text(&q);
	ret->head = query_int(&q) != 0;
	ret->later = query_int(&q) != 0;
	ret->gap_ms = query_int(&q);
	return true;
}

void event_brief_load(struct change *c, int64_t id, enum event_state state, struct event_brief *ret)
{
	if (!event_brief_find(c, id, state, ret) && c->status == 0)
		c->status = err_set(c->reterr, -ENOENT, "there is no event %016llx that is %s", (long long)id,
				    event_state_name(state));
}

/* ---- the row ----------------------------------------------------------------------------------------------------- */

/* The gap that is in use now decides whether events_last holds the event. */
static void row_write(struct change *c, int64_t id, enum event_state to, int64_t ended_ms, int64_t gap_ms,
		      const char *reason)
{
	CHANGE(q, c,
	       "UPDATE events SET state = ?2, head = 0, ended = ?3, reason = ?4, attempts = attempts + ?5,"
	       " gap = max(gap, ?6) WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)to);
	query_bind_int(&q, ended_ms);
	query_bind_text(&q, reason);
	query_bind_int(&q, to == EVENT_DELIVERED);
	query_bind_int(&q, gap_ms);
	(void)change_run(c, &q);
}

static void row_change(struct change *c, int64_t id, enum event_state to, int64_t ended_ms, int64_t gap_ms,
		       const char *reason)
{
	struct change part = change_part(c, NULL);

	row_write(&part, id, to, ended_ms, gap_ms, reason);
	if (!change_part_failed(c, &part, -EBADMSG))
		return;
	/* As in webhook_state.c: SQLite refuses to change a row that holds a value of another type than its column's,
	 * but the row can be replaced. */
	(void)change_by_id(
		c,
		"INSERT OR REPLACE INTO events (id, account, email, state, head, due, ended, attempts, later, gap,"
		" created, unique_id, url, reason) SELECT id, CAST(account AS TEXT), CAST(email AS TEXT),"
		" CAST(state AS INTEGER), CAST(head AS INTEGER), CAST(due AS INTEGER), CAST(ended AS INTEGER),"
		" CAST(attempts AS INTEGER), CAST(later AS INTEGER), CAST(gap AS INTEGER), CAST(created AS INTEGER),"
		" CAST(unique_id AS BLOB), CAST(url AS TEXT), CAST(reason AS TEXT) FROM events WHERE id = ?1",
		id);
	row_write(c, id, to, ended_ms, gap_ms, reason);
}

void event_head_set(struct change *c, int64_t id, int64_t due_ms)
{
	recent_event_forget(c->store, id);
	CHANGE(q, c, "UPDATE events SET head = 1, due = ?2 WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_int(&q, due_ms);
	(void)change_run(c, &q);
}

/* ---- the person's head ------------------------------------------------------------------------------------------- */

int64_t person_due(struct change *c, const char *account, const char *email, const char *profile, int64_t gap_ms,
		   int64_t now_ms)
{
	CLEANUP(mem_freep) char *before = NULL;
	int64_t delivered_ms;

	if (gap_ms <= 0)
		return now_ms;
	CHANGE(q, c,
	       "SELECT e.ended, b.profile FROM events e LEFT JOIN event_bodies b ON b.id = e.id"
	       " WHERE e.account = ?1 AND e.email = ?2 AND e.state = " SQL_DELIVERED
	       " AND e.gap > 0 ORDER BY e.ended DESC LIMIT 1");
	query_bind_text(&q, account);
	query_bind_text(&q, email);
	if (!change_step(c, &q))
		return now_ms;
	delivered_ms = query_int(&q);
	if (delivered_ms <= now_ms - gap_ms)
		return now_ms;
	before = query_text(&q);
	if (!event_changes_profile(before, profile))
		return now_ms;
	return (delivered_ms < now_ms ? delivered_ms : now_ms) + gap_ms;
}

/* Makes the oldest ready event of a person without a head the head. Sets an event aside whose row SQLite refuses to
 * change, and tries the next one. gap_ms < 0: the event's own gap. False: there is no ready event. */
static bool person_promote(struct change *c, const char *account, const char *email, int64_t gap_ms, int64_t now_ms)
{
	for (;;) {
		CLEANUP(mem_freep) char *profile = NULL;
		struct event_brief next = {.account = (char *)(uintptr_t)account};
		struct err why = {0};
		struct change part;
		int64_t due_ms;

		CHANGE(q, c,
		       "SELECT e.id, e.gap, b.profile FROM events i CROSS JOIN events e ON e.id = i.id"
		       " LEFT JOIN event_bodies b ON b.id = e.id WHERE i.account = ?1 AND i.email = ?2"
		       " AND i.state " SQL_UNDELIVERED " AND i.state = " SQL_READY " AND e.state = " SQL_READY
		       " AND +e.account = ?1 AND +e.email = ?2 ORDER BY i.id LIMIT 1");
		query_bind_text(&q, account);
		query_bind_text(&q, email);
		if (!change_step(c, &q))
			return false;
		next.id = query_int(&q);
		next.gap_ms = query_int(&q);
		profile = query_text(&q);
		query_close(&q);
		due_ms = person_due(c, account, email, profile, gap_ms < 0 ? next.gap_ms : gap_ms, now_ms);
		part = change_part(c, &why);
		event_head_set(&part, next.id, due_ms);
		if (!change_part_failed(c, &part, -EBADMSG))
			return true;
		event_change_state(c, &next, EVENT_DEAD, why.text, -1, now_ms);
		if (c->status == 0)
			loss_note(c->store, STORE_LOSS_EVENT, next.id, account, why.text);
	}
}

bool person_waits(struct change *c, const char *account, const char *email, int64_t now_ms)
{
	bool has_ready = false;

	/* The head is the oldest ready event, unless an older dead letter was revived. */
	CHANGE(q, c,
	       "SELECT e.state = " SQL_READY ", e.head = 1 FROM events i LEFT JOIN events e ON e.id = i.id"
	       " AND +e.account = ?1 AND +e.email = ?2 WHERE i.account = ?1 AND i.email = ?2"
	       " AND i.state " SQL_UNDELIVERED " AND i.state = " SQL_READY " ORDER BY i.id");
	query_bind_text(&q, account);
	query_bind_text(&q, email);
	while (change_step(c, &q)) {
		bool ready = query_int(&q) != 0;
		bool head = query_int(&q) != 0;

		if (ready && head)
			return true;
		has_ready = has_ready || ready;
	}
	query_close(&q);
	return has_ready && person_promote(c, account, email, -1, now_ms);
}

/* The address of a lost event is unknown, so everybody whom its conversation reached gets a head. Damage met here is
 * ignored, because it must not undo the repair. */
static void promote_reached_people(struct change *c, int64_t id, const char *account, int64_t now_ms)
{
	struct change part = change_part(c, NULL);
	struct people list;
	struct person p;

	CHANGE(q, &part,
	       "SELECT c.people FROM event_bodies b CROSS JOIN conversations c ON c.source = b.source"
	       " AND c.conversation = b.conversation WHERE b.id = ?1");
	query_bind_int(&q, id);
	if (change_step(&part, &q)) {
		list.bytes = query_blob(&q, &list.n);
		while (c->status == 0 && people_next(&list, &p) > 0)
			if (strcmp(p.account, account) == 0)
				(void)person_waits(c, account, p.email, now_ms);
	}
	(void)change_part_failed(c, &part, -EUCLEAN);
}

/* ---- the state --------------------------------------------------------------------------------------------------- */

/* Marks dead letters of the person that are older than the event p, which was delivered now: if one is revived, its
 * flag is out of date. A row that SQLite refuses to change is skipped, because it cannot be revived either. */
static void mark_overtaken(struct change *c, const struct event_brief *p)
{
	CLEANUP(ids_done) struct ids ids = {0};

	CHANGE(q, c,
	       "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.account = ?1 AND i.email = ?2"
	       " AND i.state " SQL_UNDELIVERED " AND i.state = " SQL_EVENT_DEAD
	       " AND i.id < ?3 AND e.state = " SQL_EVENT_DEAD " AND e.later = 0");
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, p->id);
	change_ids(c, &q, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct change part = change_part(c, NULL);

		(void)change_by_id(&part, "UPDATE events SET later = 1 WHERE id = ?1", ids.items[i]);
		(void)change_part_failed(c, &part, -EBADMSG);
	}
}

/* True, true: the person may have ready events, dead letters. Most people have none after a delivery, and one statement
 * on the index says so. */
static void person_look(struct change *c, const struct event_brief *p, bool *ret_ready, bool *ret_dead)
{
	CHANGE(q, c,
	       "SELECT state FROM events WHERE account = ?1 AND email = ?2 AND state " SQL_UNDELIVERED
	       " ORDER BY state LIMIT 1");
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	*ret_dead = change_step(c, &q);
	*ret_ready = *ret_dead && query_int(&q) == EVENT_READY;
}

/* Updates all but the row. */
static void state_changed(struct change *c, struct event_brief *p, enum event_state to, int64_t gap_ms, int64_t now_ms)
{
	bool was_head = p->head;
	bool may_be_ready = true;
	bool may_be_dead = false;

	if (c->status < 0)
		return;
	counts_move(c->store, COUNT_EVENTS, p->account, (int)p->state, 0, (int)to, 0);
	p->state = to;
	p->head = false;
	if (to == EVENT_DELIVERED)
		person_look(c, p, &may_be_ready, &may_be_dead);
	if (may_be_dead)
		mark_overtaken(c, p);
	if (was_head && to != EVENT_READY && may_be_ready)
		(void)person_promote(c, p->account, p->email, gap_ms, now_ms);
}

static int64_t ended_at(int64_t now_ms)
{
	return now_ms > 0 ? now_ms : 1;
}

void event_change_state(struct change *c, struct event_brief *p, enum event_state to, const char *reason,
			int64_t gap_ms, int64_t now_ms)
{
	recent_event_forget(c->store, p->id);
	row_change(c, p->id, to, to == EVENT_DELIVERED ? ended_at(now_ms) : 0, gap_ms, reason);
	state_changed(c, p, to, gap_ms, now_ms);
}

/* Changes the row, in one statement and without a read, of an event that is still its person's head. Nearly all are.
 * False: it is not, or SQLite refuses to change its row. */
static bool head_delivered(struct change *c, const struct event *e, int64_t gap_ms, int64_t now_ms)
{
	struct change part = change_part(c, NULL);
	int n;

	if (!e->account || !e->email)
		return false;
	recent_event_forget(c->store, e->id);
	CHANGE(q, &part,
	       "UPDATE events SET state = " SQL_DELIVERED
	       ", head = 0, ended = ?2, reason = NULL, attempts = attempts + 1,"
	       " gap = max(gap, ?3) WHERE id = ?1 AND state = " SQL_READY
	       " AND head = 1 AND account = ?4 AND email = ?5");
	query_bind_int(&q, e->id);
	query_bind_int(&q, ended_at(now_ms));
	query_bind_int(&q, gap_ms);
	query_bind_text(&q, e->account);
	query_bind_text(&q, e->email);
	n = change_run(&part, &q);
	return !change_part_failed(c, &part, -EBADMSG) && n > 0;
}

int store_event_delivered(struct store *s, const struct event *e, int64_t person_gap_ms, int64_t now_ms,
			  struct err *reterr)
{
	CLEANUP(event_brief_done) struct event_brief p = {0};
	struct event_brief head = {e->id, EVENT_READY, e->account, e->email, .head = true};
	struct change c = change_begin(s, reterr);
	int64_t gap_ms = person_gap_ms < 0 ? 0 : person_gap_ms;

	store_advance_now(s, now_ms);
	if (head_delivered(&c, e, gap_ms, now_ms)) {
		state_changed(&c, &head, EVENT_DELIVERED, gap_ms, now_ms);
		return change_end(&c);
	}
	if (!event_brief_find(&c, e->id, EVENT_READY, &p)) /* it was set aside while in flight */
		event_brief_load(&c, e->id, EVENT_DEAD, &p);
	event_change_state(&c, &p, EVENT_DELIVERED, NULL, gap_ms, now_ms);
	return change_end(&c);
}

void event_set_aside(struct change *c, int64_t id, const char *reason, int64_t now_ms)
{
	CLEANUP(event_brief_done) struct event_brief p = {0};

	store_advance_now(c->store, now_ms);
	event_brief_load(c, id, EVENT_READY, &p);
	event_change_state(c, &p, EVENT_DEAD, reason, -1, now_ms);
}

int store_event_dead(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	event_set_aside(&c, id, reason, now_ms);
	return change_end(&c);
}

/* ---- damaged rows ------------------------------------------------------------------------------------------------ */

/* OR REPLACE: an entry of the unique index without a row must not prevent the insertion. */
static void event_put_placeholder(struct change *c, int64_t id, const char *account, const unsigned char *key, size_t n)
{
	CHANGE(q, c,
	       "INSERT OR REPLACE INTO events (id, account, email, state, head, due, gap, created, unique_id, url,"
	       " reason) VALUES (?1, ?2, '', " SQL_EVENT_DEAD ", 0, 0, 0, ?3, ?4, '', ?5)");
	query_bind_int(&q, id);
	query_bind_text(&q, account);
	query_bind_int(&q, c->store->now_ms);
	query_bind_blob(&q, key, n);
	query_bind_text(&q, NOT_THERE);
	(void)change_run(c, &q);
	ids_forget(c->store);
}

/* The columns of an event that are in the index events_due. */
struct event_keys {
	const char *account;
	int64_t state, head, due;
};

static void event_keys_set(struct change *c, int64_t id, const struct event_keys *keys)
{
	CHANGE(q, c, "UPDATE events SET account = ?2, state = ?3, head = ?4, due = ?5 WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_text(&q, keys->account);
	query_bind_int(&q, keys->state);
	query_bind_int(&q, keys->head);
	query_bind_int(&q, keys->due);
	(void)change_run(c, &q);
}

/* Updates the row to what events_due says and back, which removes the entry. False: there is no row. */
static bool event_remove_entry(struct change *c, int64_t id, const char *account, int64_t due_ms)
{
	const struct event_keys indexed = {account, EVENT_READY, 1, due_ms};
	CLEANUP(mem_freep) char *own_account = NULL;
	struct event_keys own;

	CHANGE(q, c, "SELECT account, state, head, due FROM events WHERE id = ?1");
	query_bind_int(&q, id);
	if (!change_step(c, &q))
		return false;
	own.account = own_account = query_text(&q);
	own.state = query_int(&q);
	own.head = query_int(&q);
	own.due = query_int(&q);
	query_close(&q);
	event_keys_set(c, id, &indexed);
	event_keys_set(c, id, &own);
	return true;
}

void event_repair_due(struct change *c, const char *account, int64_t id, int64_t due_ms, int64_t now_ms)
{
	struct event_brief p = {.id = id, .account = (char *)(uintptr_t)account};
	unsigned char unique_id[EVENT_UNIQUE_ID_BYTES] = {0}; /* unused by any event: eight zeros, and the id */

	recent_event_forget(c->store, id);
	store_advance_now(c->store, now_ms);
	if (!event_remove_entry(c, id, account, due_ms)) {
		for (int i = 0; i < 8; i++)
			unique_id[8 + i] = (unsigned char)((uint64_t)id >> (8 * (7 - i)));
		event_put_placeholder(c, id, account, unique_id, sizeof(unique_id));
		(void)event_remove_entry(c, id, account, due_ms);
		event_change_state(c, &p, EVENT_DEAD, NOT_THERE, -1, now_ms);
		if (c->status == 0)
			loss_note(c->store, STORE_LOSS_EVENT, id, account, NOT_THERE);
	}
	/* Also if there is a row: it may be another person's event, and the person of the entry waits. */
	promote_reached_people(c, id, account, now_ms);
}

bool event_repair_unique(struct change *c, const char *account, const unsigned char key[EVENT_KEY_BYTES])
{
	int64_t id = 0;
	int64_t there = 0;

	CHANGE(named, c, "SELECT id FROM events WHERE account = ?1 AND unique_id = ?2");
	query_bind_text(&named, account);
	query_bind_blob(&named, key, EVENT_KEY_BYTES);
	if (!change_one_int(c, &named, &id))
		return false;
	CHANGE(row, c, "SELECT 1 FROM events WHERE id = ?1");
	query_bind_int(&row, id);
	if (change_one_int(c, &row, &there)) /* the event exists */
		return false;
	event_put_placeholder(c, id, account, key, EVENT_KEY_BYTES);
	(void)change_by_id(c, "DELETE FROM events WHERE id = ?1", id);
	if (c->status < 0)
		return false;
	loss_note(c->store, STORE_LOSS_OTHER, id, account,
		  "an event's row was not there, but an index still named it; the event is queued again");
	return true;
}
