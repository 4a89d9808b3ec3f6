/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/query.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "store/connection.h"

#define STATEMENTS_FIRST 256

/* ---- the cache of prepared statements ---------------------------------------------------------------------------- */

static struct statement *statement_slot(struct store *s, const char *sql)
{
	size_t mask = s->statements_alloc - 1;
	size_t i = ((uintptr_t)sql >> 3) * 0x9e3779b1U & mask;

	while (s->statements[i].sql && s->statements[i].sql != sql)
		i = (i + 1) & mask;
	return &s->statements[i];
}

static void statements_grow(struct store *s)
{
	struct statement *old = s->statements;
	size_t old_alloc = s->statements_alloc;

	if (old && s->statements_n * 2 < old_alloc)
		return;
	s->statements_alloc = old ? old_alloc * 2 : STATEMENTS_FIRST;
	s->statements = mem_new(s->statements_alloc, sizeof(*s->statements));
	for (size_t i = 0; i < old_alloc; i++)
		if (old[i].sql)
			*statement_slot(s, old[i].sql) = old[i];
	free(old);
}

static int statement_find(struct store *s, const char *sql, sqlite3_stmt **ret, struct err *reterr)
{
	struct statement *slot;
	int rc;

	statements_grow(s);
	slot = statement_slot(s, sql);
	if (!slot->sql) {
		sqlite3_stmt *stmt = NULL;

		rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
		if (rc != SQLITE_OK)
			return store_failed(s, rc, reterr);
		slot->sql = sql;
		slot->stmt = stmt;
		s->statements_n++;
	}
	*ret = slot->stmt;
	return 0;
}

void statements_done(struct store *s)
{
	for (size_t i = 0; i < s->statements_alloc; i++)
		sqlite3_finalize(s->statements[i].stmt);
	free(s->statements);
	s->statements = NULL;
	s->statements_n = s->statements_alloc = 0;
}

