#include <config.h>

#include "pipeline/apply.h"

#include "pipeline/dispatch.h"

/* The conversation that a decision is about, for its questions about others. */
struct view {
	struct work *work;
	const char *source, *conversation;
};

static int flag_count(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		      struct err *reterr)
{
	const struct view *v = ctx;

	return store_flag_count(v->work->store, account, email, flag, v->source, v->conversation, ret, reterr);
}

static const struct account_policy *account(void *ctx, const char *name)
{
	const struct view *v = ctx;
	const struct account *a = config_account(v->work->config, name);

	return a ? &a->policy : NULL;
}

int apply_decide(struct work *w, const struct decide_input *in, struct decision *ret, struct err *reterr)
{
	struct view view = {w, in->source->name, in->conversation};
	struct decide_input whole = *in;
	int r;

	whole.now_ms = w->now_ms;
	whole.view = (struct decide_view){.account = account, .flag_count = flag_count, .ctx = &view};
	r = decide(&whole, ret, reterr);
	if (r == 0)
		r = store_conversation_save(w->store, in->source->name, in->conversation, &ret->entry, &ret->reached,
					    reterr);
	for (size_t i = 0; r == 0 && i < ret->events_n; i++) {
		struct event *e = &ret->events[i];
		const struct account *a = config_account(w->config, e->account);

		r = store_event_insert(w->store, e, a ? a->person_gap_ms : 0, w->now_ms, reterr);
		if (r == 0) {
			tally_add(w->tally, METRIC_EVENTS, e->account, e->metric, NULL);
			dispatch_stir(w->dispatch, e->account);
		}
		if (r > 0) /* the same event is queued or was sent already */
			r = 0;
	}
	return r;
}
