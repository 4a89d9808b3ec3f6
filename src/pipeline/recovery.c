/*
 * Webhooks found pending at start are taken up one a transaction, before the turn's own: the try is counted and
 * committed just before, and the count taken back with the commit of what it made. So a webhook whose pass kills the
 * process is known by its count, and no other is. The commit of one try holds the count of the next, if that comes at
 * once: so each costs one commit.
 */
#include <config.h>

#include "pipeline/turn_parts.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/commit.h"
#include "pipeline/pass.h"

#define CRASHES_MAX 3

static int end_crashed(struct turn *t, int64_t id, struct err *reterr)
{
	static const char reason[] = "three crashes";
	CLEANUP(store_origin_done) struct store_origin origin = {0};
	int r = store_webhook_dead(t->store, id, reason, reterr);

	if (r < 0)
		return r;
	tally_add(&t->tally, METRIC_WEBHOOK_RESULTS, "", WORK_DEAD, NULL);
	store_webhook_origin(t->store, id, &origin);
	tally_log(
		&t->tally, LOG_ERR,
		&((struct log_about){
			.source = origin.source, .conversation = origin.conversation, .webhook = id, .reason = reason}),
		"a webhook became a dead letter: the daemon ended three times while it worked on it");
	return 0;
}

/* Counts the try of the first that is ready; what has been tried often enough is ended. *ret_id: 0 where there is none.
 * One that was counted and whose transaction then failed is not counted again: that was no crash. */
static int count_next(struct turn *t, int64_t *ret_id, struct err *reterr)
{
	unsigned tries;
	int64_t id;
	int r;

	*ret_id = 0;
	for (;;) {
		r = store_webhooks_ready(t->store, &id, 1, reterr);
		if (r <= 0 || id > t->found_until)
			return r < 0 ? r : 0;
		if (id == t->found_counted)
			break;
		r = store_webhook_tries(t->store, id, &tries, reterr);
		if (r == 0 && tries < CRASHES_MAX) {
			r = store_webhook_set_tries(t->store, id, tries + 1, reterr);
			if (r < 0 && r != -EBADMSG) /* its row takes no change: the try ends it */
				return r;
			break;
		}
		if (r == -ENOENT) /* of many rows that are lost: the turn goes on with it */
			return 0;
		if (r == 0)
			r = end_crashed(t, id, reterr);
		if (r < 0)
			return r;
	}
	*ret_id = id;
	return 0;
}

/* One transaction: the try of `id`, where there is one, and the count of the next, where that is wanted. */
static int try_found(struct turn *t, struct work *w, int64_t id, bool more, int64_t *ret_next, struct err *reterr)
{
	int64_t next = 0;
	int r = store_begin(t->store, reterr);

	if (r == 0 && id != 0)
		r = pass_run(w, id, reterr);
	if (r == 0 && id != 0)
		r = store_webhook_set_tries(t->store, id, 0, reterr);
	if (r == 0 && more)
		r = count_next(t, &next, reterr);
	r = commit_end(w, r, reterr);
	if (r == 0)
		t->found_counted = *ret_next = next;
	return r;
}

int turn_try_found(struct turn *t, struct work *w, struct err *reterr)
{
	int64_t began_us = clock_mono_us(), id;
	int64_t budget_us = t->submissions.first ? PENDING_LEAST_US : PENDING_US;
	int r = store_webhooks_ready(t->store, &id, 1, reterr);

	if (r <= 0 || id > t->found_until)
		return r < 0 ? r : 0;
	if (room_passes(&t->room) == 0)
		return 0;
	w->changed = true;
	r = try_found(t, w, 0, true, &id, reterr);
	while (r == 0 && id != 0)
		r = try_found(t, w, id, clock_mono_us() - began_us < budget_us && room_passes(&t->room) > 0, &id,
			      reterr);
	return r;
}
