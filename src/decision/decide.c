/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "decision/decide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mask.h"
#include "decision/decide_internal.h"

/*
 * Applies one signal to ledger and rules. Only the input is read, and nothing but created_ms and due_ms depends on the
 * time of the call: a repeat against the same entry makes the same events with the same unique_id.
 *
 * Events stand in the order of the webhook's addresses (of a closing: of those reached), and for each person in the
 * order of the rules.
 */

const char *decide_result_name(enum decide_result r)
{
	static const char *const names[] = {
		[DECIDE_EVENTS] = "events",         [DECIDE_HISTORY] = "history", [DECIDE_DUPLICATE] = "duplicate",
		[DECIDE_NO_ADDRESS] = "no address", [DECIDE_DROPPED] = "dropped", [DECIDE_IGNORED] = "ignored",
		[DECIDE_NOTHING] = "nothing",
	};

	return names[r];
}

void decision_done(struct decision *d)
{
	for (size_t i = 0; i < d->events_n; i++)
		event_done(&d->events[i]);
	free(d->events);
	free(d->detail);
	reached_clear(&d->reached);
	*d = (struct decision){0};
}

/* ---- recipients -------------------------------------------------------------------------------------------------- */

/*
 * The webhook's own addresses pass the choice of the account and the lists of the configuration. Those reached passed
 * them at their opening and are not checked again, whatever the configuration says now.
 */

static bool matches_any(const struct strings *patterns, const char *email)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (email_pattern_matches(patterns->items[i], email))
			return true;
	return false;
}

/* Chooses the account for the webhook's own addresses. The ledger's policy depends on it too. explain: gets the reason;
 * NULL: not wanted. */
static void choose_account(struct decision_builder *d, struct buf *explain)
{
	const struct source_policy *s = d->in->source;
	CLEANUP(properties_done) struct properties properties;
	struct eval_context context = *d->context;
	size_t i;

	properties_init(&properties);
	for (i = 0; i < s->accounts_n; i++) {
		const struct account_choice *c = &s->accounts[i];

		if (!c->when)
			break;
		if (!context.properties)
			decide_webhook_properties(d, &properties);
		context.properties = &properties;
		if (matcher_explain(c->when, &context, explain))
			break;
	}
	d->account = i < s->accounts_n ? s->accounts[i].account : NULL;
	if (explain)
		decide_explain(d, "account: %s%s", d->account ? d->account->name : "none",
			       i < s->accounts_n ? "" : ", as no choice of the source holds");
}

static struct person *add_person(struct decision_builder *d, const char *account,
				 const struct account_policy *configured, const char *email)
{
	struct people *p = &d->people;
	struct person *items = NULL;

	if (p->n == 0) {
		p->items = &p->only;
	} else if (p->n == 1) {
		MEM_ROOM(items, p->n);
		items[0] = p->only;
		p->items = items;
	} else {
		MEM_ROOM(p->items, p->n);
	}
	p->items[p->n] = (struct person){
		.account = account,
		.configured = configured,
		.email = email,
		.is_test = matches_any(&d->in->source->test_emails, email),
	};
	return &p->items[p->n++];
}

static void people_done(struct people *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].flags);
	if (p->n > 1)
		free(p->items);
}

static void add_flag(struct person *p, const char *flag)
{
	MEM_ROOM(p->flags, p->flags_n);
	p->flags[p->flags_n++] = (struct person_flag){.name = flag};
}

/* Adds the webhook's own addresses as people. Returns the number of ignored ones. */
static size_t add_own(struct decision_builder *d)
{
	const struct source_policy *s = d->in->source;
	const struct addresses *a = &d->signal->addresses;
	size_t ignored = 0;
	size_t primary = 0;
	char masked[MASK_EMAIL_MAX];
	struct person *p;

	if (a->n > 0 && d->in->explain)
		choose_account(d, d->in->explain);
	/* With `emails: primary` only the primary address counts, or the first where none is marked. */
	while (primary < a->n && !a->items[primary].primary)
		primary++;
	if (primary == a->n)
		primary = 0;
	for (size_t i = 0; i < a->n; i++) {
		const char *email = a->items[i].email;

		if (s->emails_primary && i != primary) {
			decide_explain(d, "%s: not the primary address, left out", mask_email(email, masked));
			continue;
		}
		if (matches_any(&s->ignore_emails, email) || !d->account) {
			decide_add_detail(d, "%s %s", mask_email(email, masked),
					  d->account ? "is in ignore_emails" : "has no account");
			decide_explain(d, "%s: %s, nothing is sent", masked,
				       d->account ? "in ignore_emails" : "the account is none");
			ignored++;
			continue;
		}
		p = add_person(d, d->account->name, d->account, email);
		for (size_t f = 0; f < s->flags.n; f++)
			add_flag(p, s->flags.items[f]);
	}
	return ignored;
}

