/* SPDX-License-Identifier: MIT */
/*
 * The ids of webhooks and events. An id is never given twice, also after the row with the largest one is deleted and
 * the daemon starts again: the deletion of that row, and no other change, writes its id to `last_ids`. The ids of rows
 * that somebody deletes by hand, or that damage takes, are given again only after the next start.
 *
 * AUTOINCREMENT, which tables of schema 6 and older had, writes a row for each INSERT.
 */
#include <config.h>

#include <errno.h>

#include "store/tables.h"
#include "store/transaction.h"

/* After an undo, ids of rows that were undone are given again. */
void ids_forget(struct store *s)
{
	for (int of = 0; of < IDS_OF_; of++)
		s->last_ids[of] = 0;
}

/* Another connection may have inserted rows with larger ids. Ids of rows that it deleted are not given again. */
static void ids_unsure(struct store *s)
{
	s->ids_unsure = (1U << IDS_OF_) - 1;
}

const struct transaction_hook ids_hook = {.undo = ids_forget, .rolled_back = ids_forget, .others_wrote = ids_unsure};

static const char *table_of(enum ids_of of)
{
	return of == IDS_WEBHOOKS ? "webhooks" : "events";
}

/* Returns the last id that was given; 0: none was, or the change failed. */
static int64_t id_last(struct change *c, enum ids_of of)
{
	int64_t *last = &c->store->last_ids[of];
	int64_t largest = 0;
	int64_t deleted = 0;

	if (*last > 0 && (c->store->ids_unsure & 1U << of) == 0)
		return *last;
	CHANGE(rows, c, of == IDS_WEBHOOKS ? "SELECT max(id) FROM webhooks" : "SELECT max(id) FROM events");
	(void)change_one_int(c, &rows, &largest);
	CHANGE(q, c, "SELECT id FROM last_ids WHERE name = ?1");
	query_bind_text(&q, table_of(of));
	(void)change_one_int(c, &q, &deleted);
	if (c->status < 0)
		return 0;
	if (deleted > largest)
		largest = deleted;
	if (largest > *last)
		*last = largest;
	c->store->ids_unsure &= ~(1U << of);
	return *last;
}

int64_t id_next(struct change *c, enum ids_of of)
{
	int64_t last = id_last(c, of);

	if (last == INT64_MAX)
		c->status = err_set(c->reterr, -EBADMSG, "the store %s has given its last id of %s", c->store->path,
				    table_of(of));
	return c->status < 0 ? 0 : last + 1;
}

void id_given(struct store *s, enum ids_of of, int64_t id)
{
	if (id == s->last_ids[of] + 1)
		s->last_ids[of] = id;
}

void id_deleting(struct change *c, enum ids_of of, int64_t id)
{
	if (id != id_last(c, of) || c->status < 0)
		return;
	CHANGE(q, c, "INSERT OR REPLACE INTO last_ids (name, id) VALUES (?1, ?2)");
	query_bind_text(&q, table_of(of));
	query_bind_int(&q, id);
	(void)change_run(c, &q);
}
