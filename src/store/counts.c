/* SPDX-License-Identifier: MIT */
/*
 * Counters of rows. Changes are summed in memory and written once, with the commit: a turn of 256 webhooks changes a
 * few counters instead of a thousand. They belong to the transaction and its savepoint like rows: a rollback undoes
 * them. There is a counter for each source or account, and state.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "store/query.h"
#include "store/transaction.h"

static void count_add(struct store *s, enum count_kind kind, const char *name, int state, int wait, int64_t n)
{
	struct count *c;

	INSIST(s->in_transaction);
	for (size_t i = 0; i < s->counts_n; i++) {
		c = &s->counts[i];
		if (c->kind == kind && c->state == state && c->wait == wait && strcmp(c->name, name) == 0) {
			c->n += n;
			return;
		}
	}
	MEM_ROOM(s->counts, s->counts_n);
	s->counts[s->counts_n++] =
		(struct count){.kind = kind, .name = mem_str(name), .state = state, .wait = wait, .n = n};
}

void counts_move(struct store *s, enum count_kind kind, const char *name, int from_state, int from_wait, int to_state,
		 int to_wait)
{
	if (from_state == to_state && from_wait == to_wait)
		return;
	if (from_state != COUNT_NOWHERE)
		count_add(s, kind, name, from_state, from_wait, -1);
	if (to_state != COUNT_NOWHERE)
		count_add(s, kind, name, to_state, to_wait, 1);
}

/* sql: a literal (query.h). */
static int count_write(struct store *s, const char *sql, const struct count *c, int64_t n, struct err *reterr)
{
	QUERY(q, s, sql, reterr);
	query_bind_int(&q, (int64_t)c->kind);
	query_bind_text(&q, c->name);
	query_bind_int(&q, c->state);
	query_bind_int(&q, c->wait);
	query_bind_int(&q, n);
	return query_run(&q);
}

static int counts_write(struct store *s, struct err *reterr)
{
	for (size_t i = 0; i < s->counts_n; i++) {
		const struct count *c = &s->counts[i];
		int r;

		if (c->n == 0)
			continue;
		/* Most counters have a row, and an UPDATE takes half the time of an INSERT with a conflict. */
		r = count_write(s,
				"UPDATE counts SET n = n + ?5 WHERE kind = ?1 AND name = ?2 AND state = ?3"
				" AND wait = ?4",
				c, c->n, reterr);
		if (r == 0)
			r = count_write(s,
					"INSERT INTO counts (kind, name, state, wait, n) VALUES (?1, ?2, ?3, ?4, ?5)",
					c, c->n, reterr);
		/* SQLite refuses a sum beyond 64 bits. Such a counter is damaged and starts again. */
		if (r == -EBADMSG) {
			loss_note(s, STORE_LOSS_OTHER, 0, c->name, "a counter of rows was out of range and was reset");
			r = count_write(s,
					"INSERT OR REPLACE INTO counts (kind, name, state, wait, n)"
					" VALUES (?1, ?2, ?3, ?4, ?5)",
					c, c->n > 0 ? c->n : 0, reterr);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static void counts_savepoint(struct store *s)
{
	for (size_t i = 0; i < s->counts_n; i++)
		s->counts[i].kept = s->counts[i].n;
}

static void counts_undo(struct store *s)
{
	for (size_t i = 0; i < s->counts_n; i++)
		s->counts[i].n = s->counts[i].kept;
}

static void counts_clear(struct store *s)
{
	for (size_t i = 0; i < s->counts_n; i++)
		s->counts[i].n = s->counts[i].kept = 0;
}

const struct transaction_hook counts_hook = {
	.write = counts_write,
	.savepoint = counts_savepoint,
	.undo = counts_undo,
	.committed = counts_clear,
	.rolled_back = counts_clear,
};

void counts_done(struct store *s)
{
	for (size_t i = 0; i < s->counts_n; i++)
		free(s->counts[i].name);
	free(s->counts);
	s->counts = NULL;
	s->counts_n = 0;
}
