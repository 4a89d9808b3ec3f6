/* SPDX-License-Identifier: MIT */
/*
 * Wakes waiting webhooks (makes them ready): those whose time has come, and those whose reason to wait is gone.
 *
 * There may be a hundred thousand of them, after an outage of a helpdesk or a long stop, and a turn must not take
 * seconds. So one call wakes STORE_WAKE_ROWS webhooks, and store_webhooks_due wakes further ones in each turn, in order
 * of receipt. A scan moves forward only, so it ends: it does not wake a webhook twice that waits again.
 *
 * The position of a scan is in memory only and follows the transaction: after a rollback the scan repeats its work.
 * After a crash store_webhooks_restart begins the scans for lookups again, and the pipeline those for other reasons.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/numbers.h"
#include "store/tables.h"

/* A scan over the webhooks of a source that wait for one reason. */
struct wake_scan {
	struct wake_scan *next;
	char *source;
	enum store_wait why;
	int64_t after;     /* the id of the last webhook that it woke */
	int64_t committed; /* `after` at the last commit */
	bool over;         /* there are no more; the commit frees the scan */
};

static void wake_scan_free(struct wake_scan *r)
{
	free(r->source);
	free(r);
}

static void wake_scans_committed(struct store *s)
{
	for (struct wake_scan **at = &s->wake_scans, *r; (r = *at);) {
		r->committed = r->after;
		if (r->over) {
			*at = r->next;
			wake_scan_free(r);
		} else {
			at = &r->next;
		}
	}
}

static void wake_scans_undone(struct store *s)
{
	for (struct wake_scan *r = s->wake_scans; r; r = r->next) {
		r->after = r->committed;
		r->over = false;
	}
}

const struct transaction_hook wake_scans_hook = {
	.undo = wake_scans_undone,
	.committed = wake_scans_committed,
	.rolled_back = wake_scans_undone,
};

void wake_scans_done(struct store *s)
{
	for (struct wake_scan *r = s->wake_scans, *next; r; r = next) {
		next = r->next;
		wake_scan_free(r);
	}
	s->wake_scans = NULL;
}

/* Returns the scan of this source and reason, at its start. */
static struct wake_scan *wake_scan_begin(struct store *s, const char *source, enum store_wait why)
{
	struct wake_scan *r;

	for (r = s->wake_scans; r; r = r->next)
		if (r->why == why && strcmp(r->source, source) == 0)
			break;
	if (!r) {
		r = mem_new(1, sizeof(*r));
		r->source = mem_str(source);
		r->why = why;
		r->next = s->wake_scans;
		s->wake_scans = r;
	}
	r->after = r->committed = 0;
	r->over = false;
	return r;
}

/* Wakes the next webhooks, at most *left, and counts *left down. */
static void wake_scan_continue(struct change *c, struct wake_scan *r, size_t *left)
{
	const struct webhook_index_entry entry = {.wait = r->why, .source = r->source};
	CLEANUP(ids_done) struct ids ids = {0};

	if (*left == 0)
		return;
	if (!store_webhooks_may_wait(c->store, r->why)) {
		r->over = true;
		return;
	}
	CHANGE(q, c,
	       "SELECT id FROM webhooks INDEXED BY webhooks_wait WHERE state = " SQL_PENDING
	       " AND wait > " SQL_WAIT_NONE " AND wait = ?1 AND source = ?2 AND id > ?3 ORDER BY id LIMIT ?4");
	query_bind_int(&q, (int64_t)r->why);
	query_bind_text(&q, r->source);
	query_bind_int(&q, r->after);
	query_bind_int(&q, (int64_t)*left);
	change_ids(c, &q, &ids);
	webhooks_make_ready(c, &ids, &entry);
	if (c->status < 0)
		return;
	r->over = ids.n < *left;
	if (ids.n > 0)
		r->after = ids.items[ids.n - 1];
	*left -= ids.n;
}

/* ---- by reason --------------------------------------------------------------------------------------------------- */

int store_webhooks_wake(struct store *s, const char *source, enum store_wait why, const char *customer_or_null,
			struct err *reterr)
{
	const struct webhook_index_entry entry = {.wait = why, .source = source, .customer = customer_or_null};
	CLEANUP(ids_done) struct ids ids = {0};
	struct change c = change_begin(s, reterr);
	size_t left = STORE_WAKE_ROWS;

