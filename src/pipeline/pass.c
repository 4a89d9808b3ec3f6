/*
 * The stages of a pass, in order. Each says whether the webhook goes on, or came to rest (done, dead or waiting), or
 * failed. Order matters: settle looks at the conversation before the order does, because a closing may end an opening
 * that it would else wait behind; nobody is asked who the customer is before it is this webhook's turn.
 *
 * Runs on the pipeline's thread inside the turn's transaction. A crash in here repeats the pass from its beginning.
 */
#include <config.h>

#include "pipeline/pass.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/scheduler.h"
#include "pipeline/apply.h"
#include "pipeline/decide.h"
#include "pipeline/settle.h"

enum stage {
	STAGE_ON = 0,
	STAGE_REST = 1, /* done, dead or waiting */
};

struct pass {
	struct work *w;
	struct webhook webhook;
	const struct source *source;
	struct reading reading;
	struct ledger_entry entry;
	struct reached_list reached;
	struct customer customer;
	bool has_customer;
};

/* ---- where a webhook comes to rest ------------------------------------------------------------------------------- */

static int rest(int r)
{
	return r < 0 ? r : STAGE_REST;
}

static int wait_for(struct pass *p, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	return rest(store_webhook_wait(p->w->store, p->webhook.id, why, not_before_ms, reterr));
}

static int end_done(struct pass *p, const char *result, const char *detail, struct err *reterr)
{
	struct log_about about = {
		.source = p->webhook.source,
		.conversation = p->webhook.conversation,
		.webhook = p->webhook.id,
	};
	CLEANUP(mem_freep) char *text = detail ? mem_fmt("%s: %s", result, detail) : mem_str(result);
	int r = store_webhook_done(p->w->store, p->webhook.id, text, reterr);

	if (r < 0)
		return r;
	tally_add(p->w->tally, METRIC_WEBHOOK_RESULTS, p->webhook.source, result, NULL);
	log_debug(&about, "%s: %s", transition_name(p->webhook.transition), text);
	return STAGE_REST;
}

static int end_dead(struct work *w, const char *source, int64_t id, const char *reason, struct err *reterr)
{
	CLEANUP(store_origin_done) struct store_origin origin = {0};
	int r = store_webhook_dead(w->store, id, reason, reterr);

	if (r < 0)
		return r;
	tally_add(w->tally, METRIC_WEBHOOK_RESULTS, source ? source : "", WORK_DEAD, NULL);
	store_webhook_origin(w->store, id, &origin);
	log_warning(
		&((struct log_about){
			.source = origin.source, .conversation = origin.conversation, .webhook = id, .reason = reason}),
		"a webhook became a dead letter");
	return STAGE_REST;
}

static int die(struct pass *p, const char *reason, struct err *reterr)
{
	return end_dead(p->w, p->webhook.source, p->webhook.id, reason, reterr);
}

/* ---- reading and order ------------------------------------------------------------------------------------------- */

static int stage_read(struct pass *p, struct err *reterr)
{
	p->source = config_source(p->w->config, p->webhook.source);
	if (!p->source)
		return wait_for(p, STORE_WAIT_UNCONFIGURED, 0, reterr);
	reading_make(p->source->definition, &p->webhook, NULL, &p->reading);
	switch (p->reading.kind) {
	case READING_SIGNAL:
		break;
	case READING_UNREADABLE:
		return die(p, p->reading.reason.text, reterr);
	case READING_PING:
	case READING_IGNORED:
		return end_done(p, WORK_IGNORED, NULL, reterr);
	}
	if (p->webhook.read)
		return STAGE_ON;
	/* One that came in unreadable and reads by now says for good what it says now: others are put in order by it.
	 */
	reading_mark(&p->reading, &p->webhook);
	return store_webhook_mark(p->w->store, &p->webhook, reterr);
}

static int stage_settle(struct pass *p, struct err *reterr)
{
	enum settle_verdict verdict;
	int64_t until_ms = 0;
	int r;

	if (!settle_applies(p->source))
		return STAGE_ON;
	r = settle_run(p->w, p->source, &p->webhook, &p->reading.signal, &p->entry, &p->reached, &verdict, &until_ms,
		       reterr);
	if (r < 0)
		return r;
	switch (verdict) {
	case SETTLE_ON:
		return STAGE_ON;
	case SETTLE_HELD:
		return wait_for(p, STORE_WAIT_TIME, until_ms, reterr);
	case SETTLE_BEHIND:
		return wait_for(p, STORE_WAIT_BEHIND, 0, reterr);
	case SETTLE_ENDED:
		break;
	}
	return end_done(p, WORK_SETTLED, NULL, reterr);
}

