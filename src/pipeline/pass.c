/* SPDX-License-Identifier: MIT */
/*
 * The stages of a pass, in order. Each returns that the webhook continues, or that its pass ends (done, dead or
 * waiting), or an error. The order matters: settle looks at the conversation before the stage of the order does,
 * because a closing may end an opening that it would otherwise wait for. No lookup is requested before it is the
 * webhook's turn.
 *
 * Runs on the pipeline's thread inside the turn's transaction. After a crash the pass is repeated from its beginning.
 */
#include <config.h>

#include "pipeline/pass.h"

#include <errno.h>

#include "decision/decide.h"
#include "decision/settle.h"
#include "pipeline/decide_and_save.h"
#include "pipeline/pass_internal.h"

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int stage_read(struct pass *p, struct err *reterr)
{
	const struct parse_result *result = &p->parsed->result;

	switch (result->kind) {
	case PARSE_SIGNAL:
		break;
	case PARSE_UNREADABLE:
		return pass_dead(p, result->reason, reterr);
	case PARSE_PING:
	case PARSE_IGNORED:
		return pass_done(p, WEBHOOK_RESULT_IGNORED, NULL, reterr);
	}
	if (p->webhook->read)
		return STAGE_CONTINUE;
	/* The webhook was unreadable at its receipt. Its signal is stored now, because it orders other webhooks. */
	parse_result_save(result, &p->parsed->webhook);
	return store_webhook_save_signal(p->tc->store, p->webhook, reterr);
}

/* ---- settle, and the order --------------------------------------------------------------------------------------- */

/* Reads the other pending webhooks of the conversation for settle's rule (decision/settle.h). */
struct settle_scan {
	struct settle settle;
	struct pass *pass;
	struct err *reterr;
};

/* Parses a neighbour that has no stored time, because an older version stored it or its source had no `settle` then,
 * and stores its time. Returns 1; 0: it is unreadable, and its own pass ends it with the reason. */
static int neighbour_time(struct settle_scan *scan, const struct store_neighbour *n, struct ledger_signal *to)
{
	struct store *s = scan->pass->tc->store;
	struct webhook w = {0};
	struct parsed_webhook *parsed;
	int r = store_webhook_load(s, n->id, &w, scan->reterr);

	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? 0 : r;
	parsed = parsed_webhook_borrow(scan->pass->source->definition, &w);
	if (parsed->result.kind == PARSE_SIGNAL) {
		to->time_ms = parsed->result.signal.time_ms;
		to->undated = !parsed->result.signal.has_time;
		r = store_webhook_save_time(s, n->id, to->time_ms, to->undated, scan->reterr);
		r = r < 0 ? r : 1;
	}
	parsed_webhook_free(parsed);
	webhook_done(&w);
	return r;
}

static int scan_neighbour(void *ctx, const struct store_neighbour *n)
{
	struct settle_scan *scan = ctx;
	struct ledger_signal other = {
		.kind = n->transition,
		.time_ms = n->time_ms,
		.undated = n->undated,
		.received_ms = n->received_ms,
		.order = n->id,
	};
	int r = 1;

	if (n->id == scan->settle.self.order)
		return 0;
	if (!n->is_timed)
		r = neighbour_time(scan, n, &other);
	if (r <= 0)
		return r;
	return !settle_add_neighbour(&scan->settle, &other, n->wait == STORE_WAIT_TIME);
}

/* Ends the webhooks that the rule settled, saves a changed conversation, and applies the verdict on this webhook. */
static int stage_settle(struct pass *p, struct err *reterr)
{
	struct settle_scan scan = {.settle.source = &p->source->policy, .pass = p, .reterr = reterr};
	enum settle_verdict verdict = SETTLE_CONTINUE;
	struct turn_context *tc = p->tc;
	int64_t until_ms;
	int r;

	if (!settle_applies(&p->source->policy))
		return STAGE_CONTINUE;
	decide_ledger_signal(p->webhook, p->signal, &scan.settle.self);
	/* By the row's conversation, which also decides which waiting webhooks are woken. The present definition may
	 * read another one. */
	r = store_webhooks_of_conversation(tc->store, p->source->name, p->webhook->conversation, scan_neighbour, &scan,
					   reterr);
	if (r == 0)
		verdict = settle_rule(&scan.settle, tc->now_ms, &p->entry);
	until_ms = scan.settle.until_ms;
	for (size_t i = 0; r == 0 && i < scan.settle.settled_n; i++) {
		r = store_webhook_done(tc->store, scan.settle.settled[i], WEBHOOK_RESULT_SETTLED, reterr);
		if (r < 0)
			break;
		pending_metrics_add(tc->pending, METRIC_WEBHOOK_RESULTS, p->source->name, WEBHOOK_RESULT_SETTLED, NULL);
		parsed_cache_remove(tc->cache, scan.settle.settled[i]);
	}
	if (r == 0 && scan.settle.changed)
		r = store_conversation_save(tc->store, p->source->name, p->signal->conversation, &p->entry, &p->reached,
					    &p->row, reterr);
	settle_done(&scan.settle);
	if (r < 0)
		return r;

	switch (verdict) {
	case SETTLE_CONTINUE:
		return STAGE_CONTINUE;
	case SETTLE_HELD:
		return pass_wait(p, STORE_WAIT_TIME, until_ms, reterr);
	case SETTLE_BEHIND:
		return pass_wait(p, STORE_WAIT_BEHIND, 0, reterr);
	case SETTLE_ENDED:
		break;
	}
	return pass_done(p, WEBHOOK_RESULT_SETTLED, NULL, reterr);
}

