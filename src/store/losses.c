/* SPDX-License-Identifier: MIT */
/*
 * Notes of rows that the store set aside or repaired. The store does not log, so it keeps them until the caller asks
 * (store_losses). A note belongs to the transaction and its savepoint like a row: after a rollback the damage is found
 * again. A note outside of a transaction belongs to none, so no rollback takes it.
 */
#include <config.h>

#include "store/store_internal.h"

/* Further notes are only counted. */
#define LOSSES_MAX 256

static void loss_free(struct store_loss *l)
{
	free(l->name);
	free(l->reason);
}

static void loss_add(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null,
		     const char *reason)
{
	struct store_loss *l;

	for (size_t i = 0; id != 0 && i < LOST_ROWS; i++)
		if (s->lost_rows[i].id == id && s->lost_rows[i].kind == kind)
			return;
	if (s->losses_n >= LOSSES_MAX) {
		s->losses_more++;
		return;
	}
	MEM_ROOM(s->losses, s->losses_n);
	l = &s->losses[s->losses_n++];
	*l = (struct store_loss){
		.kind = kind,
		.id = id,
		.name = name_or_null && name_or_null[0] != '\0' ? mem_str(name_or_null) : NULL,
		.reason = mem_str(reason),
	};
	if (id != 0) {
		s->lost_rows[s->lost_rows_next] = (struct lost_row){.kind = kind, .id = id};
		s->lost_rows_next = (s->lost_rows_next + 1) % LOST_ROWS;
	}
}

static void losses_truncate(struct store *s, size_t n)
{
	while (s->losses_n > n) {
		struct store_loss *l = &s->losses[--s->losses_n];

		for (size_t i = 0; i < LOST_ROWS; i++)
			if (s->lost_rows[i].id == l->id && s->lost_rows[i].kind == l->kind)
				s->lost_rows[i] = (struct lost_row){0};
		loss_free(l);
	}
}

static void losses_savepoint(struct store *s)
{
	s->losses_kept = s->losses_n;
	s->losses_more_kept = s->losses_more;
}

static void losses_undo(struct store *s)
{
	losses_truncate(s, s->losses_kept);
	s->losses_more = s->losses_more_kept;
}

static void losses_rolled_back(struct store *s)
{
	losses_truncate(s, s->losses_committed_n);
	s->losses_more = s->losses_more_committed;
}

static void losses_committed(struct store *s)
{
	s->losses_committed_n = s->losses_n;
	s->losses_more_committed = s->losses_more;
}

void loss_note(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null, const char *reason)
{
	loss_add(s, kind, id, name_or_null, reason);
	if (!s->in_transaction)
		losses_committed(s);
}

const struct transaction_hook losses_hook = {
	.savepoint = losses_savepoint,
	.undo = losses_undo,
	.committed = losses_committed,
	.rolled_back = losses_rolled_back,
};

void losses_done(struct store *s)
{
	for (size_t i = 0; i < s->losses_n; i++)
		loss_free(&s->losses[i]);
	free(s->losses);
	s->losses = NULL;
	s->losses_n = s->losses_committed_n = s->losses_kept = 0;
}

void store_losses(struct store *s, void (*fn)(void *ctx, const struct store_loss *l), void *ctx)
{
	for (size_t i = 0; i < s->losses_committed_n; i++)
		fn(ctx, &s->losses[i]);
	if (s->losses_more_committed > 0 && !s->in_transaction) {
		CLEANUP(mem_freep) char *text = mem_fmt("%zu more rows like these", s->losses_more_committed);

		fn(ctx, &(struct store_loss){.kind = STORE_LOSS_OTHER, .reason = text});
		s->losses_more -= s->losses_more_committed;
		s->losses_more_committed = 0;
	}
	if (s->losses_committed_n == s->losses_n)
		losses_done(s);
}
