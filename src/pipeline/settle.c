#include <config.h>

#include "pipeline/settle.h"

#include "decision/decide.h"

/* Pending webhooks of one conversation that are looked at; a desk that sends more within a settle time is no desk. */
#define NEIGHBOURS_MAX 64

struct neighbour {
	int64_t id;
	struct ledger_signal signal;
	int64_t time_ms; /* the earlier of its time and its receipt */
	bool held;
};

struct neighbours {
	const struct source *source;
	int64_t self;
	struct neighbour items[NEIGHBOURS_MAX];
	size_t n;
};

bool settle_applies(const struct source *s)
{
	return s->policy.settle_open_ms > 0 || s->policy.settle_close_ms > 0;
}

static bool is_closing(enum transition t)
{
	return t == TRANSITION_CLOSED || t == TRANSITION_EXPIRED;
}

static bool are_opposite(enum transition a, enum transition b)
{
	return a != TRANSITION_NONE && b != TRANSITION_NONE && is_closing(a) != is_closing(b);
}

static int64_t settle_ms(const struct source *s, enum transition t)
{
	if (t == TRANSITION_NONE)
		return 0;
	return is_closing(t) ? s->policy.settle_close_ms : s->policy.settle_open_ms;
}

static struct neighbour neighbour_of(const struct webhook *w, const struct signal *signal)
{
	struct neighbour n = {.id = w->id};

	decide_ledger_signal(w, signal, &n.signal);
	n.time_ms = n.signal.time_ms < n.signal.received_ms ? n.signal.time_ms : n.signal.received_ms;
	return n;
}

static int meet(void *ctx, const struct webhook *w, enum store_wait why, int64_t not_before_ms)
{
	struct neighbours *all = ctx;
	struct parsed *parsed;

	(void)not_before_ms;
	if (w->id == all->self)
		return 0;
	if (all->n == NEIGHBOURS_MAX)
		return 1;
	parsed = parsed_lent(all->source->definition, w);
	if (parsed->reading.kind == READING_SIGNAL) {
		all->items[all->n] = neighbour_of(w, &parsed->reading.signal);
		all->items[all->n++].held = why == STORE_WAIT_TIME;
	}
	parsed_free(parsed);
	return 0;
}

/* Whether `newer` came before `older` had lasted its time. */
static bool ends(const struct source *s, const struct neighbour *newer, const struct neighbour *older)
{
	int64_t limit_ms = settle_ms(s, older->signal.kind);

	return are_opposite(newer->signal.kind, older->signal.kind) &&
	       ledger_is_older(&older->signal, &newer->signal) && newer->time_ms - older->time_ms < limit_ms;
}

static int end_neighbour(struct work *w, const struct source *s, const struct neighbour *n, struct ledger_entry *e,
			 struct err *reterr)
{
	int r;

	ledger_skip(e, &n->signal);
	r = store_webhook_done(w->store, n->id, WORK_SETTLED, reterr);
	if (r == 0)
		tally_add(w->tally, METRIC_WEBHOOK_RESULTS, s->name, WORK_SETTLED, NULL);
	return r;
}

/* One that came before and counts, whatever it waits for, must meet the ledger first: what is ended takes its time as
 * seen, and would make history of all that is older. */
static bool is_behind(const struct neighbours *all, const struct neighbour *self)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct neighbour *n = &all->items[i];

		if (n->id < self->id && !ends(all->source, self, n) &&
		    !(n->held && ledger_is_older(&self->signal, &n->signal)))
			return true;
	}
	return false;
}

static int end_older(struct work *w, const struct neighbours *all, const struct neighbour *self, struct ledger_entry *e,
		     bool *ret_any, struct err *reterr)
{
	*ret_any = false;
	for (size_t i = 0; i < all->n; i++) {
		int r;

		if (!ends(all->source, self, &all->items[i]))
			continue;
		r = end_neighbour(w, all->source, &all->items[i], e, reterr);
		if (r < 0)
			return r;
		*ret_any = true;
	}
	return 0;
}

/* What ended another says the same as the state by now. Of a conversation whose opening did not last nobody was told,
 * so its closing tells nothing either. */
static bool agrees(const struct ledger_entry *e, const struct ledger_signal *s)
{
	return !ledger_would_change(e, s) || (is_closing(s->kind) && e->state == LEDGER_UNKNOWN);
}

/* Where a newer one ends this one, and then says what the state says already, it is over too. */
static int end_by_newer(struct work *w, const struct neighbours *all, const struct neighbour *self,
			struct ledger_entry *e, bool *ret_ended, struct err *reterr)
{
	*ret_ended = false;
	for (size_t i = 0; i < all->n; i++) {
		const struct neighbour *n = &all->items[i];
		int r;

		if (!ends(all->source, n, self))
			continue;
		*ret_ended = true;
		ledger_skip(e, &self->signal);
		if (!agrees(e, &n->signal))
			continue;
		r = end_neighbour(w, all->source, n, e, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A time that is further away than a signal is ever held comes of a clock that was ahead at its receipt. */
static bool is_to_come(int64_t now_ms, int64_t until_ms, int64_t held_ms)
{
	return now_ms < until_ms && until_ms - now_ms <= held_ms;
}

int settle_run(struct work *w, const struct source *s, const struct webhook *webhook, const struct signal *signal,
	       struct ledger_entry *e, const struct reached_list *reached, enum settle_verdict *ret,
	       int64_t *ret_until_ms, struct err *reterr)
{
	const struct neighbour self = neighbour_of(webhook, signal);
	struct neighbours all = {.source = s, .self = webhook->id};
	bool any = false, ended = false;
	int r;

	r = store_webhooks_of_conversation(w->store, s->name, signal->conversation, meet, &all, reterr);
	if (r < 0)
		return r;
	if (is_behind(&all, &self)) {
		*ret = SETTLE_BEHIND;
		return 0;
	}
	r = end_older(w, &all, &self, e, &any, reterr);
	if (r == 0)
		r = end_by_newer(w, &all, &self, e, &ended, reterr);
	if (r < 0)
		return r;
	if (any && !ended && agrees(e, &self.signal)) {
		ledger_skip(e, &self.signal);
		ended = true;
	}
	if (any || ended) {
		r = store_conversation_save(w->store, s->name, signal->conversation, e, reached, reterr);
		if (r < 0)
			return r;
	}
	*ret_until_ms = self.time_ms + settle_ms(s, self.signal.kind);
	if (ended)
		*ret = SETTLE_ENDED;
	else if (is_to_come(w->now_ms, *ret_until_ms, settle_ms(s, self.signal.kind)) &&
		 ledger_would_change(e, &self.signal))
		*ret = SETTLE_HELD;
	else
		*ret = SETTLE_ON;
	return 0;
}
