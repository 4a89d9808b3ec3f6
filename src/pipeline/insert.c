/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/insert.h"

#include "base/log.h"
#include "base/metrics.h"
#include "decision/settle.h"

/* True for an item that was inserted and will have a pass. */
static bool is_pending(const struct submission_item *item)
{
	return item->result == SUBMISSION_ACCEPTED && !item->dead_reason;
}

static int insert_item(struct turn_context *tc, struct submission_item *item, struct err *reterr)
{
	const struct webhook *webhook;
	const struct source *s;
	int r;

	r = store_webhook_insert(tc->store, &item->parsed->webhook, item->dead_reason,
				 item->store_as_ignored ? "ignored" : NULL, reterr);
	if (r < 0)
		return r;
	webhook = &item->parsed->webhook;
	item->id = webhook->id;
	item->result = r > 0 ? SUBMISSION_DUPLICATE : item->store_as_ignored ? SUBMISSION_IGNORED : SUBMISSION_ACCEPTED;
	tc->inserted += r == 0;
	tc->changed = true;
	if (r == 0 && (item->dead_reason || item->store_as_ignored)) /* it has ended already */
		pending_metrics_add(tc->pending, METRIC_WEBHOOK_RESULTS, webhook->source,
				    item->dead_reason ? WEBHOOK_RESULT_DEAD : WEBHOOK_RESULT_IGNORED, NULL);
	if (!is_pending(item))
		return 0;
	s = config_source(tc->config, webhook->source); /* settle needs the times of waiting webhooks */
	if (!s || !settle_applies(&s->policy))
		return 0;
	return store_webhook_save_time(tc->store, webhook->id, webhook->time_ms, webhook->undated, reterr);
}

/*
 * Inserts the submissions from first up to end (NULL: all that follow), or none of them. Skips refused ones.
 * *ret_failed (borrowed): on failure the webhook that cannot be kept; NULL: the failure concerns no webhook.
 */
static int insert_range(struct turn_context *tc, struct message *first, const struct message *end,
			const struct webhook **ret_failed, struct err *reterr)
{
	unsigned inserted = tc->inserted;
	int r = turn_context_savepoint(tc, reterr);

	*ret_failed = NULL;
	if (r < 0)
		return r;
	for (struct message *m = first; r == 0 && m != end; m = m->next) {
		struct submission *s = (struct submission *)m;

		for (size_t i = 0; r == 0 && !s->refused && i < s->n; i++) {
			*ret_failed = &s->items[i].parsed->webhook;
			r = insert_item(tc, &s->items[i], reterr);
		}
	}
	r = turn_context_savepoint_end(tc, r, reterr);
	if (r < 0) {
		tc->inserted = inserted;
		return r;
	}
	*ret_failed = NULL;
	for (struct message *m = first; m != end; m = m->next) {
		struct submission *s = (struct submission *)m;

		for (size_t i = 0; !s->refused && i < s->n; i++)
			if (is_pending(&s->items[i]))
				parsed_cache_add(tc->cache, tc->config, TAKE(s->items[i].parsed), false);
	}
	return 0;
}

/* Inserts one POST whole, or refuses it alone. */
static int insert_alone(struct turn_context *tc, struct message *m, struct err *reterr)
{
	struct submission *s = (struct submission *)m;
	struct err e = {0};
	const struct webhook *failed;
	int r = insert_range(tc, m, m->next, &failed, &e);

	if (r == 0)
		return 0;
	if (!failed || store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	log_error(
		&((struct log_about){.source = failed->source, .conversation = failed->conversation, .reason = e.text}),
		"a webhook cannot be kept and was refused");
	s->refused = true;
	return 0;
}

int insert_submissions(struct turn_context *tc, struct disk_budget *budget, bool failing,
		       const struct message_list *submissions, struct err *reterr)
{
	bool accepts = disk_budget_check(budget, failing);
	struct err e = {0};
	const struct webhook *failed;
	int r;

	for (struct message *m = submissions->first; m; m = m->next) {
		struct submission *s = (struct submission *)m;

		s->refused = !accepts || !disk_budget_fits(budget, s);
	}
	if (!submissions->first)
		return 0;
	/* One savepoint for all, because SQLite copies each page before its first change in a savepoint. */
	r = insert_range(tc, submissions->first, NULL, &failed, &e);
	if (r == 0)
		return 0;
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	for (struct message *m = submissions->first; m; m = m->next) {
		r = insert_alone(tc, m, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}
