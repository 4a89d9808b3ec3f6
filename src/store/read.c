/* SPDX-License-Identifier: MIT */
/*
 * Reads for people: counters, pages of a few hundred rows, and the origins of rows in log lines. On a reader each page
 * ends after read_limit_ms. Ids are collected first, so that no snapshot is held while callbacks run: a snapshot keeps
 * the WAL from being written back.
 */
#include <config.h>

#include <errno.h>

#include "store/connection.h"
#include "store/numbers.h"
#include "store/tables.h"

/* ---- counters ---------------------------------------------------------------------------------------------------- */

struct counter {
	char *name;
	int state, wait;
	int64_t n;
};

static const char counters_of_kind[] = "SELECT name, state, wait, n FROM counts WHERE kind = ?1";

/* Reads the query's next readable counter, and frees the name of the one before. False: there are no more. */
static bool counter_next(struct query *q, struct counter *c)
{
	do {
		free(c->name);
		c->name = NULL;
		if (query_step(q) <= 0)
			return false;
		c->name = query_text(q);
		c->state = (int)query_int(q);
		c->wait = (int)query_int(q);
		c->n = query_int(q);
	} while (q->bad);
	if (c->n < 0) /* rows were lost, or changed by hand */
		c->n = 0;
	return true;
}

void store_event_counts(struct store *s, void (*fn)(void *ctx, const char *account, enum event_state state, int64_t n),
			void *ctx)
{
	struct counter c = {0};

	QUERY(q, s, counters_of_kind, NULL);
	query_bind_int(&q, COUNT_EVENTS);
	while (counter_next(&q, &c))
		if (c.state >= 0 && c.state <= EVENT_DEAD)
			fn(ctx, c.name, (enum event_state)c.state, c.n);
}

void store_conversation_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx)
{
	struct counter c = {0};

	QUERY(q, s, counters_of_kind, NULL);
	query_bind_int(&q, COUNT_CONVERSATIONS);
	while (counter_next(&q, &c))
		fn(ctx, c.name, c.n);
}

void store_unaddressed_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx)
{
	struct counter c = {0};

	QUERY(q, s, counters_of_kind, NULL);
	query_bind_int(&q, COUNT_UNADDRESSED);
	while (counter_next(&q, &c))
		fn(ctx, c.name, c.n);
}

void store_webhook_counts(struct store *s,
			  void (*fn)(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
				     int64_t n),
			  void *ctx)
{
	struct counter c = {0};

	QUERY(q, s, counters_of_kind, NULL);
	query_bind_int(&q, COUNT_WEBHOOKS);
	while (counter_next(&q, &c))
		if (c.state >= 0 && c.state <= STORE_WEBHOOK_DEAD && c.wait >= 0 && c.wait <= STORE_WAIT_LAST)
			fn(ctx, c.name, (enum store_webhook_state)c.state, (enum store_wait)c.wait, c.n);
}

/* ---- the oldest ready event -------------------------------------------------------------------------------------- */

/*
 * Finds the next URL of the account's ready events, from `from` on, and the queue time of its oldest event. The caller
 * owns *ret_url. There is one URL, or a few after a change of the configuration. A URL that is no text sorts after all
 * texts (x'') and is not found: its event becomes a dead letter when it is due.
 */
static bool ready_url(struct store *s, const char *account, const char *from, char **ret_url, int64_t *ret_oldest_ms)
{
	QUERY(q, s,
	      "SELECT i.url, e.created FROM events i CROSS JOIN events e ON e.id = i.id"
	      " WHERE i.state = " SQL_READY
	      " AND i.account = ?1 AND i.url >= ?2 AND i.url < x'' AND e.state = " SQL_READY
	      " ORDER BY i.url, i.id LIMIT 1",
	      NULL);
	query_bind_text(&q, account);
	query_bind_text(&q, from);
	if (query_step(&q) <= 0)
		return false;
	*ret_url = query_text(&q);
	*ret_oldest_ms = query_int(&q);
	return true;
}

