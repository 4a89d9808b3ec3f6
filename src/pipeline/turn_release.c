#include <config.h>

#include "pipeline/turn_parts.h"

#include "pipeline/lookups.h"

/* While a source is parked each pass tells whether the webhook is one that may be asked for: so many a turn. */
#define FOR_NEW_BATCH 16

/* As many of the source's as may be asked for now. Returns how many were let go, or an error. */
static int release_slots(struct turn *t, struct work *w, const char *source, unsigned room, struct err *reterr)
{
	int r;

	if (lookups_is_probing(t->lookups, source)) {
		r = store_webhook_release_parked(w->store, source, lookups_probe_cursor(t->lookups, source), reterr);
		return r != 0 ? r : store_webhooks_release_slot(w->store, source, 1, reterr);
	}
	if (!lookups_is_parked(t->lookups, source))
		return store_webhooks_release_slot(w->store, source, room, reterr);
	r = store_webhooks_release_slot(w->store, source, FOR_NEW_BATCH, reterr);
	if (r == FOR_NEW_BATCH)
		lookups_slot_wanted(t->lookups, source, true);
	return r;
}

/* Webhooks that wait for one of a source's free slots, and all that waited because it was parked. */
int turn_release_slots(struct turn *t, struct work *w, struct err *reterr)
{
	for (size_t i = 0; i < w->config->sources_n; i++) {
		const char *source = w->config->sources[i].name;
		unsigned room = lookups_room(t->lookups, source);
		int r = 0;

		if (lookups_was_opened(t->lookups, source))
			r = store_webhooks_release(w->store, source, STORE_WAIT_PARKED, NULL, reterr);
		if (r == 0 && room > 0 && lookups_slot_is_wanted(t->lookups, source)) {
			lookups_slot_wanted(t->lookups, source, false);
			r = release_slots(t, w, source, room, reterr);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

bool turn_slots_are_wanted(const struct turn *t, const struct config *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (lookups_slot_is_wanted(t->lookups, c->sources[i].name) &&
		    lookups_room(t->lookups, c->sources[i].name) > 0)
			return true;
	return false;
}