void store_each_statement(struct store *s, void (*fn)(void *ctx, const char *sql), void *ctx)
{
	for (size_t i = 0; i < s->statements_alloc; i++)
		if (s->statements[i].sql)
			fn(ctx, s->statements[i].sql);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

struct query query_open(struct store *s, const char *sql, struct err *reterr)
{
	struct query q = {.store = s, .reterr = reterr};

	q.status = statement_find(s, sql, &q.stmt, reterr);
	if (q.status < 0)
		return q;
	INSIST(!sqlite3_stmt_busy(q.stmt));
	if (!sqlite3_stmt_readonly(q.stmt)) {
		INSIST(s->in_transaction);
		/* SQLite ends a transaction when the disk fails; this statement would be committed alone. */
		if (sqlite3_get_autocommit(s->db))
			q.status = transaction_lost(s, reterr);
	}
	return q;
}

void query_close(struct query *q)
{
	if (!q->stmt)
		return;
	(void)sqlite3_reset(q->stmt);
	(void)sqlite3_clear_bindings(q->stmt);
	q->stmt = NULL;
}

int query_control(struct store *s, const char *sql, struct err *reterr)
{
	struct query q = {.store = s, .reterr = reterr};
	int r;

	q.status = statement_find(s, sql, &q.stmt, reterr);
	r = query_step(&q);
	query_close(&q);
	return r;
}

/* ---- binding ----------------------------------------------------------------------------------------------------- */

static void bound(struct query *q, int rc)
{
	/* Binding fails for a wrong number of parameters or more than 1 GB; input causes neither. */
	INSIST(rc == SQLITE_OK);
	(void)q;
}

void query_bind_int(struct query *q, int64_t v)
{
	if (q->status == 0)
		bound(q, sqlite3_bind_int64(q->stmt, ++q->parameter, v));
}

void query_bind_real(struct query *q, double v)
{
	if (q->status == 0)
		bound(q, sqlite3_bind_double(q->stmt, ++q->parameter, v));
}

void query_bind_null(struct query *q)
{
	if (q->status == 0)
		bound(q, sqlite3_bind_null(q->stmt, ++q->parameter));
}

void query_bind_text(struct query *q, const char *v)
{
	if (q->status == 0)
		bound(q,
		      sqlite3_bind_text64(q->stmt, ++q->parameter, v, v ? strlen(v) : 0, SQLITE_STATIC, SQLITE_UTF8));
}

void query_bind_blob(struct query *q, const void *v, size_t n)
{
	if (q->status == 0)
		bound(q, sqlite3_bind_blob64(q->stmt, ++q->parameter, v ? v : "", v ? n : 0, SQLITE_STATIC));
}

/* ---- stepping ---------------------------------------------------------------------------------------------------- */

int query_step(struct query *q)
{
	int rc;

	if (q->status < 0)
		return q->status;
	q->column = 0;
	q->bad = NULL;
	errno = 0; /* store_failed reads it */
	rc = sqlite3_step(q->stmt);
	if (rc == SQLITE_CORRUPT_INDEX && !sqlite3_stmt_readonly(q->stmt)) {
		loss_note(q->store, STORE_LOSS_OTHER, 0, NULL, "a row that an index does not name was changed");
		rc = step_leniently(q->store, q->stmt);
	}
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		q->status = store_failed(q->store, rc, q->reterr);
	return q->status;
}

int query_run(struct query *q)
{
	int r = query_step(q);

	INSIST(r <= 0);
	return r < 0 ? r : sqlite3_changes(q->store->db);
}

int query_ids(struct query *q, struct ids *ids)
{
	int r;

	while ((r = query_step(q)) > 0)
		ids_add(ids, query_int(q));
	return r;
}

int query_id_pairs(struct query *q, struct ids *ids, struct ids *seconds)
{
	int r;

	while ((r = query_step(q)) > 0) {
		ids_add(ids, query_int(q));
		ids_add(seconds, query_int(q));
	}
	return r;
}

int query_one_int(struct query *q, int64_t *ret)
{
	int r = query_step(q);

	if (r > 0 && !query_is_null(q))
		*ret = query_int(q);
	else if (r > 0)
		r = 0;
	return r;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void column_bad(struct query *q, int column)
{
	if (!q->bad)
		q->bad = sqlite3_column_name(q->stmt, column);
}

int64_t query_int(struct query *q)
{
	int c = q->column++;

	if (sqlite3_column_type(q->stmt, c) != SQLITE_INTEGER) {
		column_bad(q, c);
		return 0;
	}
	return sqlite3_column_int64(q->stmt, c);
}

int query_enum(struct query *q, int end)
{
	int c = q->column;
	int64_t v = query_int(q);

	if (v >= 0 && v < end)
		return (int)v;
	column_bad(q, c);
	return 0;
}

double query_real(struct query *q)
{
	int c = q->column++;

	if (sqlite3_column_type(q->stmt, c) != SQLITE_FLOAT)
		column_bad(q, c);
	return sqlite3_column_double(q->stmt, c);
}

bool query_is_null(const struct query *q)
{
	return sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL;
}

void query_skip(struct query *q)
{
	q->column++;
}

char *query_text_or_null(struct query *q)
{
	int c = q->column++;
	const char *text;

	if (sqlite3_column_type(q->stmt, c) == SQLITE_NULL)
		return NULL;
	if (sqlite3_column_type(q->stmt, c) != SQLITE_TEXT) {
		column_bad(q, c);
		return NULL;
	}
	text = (const char *)sqlite3_column_text(q->stmt, c);
	return mem_strn(text ? text : "", (size_t)sqlite3_column_bytes(q->stmt, c));
}

char *query_text(struct query *q)
{
	int c = q->column;
	char *text = query_text_or_null(q);

	if (text)
		return text;
	column_bad(q, c);
	return mem_str("");
}

const void *query_blob(struct query *q, size_t *ret_n)
{
	int c = q->column++;
	const void *blob = sqlite3_column_blob(q->stmt, c);

	if (sqlite3_column_type(q->stmt, c) != SQLITE_BLOB) {
		column_bad(q, c);
		*ret_n = 0;
		return "";
	}
	*ret_n = (size_t)sqlite3_column_bytes(q->stmt, c);
	return blob ? blob : "";
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

void ids_add(struct ids *ids, int64_t id)
{
	if (ids->n == ids->alloc) {
		ids->alloc = ids->alloc ? ids->alloc * 2 : 16;
		ids->items = mem_grow(ids->items, ids->alloc, sizeof(*ids->items));
	}
	ids->items[ids->n++] = id;
}

void ids_done(struct ids *ids)
{
	free(ids->items);
	*ids = (struct ids){0};
}