/* As ready_url, for the next account that has ready events. */
static bool ready_account(struct store *s, const char *from, char **ret_account)
{
	QUERY(q, s,
	      "SELECT account FROM events WHERE state = " SQL_READY
	      " AND account >= ?1 AND account < x'' ORDER BY account, url LIMIT 1",
	      NULL);
	query_bind_text(&q, from);
	if (query_step(&q) <= 0)
		return false;
	*ret_account = query_text(&q);
	return true;
}

char *after_text(const char *text)
{
	return mem_fmt("%s\1", text);
}

int64_t store_events_oldest_ms(struct store *s, const char *account)
{
	CLEANUP(mem_freep) char *from = mem_str("");
	CLEANUP(mem_freep) char *url = NULL;
	int64_t oldest = 0;
	int64_t created;

	while (ready_url(s, account, from, &url, &created)) {
		if (oldest == 0 || created < oldest)
			oldest = created;
		free(from);
		from = after_text(url);
		free(url);
		url = NULL;
	}
	return oldest;
}

/* ---- events with failed attempts --------------------------------------------------------------------------------- */

#define RETRYING_LOOKED_AT 64

/* Back-off makes tried events due later than others, so the events that are due last are read. */
int store_events_retrying(struct store *s, const char *account, int64_t *ret_oldest_ms, char **ret_reason)
{
	char *reason = NULL;
	int64_t oldest = 0;

	QUERY(q, s,
	      "SELECT e.attempts, e.created, e.reason FROM events i CROSS JOIN events e ON e.id = i.id"
	      " WHERE i.state = " SQL_READY " AND i.head = 1 AND i.account = ?1 AND e.state = " SQL_READY
	      " ORDER BY i.due DESC LIMIT ?2",
	      NULL);
	query_bind_text(&q, account);
	query_bind_int(&q, RETRYING_LOOKED_AT);
	while (query_step(&q) > 0) {
		int64_t attempts = query_int(&q);
		int64_t created = query_int(&q);
		char *why = query_text_or_null(&q);

		if (attempts > 0 && (oldest == 0 || created < oldest))
			oldest = created;
		if (attempts > 0 && !reason)
			reason = TAKE(why);
		free(why);
	}
	if (oldest == 0) {
		free(reason);
		return 0;
	}
	*ret_oldest_ms = oldest;
	*ret_reason = reason;
	return 1;
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

/* Collects one page of ids under the time limit. sql: a literal; its third parameter is the state, if that is not
 * negative. */
static int page_ids(struct store *s, const char *sql, int64_t before_id, size_t max, int state, struct ids *ids,
		    struct err *reterr)
{
	int r;

	QUERY(q, s, sql, reterr);
	query_bind_int(&q, before_id > 0 ? before_id : INT64_MAX);
	query_bind_int(&q, (int64_t)max);
	if (state >= 0)
		query_bind_int(&q, state);
	while ((r = query_step(&q)) > 0) {
		ids_add(ids, query_int(&q));
		r = read_limit_check(s, reterr);
		if (r < 0)
			break;
	}
	return r;
}

static int newer_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x < y) - (x > y);
}

/* Sorts ids of several pages, and keeps one page. */
static void page_merge(struct ids *ids, size_t max)
{
	if (ids->n > 0)
		qsort(ids->items, ids->n, sizeof(*ids->items), newer_first);
	if (ids->n > max)
		ids->n = max;
}

/* Appends a page of each URL of the account's ready events. */
static int ready_ids_of(struct store *s, const char *account, int64_t before_id, size_t max, struct ids *ids,
			struct err *reterr)
{
	CLEANUP(mem_freep) char *from = mem_str("");
	CLEANUP(mem_freep) char *url = NULL;
	int64_t created;
	int r = 0;

