#include <config.h>

#include "pipeline/turn_parts.h"

#include "base/amount.h"
#include "base/log.h"
#include "pipeline/dispatch.h"
#include "pipeline/lookups.h"

#define OTHER_URL_BATCH 100 /* dead letters a turn after an account's url changed */

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

/* A few events that were queued for another url: a sandbox's never reach production. */
int turn_set_aside_other_urls(struct turn *t, struct work *w, struct err *reterr)
{
	const struct account *a;
	CLEANUP(mem_freep) char *reason = NULL;
	int r;

	if (t->url_account >= w->config->accounts_n)
		return 0;
	a = &w->config->accounts[t->url_account];
	reason = mem_fmt("its account's url is %s now and was another when it was queued", a->url);
	r = store_events_dead_of_other_url(w->store, a->name, a->url, reason, w->now_ms, OTHER_URL_BATCH, reterr);
	if (r < 0)
		return r;
	if (r > 0) {
		struct log_about about = {.account = a->name, .reason = reason};
		char events[AMOUNT_MAX];

		tally_log(&t->tally, LOG_WARNING, &about, "%s became %s", amount_of(events, r, "event"),
			  r == 1 ? "a dead letter" : "dead letters");
		dispatch_stir(t->dispatch, a->name);
		w->changed = true;
	}
	if (r == 0)
		t->url_account++;
	w->more = true;
	return 0;
}