static void add_reached(struct decision_builder *d)
{
	const struct reached_list *reached = &d->out.reached;

	for (size_t i = 0; i < reached->n; i++) {
		const struct reached *r = &reached->items[i];
		struct person *p = NULL;

		for (size_t k = 0; k < d->people.n && !p; k++)
			if (strcmp(d->people.items[k].account, r->account) == 0 &&
			    strcmp(d->people.items[k].email, r->email) == 0)
				p = &d->people.items[k];
		if (!p)
			p = add_person(d, r->account, d->in->queries.account(d->in->queries.ctx, r->account), r->email);
		add_flag(p, r->flag);
	}
}

/* ---- the ledger -------------------------------------------------------------------------------------------------- */

void decide_ledger_signal(const struct webhook *w, const struct signal *signal, struct ledger_signal *ret)
{
	*ret = (struct ledger_signal){
		.kind = signal->transition,
		.time_ms = signal->time_ms,
		.undated = !signal->has_time,
		.received_ms = w->received_ms,
		.order = w->id,
		.created_ms = signal->created_ms,
		.closed_at_ms = signal->closed_at_ms,
		.has_address = signal->addresses.n > 0,
	};
}

static const char *mark_text(int64_t mark_ms, char out[CLOCK_ISO_MAX])
{
	if (mark_ms == 0)
		return "none";
	clock_iso(mark_ms, out);
	return out;
}

static void explain_ledger(const struct decision_builder *d, enum transition kind)
{
	static const char *const states[] = {
		[LEDGER_UNKNOWN] = "unknown", [LEDGER_OPEN] = "open", [LEDGER_CLOSED] = "closed"};
	const struct ledger_entry *was = d->in->entry;
	const struct ledger_verdict *v = &d->out.verdict;
	const char *said = kind == TRANSITION_NONE ? "an address" : transition_name(kind);
	char time[CLOCK_ISO_MAX], own[CLOCK_ISO_MAX];

	switch (v->why) {
	case LEDGER_DUPLICATE:
		decide_explain(d, "ledger: conversation %s, %s → known already, nothing follows", states[was->state],
			       said);
		break;
	case LEDGER_HISTORY:
		decide_explain(
			d,
			"ledger: conversation %s, newest time from the helpdesk %s, newest receipt without a time %s; "
			"%s counts as older → history: %s",
			states[was->state], mark_text(was->as_of_ms, time), mark_text(was->as_of_received_ms, own),
			said,
			v->transition == TRANSITION_NONE ? "this helpdesk reports states, nothing follows"
							 : "goes out as backfill, with the flag as it is now");
		break;
	case LEDGER_BASELINE:
		decide_explain(d,
			       "ledger: conversation unknown, closed → closed: it was closed before our time, nothing "
			       "follows");
		break;
	case LEDGER_LATE_ADDRESS:
		clock_iso(v->time_ms, time);
		decide_explain(
			d, "ledger: conversation open without an address so far, and here is one → opened, as of %s",
			time);
		break;
	case LEDGER_NOTHING:
		decide_explain(d, "ledger: conversation %s, %s → no address is wanted, nothing follows",
			       states[was->state], said);
		break;
	case LEDGER_APPLIED:
	case LEDGER_EXPIRED:
		decide_explain(d, "ledger: conversation %s, %s → %s; the rules see: %s", states[was->state], said,
			       states[d->out.entry.state], transition_name(v->transition));
		break;
	}
	if (v->since_ms != 0)
		decide_explain(d, "ledger: the conversation was not known; it was %s at %s, and `late` judges by that",
			       kind == TRANSITION_CLOSED ? "closed" : "created", mark_text(v->since_ms, time));
}

