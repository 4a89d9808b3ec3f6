/*
 * Webhooks found pending at start are taken up one a transaction, before the turn's own: the try is counted and
 * committed just before, and the count taken back with the commit of what it made. So a webhook whose pass kills the
 * process is known by its count, and no other is.
 */
#include <config.h>

#include "pipeline/turn_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/pass.h"

#define CRASHES_MAX 3

/* Counts the try, or ends what has been tried often enough. Returns 1 where it may be tried. */
static int count_try(struct turn *t, int64_t id, struct err *reterr)
{
	unsigned tries;
	int r = store_begin(t->store, reterr);
	bool dead = false;

	if (r == 0)
		r = store_webhook_tries(t->store, id, &tries, reterr);
	if (r == 0) {
		dead = tries >= CRASHES_MAX;
		r = dead ? store_webhook_dead(t->store, id, "three crashes", reterr)
			 : store_webhook_set_tries(t->store, id, tries + 1, reterr);
	}
	if (r == 0)
		r = turn_commit(t, reterr);
	if (r < 0) {
		turn_undo(t);
		return r;
	}
	if (dead) {
		struct log_about about = {.webhook = id, .reason = "three crashes"};

		tally_add(&t->tally, METRIC_WEBHOOK_RESULTS, "", WORK_DEAD, NULL);
		turn_publish(t);
		log_error(&about, "a webhook became a dead letter: the daemon ended three times while it worked on it");
	}
	return dead ? 0 : 1;
}

static int try_found(struct turn *t, struct work *w, int64_t id, struct err *reterr)
{
	int r = count_try(t, id, reterr);

	if (r <= 0)
		return r;
	r = store_begin(t->store, reterr);
	if (r == 0)
		r = pass_run(w, id, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, 0, reterr);
	if (r == 0)
		r = turn_commit(t, reterr);
	if (r < 0) {
		turn_undo(t);
		return r;
	}
	turn_publish(t);
	return 0;
}

int turn_try_found(struct turn *t, struct work *w, struct err *reterr)
{
	int64_t began_us = clock_mono_us(), id;
	int r;

	while (clock_mono_us() - began_us < PENDING_US) {
		r = store_webhooks_ready(t->store, &id, 1, reterr);
		if (r < 0)
			return r;
		if (r == 0 || id > t->found_until)
			return 0;
		t->changed = true;
		r = try_found(t, w, id, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}
