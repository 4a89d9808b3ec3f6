/*
 * Events put in and changed. Their state, and who of a person is next: event_state.c.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* ---- queueing ---------------------------------------------------------------------------------------------------- */

static int unique_id_read(const char *hex, unsigned char out[EVENT_UNIQUE_ID_BYTES], struct err *reterr)
{
	/* Lower case only: as text, a unique_id is one spelling of its bytes. */
	if (strspn(hex, "0123456789abcdef") < EVENT_UNIQUE_ID_LEN || hex_read(hex, EVENT_UNIQUE_ID_LEN, out) < 0)
		return err_set(reterr, -EINVAL, "an event's unique_id is not 32 hexadecimal digits");
	return 0;
}

/* 0: that account has that unique_id already. */
static int row_insert(struct change *c, const struct event *e, const unsigned char *unique_id, bool head,
		      int64_t gap_ms)
{
	CHANGE(q, c,
	       "INSERT INTO events (account, email, state, head, due, gap, created, unique_id, url, attempts)"
	       " VALUES (?1, ?2, " SQL_READY
	       ", ?3, ?4, ?5, ?6, ?7, ?8, 0) ON CONFLICT (account, unique_id) DO NOTHING");
	query_bind_text(&q, e->account);
	query_bind_text(&q, e->email);
	query_bind_int(&q, head);
	query_bind_int(&q, e->due_ms);
	query_bind_int(&q, gap_ms);
	query_bind_int(&q, e->created_ms);
	query_bind_blob(&q, unique_id, EVENT_UNIQUE_ID_BYTES);
	query_bind_text(&q, e->url ? e->url : "");
	return change_run(c, &q);
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
	unsigned char unique_id[EVENT_UNIQUE_ID_BYTES];
	struct change c = change_begin(s, reterr);
	bool head, is_new;
	int r = unique_id_read(e->unique_id, unique_id, reterr);

	if (r < 0)
		return r;
	store_tell(s, now_ms);
	head = !person_waits(&c, e->account, e->email, now_ms);
	e->state = EVENT_READY;
	e->created_ms = e->due_ms = now_ms;
	if (head)
		e->due_ms = person_due(&c, e->account, e->email, e->profile ? e->profile : "{}", person_gap_ms, now_ms);
	e->attempts = 0;
	is_new = row_insert(&c, e, unique_id, head, person_gap_ms) > 0;
	if (!is_new && event_mend_unique(&c, e->account, unique_id)) /* only an index said so */
		is_new = row_insert(&c, e, unique_id, head, person_gap_ms) > 0;
	if (is_new) {
		e->id = sqlite3_last_insert_rowid(s->db);
		body_insert(&c, e);
	}
	if (c.status == 0 && is_new)
		counts_move(s, COUNT_EVENTS, e->account, COUNT_NOWHERE, 0, EVENT_READY, 0);
	r = change_end(&c);
	return r < 0 ? r : !is_new;
}

/* ---- kept waiting, rewritten ------------------------------------------------------------------------------------- */

static void event_retry(struct change *c, int64_t id, unsigned attempts, int64_t due_ms, const char *reason)
{
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

/* ---- back from the dead ------------------------------------------------------------------------------------------ */

/* Owned. */
static char *event_profile(struct change *c, int64_t id)
{
	CHANGE(q, c, "SELECT profile FROM event_bodies WHERE id = ?1");
	query_bind_int(&q, id);
	return change_step(c, &q) ? query_text(&q) : mem_str("{}");
}

/* Whether what goes out before this one, because it may be on its way, was queued after it. */
static bool event_comes_after_later(struct change *c, const struct event_place *p)
{
	CHANGE(q, c,
	       "SELECT 1 FROM events i CROSS JOIN events e ON e.id = i.id WHERE i.account = ?1 AND i.email = ?2"
	       " AND i.state = " SQL_READY " AND i.ended = 0 AND i.id > ?3 AND e.state = " SQL_READY
	       " AND e.head = 1 LIMIT 1");
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, p->id);
	return change_step(c, &q);
}

int store_event_revive(struct store *s, int64_t id, int64_t now_ms, bool *ret_later, struct err *reterr)
{
	CLEANUP(event_place_done) struct event_place p = {0};
	CLEANUP(mem_freep) char *profile = NULL;
	struct change c = change_begin(s, reterr);
	bool waits, overtaken;
	int r;

	event_place_load(&c, id, EVENT_DEAD, &p);
	store_tell(s, now_ms);
	waits = person_waits(&c, p.account, p.email, now_ms);
	overtaken = event_comes_after_later(&c, &p);
	event_become(&c, &p, EVENT_READY, NULL, -1, now_ms);
	event_retry(&c, id, 0, now_ms, NULL);
	if (!waits) {
		profile = event_profile(&c, id);
		event_head_set(&c, id, person_due(&c, p.account, p.email, profile, p.gap_ms, now_ms));
	}
	r = change_end(&c);
	if (r == 0)
		*ret_later = p.later || overtaken;
	return r;
}