	if (!customer_or_null) {
		wake_scan_continue(&c, wake_scan_begin(s, source, why), &left);
		return change_end(&c);
	}
	if (!store_webhooks_may_wait(s, why))
		return 0;
	CHANGE(q, &c,
	       "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	       " AND source = ?1 AND customer = ?2 AND wait = ?3 ORDER BY id");
	query_bind_text(&q, source);
	query_bind_text(&q, customer_or_null);
	query_bind_int(&q, (int64_t)why);
	change_ids(&c, &q, &ids);
	webhooks_make_ready(&c, &ids, &entry);
	return change_end(&c);
}

int store_webhooks_wake_slot(struct store *s, const char *source, size_t max, struct err *reterr)
{
	struct wake_scan oldest = {.source = (char *)(uintptr_t)source, .why = STORE_WAIT_SLOT};
	struct change c = change_begin(s, reterr);
	size_t left = max;
	int r;

	wake_scan_continue(&c, &oldest, &left);
	r = change_end(&c);
	return r < 0 ? r : (int)(max - left);
}

int store_webhook_wake_parked(struct store *s, const char *source, int64_t *after, struct err *reterr)
{
	struct wake_scan next = {.source = (char *)(uintptr_t)source, .why = STORE_WAIT_PARKED, .after = *after};
	struct change c = change_begin(s, reterr);
	size_t left = 1;
	int r;

	wake_scan_continue(&c, &next, &left);
	if (left == 1 && *after != 0) {
		next.after = 0;
		wake_scan_continue(&c, &next, &left);
	}
	r = change_end(&c);
	if (r < 0)
		return r;
	*after = next.after;
	return left == 0;
}

/* Wakes the webhooks of all sources, one source after the other by name. Names of damaged rows may be no text (x''
 * sorts after all texts) or hold a NUL: these webhooks are woken by their ids. A webhook whose name is no text becomes
 * a dead letter, because SQLite refuses to change such a row. */
static void wake_all_sources(struct change *c, enum store_wait why)
{
	const struct webhook_index_entry entry = {.wait = why};
	CLEANUP(mem_freep) char *from = mem_str("");
	CLEANUP(ids_done) struct ids nameless = {0};
	size_t left = STORE_WAKE_ROWS;

	CHANGE(no_name, c,
	       "SELECT id FROM webhooks INDEXED BY webhooks_wait WHERE state = " SQL_PENDING
	       " AND wait > " SQL_WAIT_NONE " AND wait = ?1"
	       " AND (source >= x'' OR instr(source, char(0)) > 0) LIMIT ?2");
	query_bind_int(&no_name, (int64_t)why);
	query_bind_int(&no_name, STORE_WAKE_ROWS);
	change_ids(c, &no_name, &nameless);
	webhooks_make_ready(c, &nameless, &entry);
	for (;;) {
		CLEANUP(mem_freep) char *source = NULL;

		CHANGE(q, c,
		       "SELECT source FROM webhooks INDEXED BY webhooks_wait WHERE state = " SQL_PENDING
		       " AND wait > " SQL_WAIT_NONE " AND wait = ?1 AND source >= ?2 AND source < x''"
		       " ORDER BY source LIMIT 1");
		query_bind_int(&q, (int64_t)why);
		query_bind_text(&q, from);
		if (!change_step(c, &q))
			return;
		source = query_text(&q);
		query_close(&q);
		free(from);
		from = mem_fmt("%s\1", source); /* after the name, and after names that continue it with a NUL */
		wake_scan_continue(c, wake_scan_begin(c->store, source, why), &left);
	}
}

/* Makes pending webhooks of damaged rows ready whose wait has no meaning or that have an end time: nothing else would
 * wake them. Their counters stay, because such a wait has none. A webhook whose row SQLite refuses to change becomes a
 * dead letter. */
static void repair_waits(struct change *c, struct query *q)
{
	CLEANUP(ids_done) struct ids ids = {0};

	query_bind_int(q, STORE_WAKE_ROWS);
	change_ids(c, q, &ids);
	if (ids.n > 0)
		pending_forget(c->store);
	for (size_t i = 0; i < ids.n; i++) {
		struct err why = {0};
		struct change part = change_part(c, &why);

		(void)change_by_id(&part,
				   "UPDATE webhooks SET wait = " SQL_WAIT_NONE
				   ", not_before = 0, ended = 0 WHERE id = ?1 AND +state = " SQL_PENDING,
				   ids.items[i]);
		if (change_part_failed(c, &part, -EBADMSG)) {
			loss_note(c->store, STORE_LOSS_WEBHOOK, ids.items[i], NULL, why.text);
			c->status = store_webhook_dead(c->store, ids.items[i], why.text, c->reterr);
		}
	}
}

int store_webhooks_restart(struct store *s, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	CHANGE(below, &c,
	       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait < " SQL_WAIT_NONE " LIMIT ?1");
	repair_waits(&c, &below);
	CHANGE(above, &c,
	       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait > " SQL_WAIT_LAST " LIMIT ?1");
	repair_waits(&c, &above);
	CHANGE(ended, &c,
	       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait = " SQL_WAIT_NONE
	       " AND ended > 0 LIMIT ?1");
	repair_waits(&c, &ended);
	wake_all_sources(&c, STORE_WAIT_LOOKUP);
	return change_end(&c);
}

int store_webhooks_recheck(struct store *s, enum store_wait why, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	wake_all_sources(&c, why);
	return change_end(&c);
}

/* ---- ready ------------------------------------------------------------------------------------------------------- */

/* The most repairs in one call: a lost row costs a scan of the indexes of undone work. */
#define REPAIRS_MAX 16

/* ids: from the index of ready webhooks. Repairs the entry of the first whose row is not ready; the index then names
 * others. False: all are ready. */
static bool repair_one(struct change *c, const int64_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct webhook_index_entry entry = {.id = ids[i], .wait = STORE_WAIT_NONE};

		CHANGE(row, c,
		       "SELECT 1 FROM webhooks WHERE id = ?1 AND +state = " SQL_PENDING " AND +wait = " SQL_WAIT_NONE
		       " AND +ended = 0");
		query_bind_int(&row, ids[i]);
		if (!change_step(c, &row)) {
			webhook_repair(c, &entry);
			return true;
		}
	}
	return false;
}

int store_webhooks_ready(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	size_t n;
	int r;

	if (s->in_transaction && !store_webhooks_may_wait(s, STORE_WAIT_NONE))
		return 0;
	for (int repaired = 0;; repaired++) {
		CHANGE(q, &c,
		       "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait = " SQL_WAIT_NONE
		       " AND ended = 0 ORDER BY id LIMIT ?1");
		query_bind_int(&q, (int64_t)max);
		for (n = 0; change_step(&c, &q); n++)
			ret_ids[n] = query_int(&q);
		query_close(&q);
		if (!s->in_transaction || repaired == REPAIRS_MAX || !repair_one(&c, ret_ids, n))
			break;
	}
	r = change_end(&c);
	if (r == 0 && n == 0)
		pending_none_waits(s, STORE_WAIT_NONE);
	return r < 0 ? r : (int)n;
}

/* ---- each turn --------------------------------------------------------------------------------------------------- */

/* Makes the query's webhooks ready (id, not_before). Repairs an entry without such a row. A row whose time is no number
 * is made ready too, because that time would never come. Returns the number of ids. */
static size_t timed_make_ready(struct change *c, struct query *q)
{
	CLEANUP(ids_done) struct ids ids = {0};
	CLEANUP(ids_done) struct ids times = {0};

	change_id_pairs(c, q, &ids, &times);
	for (size_t i = 0; i < ids.n; i++) {
		struct webhook_index_entry entry = {
			.id = ids.items[i], .wait = STORE_WAIT_RETRY, .not_before_ms = times.items[i]};
		int64_t wait = 0;

		CHANGE(row, c,
		       "SELECT wait FROM webhooks WHERE id = ?1 AND +state = " SQL_PENDING
		       " AND (+not_before = ?2 OR typeof(not_before) <> 'integer')");
		query_bind_int(&row, entry.id);
		query_bind_int(&row, entry.not_before_ms);
		if (change_one_int(c, &row, &wait)) {
			entry.wait = (enum store_wait)wait;
			webhook_make_ready(c, &entry);
		} else {
			webhook_repair(c, &entry);
		}
	}
	return ids.n;
}

int store_webhooks_cap_due(struct store *s, int64_t farthest_ms, size_t max, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	size_t n;
	int r;

	CHANGE(q, &c,
	       "SELECT id, not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
	       " AND not_before > 0 AND not_before > ?1 ORDER BY not_before DESC LIMIT ?2");
	query_bind_int(&q, farthest_ms);
	query_bind_int(&q, (int64_t)max);
	n = timed_make_ready(&c, &q);
	r = change_end(&c);
	return r < 0 ? r : (int)n;
}

int store_webhooks_due(struct store *s, int64_t now_ms, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	size_t left = STORE_WAKE_ROWS;

	s->now_ms = now_ms; /* the clock may have been set back */
	if (s->pending.due_ms <= now_ms) {
		CHANGE(q, &c,
		       "SELECT id, not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
		       " AND not_before > 0 AND not_before <= ?1 ORDER BY not_before LIMIT ?2");
		query_bind_int(&q, now_ms);
		query_bind_int(&q, STORE_WAKE_ROWS);
		if (timed_make_ready(&c, &q) < STORE_WAKE_ROWS && c.status == 0)
			pending_due_after(s, now_ms + 1, false);
	}
	for (struct wake_scan *at = s->wake_scans; at && left > 0; at = at->next)
		if (!at->over)
			wake_scan_continue(&c, at, &left);
	return change_end(&c);
}

int64_t store_webhooks_next_due_ms(struct store *s)
{
	int64_t due = CLOCK_NEVER_MS;
	int r;

	for (const struct wake_scan *scan = s->wake_scans; scan; scan = scan->next)
		if (!scan->over)
			return 0;
	if (s->pending.due_is_exact)
		return s->pending.due_ms;
	QUERY(q, s,
	      "SELECT not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
	      " AND not_before > 0 ORDER BY "
	      "not_before LIMIT 1",
	      NULL);
	r = query_one_int(&q, &due);
	if (r < 0)
		return CLOCK_NEVER_MS;
	pending_due_after(s, due, true);
	return due;
}
