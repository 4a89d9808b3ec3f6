/*
 * How much a turn may do while the disk is nearly full. All that a turn writes stands in the WAL before it stands in
 * the database, and a transaction that does not fit is lost whole: so on a disk with little room the turns are small,
 * and after one that did not fit they are as small as can be for a while.
 */
#include <config.h>

#include "pipeline/turn_parts.h"

#include <errno.h>

#include "base/amount.h"
#include "base/log.h"

#define PASS_BYTES (128 << 10) /* what one pass writes: pages of rows and indexes; with room for a few events */
#define CLEAN_BYTES (64 << 10) /* what it takes to delete a row and its text */
#define ITEM_BYTES (8 << 10)   /* what one webhook takes beside its body */
#define CAUTIOUS_TURNS 64

bool turn_see_room(struct turn *t)
{
	struct err why = {0};
	bool was = t->full;

	t->full = store_may_take(t->store, &why) < 0;
	health_set(t->health, HEALTH_ROOM, t->full ? &why : NULL);
	if (t->full && !was)
		log_error(&((struct log_about){.reason = why.text}), "webhooks are refused with 503");
	else if (was && !t->full && t->retry_ms == 0)
		log_notice(NULL, "webhooks are taken again");
	return !t->full;
}

bool turn_has_room(struct turn *t, const struct intake_submission *s)
{
	int64_t bytes = 0;
	char size[AMOUNT_MAX];

	if (t->room == INT64_MAX)
		return true;
	for (size_t i = 0; i < s->n; i++)
		bytes += (int64_t)s->items[i].webhook.body_len + ITEM_BYTES;
	if (bytes <= t->room) {
		t->room -= bytes;
		t->refused_large = false;
		return true;
	}
	if (!t->refused_large)
		log_error(&((struct log_about){.source = s->items[0].webhook.source,
					       .conversation = s->items[0].webhook.conversation}),
			  "a webhook of %s was refused with 503: the store's disk has no room for it, make some",
			  amount_size(size, bytes));
	t->refused_large = true;
	return false;
}

static size_t bounded(const struct turn *t, int64_t bytes, size_t max)
{
	int64_t n = store_room(t->store) / bytes;

	if (t->cautious > 0 || n < 1)
		return 1;
	return n < (int64_t)max ? (size_t)n : max;
}

size_t turn_passes(const struct turn *t)
{
	if (!store_may_work(t->store))
		return 0;
	return bounded(t, PASS_BYTES, SIZE_MAX / 2);
}

/* Deleting writes too: what is deleted is written over with zeros. */
size_t turn_clean_rows(const struct turn *t, size_t max)
{
	if (t->starved > 1)
		return 0;
	return bounded(t, CLEAN_BYTES, max);
}

void turn_starved(struct turn *t, int code)
{
	t->starved = code == -ENOSPC ? t->starved + 1 : 0;
	if (code == -ENOSPC)
		t->cautious = CAUTIOUS_TURNS;
}

void turn_fed(struct turn *t)
{
	t->starved = 0;
	if (t->cautious > 0)
		t->cautious--;
}
