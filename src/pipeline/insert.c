/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/insert.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "decision/settle.h"
#include "pipeline/pass.h"

/* The first passes of new webhooks end after this time in a turn, because its clients wait for the commit. The others
 * are inserted as pending. */
#define NEW_PASSES_US 20000
/* Where the disk has room for fewer passes, new webhooks are inserted as pending. */
#define NEW_PASSES_LEAST 4096

/* How the items of a turn are inserted. */
struct insertion {
	struct turn_context *tc;
	bool decides;     /* tries to decide a webhook before it is inserted */
	bool any_pending; /* a webhook may be pending */
	int64_t until_us; /* the end of first passes, by clock_mono_us() */
};

static int insert_pending(struct insertion *in, struct submission_item *item, struct err *reterr)
{
	struct turn_context *tc = in->tc;
	struct webhook *w = &item->parsed->webhook;
	const struct source *s = config_source(tc->config, w->source);
	int r = store_webhook_insert(tc->store, w, NULL, NULL, reterr);

	in->any_pending = item->is_pending = true;
	if (r < 0 || !s || !settle_applies(&s->policy))
		return r;
	/* settle needs the times of waiting webhooks */
	return store_webhook_save_time(tc->store, w->id, w->time_ms, w->undated, reterr);
}

/* An item that has ended already: a dead letter, or ignored. */
static int insert_ended(struct turn_context *tc, struct submission_item *item, struct err *reterr)
{
	struct webhook *w = &item->parsed->webhook;
	int r = store_webhook_insert(tc->store, w, item->dead_reason, item->store_as_ignored ? "ignored" : NULL,
				     reterr);

	if (r == 0)
		pending_metrics_add(tc->pending, METRIC_WEBHOOK_RESULTS, w->source,
				    item->dead_reason ? WEBHOOK_RESULT_DEAD : WEBHOOK_RESULT_IGNORED, NULL);
	return r;
}

static int insert_item(struct insertion *in, struct submission_item *item, struct err *reterr)
{
	struct turn_context *tc = in->tc;
	struct webhook *w = &item->parsed->webhook;
	int r = store_webhook_is_repeat(tc->store, w, reterr);

	tc->changed = true;
	item->is_pending = false;
	item->result = SUBMISSION_DUPLICATE;
	if (r != 0)
		return r < 0 ? r : 0;
	item->result = item->store_as_ignored ? SUBMISSION_IGNORED : SUBMISSION_ACCEPTED;
	w->id = 0;
	if (item->dead_reason || item->store_as_ignored) {
		r = insert_ended(tc, item, reterr);
	} else {
		if (in->decides && clock_mono_us() < in->until_us)
			r = pass_new(tc, item->parsed, in->any_pending, reterr);
		if (r == 0)
			r = insert_pending(in, item, reterr);
	}
	item->id = w->id;
	tc->inserted++;
	return r < 0 ? r : 0;
}

/*
 * Inserts the submissions from first up to end (NULL: all that follow), or none of them. Skips refused ones.
 * *ret_failed (borrowed): on failure the webhook that cannot be kept; NULL: the failure concerns no webhook.
 */
static int insert_range(struct insertion *in, struct message *first, const struct message *end,
			const struct webhook **ret_failed, struct err *reterr)
{
	struct turn_context *tc = in->tc;
	unsigned inserted = tc->inserted;
	int r = turn_context_savepoint(tc, reterr);

	*ret_failed = NULL;
	if (r < 0)
		return r;
	for (struct message *m = first; r == 0 && m != end; m = m->next) {
		struct submission *s = (struct submission *)m;

		for (size_t i = 0; r == 0 && !s->refused && i < s->n; i++) {
			*ret_failed = &s->items[i].parsed->webhook;
			r = insert_item(in, &s->items[i], reterr);
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
			if (s->items[i].is_pending)
				parsed_cache_add(tc->cache, tc->config, TAKE(s->items[i].parsed), false);
	}
	return 0;
}

/* Inserts one POST whole, or refuses it alone. Its webhooks are inserted as pending: each pass has a savepoint of its
 * own then, and a webhook that cannot be decided becomes a dead letter. */
static int insert_alone(struct insertion *in, struct message *m, struct err *reterr)
{
	struct submission *s = (struct submission *)m;
	struct err e = {0};
	const struct webhook *failed;
	int r = insert_range(in, m, m->next, &failed, &e);

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
	struct insertion in = {.tc = tc, .until_us = clock_mono_us() + NEW_PASSES_US};
	struct err e = {0};
	const struct webhook *failed;
	int r;

	for (struct message *m = submissions->first; m; m = m->next) {
		struct submission *s = (struct submission *)m;

		s->refused = !accepts || !disk_budget_fits(budget, s);
	}
	if (!submissions->first)
		return 0;
	/* On a nearly full disk a turn has few passes. */
	in.decides = disk_budget_passes(budget) > NEW_PASSES_LEAST;
	r = store_webhooks_any_pending(tc->store, reterr);
	if (r < 0)
		return r;
	in.any_pending = r > 0;
	/* One savepoint for all, because SQLite copies each page before its first change in a savepoint. */
	r = insert_range(&in, submissions->first, NULL, &failed, &e);
	if (r == 0)
		return 0;
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	in.decides = false;
	for (struct message *m = submissions->first; m; m = m->next) {
		r = insert_alone(&in, m, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}
