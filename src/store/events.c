/* SPDX-License-Identifier: MIT */
/*
 * Events: inserts, loads and revives them, and finds events that are due or have another URL. event_state.c holds their
 * states and the order of a person's events.
 *
 * Ids are collected first and each row is read by its id, so that a callback may change the row. An unreadable event
 * becomes a dead letter here, with its reason, because its person and later due events must not wait for it.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* ---- queueing ---------------------------------------------------------------------------------------------------- */

/*
 * Makes the column unique_id of an event: its time, high byte first, then its unique_id. With the time in front new
 * entries of the index of keys stand side by side, as the events come in the order of their times. Events with the same
 * unique_id have the same time.
 *
 * -EINVAL: unique_id is not 32 lower-case hexadecimal digits; each unique_id has one spelling.
 */
static int event_key(const struct event *e, unsigned char ret[EVENT_KEY_BYTES])
{
	uint64_t time = (uint64_t)e->time_ms ^ UINT64_C(1) << 63; /* times before 1970 come first */

	for (int i = 0; i < EVENT_TIME_BYTES; i++)
		ret[i] = (unsigned char)(time >> (8 * (EVENT_TIME_BYTES - 1 - i)));
	return strspn(e->unique_id, "0123456789abcdef") < EVENT_UNIQUE_ID_LEN
		       ? -EINVAL
		       : hex_read(e->unique_id, EVENT_UNIQUE_ID_LEN, ret + EVENT_TIME_BYTES);
}

/* True where the store may hold events that an older schema wrote. Those have the smallest ids, so the first event
 * answers. The placeholder of a missing row counts as one, too. */
static bool may_hold_old_keys(struct change *c)
{
	size_t n = EVENT_KEY_BYTES;

	if (c->store->no_old_keys)
		return false;
	if (c->store->old_keys_damaged)
		return true;
	CHANGE(q, c, "SELECT unique_id FROM events WHERE id > 0 ORDER BY id LIMIT 1");
	if (change_step(c, &q))
		(void)query_blob(&q, &n);
	/* The event may stand on that page. SQLite writes nothing more in this transaction, so it fails; later ones do
	 * not ask. */
	c->store->old_keys_damaged = c->status == -EUCLEAN;
	c->store->no_old_keys = c->status == 0 && n == EVENT_KEY_BYTES;
	return !c->store->no_old_keys;
}

static void old_keys_unknown(struct store *s)
{
	s->no_old_keys = false;
}

const struct transaction_hook old_keys_hook = {
	.undo = old_keys_unknown,
	.rolled_back = old_keys_unknown,
};

/* True where the account has an event with this unique_id, as the column has it. */
static bool is_queued(struct change *c, const char *account, const unsigned char *unique_id, size_t n)
{
	struct key_walk walk = key_walk(c, KEY_EVENT, key_of_event(unique_id, n), KEYS_ALL);
	int64_t id;

	while ((id = key_walk_next(&walk)) != 0) {
		CHANGE(q, c, "SELECT 1 FROM events WHERE id = ?1 AND account = ?2 AND unique_id = ?3");
		query_bind_int(&q, id);
		query_bind_text(&q, account);
		query_bind_blob(&q, unique_id, n);
		if (change_step(c, &q))
			return true;
	}
	return false;
}

static void row_insert(struct change *c, int64_t id, const struct event *e, const unsigned char *key, bool head,
		       int64_t gap_ms)
{
	CHANGE(q, c,
	       "INSERT INTO events (id, account, email, state, head, due, gap, created, unique_id, url, attempts)"
	       " VALUES (?1, ?2, ?3, " SQL_READY ", ?4, ?5, ?6, ?7, ?8, ?9, 0)");
	query_bind_int(&q, id);
	query_bind_text(&q, e->account);
	query_bind_text(&q, e->email);
	query_bind_int(&q, head);
	query_bind_int(&q, e->due_ms);
	query_bind_int(&q, gap_ms);
	query_bind_int(&q, e->created_ms);
	query_bind_blob(&q, key, EVENT_KEY_BYTES);
	query_bind_text(&q, e->url ? e->url : "");
	(void)change_run(c, &q);
	keys_add(c, KEY_EVENT, key_of_event(key, EVENT_KEY_BYTES), id);
	keys_add(c, KEY_READY_PERSON, key_of_person(e->account, e->email), id);
}

