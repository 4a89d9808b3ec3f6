#include <config.h>

#include "pipeline/expire.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "decision/decide.h"
#include "pipeline/apply.h"

#define REST_MS CLOCK_MINUTE_MS

struct expiry {
	struct work *w;
	const struct source *source;
	const char *conversation;
	struct ledger_entry entry;
	struct reached_list reached;
};

static int close_with_events(struct expiry *x, struct err *reterr)
{
	struct apply_view view = {x->w, x->source->name, x->conversation};
	const struct decide_input in = {
		.source = &x->source->policy,
		.conversation = x->conversation,
		.entry = &x->entry,
		.reached = &x->reached,
		.now_ms = x->w->now_ms,
		.view = apply_view(&view),
	};
	CLEANUP(decision_done) struct decision d = {0};
	int r = decide(&in, &d, reterr);

	if (r < 0)
		return r;
	if (d.entry.state == LEDGER_OPEN)
		return err_set(reterr, -EBADMSG, "its deadline has passed, and still it is open");
	return apply_decision(x->w, x->source->name, x->conversation, &d, reterr);
}

/* So that one conversation that cannot be decided does not keep all later ones open. */
static int close_silently(struct expiry *x, const struct err *why, struct err *reterr)
{
	int r = work_savepoint(x->w, reterr);
	struct log_about about = {.source = x->source->name, .conversation = x->conversation, .reason = why->text};
	struct ledger_verdict verdict;

	if (r < 0)
		return r;
	if (!ledger_expire(&x->entry, x->source->policy.expire_after_ms, x->w->now_ms, &verdict)) {
		x->entry.state = LEDGER_CLOSED;
		x->entry.closed_ms = x->w->now_ms;
	}
	r = store_conversation_save(x->w->store, x->source->name, x->conversation, &x->entry, &x->reached, reterr);
	if (r == 0)
		tally_log(x->w->tally, LOG_ERR, &about, "an expired conversation was closed without an event");
	return work_savepoint_end(x->w, r, reterr);
}

static int close_whole(struct expiry *x, struct err *reterr)
{
	int r = work_savepoint(x->w, reterr);

	if (r < 0)
		return r;
	return work_savepoint_end(x->w, close_with_events(x, reterr), reterr);
}

static int expire_one(struct work *w, const struct source *s, const char *conversation, struct err *reterr)
{
	struct expiry x = {.w = w, .source = s, .conversation = conversation};
	struct err why = {0};
	int r = store_conversation_load(w->store, s->name, conversation, &x.entry, &x.reached, &why);

	if (r == 0)
		r = close_whole(&x, &why);
	if (r < 0 && !work_is_stores(r))
		r = close_silently(&x, &why, reterr);
	else if (r < 0 && reterr)
		*reterr = why;
	reached_clear(&x.reached);
	return r;
}

static int64_t opened_before_ms(const struct source *s, int64_t now_ms)
{
	int64_t ms;

	return __builtin_sub_overflow(now_ms, s->policy.expire_after_ms, &ms) ? INT64_MIN : ms;
}

/* Returns how many were closed, or an error. */
static int expire_source(struct work *w, const struct source *s, unsigned max, struct err *reterr)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		CLEANUP(mem_freep) char *conversation = NULL;
		int r = store_conversation_oldest_open(w->store, s->name, opened_before_ms(s, w->now_ms), &conversation,
						       reterr);

		if (r == -ENOENT)
			break;
		if (r == 0)
			r = expire_one(w, s, conversation, reterr);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static void rest(struct expire *x, struct work *w, const struct source *s, const struct err *why)
{
	struct log_about about = {.source = s->name, .reason = why->text};

	if (!x->told)
		tally_log(w->tally, LOG_ERR, &about,
			  "conversations that have been open for too long cannot be closed: it is tried again");
	x->told = true;
	x->rest_until_ms = w->mono_ms + REST_MS;
}

int expire_run(struct expire *x, struct work *w, unsigned max, struct err *reterr)
{
	unsigned n = 0;

	if (w->mono_ms < x->rest_until_ms)
		return 0;
	for (size_t i = 0; i < w->config->sources_n && n < max; i++) {
		const struct source *s = &w->config->sources[i];
		struct err why = {0};
		int r;

		if (s->policy.expire_after_ms == CLOCK_NEVER_MS || work_age_wait_ms(w, s->policy.expire_after_ms) > 0)
			continue;
		r = expire_source(w, s, max - n, &why);
		if (work_is_stores(r)) {
			*reterr = why;
			return r;
		}
		if (r < 0)
			rest(x, w, s, &why);
		else
			n += (unsigned)r;
	}
	x->told = x->told && w->mono_ms < x->rest_until_ms;
	return (int)n;
}

int64_t expire_next_ms(const struct expire *x, struct work *w)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < w->config->sources_n; i++) {
		const struct source *s = &w->config->sources[i];
		int64_t received_ms, due_ms, judged_ms;

		if (s->policy.expire_after_ms == CLOCK_NEVER_MS)
			continue;
		received_ms = store_conversation_oldest_received_ms(w->store, s->name);
		if (received_ms == CLOCK_NEVER_MS ||
		    __builtin_add_overflow(received_ms, s->policy.expire_after_ms, &due_ms))
			continue;
		due_ms = work_mono_at_ms(w, due_ms);
		judged_ms = w->mono_ms + work_age_wait_ms(w, s->policy.expire_after_ms);
		if (due_ms < judged_ms)
			due_ms = judged_ms;
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	return next_ms < x->rest_until_ms ? x->rest_until_ms : next_ms;
}