	while (r == 0 && ready_url(s, account, from, &url, &created)) {
		QUERY(q, s,
		      "SELECT id FROM events WHERE state = " SQL_READY
		      " AND account = ?1 AND url = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
		      reterr);
		query_bind_text(&q, account);
		query_bind_text(&q, url);
		query_bind_int(&q, before_id > 0 ? before_id : INT64_MAX);
		query_bind_int(&q, (int64_t)max);
		r = query_ids(&q, ids);
		query_close(&q);
		if (r == 0)
			r = read_limit_check(s, reterr);
		free(from);
		from = after_text(url);
		free(url);
		url = NULL;
	}
	return r;
}

/* No index holds ready events by their ids alone. */
static int ready_ids(struct store *s, int64_t before_id, size_t max, struct ids *ids, struct err *reterr)
{
	CLEANUP(mem_freep) char *from = mem_str("");
	CLEANUP(mem_freep) char *account = NULL;
	int r = 0;

	while (r == 0 && ready_account(s, from, &account)) {
		r = ready_ids_of(s, account, before_id, max, ids, reterr);
		free(from);
		from = after_text(account);
		free(account);
		account = NULL;
	}
	page_merge(ids, max);
	return r;
}

static int event_ids(struct store *s, int state, int64_t before_id, size_t max, struct ids *ids, struct err *reterr)
{
	if (state == EVENT_READY)
		return ready_ids(s, before_id, max, ids, reterr);
	/* All events, or delivered ones (nearly all), are read in the order of their ids. */
	return page_ids(s,
			state < 0 ? "SELECT id FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
			: state == EVENT_DELIVERED
				? "SELECT id FROM events WHERE id < ?1 AND +state = ?3 ORDER BY id DESC LIMIT ?2"
				: "SELECT id FROM events WHERE state > " SQL_READY
				  " AND state = ?3 AND ended = 0 AND id < ?1 ORDER BY id DESC LIMIT ?2",
			before_id, max, state, ids, reterr);
}

int store_events_page(struct store *s, int state, int64_t before_id, size_t max,
		      int (*fn)(void *ctx, const struct event *e), void *ctx, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	bool is_over = false;
	int n = 0;
	int r;

	read_limit_start(s);
	r = event_ids(s, state, before_id, max, &ids, reterr);
	for (size_t i = 0; r == 0 && !is_over && i < ids.n; i++) {
		struct event e = {0};

		r = event_row_load(s, ids.items[i], true, &e, reterr);
		if (r == 0) {
			n++;
			is_over = fn(ctx, &e) != 0;
			event_done(&e);
		}
		if (r == -ENOENT || (r == 0 && !is_over))
			r = read_limit_check(s, reterr);
	}
	read_limit_end(s);
	return r < 0 ? r : n;
}

static int ids_of_wait(struct store *s, int state, int wait, int64_t before_id, size_t max, struct ids *ids,
		       struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = ?3 AND wait = ?4 AND ended = 0 AND id < ?1"
	      " ORDER BY id DESC LIMIT ?2",
	      reterr);
	query_bind_int(&q, before_id > 0 ? before_id : INT64_MAX);
	query_bind_int(&q, (int64_t)max);
	query_bind_int(&q, state);
	query_bind_int(&q, wait);
	r = query_ids(&q, ids);
	query_close(&q);
	return r < 0 ? r : read_limit_check(s, reterr);
}

static int webhook_ids(struct store *s, int state, int64_t before_id, size_t max, struct ids *ids, struct err *reterr)
{
	int last_wait = state == STORE_WEBHOOK_PENDING ? (int)STORE_WAIT_LAST : (int)STORE_WAIT_NONE;
	int r = 0;

	if (state < 0)
		return page_ids(s, "SELECT id FROM webhooks WHERE id < ?1 ORDER BY id DESC LIMIT ?2", before_id, max,
				state, ids, reterr);
	if (state == STORE_WEBHOOK_DONE)
		return page_ids(s, "SELECT id FROM webhooks WHERE id < ?1 AND +state = ?3 ORDER BY id DESC LIMIT ?2",
				before_id, max, state, ids, reterr);
	/* Pending and dead webhooks come from the index, which holds the wait before the id: a page of each wait is
	 * read, and sorted. */
	for (int wait = 0; r >= 0 && wait <= last_wait; wait++)
		r = ids_of_wait(s, state, wait, before_id, max, ids, reterr);
	page_merge(ids, max);
	return r;
}

