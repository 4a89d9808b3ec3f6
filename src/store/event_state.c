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

/* Finds the person's ready event with the smallest id. */
static bool oldest_ready(struct change *c, const char *account, const char *email, struct event_brief *ret,
			 char **ret_profile)
{
	struct key_walk walk = key_walk(c, KEY_READY_PERSON, key_of_person(account, email), KEYS_ALL);

	while ((ret->id = key_walk_next(&walk)) != 0) {
		CHANGE(q, c,
		       "SELECT e.gap, b.profile FROM events e LEFT JOIN event_bodies b ON b.id = e.id WHERE e.id = ?1"
		       " AND e.state = " SQL_READY " AND e.account = ?2 AND e.email = ?3");
		query_bind_int(&q, ret->id);
		query_bind_text(&q, account);
		query_bind_text(&q, email);
		if (!change_step(c, &q))
			continue;
		ret->gap_ms = query_int(&q);
		*ret_profile = query_text(&q);
		return true;
	}
	return false;
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

		if (!oldest_ready(c, account, email, &next, &profile))
			return false;
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

/* Returns the id of the person's head. 0: there is none; *ret_ready: but there are ready events. */
static int64_t head_find(struct change *c, const char *account, const char *email, bool *ret_ready)
{
	/* The head is the oldest ready event, unless an older dead letter was revived. */
	struct key_walk walk = key_walk(c, KEY_READY_PERSON, key_of_person(account, email), KEYS_ALL);
	int64_t id;

	*ret_ready = false;
	while ((id = key_walk_next(&walk)) != 0) {
		CHANGE(q, c,
		       "SELECT head = 1 FROM events WHERE id = ?1 AND state = " SQL_READY
		       " AND account = ?2 AND email = ?3");
		query_bind_int(&q, id);
		query_bind_text(&q, account);
		query_bind_text(&q, email);
		if (!change_step(c, &q))
			continue;
		if (query_int(&q) != 0)
			return id;
		*ret_ready = true;
	}
	return 0;
}

int64_t person_head(struct change *c, const char *account, const char *email)
{
	bool ready;

	return head_find(c, account, email, &ready);
}

bool person_waits(struct change *c, const char *account, const char *email, int64_t now_ms)
{
	bool ready;

	return head_find(c, account, email, &ready) != 0 || (ready && person_promote(c, account, email, -1, now_ms));
}

/* The address of a lost event is unknown, so everybody whom its conversation reached gets a head. Damage met here is
 * ignored, because it must not undo the repair. */
static void promote_reached_people(struct change *c, int64_t id, const char *account, int64_t now_ms)
{
	struct change part = change_part(c, NULL);
	struct store_conversation row = {0};
	struct people list;
	struct person p;

	CHANGE(body, &part, "SELECT source, conversation FROM event_bodies WHERE id = ?1");
	query_bind_int(&body, id);
	if (change_step(&part, &body)) {
		CLEANUP(mem_freep) char *source = query_text(&body);
		CLEANUP(mem_freep) char *conversation = query_text(&body);

		conversation_find(&part, source, conversation, &row);
	}
	CHANGE(q, &part, "SELECT people FROM conversations WHERE id = ?1");
	query_bind_int(&q, row.id);
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
	struct key_walk walk = key_walk(c, KEY_DEAD_PERSON, key_of_person(p->account, p->email), KEYS_ALL);
	int64_t id;

	while ((id = key_walk_next(&walk)) != 0 && id < p->id) {
		struct change part = change_part(c, NULL);

		CHANGE(q, &part,
		       "UPDATE events SET later = 1 WHERE id = ?1 AND account = ?2 AND email = ?3 AND state "
		       "= " SQL_EVENT_DEAD " AND later = 0");
		query_bind_int(&q, id);
		query_bind_text(&q, p->account);
		query_bind_text(&q, p->email);
		(void)change_run(&part, &q);
		(void)change_part_failed(c, &part, -EBADMSG);
	}
}

static enum key_kind undelivered_kind(enum event_state state)
{
	return state == EVENT_READY ? KEY_READY_PERSON : KEY_DEAD_PERSON;
}

/* A lost event has no address. */
static void keys_move(struct change *c, const struct event_brief *p, enum event_state to)
{
	int64_t key;

	if (!p->email)
		return;
	key = key_of_person(p->account, p->email);
	if (p->state != EVENT_DELIVERED)
		keys_remove(c, undelivered_kind(p->state), key, p->id);
	if (to != EVENT_DELIVERED)
		keys_add(c, undelivered_kind(to), key, p->id);
}

/* Updates all but the row. */
static void state_changed(struct change *c, struct event_brief *p, enum event_state to, int64_t gap_ms, int64_t now_ms)
{
	bool was_head = p->head;

	if (c->status < 0)
		return;
	counts_move(c->store, COUNT_EVENTS, p->account, (int)p->state, 0, (int)to, 0);
	keys_move(c, p, to);
	p->state = to;
	p->head = false;
	if (to == EVENT_DELIVERED && p->email)
		mark_overtaken(c, p);
	if (was_head && to != EVENT_READY)
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
