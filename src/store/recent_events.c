/* SPDX-License-Identifier: MIT */
/*
 * Events that were queued a moment ago, in memory, so that most events are sent without a read of their rows. An event
 * is held at its id modulo the number of slots; a newer one replaces it. It leaves with its first change. All leave
 * when a savepoint or a transaction is undone, because their ids may be given again, and when another connection wrote.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "store/tables.h"

#define SLOTS 256           /* more than a turn queues and sends when nothing delays them */
#define TEXT_MAX_BYTES 8192 /* of the profile and the properties; a larger event is not held */

struct recent_events {
	struct event slots[SLOTS]; /* id 0: free */
};

static struct event *slot_of(struct store *s, int64_t id)
{
	return &s->recent->slots[(uint64_t)id % SLOTS];
}

static void slot_clear(struct event *slot)
{
	if (slot->id == 0)
		return;
	event_done(slot);
	*slot = (struct event){0};
}

void store_event_keep(struct store *s, struct event *e)
{
	struct event *slot;

	if (!e->profile || !e->properties || strlen(e->profile) + strlen(e->properties) > TEXT_MAX_BYTES)
		return;
	if (!s->recent)
		s->recent = mem_new(1, sizeof(*s->recent));
	slot = slot_of(s, e->id);
	slot_clear(slot);
	*slot = *e;
	*e = (struct event){0};
	if (!slot->url)
		slot->url = mem_str("");
}

bool recent_event_take(struct store *s, const char *account, int64_t id, int64_t due_ms, struct event *ret)
{
	struct event *slot = s->recent ? slot_of(s, id) : NULL;

	if (!slot || slot->id != id || slot->due_ms != due_ms || !text_is(slot->account, account))
		return false;
	*ret = *slot;
	*slot = (struct event){0};
	return true;
}

void recent_event_forget(struct store *s, int64_t id)
{
	struct event *slot = s->recent ? slot_of(s, id) : NULL;

	if (slot && slot->id == id)
		slot_clear(slot);
}

static void recent_events_clear(struct store *s)
{
	for (size_t i = 0; s->recent && i < SLOTS; i++)
		slot_clear(&s->recent->slots[i]);
}

const struct transaction_hook recent_events_hook = {
	.undo = recent_events_clear, .rolled_back = recent_events_clear, .others_wrote = recent_events_clear};

void recent_events_done(struct store *s)
{
	recent_events_clear(s);
	free(s->recent);
}