/* Returns 1: *row is set, and own[] owns its texts; 0: there is no such webhook. */
static int webhook_row_load(struct store *s, int64_t id, struct store_webhook_row *row, char *own[3],
			    struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT id, source, conversation, transition, received, state, wait, not_before, lookups, result FROM "
	      "webhooks"
	      " WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	row->id = query_int(&q);
	row->source = own[0] = query_text(&q);
	row->conversation = own[1] = query_text_or_null(&q);
	row->transition = (enum transition)query_enum(&q, TRANSITION_EXPIRED + 1);
	row->received_ms = query_int(&q);
	row->state = (enum store_webhook_state)query_enum(&q, STORE_WEBHOOK_DEAD + 1);
	row->wait = (enum store_wait)query_enum(&q, STORE_WAIT_LAST + 1);
	row->not_before_ms = query_int(&q);
	row->asked = (unsigned)query_int(&q);
	row->reason = own[2] = query_text_or_null(&q);
	return 1;
}

static int webhook_rows(struct store *s, const struct ids *ids,
			int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx, struct err *reterr)
{
	int n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ids->n; i++) {
		struct store_webhook_row row = {0};
		char *own[3] = {NULL, NULL, NULL};
		int stop = 0;

		r = webhook_row_load(s, ids->items[i], &row, own, reterr);
		if (r > 0) {
			n++;
			stop = fn(ctx, &row);
		}
		for (int j = 0; j < 3; j++)
			free(own[j]);
		if (stop != 0)
			return n;
		if (r >= 0)
			r = read_limit_check(s, reterr);
	}
	return r < 0 ? r : n;
}

int store_webhooks_page(struct store *s, int state, int64_t before_id, size_t max,
			int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r;

	read_limit_start(s);
	r = webhook_ids(s, state, before_id, max, &ids, reterr);
	if (r == 0)
		r = webhook_rows(s, &ids, fn, ctx, reterr);
	read_limit_end(s);
	return r;
}

int store_webhooks_waiting_page(struct store *s, enum store_wait why, size_t max,
				int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx,
				struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r;

	read_limit_start(s);
	r = ids_of_wait(s, STORE_WEBHOOK_PENDING, (int)why, 0, max, &ids, reterr);
	if (r == 0)
		r = webhook_rows(s, &ids, fn, ctx, reterr);
	read_limit_end(s);
	return r;
}

/* ---- the origin of an event or a webhook ------------------------------------------------------------------------- */

void store_origin_done(struct store_origin *o)
{
	free(o->source);
	free(o->conversation);
	*o = (struct store_origin){0};
}

/* Returns NULL for an empty text, which stands for an unreadable column. */
static char *nonempty_text(struct query *q)
{
	char *text = query_text_or_null(q);

	if (text && text[0] == '\0') {
		free(text);
		return NULL;
	}
	return text;
}

void store_webhook_origin(struct store *s, int64_t id, struct store_origin *ret)
{
	*ret = (struct store_origin){0};
	QUERY(q, s, "SELECT source, conversation FROM webhooks WHERE id = ?1", NULL);
	query_bind_int(&q, id);
	if (query_step(&q) <= 0)
		return;
	ret->source = nonempty_text(&q);
	ret->conversation = nonempty_text(&q);
	ret->webhook = id;
}

void store_event_origin(struct store *s, int64_t id, struct store_origin *ret)
{
	*ret = (struct store_origin){0};
	QUERY(q, s, "SELECT source, conversation, webhook FROM event_bodies WHERE id = ?1", NULL);
	query_bind_int(&q, id);
	if (query_step(&q) <= 0)
		return;
	ret->source = nonempty_text(&q);
	ret->conversation = nonempty_text(&q);
	ret->webhook = query_int(&q);
}
