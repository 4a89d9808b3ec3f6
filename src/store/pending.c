/* SPDX-License-Identifier: MIT */
/*
 * What the store knows of pending webhooks without a query. Most turns meet none, and a query that finds nothing costs
 * as much as one that finds a row.
 *
 * The knowledge is negative: "no webhook waits for this", "none has an earlier time". Only a query that found none
 * establishes it, and each change of a row to pending revokes it. If an index of a damaged file lacks an entry, what
 * a query by this index found holds until something is forgotten; a time is asked of its own index. Zeros mean that
 * nothing is known: after opening, after an undo or a rollback, after a repair, and after another connection changed
 * the file.
 */
#include <config.h>

#include "base/clock.h"
#include "store/tables.h"
#include "store/transaction.h"

#define ALL_WAITS ((2U << STORE_WAIT_LAST) - 1)

void pending_forget(struct store *s)
{
	s->pending = (struct pending_known){0};
}

const struct transaction_hook pending_hook = {
	.undo = pending_forget, .rolled_back = pending_forget, .others_wrote = pending_forget};

void pending_none(struct store *s)
{
	if (s->mode != STORE_WRITE)
		return;
	/* Not due_ms: webhooks_due may have an entry that the index of this query lacks. */
	s->pending.none = ALL_WAITS;
	s->pending.first = INT64_MAX;
}

void pending_none_waits(struct store *s, enum store_wait why)
{
	if (s->mode == STORE_WRITE)
		s->pending.none |= 1U << why;
}

void pending_due_after(struct store *s, int64_t due_ms, bool is_exact)
{
	if (s->mode != STORE_WRITE)
		return;
	s->pending.due_ms = due_ms;
	s->pending.due_is_exact = is_exact;
}

void pending_begins(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms)
{
	s->pending.none &= ~(1U << why);
	if (id < s->pending.first)
		s->pending.first = id;
	if (not_before_ms > 0 && not_before_ms < s->pending.due_ms)
		s->pending.due_ms = not_before_ms;
}

void pending_ends(struct store *s, enum store_wait why)
{
	if (why == STORE_WAIT_TIME || why == STORE_WAIT_RETRY)
		s->pending.due_is_exact = false;
}

bool pending_is_none(const struct store *s)
{
	return s->pending.none == ALL_WAITS;
}

bool store_webhooks_may_wait(const struct store *s, enum store_wait why)
{
	return (s->pending.none & 1U << why) == 0;
}
