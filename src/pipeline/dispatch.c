/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/dispatch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "courier/pace.h"
#include "pipeline/messages.h"

#define OTHER_URL_BATCH 100 /* dead letters in a turn after an account's URL changed */
#define PROBED_MAX 64       /* events that are skipped when a probe is chosen */

struct dispatch_account {
	struct dispatch_account *next;
	char *name;
	unsigned window;
	bool dirty;                     /* the store may have more due events than the last query saw */
	int64_t next_due_ms;            /* by the last query */
	int64_t in_flight[PACE_WINDOW]; /* ids, unordered */
	unsigned in_flight_n;
	/* the latest events that came back parked since the window was last full, unordered */
	int64_t probed[PROBED_MAX];
	unsigned probed_n; /* their number; the array holds the latest */
};

struct dispatch {
	struct dispatch_account *accounts;
	/* The account whose events of another URL are set aside next; the number of accounts: none is left. */
	size_t url_account;
};

struct dispatch *dispatch_new(void)
{
	return mem_new(1, sizeof(struct dispatch));
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	for (struct dispatch_account *a = d->accounts, *next; a; a = next) {
		next = a->next;
		free(a->name);
		free(a);
	}
	free(d);
}

static struct dispatch_account *account_find(const struct dispatch *d, const char *name)
{
	for (struct dispatch_account *a = d->accounts; a; a = a->next)
		if (text_is(a->name, name))
			return a;
	return NULL;
}

void dispatch_window(struct dispatch *d, const char *account, unsigned window)
{
	struct dispatch_account *a = account_find(d, account);

	if (!a) {
		a = mem_new(1, sizeof(*a));
		a->name = mem_str(account);
		a->next_due_ms = CLOCK_NEVER_MS;
		a->next = d->accounts;
		d->accounts = a;
	}
	a->window = window < PACE_WINDOW ? window : PACE_WINDOW;
	a->dirty = true;
	if (a->window == PACE_WINDOW)
		a->probed_n = 0;
}

static bool was_probed(const struct dispatch_account *a, int64_t event)
{
	for (unsigned i = 0; i < a->probed_n && i < PROBED_MAX; i++)
		if (a->probed[i] == event)
			return true;
	return false;
}

static int64_t *in_flight_find(struct dispatch_account *a, int64_t event)
{
	for (unsigned i = 0; i < a->in_flight_n; i++)
		if (a->in_flight[i] == event)
			return &a->in_flight[i];
	return NULL;
}

void dispatch_returned(struct dispatch *d, const struct delivery *delivery)
{
	bool parked = !delivery->returned && delivery->verdict.outcome == OUTCOME_PARK;
	struct dispatch_account *a = account_find(d, delivery->event->account);
	int64_t event = delivery->event->id;
	int64_t *in_flight = a ? in_flight_find(a, event) : NULL;

	if (!in_flight)
		return;
	*in_flight = a->in_flight[--a->in_flight_n];
	a->dirty = true;
	if (parked && a->window < PACE_WINDOW && !was_probed(a, event))
		a->probed[a->probed_n++ % PROBED_MAX] = event;
}

void dispatch_mark_dirty(struct dispatch *d, const char *account)
{
	for (struct dispatch_account *a = d->accounts; a; a = a->next)
		if (!account || text_is(a->name, account))
			a->dirty = true;
}

