/*
 * The state of an event: its row, its counter, and the order of a person's events.
 *
 * Of a person's (account, e-mail address) ready events exactly one is the head: the one that goes out next, and that
 * may be on its way. It stays the head until it is delivered or dead; then the one with the smallest id becomes the
 * head. So the events that are due are found by an index over heads alone, however long the queue behind them is, and a
 * dead letter that is revived never overtakes one that is on its way.
 */
#include <config.h>

#include <errno.h>

#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

void event_place_done(struct event_place *p)
{
	free(p->account);
	free(p->email);
}

int event_place_load(struct store *s, int64_t id, enum event_state state, struct event_place *ret, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT account, email, head, later, gap FROM events WHERE id = ?1 AND state = ?2", reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)state);
	r = query_step(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no event %016llx that is %s", (long long)id,
			       event_state_name(state));
	if (r < 0)
		return r;
	ret->id = id;
	ret->account = query_text(&q);
	ret->email = query_text(&q);
	ret->head = query_int(&q) != 0;
	ret->later = query_int(&q) != 0;
	ret->gap_ms = query_int(&q);
	return 0;
}

/* ---- its state --------------------------------------------------------------------------------------------------- */

/* As webhook_state.c does: for a row that comes to its end, although a value in it has another type than its column. */
static int event_retype(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO events (id, account, email, state, head, due, ended, attempts, later, gap, "
	      "created,"
	      " unique_id, url, reason) SELECT id, CAST(account AS TEXT), CAST(email AS TEXT), CAST(state AS INTEGER),"
	      " CAST(head AS INTEGER), CAST(due AS INTEGER), CAST(ended AS INTEGER), CAST(attempts AS INTEGER),"
	      " CAST(later AS INTEGER), CAST(gap AS INTEGER), CAST(created AS INTEGER), CAST(unique_id AS BLOB),"
	      " CAST(url AS TEXT), CAST(reason AS TEXT) FROM events WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

static int state_write(struct store *s, int64_t id, enum event_state to, int64_t ended_ms, const char *reason,
		       struct err *reterr)
{
	QUERY(q, s,
	      "UPDATE events SET state = ?2, head = 0, ended = ?3, reason = ?4, attempts = attempts + ?5 WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)to);
	query_bind_int(&q, ended_ms);
	query_bind_text(&q, reason);
	query_bind_int(&q, to == EVENT_DELIVERED);
	return query_run(&q);
}

int event_state_set(struct store *s, const struct event_place *p, enum event_state from, enum event_state to,
		    int64_t ended_ms, const char *reason, struct err *reterr)
{
	int r = state_write(s, p->id, to, ended_ms, reason, reterr);

	if (r == -EBADMSG) {
		r = event_retype(s, p->id, reterr);
		if (r >= 0)
			r = state_write(s, p->id, to, ended_ms, reason, reterr);
	}
	if (r < 0)
		return r;
	counts_move(s, COUNT_EVENTS, p->account, (int)from, 0, (int)to, 0);
	return 0;
}

/* ---- who is next ------------------------------------------------------------------------------------------------- */

int person_due(struct store *s, const char *account, const char *email, const char *profile, int64_t gap_ms,
	       int64_t now_ms, int64_t *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *before = NULL;
	int64_t delivered_ms;
	int r;

	*ret = now_ms;
	if (gap_ms <= 0)
		return 0;
	QUERY(q, s,
	      "SELECT e.ended, b.profile FROM events e LEFT JOIN event_bodies b ON b.id = e.id"
	      " WHERE e.account = ?1 AND e.email = ?2 AND e.state = " SQL_DELIVERED " ORDER BY e.ended DESC LIMIT 1",
	      reterr);
	query_bind_text(&q, account);
	query_bind_text(&q, email);
	r = query_step(&q);
	if (r <= 0)
		return r;
	delivered_ms = query_int(&q);
	if (delivered_ms > now_ms - gap_ms) {
		before = query_text(&q);
		if (event_changes_profile(before, profile))
			*ret = (delivered_ms < now_ms ? delivered_ms : now_ms) + gap_ms;
	}
	return 0;
}

int event_head_set(struct store *s, int64_t id, int64_t due_ms, struct err *reterr)
{
	QUERY(q, s, "UPDATE events SET head = 1, due = ?2 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, due_ms);
	return query_run(&q);
}

/* One whose row takes no change is set aside: the one behind it is next. */
static int head_refused(struct store *s, const struct event_place *p, int64_t id, const char *why, struct err *reterr)
{
	struct event_place refused = {.id = id, .account = p->account};
	int r = event_state_set(s, &refused, EVENT_READY, EVENT_DEAD, 0, why, reterr);

	if (r == 0)
		loss_note(s, STORE_LOSS_EVENT, id, p->account, why);
	return r;
}

/* 1: there is a next one. 2: there was one, and it was set aside. */
static int promote_one(struct store *s, const struct event_place *p, int64_t gap_ms, int64_t now_ms, struct err *reterr)
{
	CLEANUP(mem_freep) char *profile = NULL;
	struct err why = {0};
	int64_t next, gap, due;
	int r;

	QUERY(q, s,
	      "SELECT e.id, e.gap, b.profile FROM events i CROSS JOIN events e ON e.id = i.id"
	      " LEFT JOIN event_bodies b ON b.id = e.id WHERE i.account = ?1 AND i.email = ?2 AND i.state = " SQL_READY
	      " AND i.ended = 0 AND e.state = " SQL_READY
	      " AND +e.account = ?1 AND +e.email = ?2 ORDER BY i.id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	r = query_step(&q);
	if (r <= 0)
		return r;
	next = query_int(&q);
	gap = query_int(&q);
	profile = query_text(&q);
	query_close(&q);
	r = person_due(s, p->account, p->email, profile, gap_ms < 0 ? gap : gap_ms, now_ms, &due, reterr);
	if (r < 0)
		return r;
	r = event_head_set(s, next, due, &why);
	if (r != -EBADMSG)
		return r < 0 ? err_set(reterr, r, "%s", why.text) : 1;
	r = head_refused(s, p, next, why.text, reterr);
	return r < 0 ? r : 2;
}

/* The head of the person has ended: the next takes its place. gap_ms < 0: the next one's own. 1: there is one. */
static int person_promote(struct store *s, const struct event_place *p, int64_t gap_ms, int64_t now_ms,
			  struct err *reterr)
{
	int r;

	do
		r = promote_one(s, p, gap_ms, now_ms, reterr);
	while (r == 2);
	return r;
}

/* 1: one of the person's ready events goes out next. It is the oldest, or one that a revived dead letter came before.
 */
static int person_has_head(struct store *s, const char *account, const char *email, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.account = ?1 AND i.email = ?2"
	      " AND i.state = " SQL_READY " AND i.ended = 0 AND e.state = " SQL_READY
	      " AND e.head = 1 AND +e.account = ?1 AND +e.email = ?2"
	      " LIMIT 1",
	      reterr);
	query_bind_text(&q, account);
	query_bind_text(&q, email);
	return query_step(&q);
}

int person_waits(struct store *s, const char *account, const char *email, int64_t now_ms, struct err *reterr)
{
	const struct event_place p = {.account = (char *)(uintptr_t)account, .email = (char *)(uintptr_t)email};
	int r = person_has_head(s, account, email, reterr);

	return r != 0 ? r : person_promote(s, &p, -1, now_ms, reterr);
}

int event_wake_people(struct store *s, int64_t id, const char *account, int64_t now_ms, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT r.email FROM event_bodies b CROSS JOIN conversations c ON c.source = b.source"
	      " AND c.conversation = b.conversation CROSS JOIN reached r ON r.conversation = c.id"
	      " WHERE b.id = ?1 AND r.account = ?2 AND r.email IS NOT NULL",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, account);
	while ((r = query_step(&q)) > 0) {
		CLEANUP(mem_freep) char *email = query_text(&q);

		r = person_waits(s, account, email, now_ms, reterr);
		if (r < 0)
			return r;
	}
	/* It is a help only: what is damaged there too must not undo the rest. */
	return r == -EUCLEAN ? 0 : r;
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

/* Dead letters of the person that are older than what was delivered now: should one be revived, its flag is out of
 * date. */
static int mark_overtaken(struct store *s, const struct event_place *p, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r;

	QUERY(q, s,
	      "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.account = ?1 AND i.email = ?2"
	      " AND i.state = " SQL_EVENT_DEAD " AND i.ended = 0 AND i.id < ?3 AND e.state = " SQL_EVENT_DEAD
	      " AND e.later = 0",
	      reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, p->id);
	r = query_ids(&q, &ids);
	query_close(&q);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		QUERY(row, s, "UPDATE events SET later = 1 WHERE id = ?1", reterr);
		query_bind_int(&row, ids.items[i]);
		r = query_run(&row);
		if (r == -EBADMSG) /* it takes no change: nor can it be revived */
			r = 0;
	}
	return r;
}

int store_event_delivered(struct store *s, int64_t id, int64_t person_gap_ms, int64_t now_ms, struct err *reterr)
{
	CLEANUP(event_place_done) struct event_place p = {0};
	enum event_state from = EVENT_READY;
	int r = event_place_load(s, id, from, &p, reterr);

	store_tell(s, now_ms);
	if (r == -ENOENT) { /* it was set aside while it was on its way */
		from = EVENT_DEAD;
		r = event_place_load(s, id, from, &p, reterr);
	}
	if (r == 0)
		r = event_state_set(s, &p, from, EVENT_DELIVERED, now_ms > 0 ? now_ms : 1, NULL, reterr);
	if (r >= 0)
		r = mark_overtaken(s, &p, reterr);
	if (r >= 0 && p.head)
		r = person_promote(s, &p, person_gap_ms < 0 ? 0 : person_gap_ms, now_ms, reterr);
	return r < 0 ? r : 0;
}

int event_set_aside(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr)
{
	CLEANUP(event_place_done) struct event_place p = {0};
	int r = event_place_load(s, id, EVENT_READY, &p, reterr);

	store_tell(s, now_ms);
	if (r == 0)
		r = event_state_set(s, &p, EVENT_READY, EVENT_DEAD, 0, reason, reterr);
	if (r == 0 && p.head)
		r = person_promote(s, &p, -1, now_ms, reterr);
	return r < 0 ? r : 0;
}

int store_event_dead(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr)
{
	return event_set_aside(s, id, reason, now_ms, reterr);
}

/* ---- rows that are damaged --------------------------------------------------------------------------------------- */

/* OR REPLACE: what the unique index names without a row is no reason to refuse it. */
static int event_stand_in(struct store *s, int64_t id, const char *account, const unsigned char *unique_id,
			  struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO events (id, account, email, state, head, due, gap, created, unique_id, url, "
	      "reason)"
	      " VALUES (?1, ?2, '', " SQL_EVENT_DEAD ", 0, 0, 0, ?3, ?4, '', ?5)",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, account);
	query_bind_int(&q, s->told_ms);
	query_bind_blob(&q, unique_id, EVENT_UNIQUE_ID_BYTES);
	query_bind_text(&q, NOT_THERE);
	return query_run(&q);
}

/* What events_due holds of an event. */
struct event_way {
	const char *account;
	int64_t state, head, due;
};

static int event_way_set(struct store *s, int64_t id, const struct event_way *way, struct err *reterr)
{
	QUERY(q, s, "UPDATE events SET account = ?2, state = ?3, head = ?4, due = ?5 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, way->account);
	query_bind_int(&q, way->state);
	query_bind_int(&q, way->head);
	query_bind_int(&q, way->due);
	return query_run(&q);
}

/* 1: the row is there; it has been what events_due says, and is what it was. */
static int event_take_out(struct store *s, int64_t id, const char *account, int64_t due_ms, struct err *reterr)
{
	const struct event_way claimed = {account, EVENT_READY, 1, due_ms};
	CLEANUP(mem_freep) char *own_account = NULL;
	struct event_way own;
	int r;

	QUERY(q, s, "SELECT account, state, head, due FROM events WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	own.account = own_account = query_text(&q);
	own.state = query_int(&q);
	own.head = query_int(&q);
	own.due = query_int(&q);
	query_close(&q);
	r = event_way_set(s, id, &claimed, reterr);
	if (r >= 0)
		r = event_way_set(s, id, &own, reterr);
	return r < 0 ? r : 1;
}

int event_mend_due(struct store *s, const char *account, int64_t id, int64_t due_ms, int64_t now_ms, struct err *reterr)
{
	unsigned char unique_id[EVENT_UNIQUE_ID_BYTES] = {0}; /* nobody has it: eight zeros, and the id */
	int r = event_take_out(s, id, account, due_ms, reterr);

	store_tell(s, now_ms);
	if (r < 0)
		return r;
	if (r > 0) /* it may be another person's, and the one of the index waits */
		return event_wake_people(s, id, account, now_ms, reterr);
	for (int i = 0; i < 8; i++)
		unique_id[8 + i] = (unsigned char)((uint64_t)id >> (8 * (7 - i)));
	r = event_stand_in(s, id, account, unique_id, reterr);
	if (r >= 0)
		r = event_take_out(s, id, account, due_ms, reterr);
	if (r < 0)
		return r;
	counts_move(s, COUNT_EVENTS, account, EVENT_READY, 0, EVENT_DEAD, 0);
	loss_note(s, STORE_LOSS_EVENT, id, account, NOT_THERE);
	return event_wake_people(s, id, account, now_ms, reterr);
}

static int event_row_delete(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s, "DELETE FROM events WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

int event_mend_unique(struct store *s, const char *account, const unsigned char *unique_id, struct err *reterr)
{
	int64_t id = 0, there = 0;
	int r;

	QUERY(named, s, "SELECT id FROM events WHERE account = ?1 AND unique_id = ?2", reterr);
	query_bind_text(&named, account);
	query_bind_blob(&named, unique_id, EVENT_UNIQUE_ID_BYTES);
	r = query_one_int(&named, &id);
	query_close(&named);
	if (r <= 0)
		return r < 0 ? r : 0;
	QUERY(row, s, "SELECT 1 FROM events WHERE id = ?1", reterr);
	query_bind_int(&row, id);
	r = query_one_int(&row, &there);
	query_close(&row);
	if (r != 0) /* there, and the same event */
		return r < 0 ? r : 0;
	r = event_stand_in(s, id, account, unique_id, reterr);
	if (r >= 0)
		r = event_row_delete(s, id, reterr);
	if (r < 0)
		return r;
	loss_note(s, STORE_LOSS_OTHER, id, account,
		  "an event's row was not there, an index still named it; the event is queued anew");
	return 1;
}
