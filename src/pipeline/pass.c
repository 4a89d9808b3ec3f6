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

#include "base/text.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "decision/decide.h"
#include "decision/settle.h"
#include "pipeline/apply.h"
#include "pipeline/lookups.h"

#define DEAD_LINE "a webhook became a dead letter"
#define PASS_ODD_TRIES 10 /* a webhook whose answers say nothing, while others' do, is asked for so often */

enum stage {
	STAGE_ON = 0,
	STAGE_REST = 1, /* done, dead or waiting */
};

struct pass {
	struct work *w;
	const struct source *source;
	struct parsed *parsed;         /* NULL: a question took it over; the pass is at its end */
	const struct webhook *webhook; /* of it */
	const struct signal *signal;   /* of it, where it is one */
	struct ledger_entry entry;
	struct reached_list reached;
	bool waits;
	char *gave_up; /* why nobody is asked any more who the customer is; NULL: not given up */
};

/* ---- where a webhook comes to rest ------------------------------------------------------------------------------- */

static int wait_for(struct pass *p, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	int r = store_webhook_wait(p->w->store, p->webhook->id, why, not_before_ms, reterr);

	p->waits = true;
	return r < 0 ? r : STAGE_REST;
}

static struct log_about about_webhook(const struct pass *p, const char *reason)
{
	return (struct log_about){
		.source = p->webhook->source,
		.conversation = p->webhook->conversation,
		.webhook = p->webhook->id,
		.reason = reason,
	};
}

static int end_done(struct pass *p, const char *result, const char *detail, struct err *reterr)
{
	struct log_about about = about_webhook(p, NULL);
	CLEANUP(mem_freep) char *text = detail ? mem_fmt("%s: %s", result, detail) : mem_str(result);
	int r = store_webhook_done(p->w->store, p->webhook->id, text, reterr);

	if (r < 0)
		return r;
	tally_add(p->w->tally, METRIC_WEBHOOK_RESULTS, p->webhook->source, result, NULL);
	tally_refused(p->w->tally, &about, &p->signal->addresses);
	log_debug(&about, "%s: %s", transition_name(p->webhook->transition), text);
	return STAGE_REST;
}