static int stage_order(struct pass *p, struct err *reterr)
{
	struct webhook view = p->webhook;
	int r;

	if (settle_applies(p->source))
		view.conversation = NULL; /* settle has judged that, and lets an older one pass a held one */
	r = store_webhook_is_behind(p->w->store, &view, reterr);
	if (r <= 0)
		return r;
	return wait_for(p, STORE_WAIT_BEHIND, 0, reterr);
}

/* ---- who the customer is ----------------------------------------------------------------------------------------- */

/* Where the webhook holds the address, asking tells names at most. A closing goes to whom its opening reached; an
 * address for a conversation that needs none changes nothing. */
static bool can_do_without(const struct pass *p)
{
	if (p->reading.signal.addresses.n > 0)
		return true;
	switch (p->webhook.transition) {
	case TRANSITION_CLOSED:
		return p->entry.state == LEDGER_OPEN && (p->entry.addressed || p->reached.n > 0);
	case TRANSITION_NONE:
		return p->entry.state != LEDGER_OPEN || p->entry.addressed;
	default:
		return false;
	}
}

/* One that can do without is asked for all the same where it would show names: once, and it never waits for a slot. No
 * event is to come late for a name. */
static bool may_tell_names(const struct pass *p, const struct lookups_verdict *verdict)
{
	return !verdict && p->reading.signal.lookup_shows && p->webhook.transition != TRANSITION_NONE &&
	       lookups_room(p->w->lookups, p->webhook.source) > 0;
}

static int take_customer(struct pass *p, int64_t not_older_than_ms, struct err *reterr)
{
	int r = store_customer_load(p->w->store, p->webhook.source, p->reading.signal.lookup_key, not_older_than_ms,
				    &p->customer, reterr);

	if (r < 0)
		return r;
	p->has_customer = true;
	lookups_slot_wanted(p->w->lookups, p->webhook.source, true); /* it may have been given one and left it unused */
	reading_done(&p->reading);
	reading_make(p->source->definition, &p->webhook, &p->customer, &p->reading);
	if (p->reading.kind != READING_SIGNAL)
		return err_set(reterr, -EBADMSG, "with what the lookup told it does not read: %s",
			       p->reading.reason.text);
	return 0;
}

/* The age at which a webhook that cannot be looked up is given up: that of its events. */
static int64_t give_up_ms(const struct source *s)
{
	for (size_t i = 0; i < s->accounts_n; i++)
		if (s->accounts[i].account)
			return s->accounts[i].account->max_age_ms;
	return CLOCK_NEVER_MS;
}

static int ask_later(struct pass *p, const struct lookups_verdict *v, struct err *reterr)
{
	int64_t limit_ms = give_up_ms(p->source), wait_ms;
	char age[CLOCK_ISO_MAX];
	unsigned attempts;
	int r;

	if (limit_ms != CLOCK_NEVER_MS && p->w->now_ms - p->webhook.received_ms > limit_ms &&
	    work_age_wait_ms(p->w, limit_ms) == 0) {
		CLEANUP(mem_freep) char *reason = NULL;

		clock_age(limit_ms, age);
		reason = mem_fmt("lookup: no answer for %s: %s", age, v->reason);
		return die(p, reason, reterr);
	}
	r = store_webhook_count_lookup(p->w->store, p->webhook.id, &attempts, reterr);
	if (r < 0)
		return r;
	wait_ms = scheduler_backoff_ms(attempts > 0 ? attempts - 1 : 0, work_chance());
	if (v->retry_after_ms > wait_ms)
		wait_ms = v->retry_after_ms;
	return wait_for(p, STORE_WAIT_RETRY, p->w->now_ms + wait_ms, reterr);
}

static int wait_for_slot(struct pass *p, struct err *reterr)
{
	lookups_slot_wanted(p->w->lookups, p->webhook.source, true);
	return wait_for(p, STORE_WAIT_SLOT, 0, reterr);
}

static int read_answer(struct pass *p, const struct lookups_verdict *v, struct err *reterr)
{
	CLEANUP(mem_freep) char *reason = mem_fmt("lookup: %s", v->reason);

	switch (v->outcome) {
	case LOOKUP_GONE:
	case LOOKUP_REFUSED:
		return die(p, reason, reterr);
	case LOOKUP_PARKED:
		return wait_for_slot(p, reterr);
	case LOOKUP_FOUND: /* not under the key of now: a definition that was loaded since asks otherwise */
	case LOOKUP_RETRY:
	case LOOKUP_RETURNED:
		break;
	}
	return ask_later(p, v, reterr);
}