static void body_insert(struct change *c, const struct event *e)
{
	CHANGE(q, c,
	       "INSERT OR REPLACE INTO event_bodies (id, metric, source, conversation, webhook, transition, time,"
	       " received, late, backfill, value, profile, properties)"
	       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
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
	(void)change_run(c, &q);
}

int store_event_insert(struct store *s, struct event *e, int64_t person_gap_ms, int64_t now_ms, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	unsigned char key[EVENT_KEY_BYTES];
	bool waits, is_new;
	int64_t id;
	int r;

	if (event_key(e, key) < 0)
		return err_set(reterr, -EINVAL, "an event's unique_id is not 32 hexadecimal digits");
	store_advance_now(s, now_ms);
	waits = person_waits(&c, e->account, e->email, now_ms);
	e->state = EVENT_READY;
	e->created_ms = e->due_ms = now_ms;
	if (!waits)
		e->due_ms = person_due(&c, e->account, e->email, e->profile ? e->profile : "{}", person_gap_ms, now_ms);
	e->attempts = 0;
	is_new = !is_queued(&c, e->account, key, sizeof(key)) &&
		 !(may_hold_old_keys(&c) && is_queued(&c, e->account, key + EVENT_TIME_BYTES, EVENT_UNIQUE_ID_BYTES));
	id = id_next(&c, IDS_EVENTS);
	if (c.status == 0 && is_new) {
		row_insert(&c, id, e, key, !waits, person_gap_ms);
		id_given(s, IDS_EVENTS, id);
		e->id = id;
		body_insert(&c, e);
	}
	if (c.status == 0 && is_new)
		counts_move(s, COUNT_EVENTS, e->account, COUNT_NOWHERE, 0, EVENT_READY, 0);
	r = change_end(&c);
	return r < 0 ? r : !is_new;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static void event_read_row(struct query *q, struct event *e)
{
	const unsigned char *key;
	size_t n;

	e->id = query_int(q);
	e->account = query_text(q);
	e->url = query_text(q);
	e->email = query_text(q);
	key = query_blob(q, &n);
	if (n == EVENT_KEY_BYTES || n == EVENT_UNIQUE_ID_BYTES) /* of schema 3 and older */
		hex_write(key + n - EVENT_UNIQUE_ID_BYTES, EVENT_UNIQUE_ID_BYTES, e->unique_id);
	else if (!q->bad)
		q->bad = "unique_id";
	e->state = (enum event_state)query_enum(q, EVENT_DEAD + 1);
	e->created_ms = query_int(q);
	e->attempts = (unsigned)query_int(q);
	e->due_ms = query_int(q);
	e->reason = query_text_or_null(q);

	e->metric = query_text(q);
	e->source = query_text(q);
	e->conversation = query_text_or_null(q);
	e->webhook = query_int(q);
	e->transition = (enum transition)query_enum(q, TRANSITION_EXPIRED + 1);
	e->time_ms = query_int(q);
	e->received_ms = query_int(q);
	e->late_ms = query_int(q);
	e->backfill = query_enum(q, 2);
	e->has_value = !query_is_null(q);
	if (e->has_value)
		e->value = query_real(q);
	else
		query_skip(q);
	e->profile = query_text(q);
	e->properties = query_text(q);
}

int event_row_load(struct store *s, int64_t id, bool lenient, struct event *ret, struct err *reterr)
{
	struct event e = {0};
	int r;

	QUERY(q, s,
	      "SELECT e.id, e.account, e.url, e.email, e.unique_id, e.state, e.created, e.attempts, e.due, e.reason,"
	      " b.metric, b.source, b.conversation, b.webhook, b.transition, b.time, b.received, b.late, b.backfill,"
	      " b.value, b.profile, b.properties FROM events e LEFT JOIN event_bodies b ON b.id = e.id WHERE e.id = ?1",
	      reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no event %016llx", (long long)id);
	if (r < 0)
		return r;
	event_read_row(&q, &e);
	if (!q.bad && !lenient && json_check_object(e.profile, NULL) < 0)
		q.bad = "profile";
	if (!q.bad && !lenient && json_check_object(e.properties, NULL) < 0)
		q.bad = "properties";
	if (q.bad && !lenient) {
		event_done(&e);
		return err_set(reterr, -EBADMSG, "the stored event %016llx does not read: its %s", (long long)id,
			       q.bad);
	}
	*ret = e;
	return 0;
}

int store_event_load(struct store *s, int64_t id, struct event *ret, struct err *reterr)
{
	return event_row_load(s, id, false, ret, reterr);
}

/* ---- due --------------------------------------------------------------------------------------------------------- */

/* An entry of the index events_due. */
struct due_event {
	int64_t id, due_ms;
};

/* Sets an event aside, in a transaction of its own if the caller has none. A reader only skips the event. */
static int set_bad_aside(struct store *s, const struct due_event *due, const char *account, int64_t now_ms,
			 const struct err *why, struct err *reterr)
{
	bool own = !s->in_transaction;
	struct change c;
	int r;

	if (s->mode == STORE_READ)
		return 0;
	r = own ? store_begin(s, reterr) : 0;
	if (r < 0)
		return r;
	c = change_begin(s, reterr);
	if (why->code == -ENOENT) {
		event_repair_due(&c, account, due->id, due->due_ms, now_ms);
	} else {
		event_set_aside(&c, due->id, why->text, now_ms);
		if (c.status == 0)
			loss_note(s, STORE_LOSS_EVENT, due->id, account, why->text);
	}
	r = change_end(&c);
	if (own && r == 0)
		return store_commit(s, reterr);
	if (own)
		store_rollback(s);
	return r;
}

int store_events_due(struct store *s, const char *account, int64_t now_ms, size_t max,
		     bool (*wanted)(void *ctx, int64_t id), int (*fn)(void *ctx, struct event *e), void *ctx,
		     struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	CLEANUP(ids_done) struct ids times = {0};
	bool any_bad = false;
	int r;

	QUERY(q, s,
	      "SELECT id, due FROM events WHERE state = " SQL_READY
	      " AND head = 1 AND account = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3",
	      reterr);
	query_bind_text(&q, account);
	query_bind_int(&q, now_ms);
	query_bind_int(&q, (int64_t)max);
	r = query_id_pairs(&q, &ids, &times);
	query_close(&q);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		const struct due_event due = {ids.items[i], times.items[i]};
		struct event e = {0};
		struct err why = {0};

		if (wanted && !wanted(ctx, ids.items[i]))
			continue;
		r = recent_event_take(s, account, due.id, due.due_ms, &e) ? 0 : store_event_load(s, due.id, &e, &why);
		/* The row must equal the index's entry. */
		if (r == 0 && (e.state != EVENT_READY || e.due_ms != due.due_ms || !text_is(e.account, account))) {
			event_done(&e);
			r = err_set(&why, -ENOENT, "the event %016llx is not due", (long long)due.id);
		}
		if (r == -EBADMSG || r == -ENOENT || r == -EUCLEAN) {
			r = set_bad_aside(s, &due, account, now_ms, &why, reterr);
			any_bad = true;
			continue;
		}
		if (r < 0)
			return err_set(reterr, r, "%s", why.text);
		r = fn(ctx, &e);
		event_done(&e);
		if (r != 0)
			return any_bad;
	}
	return r < 0 ? r : any_bad;
}

int64_t store_events_next_due_ms(struct store *s, const char *account, int64_t now_ms)
{
	int64_t due = CLOCK_NEVER_MS;

	QUERY(q, s,
	      "SELECT due FROM events WHERE state = " SQL_READY
	      " AND head = 1 AND account = ?1 AND due > ?2 ORDER BY due LIMIT 1",
	      NULL);
	query_bind_text(&q, account);
	query_bind_int(&q, now_ms);
	return query_one_int(&q, &due) < 0 ? CLOCK_NEVER_MS : due;
}

/* Skips entries that differ from their rows; store_events_due repairs them. */
int store_events_cap_due(struct store *s, const char *account, int64_t farthest_ms, int64_t now_ms, size_t max,
			 struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	struct change c = change_begin(s, reterr);
	int r;

	CHANGE(far, &c,
	       "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.state = " SQL_READY
	       " AND i.head = 1 AND i.account = ?1 AND i.due > ?2 AND e.state = " SQL_READY
	       " AND e.due > ?2 ORDER BY i.due DESC LIMIT ?3");
	query_bind_text(&far, account);
	query_bind_int(&far, farthest_ms);
	query_bind_int(&far, (int64_t)max);
	change_ids(&c, &far, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct err why = {0};
		struct change part = change_part(&c, &why);

		recent_event_forget(s, ids.items[i]);
		CHANGE(row, &part, "UPDATE events SET due = ?2 WHERE id = ?1");
		query_bind_int(&row, ids.items[i]);
		query_bind_int(&row, now_ms);
		(void)change_run(&part, &row);
		if (change_part_failed(&c, &part, -EBADMSG)) {
			loss_note(s, STORE_LOSS_EVENT, ids.items[i], account, why.text);
			event_set_aside(&c, ids.items[i], why.text, now_ms);
		}
	}
	r = change_end(&c);
	return r < 0 ? r : (int)ids.n;
}

/* ---- retries, rewriting ------------------------------------------------------------------------------------------ */

static void event_retry(struct change *c, int64_t id, unsigned attempts, int64_t due_ms, const char *reason)
{
	recent_event_forget(c->store, id);
	CHANGE(q, c, "UPDATE events SET attempts = ?2, due = ?3, reason = ?4 WHERE id = ?1 AND state = " SQL_READY);
	query_bind_int(&q, id);
	query_bind_int(&q, (int64_t)attempts);
	query_bind_int(&q, due_ms);
	query_bind_text(&q, reason);
	if (change_run(c, &q) == 0 && c->status == 0)
		c->status = err_set(c->reterr, -ENOENT, "there is no event %016llx that is ready", (long long)id);
}

int store_event_retry(struct store *s, int64_t id, unsigned attempts, int64_t due_ms, const char *reason,
		      struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	event_retry(&c, id, attempts, due_ms, reason);
	return change_end(&c);
}

int store_event_rewrite(struct store *s, int64_t id, const char *profile, const char *properties, bool backfill,
			struct err *reterr)
{
	int r;

	recent_event_forget(s, id);
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

/* ---- reviving ---------------------------------------------------------------------------------------------------- */

int store_event_revive(struct store *s, int64_t id, int64_t now_ms, bool *ret_later, struct err *reterr)
{
	CLEANUP(event_brief_done) struct event_brief p = {0};
	CLEANUP(mem_freep) char *profile = NULL;
	struct change c = change_begin(s, reterr);
	bool has_ready, overtaken;
	int r;

	event_brief_load(&c, id, EVENT_DEAD, &p);
	if (c.status < 0)
		return change_end(&c);
	store_advance_now(s, now_ms);
	has_ready = person_waits(&c, p.account, p.email, now_ms);
	/* The person's head may be in flight, so it stays first, even if it was queued later. */
	overtaken = has_ready && person_head(&c, p.account, p.email) > p.id;
	event_change_state(&c, &p, EVENT_READY, NULL, -1, now_ms);
	event_retry(&c, id, 0, now_ms, NULL);
	if (!has_ready) {
		CHANGE(body, &c, "SELECT profile FROM event_bodies WHERE id = ?1");
		query_bind_int(&body, id);
		profile = change_step(&c, &body) ? query_text(&body) : mem_str("{}");
		query_close(&body);
		event_head_set(&c, id, person_due(&c, p.account, p.email, profile, p.gap_ms, now_ms));
	}
	r = change_end(&c);
	if (r == 0)
		*ret_later = p.later || overtaken;
	return r;
}

/* ---- of another URL ---------------------------------------------------------------------------------------------- */

int store_events_dead_of_other_url(struct store *s, const char *account, const char *url, const char *reason,
				   int64_t now_ms, size_t max, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	struct change c = change_begin(s, reterr);
	int r;

	/* Events without a URL are skipped: their account was not configured when they were queued. */
	CHANGE(below, &c,
	       "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.state = " SQL_READY
	       " AND i.account = ?1 AND i.url > '' AND i.url < ?2 AND e.state = " SQL_READY " LIMIT ?3");
	query_bind_text(&below, account);
	query_bind_text(&below, url);
	query_bind_int(&below, (int64_t)max);
	change_ids(&c, &below, &ids);
	CHANGE(above, &c,
	       "SELECT e.id FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.state = " SQL_READY
	       " AND i.account = ?1 AND i.url > ?2 AND e.state = " SQL_READY " LIMIT ?3");
	query_bind_text(&above, account);
	query_bind_text(&above, url);
	query_bind_int(&above, (int64_t)(max - ids.n));
	change_ids(&c, &above, &ids);
	for (size_t i = 0; i < ids.n; i++)
		event_set_aside(&c, ids.items[i], reason, now_ms);
	r = change_end(&c);
	return r < 0 ? r : (int)ids.n;
}