static int die(struct pass *p, const char *reason, struct err *reterr)
{
	int r = work_webhook_dead(p->w, p->webhook->source, p->webhook->id, reason, LOG_WARNING, DEAD_LINE, reterr);

	return r < 0 ? r : STAGE_REST;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int stage_read(struct pass *p, struct err *reterr)
{
	const struct reading *reading = &p->parsed->reading;

	switch (reading->kind) {
	case READING_SIGNAL:
		break;
	case READING_UNREADABLE:
		return die(p, reading->reason, reterr);
	case READING_PING:
	case READING_IGNORED:
		return end_done(p, WORK_IGNORED, NULL, reterr);
	}
	if (p->webhook->read)
		return STAGE_ON;
	/* One that came in unreadable and reads by now says for good what it says now: others are put in order by it.
	 */
	reading_mark(reading, &p->parsed->webhook);
	return store_webhook_mark(p->w->store, p->webhook, reterr);
}

/* ---- settle, and the order --------------------------------------------------------------------------------------- */

/* The other pending webhooks of the conversation, as settle's rule (decision/settle.h) meets them. */
struct meeting {
	struct settle settle;
	struct pass *pass;
	struct err *reterr;
};

/* Reads once, and keeps, the time of a webhook that an older version stored, or that came before its source had
 * `settle`. 0: it does not read, and ends with its reason when it is taken. */
static int neighbour_time(struct meeting *m, const struct store_neighbour *n, struct ledger_signal *to)
{
	struct store *s = m->pass->w->store;
	struct webhook w = {0};
	struct parsed *parsed;
	int r = store_webhook_load(s, n->id, &w, m->reterr);

	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? 0 : r;
	parsed = parsed_lent(m->pass->source->definition, &w);
	if (parsed->reading.kind == READING_SIGNAL) {
		to->time_ms = parsed->reading.signal.time_ms;
		to->undated = !parsed->reading.signal.has_time;
		r = store_webhook_time_save(s, n->id, to->time_ms, to->undated, m->reterr);
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
		r = neighbour_time(m, n, &other);
	if (r <= 0)
		return r;
	return !settle_meet(&m->settle, &other, n->wait == STORE_WAIT_TIME);
}

/* Ends those that are over, saves the conversation where the rule changed it, and obeys the verdict on the webhook. */
static int stage_settle(struct pass *p, struct err *reterr)
{
	struct meeting m = {.settle.source = &p->source->policy, .pass = p, .reterr = reterr};
	enum settle_verdict verdict = SETTLE_ON;
	struct work *w = p->w;
	int64_t until_ms;
	int r;

	if (!settle_applies(&p->source->policy))
		return STAGE_ON;
	decide_ledger_signal(p->webhook, p->signal, &m.settle.self);
	/* By the conversation that stands in the rows, as those who wait behind are let go: the definition may read
	 * another one by now. */
	r = store_webhooks_of_conversation(w->store, p->source->name, p->webhook->conversation, meet, &m, reterr);
	if (r == 0)
		verdict = settle_rule(&m.settle, w->now_ms, &p->entry);
	until_ms = m.settle.until_ms;
	for (size_t i = 0; r == 0 && i < m.settle.over_n; i++) {
		r = store_webhook_done(w->store, m.settle.over[i], WORK_SETTLED, reterr);
		if (r < 0)
			break;
		tally_add(w->tally, METRIC_WEBHOOK_RESULTS, p->source->name, WORK_SETTLED, NULL);
		readings_forget(w->readings, m.settle.over[i]);
	}
	if (r == 0 && m.settle.changed)
		r = store_conversation_save(w->store, p->source->name, p->signal->conversation, &p->entry, &p->reached,
					    reterr);
	settle_done(&m.settle);
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
	struct webhook view = *p->webhook;
	int r;

	if (settle_applies(&p->source->policy))
		view.conversation = NULL; /* settle has judged that, and lets an older one pass a held one */
	r = store_webhook_is_behind(p->w->store, &view, reterr);
	if (r <= 0)
		return r;
	return wait_for(p, STORE_WAIT_BEHIND, 0, reterr);
}

/* ---- who the customer is ----------------------------------------------------------------------------------------- */

/* A question would tell names at most where the webhook holds the address. A closing goes to those whom its opening
 * reached; an address for a conversation that needs none changes nothing. */
static bool can_do_without(const struct pass *p)
{
	if (p->signal->addresses.n > 0)
		return true;
	switch (p->webhook->transition) {
	case TRANSITION_CLOSED:
		return p->entry.addressed || p->reached.n > 0;
	case TRANSITION_NONE:
		return p->entry.state != LEDGER_OPEN || p->entry.addressed;
	default:
		return false;
	}
}

/* A webhook that can do without is asked for all the same where names would show: once, and it never waits for a slot.
 * No event comes late for a name. */
static bool may_tell_names(const struct pass *p, const struct lookups_verdict *verdict)
{
	return !verdict && p->signal->lookup_shows && p->webhook->transition != TRANSITION_NONE &&
	       lookups_may_ask(p->w->lookups, p->webhook->source, false);
}

static int take_customer(struct pass *p, int64_t not_older_than_ms, struct err *reterr)
{
	struct customer customer;
	int r = store_customer_load(p->w->store, p->webhook->source, p->signal->lookup_key, not_older_than_ms,
				    &customer, reterr);

	if (r < 0)
		return r;
	lookups_slot_wanted(p->w->lookups, p->webhook->source);
	parsed_tell(p->parsed, &customer);
	if (p->parsed->reading.kind != READING_SIGNAL)
		return err_set(reterr, -EBADMSG, "with what the lookup told it does not read: %s",
			       p->parsed->reading.reason);
	return 0;
}

/* The age at which a webhook that cannot be looked up is given up: that of its events. */
static int64_t give_up_ms(const struct source_policy *s)
{
	for (size_t i = 0; i < s->accounts_n; i++)
		if (s->accounts[i].account)
			return account_of(s->accounts[i].account)->max_age_ms;
	return CLOCK_NEVER_MS;
}

/* The webhook waits until there is room for its question; one that was asked for already waits for the end of its
 * source's parking. */
static int wait_for_room(struct pass *p, unsigned asked, struct err *reterr)
{
	lookups_slot_wanted(p->w->lookups, p->webhook->source);
	if (asked > 0 && lookups_is_parked(p->w->lookups, p->webhook->source))
		return wait_for(p, STORE_WAIT_PARKED, 0, reterr);
	return wait_for(p, STORE_WAIT_SLOT, 0, reterr);
}

/* The log tells the first wait; `status` and the API show the others. */
static int wait_until(struct pass *p, const struct store_lookups *n, int64_t wait_ms, const char *reason,
		      struct err *reterr)
{
	struct log_about about = about_webhook(p, reason);
	char iso[CLOCK_ISO_MAX], times[AMOUNT_MAX];

	clock_iso(p->w->now_ms + wait_ms, iso);
	if (n->asked == 1 || wait_ms > CLOCK_MINUTE_MS)
		tally_log(p->w->tally, LOG_INFO, &about,
			  "a webhook waits for its lookup, which is asked again at %s (asked %s)", iso,
			  amount_of(times, n->asked, "time"));
	return wait_for(p, STORE_WAIT_RETRY, p->w->now_ms + wait_ms, reterr);
}

/* The webhook meets the ledger without an address; the next one that has an address makes that good. */
static int give_up(struct pass *p, const struct store_lookups *n, const char *reason)
{
	struct log_about about = about_webhook(p, reason);
	char times[AMOUNT_MAX];

	tally_log(p->w->tally, LOG_NOTICE, &about, "a webhook ends without an address: its lookup was asked %s",
		  amount_of(times, n->asked, "time"));
	p->gave_up = mem_fmt("lookup: %s", reason);
	lookups_slot_wanted(p->w->lookups, p->webhook->source);
	return STAGE_ON;
}

/* tries: the one that has just failed among them. */
static int64_t next_try_ms(unsigned tries)
{
	return backoff_ms(tries > 0 ? tries - 1 : 0, backoff_chance());
}

static int count_lookup(struct pass *p, enum store_lookup what, const struct lookups_verdict *v,
			struct store_lookups *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *reason = mem_fmt("lookup: %s", v->reason);

	return store_webhook_count_lookup(p->w->store, p->webhook->id, what, reason, p->w->now_ms, ret, reterr);
}

/* The helpdesk has trouble, or nobody was asked: the webhook is tried again, and given up, as events are. */
static int ask_later(struct pass *p, const struct lookups_verdict *v, struct err *reterr)
{
	int64_t limit_ms = give_up_ms(&p->source->policy), wait_ms;
	struct store_lookups n;
	int r;

	if (work_is_too_old(p->w, p->webhook->received_ms, limit_ms)) {
		CLEANUP(mem_freep) char *why = NULL;
		char age[CLOCK_ISO_MAX];

		clock_age(limit_ms, age);
		why = mem_fmt("lookup: no answer for %s: %s", age, v->reason);
		return die(p, why, reterr);
	}
	r = count_lookup(p, STORE_LOOKUP_TROUBLE, v, &n, reterr);
	if (r < 0)
		return r;
	wait_ms = next_try_ms(n.asked);
	if (v->retry_after_ms > wait_ms)
		wait_ms = v->retry_after_ms;
	return wait_until(p, &n, wait_ms, v->reason, reterr);
}

/* The webhook waits for its next try, or, while its source is parked, until the source's lookups work again. tries: of
 * this kind. */
static int wait_for_source(struct pass *p, const struct store_lookups *n, unsigned tries, const char *reason,
			   struct err *reterr)
{
	struct log_about about = about_webhook(p, reason);

	if (!lookups_is_parked(p->w->lookups, p->webhook->source))
		return wait_until(p, n, next_try_ms(tries), reason, reterr);
	if (n->asked == 1)
		tally_log(p->w->tally, LOG_INFO, &about,
			  "a webhook waits for its lookup until its source's lookups work again");
	return wait_for_room(p, n->asked, reterr);
}

/* The helpdesk has not told who the customer is: the webhook is asked for again, waits, or goes on without an address.
 */
static int read_answer(struct pass *p, const struct lookups_verdict *v, struct err *reterr)
{
	static const int64_t gone_waits_ms[] = {10 * CLOCK_SECOND_MS, 30 * CLOCK_SECOND_MS};
	const unsigned gone_tries = sizeof(gone_waits_ms) / sizeof(*gone_waits_ms) + 1;
	struct store_lookups n;
	int r;

	switch (v->outcome) {
	case LOOKUP_GONE: /* the helpdesk may know the customer a little later than it sends its webhook */
		r = count_lookup(p, STORE_LOOKUP_GONE, v, &n, reterr);
		if (r < 0)
			return r;
		if (n.gone >= gone_tries)
			return give_up(p, &n, v->reason);
		return wait_until(p, &n, gone_waits_ms[n.gone > 0 ? n.gone - 1 : 0], v->reason, reterr);
	case LOOKUP_ODD: /* it says nothing of the customer: what others are answered shows whose trouble it is */
		r = count_lookup(p, STORE_LOOKUP_ODD, v, &n, reterr);
		if (r < 0)
			return r;
		if (n.odd >= PASS_ODD_TRIES && lookups_useful_ms(p->w->lookups, p->webhook->source) > n.odd_since_ms)
			return give_up(p, &n, v->reason);
		return wait_for_source(p, &n, n.odd, v->reason, reterr);
	case LOOKUP_PARKED: /* it concerns every customer, and is no try of this one's */
		r = count_lookup(p, STORE_LOOKUP_TROUBLE, v, &n, reterr);
		return r < 0 ? r : wait_for_source(p, &n, n.asked, v->reason, reterr);
	case LOOKUP_LATE:
		r = store_webhook_lookups(p->w->store, p->webhook->id, &n, reterr);
		return r < 0 ? r : wait_for_room(p, n.asked, reterr);
	case LOOKUP_FOUND: /* not under the key of now: a definition that was loaded since asks otherwise */
	case LOOKUP_RETRY:
	case LOOKUP_RETURNED:
		break;
	}
	return ask_later(p, v, reterr);
}

static int ask(struct pass *p, struct err *reterr)
{
	const char *key = p->signal->lookup_key;
	struct lookup_mark worked = {.is_set = true};
	struct store_lookups n;
	int r;

	if (lookups_join(p->w->lookups, key, p->webhook))
		return wait_for(p, STORE_WAIT_LOOKUP, 0, reterr);
	r = store_webhook_lookups(p->w->store, p->webhook->id, &n, reterr);
	if (r < 0)
		return r;
	if (!lookups_may_ask(p->w->lookups, p->webhook->source, n.asked == 0))
		return wait_for_room(p, n.asked, reterr);
	r = store_lookups_worked(p->w->store, p->webhook->source, worked.bytes, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	worked.is_set = r == 0;
	r = wait_for(p, STORE_WAIT_LOOKUP, 0, reterr);
	if (r >= 0)
		lookups_ask(p->w->lookups, key, TAKE(p->parsed), p->w->generation, n.asked == 0, &worked);
	return r;
}

static int stage_lookup(struct pass *p, struct err *reterr)
{
	const struct lookups_verdict *verdict = lookups_verdict(p->w->lookups, p->webhook->id);
	int64_t cache_ms;
	int r;

	if (!p->signal->wants_lookup)
		return STAGE_ON;
	cache_ms = definition_about(p->source->definition)->lookup_cache_ms;
	r = take_customer(p, p->w->now_ms - cache_ms, reterr);
	if (r == -ENOENT && verdict && verdict->outcome == LOOKUP_FOUND)
		r = take_customer(p, 0, reterr);
	if (r != -ENOENT)
		return r;
	if (can_do_without(p) && !may_tell_names(p, verdict)) {
		lookups_slot_wanted(p->w->lookups, p->webhook->source);
		return STAGE_ON;
	}
	return verdict ? read_answer(p, verdict, reterr) : ask(p, reterr);
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
	int r = apply_decide(p->w, &in, &decision, reterr);

	if (r < 0)
		return r;
	if (p->gave_up && decision.events_n == 0)
		return end_done(p, decide_result_name(DECIDE_NO_ADDRESS), p->gave_up, reterr);
	return end_done(p, decide_result_name(decision.result), decision.detail, reterr);
}

static int stages(struct pass *p, struct err *reterr)
{
	int r = stage_read(p, reterr);

	if (r == STAGE_ON)
		r = store_conversation_load(p->w->store, p->webhook->source, p->signal->conversation, &p->entry,
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

/* ret_source: for the metrics; NULL where there is no such webhook. */
static int run(struct work *w, int64_t id, char **ret_source, struct err *reterr)
{
	CLEANUP(webhook_done) struct webhook webhook = {0};
	struct pass p = {.w = w, .parsed = readings_take(w->readings, id)};
	int r = p.parsed ? store_webhook_is_pending(w->store, &p.parsed->webhook, reterr) : 0;

	if (r <= 0) { /* it was not parsed before, or its row is not as it was then */
		parsed_free(TAKE(p.parsed));
		if (r == 0)
			r = store_webhook_load(w->store, id, &webhook, reterr);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	*ret_source = mem_str(p.parsed ? p.parsed->webhook.source : webhook.source);
	p.source = config_source(w->config, *ret_source);
	if (!p.source) {
		INSIST(!p.parsed); /* readings holds what the present definitions have read */
		return store_webhook_wait(w->store, id, STORE_WAIT_UNCONFIGURED, 0, reterr);
	}
	if (!p.parsed)
		p.parsed = parsed_new(p.source->definition, &webhook, NULL, 0);
	p.webhook = &p.parsed->webhook;
	p.signal = &p.parsed->reading.signal;
	r = stages(&p, reterr);
	if (r >= 0 && p.waits && p.parsed)
		readings_keep(w->readings, w->config, TAKE(p.parsed), true);
	reached_clear(&p.reached);
	free(p.gave_up);
	parsed_free(p.parsed);
	return r;
}

int pass_run(struct work *w, int64_t id, struct err *reterr)
{
	CLEANUP(mem_freep) char *source = NULL;
	struct err e = {0};
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = work_savepoint_end(w, run(w, id, &source, &e), &e);
	if (r >= 0)
		return 0;
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	/* Nothing of the pass is left. The webhook's end has a savepoint of its own. */
	r = work_savepoint(w, reterr);
	if (r < 0)
		return r;
	r = work_savepoint_end(w, work_webhook_dead(w, source, id, e.text, LOG_WARNING, DEAD_LINE, reterr), reterr);
	return r < 0 && r != -ENOENT ? r : 0; /* -ENOENT: it has ended meanwhile */
}
