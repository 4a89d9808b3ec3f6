/* SPDX-License-Identifier: MIT */
/*
 * The oldest open conversation of each source, remembered: each turn asks for it, to find the next one that expires.
 *
 * An entry says that the index conversations_open holds none of its source that is older. A row that is saved corrects
 * it. An undo, a rollback, and a change by another connection drop all entries.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

static struct oldest_open *oldest_find(struct store *s, const char *source)
{
	for (size_t i = 0; i < s->oldest_n; i++)
		if (strcmp(s->oldest[i].source, source) == 0)
			return &s->oldest[i];
	return NULL;
}

static void oldest_forget(struct store *s)
{
	for (size_t i = 0; i < s->oldest_n; i++)
		s->oldest[i].is_known = false;
}

const struct transaction_hook oldest_hook = {
	.undo = oldest_forget, .rolled_back = oldest_forget, .others_wrote = oldest_forget};

void oldest_saved(struct store *s, const char *source, const struct ledger_entry *e)
{
	struct oldest_open *o = oldest_find(s, source);

	if (!o)
		return;
	if (e->state != LEDGER_OPEN) /* it was the oldest, perhaps */
		o->is_known = o->is_known && e->opened_received_ms != o->received_ms;
	else if (e->opened_received_ms < o->received_ms)
		o->received_ms = e->opened_received_ms;
}

void oldest_none_until(struct store *s, const char *source, int64_t received_ms)
{
	struct oldest_open *o = oldest_find(s, source);

	if (o && o->received_ms <= received_ms)
		o->is_known = false;
}

/* By the index alone: a damaged entry counts, so that its time comes and it is repaired. */
int64_t store_conversation_oldest_received_ms(struct store *s, const char *source)
{
	struct oldest_open *o = oldest_find(s, source);
	int64_t received_ms = CLOCK_NEVER_MS;

	if (o && o->is_known)
		return o->received_ms;
	QUERY(q, s,
	      "SELECT opened_received FROM conversations INDEXED BY conversations_open WHERE state = " SQL_OPEN
	      " AND source = ?1 AND opened_received <= ?2 ORDER BY opened_received LIMIT 1",
	      NULL);
	query_bind_text(&q, source);
	query_bind_int(&q, INT64_MAX); /* a number, also in a damaged file */
	if (query_one_int(&q, &received_ms) < 0)
		return CLOCK_NEVER_MS;
	if (s->mode != STORE_WRITE)
		return received_ms;
	if (!o) {
		MEM_ROOM(s->oldest, s->oldest_n);
		o = &s->oldest[s->oldest_n++];
		o->source = mem_str(source);
	}
	o->received_ms = received_ms;
	o->is_known = true;
	return received_ms;
}

bool store_conversation_may_be_open(struct store *s, const char *source, int64_t received_ms)
{
	const struct oldest_open *o = oldest_find(s, source);

	return !o || !o->is_known || o->received_ms <= received_ms;
}

void oldest_done(struct store *s)
{
	for (size_t i = 0; i < s->oldest_n; i++)
		free(s->oldest[i].source);
	free(s->oldest);
}