void dispatch_configured(struct dispatch *d)
{
	d->url_account = 0;
	dispatch_mark_dirty(d, NULL);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static int make_dead_letter(struct turn_context *tc, const struct event *e, const char *reason, struct err *reterr)
{
	int r = store_event_dead(tc->store, e->id, reason, tc->now_ms, reterr);

	if (r == 0)
		pending_log(tc->pending, LOG_WARNING,
			    &((struct log_about){.source = e->source,
						 .account = e->account,
						 .conversation = e->conversation,
						 .webhook = e->webhook,
						 .event = e->id,
						 .reason = reason}),
			    "an event became a dead letter");
	return r;
}

static int try_later(struct turn_context *tc, const struct delivery *d, const struct account *a, struct err *reterr)
{
	/* Events of an account that is not configured wait, at any age. */
	int64_t limit_ms = a ? a->max_age_ms : CLOCK_NEVER_MS, due_ms = tc->now_ms;
	unsigned attempts = d->event->attempts;

	/* An odd answer may concern the account, so the event does not age by it: only ten of its own end it. */
	if (!d->verdict.odd && turn_context_is_too_old(tc, d->event->received_ms, limit_ms)) {
		CLEANUP(mem_freep) char *reason = NULL;
		char age[CLOCK_ISO_MAX];

		clock_age(limit_ms, age);
		reason = mem_fmt("undelivered for %s: %s", age, d->verdict.reason);
		return make_dead_letter(tc, d->event, reason, reterr);
	}
	if (!d->verdict.throttled) { /* a 429 does not change the event's back-off */
		int64_t wait_ms = backoff_ms(attempts, backoff_jitter());

		due_ms += d->verdict.retry_after_ms > wait_ms ? d->verdict.retry_after_ms : wait_ms;
		attempts++;
	}
	return store_event_retry(tc->store, d->event->id, attempts, due_ms, d->verdict.reason, reterr);
}

static int save_outcome(struct turn_context *tc, const struct delivery *d, struct err *reterr)
{
	const struct outcome_verdict *v = &d->verdict;
	const struct event *e = d->event;
	const struct account *a = config_account(tc->config, e->account);
	int r;

	switch (v->outcome) {
	case OUTCOME_DELIVERED:
		r = store_event_delivered(tc->store, e, a ? a->person_gap_ms : 0, d->done_ms, reterr);
		if (r >= 0 && e->time_ms <= d->done_ms)
			pending_metrics_observe(tc->pending, METRIC_LAG_SECONDS,
						(double)(d->done_ms - e->time_ms) / 1000);
		return r < 0 ? r : 0;
	case OUTCOME_RETRY:
		return try_later(tc, d, a, reterr);
	case OUTCOME_REJECT:
		r = store_event_retry(tc->store, e->id, e->attempts + 1, tc->now_ms, v->reason, reterr);
		return r < 0 ? r : make_dead_letter(tc, e, v->reason, reterr);
	case OUTCOME_PARK:
	case OUTCOME_SINGLE:
		/* Ready as before, with the reason for people. The window decides when it is sent again. */
		return store_event_retry(tc->store, e->id, e->attempts, tc->now_ms, v->reason, reterr);
	}
	return err_set(reterr, -EINVAL, "delivery of event %016llx: %d is no outcome", (unsigned long long)e->id,
		       (int)v->outcome);
}

static bool is_in_flight(const struct turn_context *tc, const struct delivery *d)
{
	struct dispatch_account *a = d->returned ? NULL : account_find(tc->dispatch, d->event->account);

	return a && in_flight_find(a, d->event->id);
}

static void count_delivery(struct turn_context *tc, const struct delivery *d)
{
	pending_metrics_add(tc->pending, METRIC_DELIVERIES, d->event->account, lane_name(d->lane),
			    outcome_name(d->verdict.outcome));
}

/* Writes all results, or none. */
static int save_together(struct turn_context *tc, const struct message_list *deliveries, struct err *reterr)
{
	int r = turn_context_savepoint(tc, reterr);

	if (r < 0)
		return r;
	for (const struct message *m = deliveries->first; r == 0 && m; m = m->next) {
		const struct delivery *d = ((const struct delivery_message *)m)->delivery;

		if (!is_in_flight(tc, d))
			continue;
		r = save_outcome(tc, d, reterr);
		if (r == 0)
			count_delivery(tc, d);
	}
	return turn_context_savepoint_end(tc, r, reterr);
}

/* Writes one result, in a savepoint of its own. */
static int save_alone(struct turn_context *tc, const struct delivery *d, struct err *reterr)
{
	CLEANUP(mem_freep) char *reason = NULL;
	struct err e = {0};
	int r;

	if (!is_in_flight(tc, d))
		return 0;
	r = turn_context_savepoint(tc, &e);
	if (r == 0)
		r = turn_context_savepoint_end(tc, save_outcome(tc, d, &e), &e);
	if (store_error_ends_turn(r)) {
		if (reterr)
			*reterr = e;
		return r;
	}
	/* -ENOENT: its account's URL changed while it was in flight; it became a dead letter and stays one. */
	if (r >= 0 || r == -ENOENT) {
		count_delivery(tc, d);
		return 0;
	}
	/* An unchanged event would be sent again and again. */
	reason = mem_fmt("its delivery's outcome (%s) cannot be kept: %s", outcome_name(d->verdict.outcome), e.text);
	r = turn_context_savepoint(tc, reterr);
	if (r < 0)
		return r;
	r = turn_context_savepoint_end(tc, make_dead_letter(tc, d->event, reason, reterr), reterr);
	return r == -ENOENT ? 0 : r;
}

int dispatch_save_results(struct turn_context *tc, const struct message_list *deliveries, struct err *reterr)
{
	struct err e = {0};
	int r;

	if (!deliveries->first)
		return 0;
	tc->changed = true;
	/* One savepoint for all, because SQLite copies each page before its first change in a savepoint. */
	r = save_together(tc, deliveries, &e);
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	for (const struct message *m = r < 0 ? deliveries->first : NULL; m; m = m->next) {
		r = save_alone(tc, ((const struct delivery_message *)m)->delivery, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- events of another URL --------------------------------------------------------------------------------------- */

int dispatch_set_aside_other_urls(struct dispatch *d, struct turn_context *tc, struct err *reterr)
{
	const struct account *a;
	CLEANUP(mem_freep) char *reason = NULL;
	int r;

	if (d->url_account >= tc->config->accounts_n)
		return 0;
	a = &tc->config->accounts[d->url_account];
	reason = mem_fmt("its account's url is %s now and was another when it was queued", a->url);
	r = store_events_dead_of_other_url(tc->store, a->name, a->url, reason, tc->now_ms, OTHER_URL_BATCH, reterr);
	if (r < 0)
		return r;
	if (r > 0) {
		struct log_about about = {.account = a->name, .reason = reason};
		char events[AMOUNT_MAX];

		pending_log(tc->pending, LOG_WARNING, &about, "%s became %s", amount_of(events, r, "event"),
			    r == 1 ? "a dead letter" : "dead letters");
		dispatch_mark_dirty(d, a->name);
		tc->changed = true;
	}
	if (r == 0)
		d->url_account++;
	tc->more = true;
	return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

struct send_batch {
	struct dispatch_account *account;
	const struct account *config;
	struct courier_port courier;
	bool unprobed; /* only events that were not probed */
};

/* Events in flight are due in the store, too. */
static bool is_wanted(void *ctx, int64_t event)
{
	const struct send_batch *batch = ctx;

	return !in_flight_find(batch->account, event) && !(batch->unprobed && was_probed(batch->account, event));
}

static int send_event(void *ctx, struct event *e)
{
	struct send_batch *batch = ctx;
	struct dispatch_account *a = batch->account;
	struct event *own;

	/* An event of another URL becomes a dead letter soon. One without a URL was queued while its account was not
	 * configured. */
	if (e->url && e->url[0] != '\0' && !text_is(e->url, batch->config->url))
		return 0;
	a->in_flight[a->in_flight_n++] = e->id;
	own = mem_new(1, sizeof(*own));
	*own = *e;
	*e = (struct event){0};
	courier_send(batch->courier, own);
	return a->in_flight_n >= a->window;
}

static int account_send(struct dispatch_account *a, const struct account *config, struct turn_context *tc,
			struct err *reterr)
{
	struct send_batch batch = {a, config, tc->courier, a->probed_n > 0};
	/* Events in flight are returned, too; the window has room for them. For probed ones request that many more. */
	size_t max = a->window, passed = a->probed_n < PROBED_MAX ? a->probed_n : PROBED_MAX;
	unsigned before = a->in_flight_n;
	int r = store_events_due(tc->store, a->name, tc->now_ms, max + passed, is_wanted, send_event, &batch, reterr);

	if (r == 0 && batch.unprobed && a->in_flight_n == before) { /* all were probed: send these again */
		batch.unprobed = false;
		r = store_events_due(tc->store, a->name, tc->now_ms, max, is_wanted, send_event, &batch, reterr);
	}
	if (r < 0)
		return r;
	a->dirty = r > 0;
	a->next_due_ms = r > 0 ? tc->now_ms : store_events_next_due_ms(tc->store, a->name, tc->now_ms);
	return 0;
}

int dispatch_send(struct dispatch *d, struct turn_context *tc, struct err *reterr)
{
	bool begun = false;
	int r = 0;

	for (struct dispatch_account *a = d->accounts; r == 0 && a; a = a->next) {
		const struct account *config = config_account(tc->config, a->name);

		if (!config) /* its events wait; a generation that has it again marks it dirty */
			a->next_due_ms = CLOCK_NEVER_MS;
		if (!config || a->in_flight_n >= a->window || (!a->dirty && tc->now_ms < a->next_due_ms))
			continue;
		/* One transaction, because SQLite locks the file for each statement outside of one. */
		if (!begun)
			r = store_begin(tc->store, reterr);
		begun = r == 0;
		if (r == 0)
			r = account_send(a, config, tc, reterr);
	}
	if (begun && r == 0)
		return store_commit(tc->store, reterr);
	store_rollback(tc->store);
	return r;
}

int64_t dispatch_next_ms(const struct dispatch *d)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	for (const struct dispatch_account *a = d->accounts; a; a = a->next) {
		if (a->in_flight_n >= a->window)
			continue;
		if (a->next_due_ms < next_ms)
			next_ms = a->next_due_ms;
	}
	return next_ms;
}
