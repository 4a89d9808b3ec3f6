/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/commit.h"

#include "base/log.h"
#include "base/metrics.h"
#include "pipeline/lookup_table.h"

static void log_loss(void *ctx, const struct store_loss *l)
{
	CLEANUP(store_origin_done) struct store_origin origin = {0};
	struct log_about about = {.reason = l->reason};
	struct store *s = ctx;

	switch (l->kind) {
	case STORE_LOSS_WEBHOOK:
		store_webhook_origin(s, l->id, &origin);
		about.source = l->name;
		about.conversation = origin.conversation;
		about.webhook = l->id;
		metrics_add(METRIC_WEBHOOK_RESULTS, l->name ? l->name : "", WEBHOOK_RESULT_DEAD, NULL, 1);
		log_warning(&about, "a webhook became a dead letter");
		return;
	case STORE_LOSS_EVENT:
		store_event_origin(s, l->id, &origin);
		about.source = origin.source;
		about.account = l->name;
		about.conversation = origin.conversation;
		about.webhook = origin.webhook;
		about.event = l->id;
		log_warning(&about, "an event became a dead letter");
		return;
	case STORE_LOSS_CONVERSATION:
		about.source = l->name;
		break;
	case STORE_LOSS_OTHER:
		break;
	}
	log_error(&about, "the store's file was damaged or changed by hand, and one row was repaired");
}

void commit_log_losses(struct store *s)
{
	store_losses(s, log_loss, s);
}

/* r: the result of the commit; < 0: the transaction is rolled back. */
static int ended(struct turn_context *tc, int r, int64_t began_us)
{
	if (r < 0) {
		parsed_cache_clear(tc->cache);
		lookup_table_rollback(tc->lookups);
		pending_metrics_drop(tc->pending);
		return r;
	}
	if (tc->changed)
		*tc->commit_us = clock_mono_us() - began_us;
	commit_log_losses(tc->store);
	pending_metrics_publish(tc->pending, clock_mono_ms());
	lookup_table_commit(tc->lookups, tc->courier);
	return 0;
}

int commit_end(struct turn_context *tc, int r, struct err *reterr)
{
	int64_t began_us = clock_mono_us();

	if (r >= 0)
		r = store_commit(tc->store, reterr);
	else
		store_rollback(tc->store);
	r = ended(tc, r, began_us);
	if (r == 0 && tc->changed)
		metrics_observe(METRIC_COMMIT_SECONDS, (double)*tc->commit_us / 1e6);
	return r;
}

int commit_end_async(struct turn_context *tc, void (*synced)(void *arg), void *arg, struct err *reterr)
{
	int64_t began_us = clock_mono_us();

	return ended(tc, store_commit_async(tc->store, synced, arg, reterr), began_us);
}
