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

/* One line about an event that the courier had. */
static void tell(struct work *w, int level, const struct delivery *d, const char *reason, const char *what)
{
	CLEANUP(store_origin_done) struct store_origin origin = {0};

	store_event_origin(w->store, d->event, &origin);
	tally_log(w->tally, level,
		  &((struct log_about){.source = origin.source,
				       .account = d->account,
				       .conversation = origin.conversation,
				       .webhook = origin.webhook,
				       .event = d->event,
				       .reason = reason}),
		  "%s", what);
}

static int set_aside(struct work *w, const struct delivery *d, const char *reason, struct err *reterr)
{
	int r = store_event_dead(w->store, d->event, reason, w->now_ms, reterr);

	if (r == 0)
		tell(w, LOG_WARNING, d, reason, "an event became a dead letter");
	return r;
}

static int reject(struct work *w, const struct delivery *d, const struct dispatch_lent *lent, struct err *reterr)
{
	int r = store_event_retry(w->store, d->event, lent->attempts + 1, w->now_ms, d->verdict.reason, reterr);

	return r < 0 ? r : set_aside(w, d, d->verdict.reason, reterr);
}

static int try_later(struct work *w, const struct delivery *d, const struct dispatch_lent *lent,
		     const struct account *a, struct err *reterr)
{
	int64_t limit_ms = max_age_ms(a), due_ms = w->now_ms;
	unsigned attempts = lent->attempts;

	if (!d->verdict.throttled) { /* a 429 does not move the event's back-off */
		int64_t wait_ms = backoff_ms(attempts, backoff_chance());

		due_ms += d->verdict.retry_after_ms > wait_ms ? d->verdict.retry_after_ms : wait_ms;
		attempts++;
	}
	/* An odd answer may concern the account, and then nobody's event ages: it dies of ten tries of its own alone.
	 */
	if (!d->verdict.odd && limit_ms != CLOCK_NEVER_MS && w->now_ms - lent->received_ms > limit_ms &&
	    work_age_wait_ms(w, limit_ms) == 0) {
		char age[CLOCK_ISO_MAX];
		CLEANUP(mem_freep) char *reason = NULL;

		clock_age(limit_ms, age);
		reason = mem_fmt("undelivered for %s: %s", age, d->verdict.reason);
		return set_aside(w, d, reason, reterr);
	}
	return store_event_retry(w->store, d->event, attempts, due_ms, d->verdict.reason, reterr);
}

static int delivered(struct work *w, const struct delivery *d, const struct dispatch_lent *lent,
		     const struct account *a, struct err *reterr)
{
	int r = store_event_delivered(w->store, d->event, a ? a->person_gap_ms : 0, d->done_ms, reterr);

	if (r < 0)
		return r;
	if (lent->time_ms <= d->done_ms)
		tally_observe(w->tally, METRIC_LAG_SECONDS, (double)(d->done_ms - lent->time_ms) / 1000);
	return 0;
}

static int apply(struct work *w, const struct delivery *d, const struct dispatch_lent *lent, struct err *reterr)
{
	const struct account *a = config_account(w->config, d->account);

	switch (d->verdict.outcome) {
	case OUTCOME_DELIVERED:
		return delivered(w, d, lent, a, reterr);
	case OUTCOME_RETRY:
		return try_later(w, d, lent, a, reterr);
	case OUTCOME_REJECT:
		return reject(w, d, lent, reterr);
	case OUTCOME_PARK:
	case OUTCOME_SINGLE:
		/* Ready as before, with the reason for people; the window says when it may go again. */
		return store_event_retry(w->store, d->event, lent->attempts, w->now_ms, d->verdict.reason, reterr);
	}
	return err_set(reterr, -EINVAL, "delivery of event %016llx: outcome %d is none", (unsigned long long)d->event,
		       (int)d->verdict.outcome);
}

/* All that one outcome changes, or nothing. */
static int apply_whole(struct work *w, const struct delivery *d, const struct dispatch_lent *lent, struct err *reterr)
{
	int r = work_savepoint(w, reterr);

	if (r < 0)
		return r;
	r = apply(w, d, lent, reterr);
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
	r = set_aside(w, d, reason, reterr);
	if (r == 0)
		return work_savepoint_keep(w, reterr);
	work_savepoint_undo(w);
	return r == -ENOENT ? 0 : r;
}

int results_apply(struct work *w, const struct delivery *d, struct err *reterr)
{
	const struct dispatch_lent *lent = dispatch_lent(w->dispatch, d->account, d->event);
	struct err e = {0};
	int r;

	if (d->returned || !lent)
		return 0;
	r = apply_whole(w, d, lent, &e);
	if (work_is_stores(r)) {
		if (reterr)
			*reterr = e;
		return r;
	}
	/* -ENOENT: its account's url changed while it was on its way; it is a dead letter and stays one. */
	if (r < 0 && r != -ENOENT)
		return give_up(w, d, e.text, reterr);
	tally_add(w->tally, METRIC_DELIVERIES, d->account, lane_name(d->lane), outcome_name(d->verdict.outcome));
	return 0;
}
