#include <config.h>

#include "pipeline/neighbours.h"

#include <errno.h>

#include "decision/decide.h"

struct meeting {
	struct settle settle;
	struct work *w;
	const struct definition *definition;
	struct err *reterr;
};

/* Of one that came to an older version, or before its source had `settle`: read once, and kept. 0: it does not read,
 * and ends with its reason when it is taken. */
static int time_read(struct meeting *m, const struct store_neighbour *n, struct ledger_signal *to)
{
	struct webhook w = {0};
	struct parsed *parsed;
	int r = store_webhook_load(m->w->store, n->id, &w, m->reterr);

	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? 0 : r;
	parsed = parsed_lent(m->definition, &w);
	if (parsed->reading.kind == READING_SIGNAL) {
		to->time_ms = parsed->reading.signal.time_ms;
		to->undated = !parsed->reading.signal.has_time;
		r = store_webhook_time_save(m->w->store, n->id, to->time_ms, to->undated, m->reterr);
		r = r < 0 ? r : 1;
	}
	parsed_free(parsed);
	webhook_done(&w);
	return r;
}

static int meet(void *ctx, const struct store_neighbour *n)
{
	struct meeting *m = ctx;
	struct ledger_signal other = {
		.kind = n->transition,
		.time_ms = n->time_ms,
		.undated = n->undated,
		.received_ms = n->received_ms,
		.order = n->id,
	};
	int r = 1;

	if (n->id == m->settle.self.order)
		return 0;
	if (!n->is_timed)
		r = time_read(m, n, &other);
	if (r <= 0)
		return r;
	return !settle_meet(&m->settle, &other, n->wait == STORE_WAIT_TIME);
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
	struct meeting m = {.settle.source = &s->policy, .w = w, .definition = s->definition, .reterr = reterr};
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