static int ask(struct pass *p, struct err *reterr)
{
	const char *key = p->reading.signal.lookup_key;

	if (lookups_join(p->w->lookups, key, &p->webhook))
		return wait_for(p, STORE_WAIT_LOOKUP, 0, reterr);
	if (lookups_room(p->w->lookups, p->webhook.source) == 0)
		return wait_for_slot(p, reterr);
	lookups_ask(p->w->lookups, key, &p->webhook);
	return wait_for(p, STORE_WAIT_LOOKUP, 0, reterr);
}

static int stage_lookup(struct pass *p, struct err *reterr)
{
	const struct lookups_verdict *verdict = lookups_verdict(p->w->lookups, p->webhook.id);
	int64_t cache_ms;
	int r;

	if (!p->reading.signal.wants_lookup)
		return STAGE_ON;
	cache_ms = definition_lookup_cache_ms(p->source->definition);
	r = take_customer(p, p->w->now_ms - cache_ms, reterr);
	if (r == -ENOENT && verdict && verdict->outcome == LOOKUP_FOUND)
		r = take_customer(p, 0, reterr);
	if (r != -ENOENT)
		return r;
	if (can_do_without(p) && !may_tell_names(p, verdict))
		return STAGE_ON;
	return verdict ? read_answer(p, verdict, reterr) : ask(p, reterr);
}

/* ---- ledger, rules, events --------------------------------------------------------------------------------------- */

static int stage_decide(struct pass *p, struct err *reterr)
{
	struct apply_view view = {p->w, p->webhook.source, p->reading.signal.conversation};
	const struct decide_input in = {
		.source = p->source,
		.config = p->w->config,
		.conversation = p->reading.signal.conversation,
		.webhook = &p->webhook,
		.signal = &p->reading.signal,
		.customer = p->has_customer ? &p->customer : NULL,
		.entry = &p->entry,
		.reached = &p->reached,
		.now_ms = p->w->now_ms,
		.view = apply_view(&view),
	};
	CLEANUP(decision_done) struct decision decision = {0};
	int r = decide(&in, &decision, reterr);

	if (r < 0)
		return r;
	r = apply_decision(p->w, p->webhook.source, in.conversation, &decision, reterr);
	if (r < 0)
		return r;
	return end_done(p, decide_result_name(decision.result), decision.detail, reterr);
}

static int stages(struct pass *p, struct err *reterr)
{
	int r = stage_read(p, reterr);

	if (r == STAGE_ON)
		r = store_conversation_load(p->w->store, p->webhook.source, p->reading.signal.conversation, &p->entry,
					    &p->reached, reterr);
	if (r == STAGE_ON)
		r = stage_settle(p, reterr);
	if (r == STAGE_ON)
		r = stage_order(p, reterr);
	if (r == STAGE_ON)
		r = stage_lookup(p, reterr);
	if (r == STAGE_ON)
		r = stage_decide(p, reterr);
	return r;
}

static int run(struct work *w, int64_t id, char **ret_source, struct err *reterr)
{
	struct pass p = {.w = w};
	int r = store_webhook_load(w->store, id, &p.webhook, reterr);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = stages(&p, reterr);
	*ret_source = mem_str(p.webhook.source);
	reading_done(&p.reading);
	reached_clear(&p.reached);
	customer_done(&p.customer);
	webhook_done(&p.webhook);
	return r;
}

/* In a savepoint of its own: nothing of what failed, and all of its end. */
static int end_failed(struct work *w, const char *source, int64_t id, const char *reason, struct err *reterr)
{
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = end_dead(w, source, id, reason, reterr);
	if (r >= 0)
		return work_savepoint_keep(w, reterr);
	work_savepoint_undo(w);
	return r == -ENOENT ? 0 : r; /* it has ended meanwhile */
}

int pass_run(struct work *w, int64_t id, struct err *reterr)
{
	CLEANUP(mem_freep) char *source = NULL;
	struct err e = {0};
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = run(w, id, &source, &e);
	if (r >= 0)
		return work_savepoint_keep(w, reterr);
	work_savepoint_undo(w);
	if (!work_is_stores(r))
		return end_failed(w, source, id, e.text, reterr);
	if (reterr)
		*reterr = e;
	return r;
}
