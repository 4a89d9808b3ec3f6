/*
 * Events and the order of a person's events.
 *
 * Of a person's (account, e-mail address) ready events exactly one is the head: the one that goes out next, and that
 * may be on its way. It stays the head until it is delivered or dead; then the one with the smallest id becomes the
 * head. So the events that are due are found by an index over heads alone, however long the queue behind them is, and a
 * dead letter that is revived never overtakes one that is on its way.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* What a change of an event needs to know of it. */
struct event_place {
	int64_t id;
	char *account, *email;
	bool head, later;
	int64_t gap_ms;
};

static void event_place_done(struct event_place *p)
{
	free(p->account);
	free(p->email);
}

/* -ENOENT where it is not in that state. What does not read is taken as empty: also a broken row must be able to end.
 */
static int event_place_load(struct store *s, int64_t id, enum event_state state, struct event_place *ret,
			    struct err *reterr)
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

static int event_state_set(struct store *s, const struct event_place *p, enum event_state from, enum event_state to,
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
	counts_add(s, COUNT_EVENTS, p->account, (int)from, 0, -1);
	counts_add(s, COUNT_EVENTS, p->account, (int)to, 0, 1);
	return 0;
}

/* ---- who is next ------------------------------------------------------------------------------------------------- */

/* When an event of this profile may go out: gap_ms after the person's last 2xx where the profile differs, and no later
 * than gap_ms from now, should the clock have been ahead then. */
