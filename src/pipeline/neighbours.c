#include <config.h>

#include "pipeline/neighbours.h"

#include "decision/decide.h"

/* Pending webhooks of one conversation that are looked at; a desk that sends more within a settle time is no desk. */
#define NEIGHBOURS_MAX 64

struct meeting {
	struct settle settle;
	const struct definition *definition;
	size_t n;
};

static int meet(void *ctx, const struct webhook *w, enum store_wait why, int64_t not_before_ms)
{
	struct meeting *m = ctx;
	struct parsed *parsed;
	struct ledger_signal other;
	bool more = true;

	(void)not_before_ms;
	if (w->id == m->settle.self.order)
		return 0;
	if (m->n == NEIGHBOURS_MAX)
		return 1;
	parsed = parsed_lent(m->definition, w);
	if (parsed->reading.kind == READING_SIGNAL) {
		m->n++;
		decide_ledger_signal(w, &parsed->reading.signal, &other);
		more = settle_meet(&m->settle, &other, why == STORE_WAIT_TIME);
	}
	parsed_free(parsed);
	return !more;
}

static int end_all(struct work *w, const char *source, const struct settle *x, struct err *reterr)
{
	for (size_t i = 0; i < x->over_n; i++) {
		int r = store_webhook_done(w->store, x->over[i], WORK_SETTLED, reterr);

		if (r < 0)
			return r;
		tally_add(w->tally, METRIC_WEBHOOK_RESULTS, source, WORK_SETTLED, NULL);
		readings_forget(w->readings, x->over[i]);
	}
	return 0;
}

int neighbours_settle(struct work *w, const struct source *s, const struct webhook *webhook,
		      const struct signal *signal, struct ledger_entry *e, const struct reached_list *reached,
		      enum settle_verdict *ret, int64_t *ret_until_ms, struct err *reterr)
{
	struct meeting m = {.settle.source = &s->policy, .definition = s->definition};
	int r;

	decide_ledger_signal(webhook, signal, &m.settle.self);
	r = store_webhooks_of_conversation(w->store, s->name, signal->conversation, meet, &m, reterr);
	if (r == 0) {
		*ret = settle_rule(&m.settle, w->now_ms, e);
		*ret_until_ms = m.settle.until_ms;
		r = end_all(w, s->name, &m.settle, reterr);
	}
	if (r == 0 && m.settle.changed)
		r = store_conversation_save(w->store, s->name, signal->conversation, e, reached, reterr);
	settle_done(&m.settle);
	return r;
}