static int stage_order(struct pass *p, struct err *reterr)
{
	struct webhook view = *p->webhook;
	int r;

	if (settle_applies(&p->source->policy))
		view.conversation = NULL; /* settle decided that, and lets a webhook pass an earlier one that is held */
	r = store_webhook_is_behind(p->tc->store, &view, reterr);
	if (r <= 0)
		return r;
	return pass_wait(p, STORE_WAIT_BEHIND, 0, reterr);
}

/* ---- ledger, rules, events --------------------------------------------------------------------------------------- */

static int stage_decide(struct pass *p, struct err *reterr)
{
	const struct decide_input in = {
		.source = &p->source->policy,
		.conversation = p->signal->conversation,
		.webhook = p->parsed,
		.entry = &p->entry,
		.reached = &p->reached,
	};
	CLEANUP(decision_done) struct decision decision = {0};
	int r = decide_and_save(p->tc, &in, &p->row, &decision, reterr);

	if (r < 0)
		return r;
	if (p->no_lookup_reason && decision.events_n == 0)
		return pass_done(p, decide_result_name(DECIDE_NO_ADDRESS), p->no_lookup_reason, reterr);
	return pass_done(p, decide_result_name(decision.result), decision.detail, reterr);
}

static int stages(struct pass *p, struct err *reterr)
{
	int r = stage_read(p, reterr);

	if (r == STAGE_CONTINUE)
		r = store_conversation_load(p->tc->store, p->webhook->source, p->signal->conversation, &p->entry,
					    &p->reached, &p->row, reterr);
	if (r == STAGE_CONTINUE)
		r = stage_settle(p, reterr);
	if (r == STAGE_CONTINUE)
		r = stage_order(p, reterr);
	if (r == STAGE_CONTINUE)
		r = pass_customer(p, reterr);
	if (r == STAGE_CONTINUE)
		r = stage_decide(p, reterr);
	return r;
}

/* ---- a new webhook ----------------------------------------------------------------------------------------------- */

/* True where the pass of a new webhook would have only the stages of the ledger: it needs no parsing, is not held by
 * `settle`, and needs no lookup. */
static bool is_simple(const struct pass *p)
{
	return p->source && p->parsed->has_item && p->parsed->definition == p->source->definition &&
	       p->parsed->result.kind == PARSE_SIGNAL && !p->signal->wants_lookup &&
	       !settle_applies(&p->source->policy);
}

int pass_new(struct turn_context *tc, struct parsed_webhook *parsed, bool any_pending, struct err *reterr)
{
	struct webhook *w = &parsed->webhook;
	struct pass p = {
		.tc = tc,
		.source = config_source(tc->config, w->source),
		.parsed = parsed,
		.webhook = w,
		.signal = &parsed->result.signal,
		.is_new = true,
	};
	int r;

	if (!is_simple(&p))
		return 0;
	r = store_webhook_next_id(tc->store, &w->id, reterr);
	if (r == 0 && any_pending)
		r = store_webhook_is_behind(tc->store, w, reterr);
	if (r != 0)
		return r < 0 ? r : 0;
	r = store_conversation_load(tc->store, w->source, p.signal->conversation, &p.entry, &p.reached, &p.row, reterr);
	if (r == 0)
		r = stage_decide(&p, reterr);
	reached_clear(&p.reached);
	return r < 0 ? r : 1;
}

/* ---- a pending webhook ------------------------------------------------------------------------------------------- */

/* ret_source: for the metrics; NULL: the webhook does not exist. */
static int run(struct turn_context *tc, int64_t id, char **ret_source, struct err *reterr)
{
	CLEANUP(webhook_done) struct webhook webhook = {0};
	struct pass p = {.tc = tc, .parsed = parsed_cache_take(tc->cache, id)};
	int r = p.parsed ? store_webhook_is_pending(tc->store, &p.parsed->webhook, reterr) : 0;

	if (r <= 0) { /* it is not cached, or its row has changed */
		parsed_webhook_free(TAKE(p.parsed));
		if (r == 0)
			r = store_webhook_load(tc->store, id, &webhook, reterr);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	*ret_source = mem_str(p.parsed ? p.parsed->webhook.source : webhook.source);
	p.source = config_source(tc->config, *ret_source);
	if (!p.source) {
		INSIST(!p.parsed); /* the cache holds only what the present definitions have parsed */
		return store_webhook_wait(tc->store, id, STORE_WAIT_UNCONFIGURED, 0, reterr);
	}
	if (!p.parsed)
		p.parsed = parsed_webhook_new(p.source->definition, &webhook, NULL, 0);
	p.webhook = &p.parsed->webhook;
	p.signal = &p.parsed->result.signal;
	r = stages(&p, reterr);
	if (r >= 0 && p.waits && p.parsed)
		parsed_cache_add(tc->cache, tc->config, TAKE(p.parsed), true);
	reached_clear(&p.reached);
	free(p.no_lookup_reason);
	parsed_webhook_free(p.parsed);
	return r;
}

int pass_run(struct turn_context *tc, int64_t id, struct err *reterr)
{
	CLEANUP(mem_freep) char *source = NULL;
	struct err e = {0};
	int r = turn_context_savepoint(tc, reterr);

	if (r < 0)
		return r;
	r = turn_context_savepoint_end(tc, run(tc, id, &source, &e), &e);
	if (r >= 0)
		return 0;
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	/* The pass is undone. The webhook's end has a savepoint of its own. */
	r = turn_context_savepoint(tc, reterr);
	if (r < 0)
		return r;
	r = turn_context_savepoint_end(
		tc, turn_context_webhook_dead(tc, source, id, e.text, LOG_WARNING, PASS_DEAD_LINE, reterr), reterr);
	return r < 0 && r != -ENOENT ? r : 0; /* -ENOENT: it has ended already */
}
