/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/decide_and_save.h"

#include "pipeline/dispatch.h"

/* The conversation of a decision, for its queries about others. */
struct view_context {
	struct turn_context *tc;
	const char *source, *conversation;
};

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	const struct view_context *v = ctx;

	return store_flag_count(v->tc->store, account, email, flag, v->source, v->conversation, ret, reterr);
}

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct view_context *v = ctx;
	const struct account *a = config_account(v->tc->config, name);

	return a ? &a->policy : NULL;
}

int decide_and_save(struct turn_context *tc, const struct decide_input *in, struct store_conversation *row,
		    struct decision *ret, struct err *reterr)
{
	struct view_context view = {tc, in->source->name, in->conversation};
	struct decide_input whole = *in;
	int r;

	whole.now_ms = tc->now_ms;
	whole.queries = (struct decide_queries){.account = account, .flag_count = flag_count, .ctx = &view};
	r = decide(&whole, ret, reterr);
	if (r == 0)
		r = store_conversation_save(tc->store, in->source->name, in->conversation, &ret->entry, &ret->reached,
					    row, reterr);
	for (size_t i = 0; r == 0 && i < ret->events_n; i++) {
		struct event *e = &ret->events[i];
		const struct account *a = config_account(tc->config, e->account);

		r = store_event_insert(tc->store, e, a ? a->person_gap_ms : 0, tc->now_ms, reterr);
		if (r == 0) {
			pending_metrics_add(tc->pending, METRIC_EVENTS, e->account, e->metric, NULL);
			dispatch_mark_dirty(tc->dispatch, e->account);
			store_event_keep(tc->store, e);
		}
		if (r > 0) /* the same event is queued or was sent already */
			r = 0;
	}
	return r;
}