static void ask_ledger(struct decision_builder *d)
{
	const struct decide_input *in = d->in;
	struct ledger_verdict *v = &d->out.verdict;
	const struct ledger_policy policy = {
		.reports_state = definition_about(in->source->definition)->reports_state,
		.late_closed_ms = d->account ? d->account->late.closed_ms : 0,
	};
	struct ledger_signal s;

	if (!d->signal) {
		if (ledger_expire(&d->out.entry, in->source->expire_after_ms, in->now_ms, v))
			explain_ledger(d, TRANSITION_EXPIRED);
		else
			*v = (struct ledger_verdict){.why = LEDGER_NOTHING, .time_ms = in->now_ms};
		return;
	}
	decide_ledger_signal(&in->webhook->webhook, d->signal, &s);
	ledger_apply(&d->out.entry, &s, &policy, v);
	if (v->forgets_reached)
		reached_clear(&d->out.reached);
	explain_ledger(d, s.kind);
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

/* Fills the count of each of the person's flags. An opening counts this conversation, a closing does not. History
 * counts it by its present state. */
static int count(const struct decision_builder *d, struct person *p, struct err *reterr)
{
	const struct decision *out = &d->out;

	for (size_t i = 0; i < p->flags_n; i++) {
		struct person_flag *flag = &p->flags[i];
		int64_t others = 0;
		bool self = out->verdict.opens;
		int r = d->in->queries.flag_count(d->in->queries.ctx, p->account, p->email, flag->name, &others,
						  reterr);

		if (r < 0)
			return r;
		if (out->verdict.history)
			self = out->entry.state == LEDGER_OPEN &&
			       reached_has(&out->reached, p->account, p->email, flag->name);
		flag->count = others + self;
	}
	return 0;
}

/* Runs the rules for one person. Returns 1 where they dropped the transition for that person, 0, or a negative errno.
 */
static int decide_person(struct decision_builder *d, struct person *p, struct err *reterr)
{
	const struct ledger_verdict *v = &d->out.verdict;
	CLEANUP(properties_done) struct properties properties;
	CLEANUP(drafts_done) struct drafts drafts = {0};
	struct rules_input input = {
		.transition = v->transition,
		.label = d->in->source->label,
		.context = *d->context,
		.must_send = transition_closes(v->transition) && !v->to_own_addresses,
	};
	char masked[MASK_EMAIL_MAX];
	int r = count(d, p, reterr);

	properties_init(&properties);
	if (r < 0)
		return r;
	decide_explain(d, "for %s in account %s:", mask_email(p->email, masked), p->account);
	decide_properties(d, p, &properties);
	input.context.properties = &properties;
	rules_run(d->in->source->rules, &input, &drafts, d->in->explain);
	if (drafts.n == 0 && drafts.failed.code != 0)
		return err_set(reterr, -EBADMSG, "%s", drafts.failed.text);
	if (drafts.n == 0 && drafts.dropped) {
		decide_add_detail(d, "%s", drafts.drop_reason ? drafts.drop_reason : "dropped by a rule");
		return 1;
	}
	if (drafts.failed.code != 0)
		decide_add_detail(d, "%s", drafts.failed.text);
	for (size_t i = 0; i < drafts.n; i++)
		decide_add_event(d, p, &drafts.items[i], &properties);
	for (size_t i = 0; v->opens && i < p->flags_n; i++)
		reached_add(&d->out.reached, p->account, p->email, p->flags[i].name);
	return 0;
}

/* Returns the result after the rules ran, and writes into the detail why there is no event. */
static enum decide_result result_of(struct decision_builder *d, size_t ignored, size_t dropped)
{
	const struct ledger_verdict *v = &d->out.verdict;
	struct buf refused;

	if (d->out.events_n > 0)
		return v->history ? DECIDE_HISTORY : DECIDE_EVENTS;
	if (dropped > 0)
		return DECIDE_DROPPED;
	if (ignored > 0)
		return DECIDE_IGNORED;
	if (d->people.n > 0) {
		decide_add_detail(d, "no rule sends for it");
	} else if (v->opens || v->to_own_addresses) {
		buf_init(&refused, DECIDE_DETAIL_MAX);
		if (d->signal)
			addresses_describe_refused(&d->signal->addresses, &refused);
		decide_add_detail(d, "no well-formed address came with it%s%s", refused.len > 0 ? ", but " : "",
				  refused.data);
		buf_done(&refused);
	} else {
		decide_add_detail(d, "its opening reached nobody");
	}
	return v->opens && d->people.n == 0 ? DECIDE_NO_ADDRESS : DECIDE_NOTHING;
}

/* Decides a transition that the rules see. */
static int decide_transition(struct decision_builder *d, struct err *reterr)
{
	size_t ignored = 0;
	size_t dropped = 0;

	if (d->out.verdict.opens || d->out.verdict.to_own_addresses)
		ignored = add_own(d);
	else
		add_reached(d);
	for (size_t i = 0; i < d->people.n; i++) {
		int r = decide_person(d, &d->people.items[i], reterr);

		if (r < 0)
			return r;
		dropped += r > 0;
	}
	d->out.result = result_of(d, ignored, dropped);
	return 0;
}

/* Sets the result where the rules see no transition, with the reason for people. */
static void decide_nothing(struct decision_builder *d)
{
	d->out.result = DECIDE_NOTHING;
	switch (d->out.verdict.why) {
	case LEDGER_DUPLICATE:
		d->out.result = DECIDE_DUPLICATE;
		break;
	case LEDGER_HISTORY:
		decide_add_detail(d, "older than what is known");
		break;
	case LEDGER_BASELINE:
		decide_add_detail(d, "closed before our time");
		break;
	default:
		break;
	}
}

int decide_no_flags(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		    struct err *reterr)
{
	(void)ctx;
	(void)account;
	(void)email;
	(void)flag;
	(void)reterr;
	*ret = 0;
	return 0;
}

int decide(const struct decide_input *in, struct decision *ret, struct err *reterr)
{
	static const struct eval_context nothing;
	struct decision_builder d = {
		.in = in,
		.signal = in->webhook ? &in->webhook->result.signal : NULL,
		.context = in->webhook ? &in->webhook->context : &nothing,
	};
	int r = 0;

	buf_init(&d.detail, DECIDE_DETAIL_MAX);
	d.out.entry = *in->entry;
	reached_copy(&d.out.reached, in->reached);
	if (d.signal)
		choose_account(&d, NULL);
	ask_ledger(&d);
	if (d.out.verdict.transition == TRANSITION_NONE)
		decide_nothing(&d);
	else
		r = decide_transition(&d, reterr);
	if (r < 0) {
		decision_done(&d.out);
	} else {
		if (d.detail.len > 0)
			d.out.detail = mem_str(d.detail.data);
		*ret = d.out;
	}
	buf_done(&d.detail);
	people_done(&d.people);
	return r;
}
