#include <config.h>

#include "pipeline/results.h"

#include <errno.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"

/* Where the account is no longer configured, its events' age has no limit: they wait. */
static int64_t max_age_ms(const struct account *a)
{
	return a ? a->max_age_ms : CLOCK_NEVER_MS;
}

static int set_aside(struct work *w, const struct event *e, const char *reason, struct err *reterr)
{
	int r = store_event_dead(w->store, e->id, reason, w->now_ms, reterr);

	if (r == 0)
		tally_log(w->tally, LOG_WARNING,
			  &((struct log_about){.source = e->source,
					       .account = e->account,
					       .conversation = e->conversation,
					       .webhook = e->webhook,
					       .event = e->id,
					       .reason = reason}),
			  "an event became a dead letter");
	return r;
}

static int reject(struct work *w, const struct delivery *d, struct err *reterr)
{
	int r = store_event_retry(w->store, d->event->id, d->event->attempts + 1, w->now_ms, d->verdict.reason, reterr);

	return r < 0 ? r : set_aside(w, d->event, d->verdict.reason, reterr);
}

static int try_later(struct work *w, const struct delivery *d, const struct account *a, struct err *reterr)
{
	int64_t limit_ms = max_age_ms(a), due_ms = w->now_ms;
	unsigned attempts = d->event->attempts;

	if (!d->verdict.throttled) { /* a 429 does not move the event's back-off */
		int64_t wait_ms = backoff_ms(attempts, backoff_chance());

		due_ms += d->verdict.retry_after_ms > wait_ms ? d->verdict.retry_after_ms : wait_ms;
		attempts++;
	}
	/* An odd answer may concern the account, and then nobody's event ages: it dies of ten tries of its own alone.
	 */
	if (!d->verdict.odd && limit_ms != CLOCK_NEVER_MS && w->now_ms - d->event->received_ms > limit_ms &&
	    work_age_wait_ms(w, limit_ms) == 0) {
		char age[CLOCK_ISO_MAX];
		CLEANUP(mem_freep) char *reason = NULL;

		clock_age(limit_ms, age);
		reason = mem_fmt("undelivered for %s: %s", age, d->verdict.reason);
		return set_aside(w, d->event, reason, reterr);
	}
	return store_event_retry(w->store, d->event->id, attempts, due_ms, d->verdict.reason, reterr);
}

static int delivered(struct work *w, const struct delivery *d, const struct account *a, struct err *reterr)
{
	int r = store_event_delivered(w->store, d->event->id, a ? a->person_gap_ms : 0, d->done_ms, reterr);

	if (r < 0)
		return r;
	if (d->event->time_ms <= d->done_ms)
		tally_observe(w->tally, METRIC_LAG_SECONDS, (double)(d->done_ms - d->event->time_ms) / 1000);
	return 0;
}

static int apply(struct work *w, const struct delivery *d, struct err *reterr)
{
	const struct account *a = config_account(w->config, d->event->account);

	switch (d->verdict.outcome) {
	case OUTCOME_DELIVERED:
		return delivered(w, d, a, reterr);
	case OUTCOME_RETRY:
		return try_later(w, d, a, reterr);
	case OUTCOME_REJECT:
		return reject(w, d, reterr);
	case OUTCOME_PARK:
	case OUTCOME_SINGLE:
		/* Ready as before, with the reason for people; the window says when it may go again. */
		return store_event_retry(w->store, d->event->id, d->event->attempts, w->now_ms, d->verdict.reason,
					 reterr);
	}
	return err_set(reterr, -EINVAL, "delivery of event %016llx: outcome %d is none",
		       (unsigned long long)d->event->id, (int)d->verdict.outcome);
}

/* All that one outcome changes, or nothing. */
static int apply_whole(struct work *w, const struct delivery *d, struct err *reterr)
{
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = apply(w, d, reterr);
	if (r == 0)
		return work_savepoint_keep(w, reterr);
	work_savepoint_undo(w);
	return r;
}

/* Left as it was, it would be sent again and again. */
static int give_up(struct work *w, const struct delivery *d, const char *why, struct err *reterr)
{
	CLEANUP(mem_freep)
	char *reason = mem_fmt("its delivery's outcome (%s) cannot be kept: %s", outcome_name(d->verdict.outcome), why);
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = set_aside(w, d->event, reason, reterr);
	if (r == 0)
		return work_savepoint_keep(w, reterr);
	work_savepoint_undo(w);
	return r == -ENOENT ? 0 : r;
}

int results_apply(struct work *w, const struct delivery *d, struct err *reterr)
{
	struct err e = {0};
	int r;

	if (d->returned || !dispatch_is_lent(w->dispatch, d->event->account, d->event->id))
		return 0;
	r = apply_whole(w, d, &e);
	if (work_is_stores(r)) {
		if (reterr)
			*reterr = e;
		return r;
	}
	/* -ENOENT: its account's url changed while it was on its way; it is a dead letter and stays one. */
	if (r < 0 && r != -ENOENT)
		return give_up(w, d, e.text, reterr);
	tally_add(w->tally, METRIC_DELIVERIES, d->event->account, lane_name(d->lane), outcome_name(d->verdict.outcome));
	return 0;
}