static int person_due(struct store *s, const char *account, const char *email, const char *profile, int64_t gap_ms,
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

static int head_set(struct store *s, int64_t id, int64_t due_ms, struct err *reterr)
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
	r = head_set(s, next, due, &why);
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

/* 1: the person has a ready event. Where the one that goes out next is lost (deleted by hand, or its row is not there),
 * the oldest takes its place: the person must not wait for good. */
static int person_waits(struct store *s, const char *account, const char *email, int64_t now_ms, struct err *reterr)
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

/* ---- queueing ---------------------------------------------------------------------------------------------------- */

static int unique_id_read(const char *hex, unsigned char out[EVENT_UNIQUE_ID_BYTES], struct err *reterr)
{
	/* Lower case only: as text, a unique_id is one spelling of its bytes. */
	if (strspn(hex, "0123456789abcdef") < EVENT_UNIQUE_ID_LEN || hex_read(hex, EVENT_UNIQUE_ID_LEN, out) < 0)
		return err_set(reterr, -EINVAL, "an event's unique_id is not 32 hexadecimal digits");
	return 0;
}

/* 0: that account has that unique_id already. */
static int row_insert(struct store *s, const struct event *e, const unsigned char *unique_id, bool head, int64_t gap_ms,
		      struct err *reterr)
{
	QUERY(q, s,
	      "INSERT INTO events (account, email, state, head, due, gap, created, unique_id, url, attempts)"
	      " VALUES (?1, ?2, " SQL_READY ", ?3, ?4, ?5, ?6, ?7, ?8, 0) ON CONFLICT (account, unique_id) DO NOTHING",
	      reterr);
	query_bind_text(&q, e->account);
	query_bind_text(&q, e->email);
	query_bind_int(&q, head);
	query_bind_int(&q, e->due_ms);
	query_bind_int(&q, gap_ms);
	query_bind_int(&q, e->created_ms);
	query_bind_blob(&q, unique_id, EVENT_UNIQUE_ID_BYTES);
	query_bind_text(&q, e->url ? e->url : "");
	return query_run(&q);
}

static int body_insert(struct store *s, const struct event *e, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO event_bodies (id, metric, source, conversation, webhook, transition, time, "
	      "received, late,"
	      " backfill, value, profile, properties) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	      reterr);
	query_bind_int(&q, e->id);
	query_bind_text(&q, e->metric);
	query_bind_text(&q, e->source);
	query_bind_text(&q, e->conversation);
	query_bind_int(&q, e->webhook);
	query_bind_int(&q, (int64_t)e->transition);
	query_bind_int(&q, e->time_ms);
	query_bind_int(&q, e->received_ms);
	query_bind_int(&q, e->late_ms);
	query_bind_int(&q, e->backfill);
	if (e->has_value)
		query_bind_real(&q, e->value);
	else
		query_bind_null(&q);
	query_bind_text(&q, e->profile ? e->profile : "{}");
	query_bind_text(&q, e->properties ? e->properties : "{}");
	return query_run(&q);
}

int store_event_insert(struct store *s, struct event *e, int64_t person_gap_ms, int64_t now_ms, struct err *reterr)
{
	unsigned char unique_id[EVENT_UNIQUE_ID_BYTES];
	int64_t due_ms = now_ms;
	int r = unique_id_read(e->unique_id, unique_id, reterr), waits;

	if (r < 0)
		return r;
	store_tell(s, now_ms);
	waits = person_waits(s, e->account, e->email, now_ms, reterr);
	if (waits < 0)
		return waits;
	if (waits == 0)
		r = person_due(s, e->account, e->email, e->profile ? e->profile : "{}", person_gap_ms, now_ms, &due_ms,
			       reterr);
	if (r < 0)
		return r;
	e->state = EVENT_READY;
	e->created_ms = now_ms;
	e->due_ms = due_ms;
	e->attempts = 0;
	r = row_insert(s, e, unique_id, waits == 0, person_gap_ms, reterr);
	if (r == 0) { /* or only an index says so */
		r = event_mend_unique(s, e->account, unique_id, reterr);
		if (r > 0)
			r = row_insert(s, e, unique_id, waits == 0, person_gap_ms, reterr);
	}
	if (r <= 0)
		return r < 0 ? r : 1;
	e->id = sqlite3_last_insert_rowid(s->db);
	r = body_insert(s, e, reterr);
	if (r < 0)
		return r;
	counts_add(s, COUNT_EVENTS, e->account, EVENT_READY, 0, 1);
	return 0;
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

int store_event_retry(struct store *s, int64_t id, unsigned attempts, int64_t due_ms, const char *reason,
		      struct err *reterr)
{
	int r;

	QUERY(q, s, "UPDATE events SET attempts = ?2, due = ?3, reason = ?4 WHERE id = ?1 AND state = " SQL_READY,
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)attempts);
	query_bind_int(&q, due_ms);
	query_bind_text(&q, reason);
	r = query_run(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no event %016llx that is ready", (long long)id);
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

/* ---- back from the dead ------------------------------------------------------------------------------------------ */

static int event_profile(struct store *s, int64_t id, char **ret, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT profile FROM event_bodies WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r < 0)
		return r;
	*ret = r > 0 ? query_text(&q) : mem_str("{}");
	return 0;
}

/* 1: what goes out before this one, because it may be on its way, was queued after it. */
static int event_comes_after_later(struct store *s, const struct event_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.account = ?1 AND i.email = ?2"
	      " AND i.state = " SQL_READY " AND i.ended = 0 AND i.id > ?3 AND e.state = " SQL_READY
	      " AND e.head = 1 LIMIT 1",
	      reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, p->id);
	return query_step(&q);
}

int store_event_revive(struct store *s, int64_t id, int64_t now_ms, bool *ret_later, struct err *reterr)
{
	CLEANUP(event_place_done) struct event_place p = {0};
	CLEANUP(mem_freep) char *profile = NULL;
	int64_t due;
	int r = event_place_load(s, id, EVENT_DEAD, &p, reterr), waits, overtaken;

	if (r < 0)
		return r;
	store_tell(s, now_ms);
	waits = person_waits(s, p.account, p.email, now_ms, reterr);
	if (waits < 0)
		return waits;
	overtaken = event_comes_after_later(s, &p, reterr);
	if (overtaken < 0)
		return overtaken;
	r = event_state_set(s, &p, EVENT_DEAD, EVENT_READY, 0, NULL, reterr);
	if (r >= 0)
		r = store_event_retry(s, id, 0, now_ms, NULL, reterr);
	if (r >= 0 && waits == 0) {
		r = event_profile(s, id, &profile, reterr);
		if (r >= 0)
			r = person_due(s, p.account, p.email, profile, p.gap_ms, now_ms, &due, reterr);
		if (r >= 0)
			r = head_set(s, id, due, reterr);
	}
	if (r < 0)
		return r;
	*ret_later = p.later || overtaken > 0;
	return 0;
}

int store_event_rewrite(struct store *s, int64_t id, const char *profile, const char *properties, bool backfill,
			struct err *reterr)
{
	int r;

	QUERY(q, s, "UPDATE event_bodies SET profile = ?2, properties = ?3, backfill = ?4 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, profile);
	query_bind_text(&q, properties);
	query_bind_int(&q, backfill);
	r = query_run(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no event %016llx", (long long)id);
	return r < 0 ? r : 0;
}
