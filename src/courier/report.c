/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "courier/report.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"
#include "courier/courier.h"
#include "klaviyo/quota.h"
#include "klaviyo/reason.h"
#include "klaviyo/retry_after.h"

/* Failures in a row, or a time of failures, from which an upstream is reported as unreachable. */
#define TROUBLE_FAILURES 5
#define TROUBLE_MS (30 * 1000) /* accounts only, because a source may have one request in an hour */

#define PROBE_MINUTES (UPSTREAM_PROBE_LAST_MS / 60000)

_Static_assert(QUOTA_PAUSE_SERVER_MAX_MS == UPSTREAM_PAUSE_MAX_MS, "the pause to which longer ones are cut");

static const struct words {
	enum metric parked; /* also while paused */
	const char *opened, *answered, *ends_early;
} words[] = {
	[REPORT_ACCOUNT] =
		{
			METRIC_ACCOUNT_PARKED,
			"Klaviyo takes events again",
			"Klaviyo takes events again",
			"the pause ends early, by a reload or a change of the account",
		},
	[REPORT_LOOKUPS] =
		{
			METRIC_LOOKUPS_PARKED,
			"lookups are answered again",
			"the helpdesk answers lookups again",
			"the lookups' pause ends early, by a reload or a change of the source",
		},
};

void report_done(struct report *r)
{
	free(r->name);
	free(r->parked);
	free(r->paused);
	free(r->published_reason);
}

static struct log_about about(const struct report *r, const char *reason)
{
	if (r->kind == REPORT_ACCOUNT)
		return (struct log_about){.account = r->name, .reason = reason};
	return (struct log_about){.source = r->name, .reason = reason};
}

static struct log_about about_event(const struct report *r, const struct event *e, const char *reason)
{
	return (struct log_about){e->source, r->name, e->conversation, reason, e->webhook, e->id};
}

static void gauge(const struct report *r, const char *label, bool is_so)
{
	metrics_set(words[r->kind].parked, r->name, label, NULL, is_so);
}

/* ---- parked ------------------------------------------------------------------------------------------------------ */

/* The effect of a changed klaviyo.url, which pipeline/dispatch.c has. */
#define OTHER_URL " (events queued for the former url become dead letters where klaviyo.url changes)"

/* Returns the advice to the operator, which the caller frees. */
static char *account_advice(const struct report_park *park)
{
	if (park->odd)
		return mem_str("three people's events in a row were answered so: look for a notice at Klaviyo, check "
			       "klaviyo.url and what stands between here and Klaviyo, then reload" OTHER_URL);
	switch (park->status) {
	case 0:
	case 400:
	case 401:
		return mem_fmt("put the right key in %s", park->fix_hint);
	case 403:
		return mem_fmt("put a key with the scope events:write (a key's scopes cannot be changed later) in %s",
			       park->fix_hint);
	default:
		return mem_str("check klaviyo.url, klaviyo.revision and what stands between here and Klaviyo, then "
			       "reload" OTHER_URL);
	}
}

static void log_parked(const struct report *r, const struct report_park *park)
{
	const struct log_about line = about(r, park->why);

	if (r->kind == REPORT_ACCOUNT) {
		CLEANUP(mem_freep) char *advice = account_advice(park);

		log_warning(&line,
			    "the account is parked, its events wait: %s; deskbridge asks again by itself within %d "
			    "minutes",
			    advice, PROBE_MINUTES);
	} else if (park->credentials) {
		log_warning(&line,
			    "lookups are parked, webhooks that need one wait: put the right credentials in %s; "
			    "deskbridge asks again by itself within %d minutes",
			    park->fix_hint, PROBE_MINUTES);
	} else {
		log_warning(&line,
			    "lookups are parked, webhooks that need one wait: see that the source's `lookup` is right, "
			    "base_url first; a reload asks again at once, deskbridge asks again by itself within %d "
			    "minutes, and at once about a customer whom it has not asked about yet",
			    PROBE_MINUTES);
	}
}

void report_parked(struct report *r, const struct report_park *park)
{
	char label[sizeof(r->label)];
	bool other;

	if (park->status > 0)
		(void)snprintf(label, sizeof(label), "%u", park->status);
	else
		(void)snprintf(label, sizeof(label), "%s",
			       r->kind == REPORT_ACCOUNT ? "key"
			       : park->credentials       ? "secret"
							 : "answer");
	other = !r->parked || !text_is(label, r->label);
	/* A probe that fails as before is not logged. */
	if (!r->parked || (other && r->kind == REPORT_ACCOUNT))
		log_parked(r, park);
	if (other) {
		if (r->parked)
			gauge(r, r->label, false);
		gauge(r, label, true);
	}
	memcpy(r->label, label, sizeof(label));
	free(r->parked);
	r->parked = mem_str(park->why);
}

void report_unparked(struct report *r)
{
	if (!r->parked)
		return;
	gauge(r, r->label, false);
	free(TAKE(r->parked));
}

void report_park_ended(struct report *r)
{
	const struct log_about line = about(r, NULL);

	log_notice(&line, "%s", words[r->kind].opened);
	if (r->kind == REPORT_ACCOUNT) /* its line about the end of trouble would be the same */
		r->trouble = false;
	report_unparked(r);
}

void report_renewed(struct report *r)
{
	report_unparked(r);
	r->failures = 0;
	r->trouble = false;
}

/* ---- paused ------------------------------------------------------------------------------------------------------ */

static void report_pause(struct report *r, int64_t until_ms, const char *header, int64_t now_ms)
{
	static const char label[] = "paused";
	const bool is_account = r->kind == REPORT_ACCOUNT;
	int64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	int64_t was_ms = r->paused_until_ms;
	bool begins = !r->paused;
	bool cut = wait_ms >= UPSTREAM_PAUSE_MAX_MS;
	char iso[CLOCK_ISO_MAX];
	struct log_about line;

	if (wait_ms == 0)
		until_ms = 0;
	if (until_ms == was_ms)
		return;
	r->paused_until_ms = until_ms;
	if (wait_ms == 0) {
		if (begins)
			return;
		line = about(r, is_account ? r->paused : NULL);
		if (was_ms > now_ms)
			log_notice(&line, "%s", words[r->kind].ends_early);
		gauge(r, label, false);
		free(TAKE(r->paused));
		return;
	}
	if (begins && wait_ms <= REPORT_LONG_MS)
		return;
	clock_iso(clock_now_ms() + wait_ms, iso); /* until_ms is monotonic */
	free(r->paused);
	r->paused = is_account ? mem_fmt("paused by Klaviyo's %s until %s", header, iso)
			       : mem_fmt("paused until %s by %s", iso, header);
	if (!begins)
		return;
	line = about(r, is_account ? r->paused : NULL);
	if (is_account)
		log_warning(&line, "the account's events wait until %s%s", iso,
			    cut ? ", an hour: longer waits are cut to it" : "");
	else
		log_warning(&line, "lookups are %s%s: the helpdesk was asked too often", r->paused,
			    cut ? ", an hour, to which longer waits are cut" : "");
	gauge(r, label, true);
}

/* ---- trouble ----------------------------------------------------------------------------------------------------- */

void report_failed(struct report *r, enum report_trouble trouble, const char *why, int64_t now_ms)
{
	const struct log_about line = about(r, why);

	if (r->failures == 0)
		r->first_failure_ms = now_ms;
	if (r->failures < TROUBLE_FAILURES)
		r->failures++;
	/* A single failure is not logged: the request is repeated within seconds. */
	if (r->trouble || (r->failures < TROUBLE_FAILURES &&
			   (r->kind != REPORT_ACCOUNT || now_ms - r->first_failure_ms < TROUBLE_MS)))
		return;
	r->trouble = true;
	if (r->kind == REPORT_ACCOUNT)
		log_warning(&line, "Klaviyo %s; events wait and are tried again",
			    trouble == REPORT_NO_USE ? "answers, but takes no events" : "cannot be reached");
	else
		log_warning(&line,
			    "the helpdesk answers no lookup, webhooks that need one wait and are asked again by "
			    "themselves: %s",
			    trouble == REPORT_REMEDY
				    ? "the reason says what to do"
				    : "see that base_url is right and the helpdesk can be reached from here");
}

void report_answered(struct report *r)
{
	const struct log_about line = about(r, NULL);

	if (r->trouble)
		log_notice(&line, "%s", words[r->kind].answered);
	r->trouble = false;
	r->failures = 0;
}

/* ---- single requests --------------------------------------------------------------------------------------------- */

void report_took(int64_t took_us)
{
	metrics_observe(METRIC_DELIVERY_SECONDS, (double)took_us / 1e6);
}

void report_event_waits(struct report *r, const struct event *e, struct outcome_verdict *v, int64_t now_ms)
{
	const struct log_about line = about_event(r, e, v->reason);
	char iso[CLOCK_ISO_MAX], reason[OUTCOME_REASON_MAX];

	if (v->outcome != OUTCOME_RETRY || v->throttled || v->retry_after_ms <= REPORT_LONG_MS)
		return;
	clock_iso(clock_now_ms() + v->retry_after_ms, iso);
	memcpy(reason, v->reason, sizeof(reason));
	reason_text(v->reason, sizeof(v->reason), NULL, "Retry-After until %s: %s", iso, reason);
	if (now_ms < r->wait_logged_ms)
		return;
	r->wait_logged_ms = now_ms + v->retry_after_ms;
	log_warning(&line, "an event waits until %s%s", iso,
		    v->retry_after_ms >= RETRY_AFTER_MAX_MS ? ", an hour: longer waits are cut to it" : "");
}

void report_attempt(const struct report *r, const struct event *e, const struct outcome_verdict *v)
{
	const struct log_about line = about_event(r, e, v->reason);
	char email[MASK_EMAIL_MAX];

	if (v->partial_failure) {
		log_warning(&line, "Klaviyo took the event, but not all of it");
		metrics_add(METRIC_PARTIAL_FAILURES, r->name, NULL, NULL, 1);
	} else if (v->outcome != OUTCOME_DELIVERED) {
		log_debug(&line, "an attempt for %s ended as %s", log_email(e->email, email), outcome_name(v->outcome));
	}
}

void report_lookup(const char *source, const char *outcome)
{
	metrics_add(METRIC_LOOKUPS, source, outcome, NULL, 1);
}

/* ---- the window -------------------------------------------------------------------------------------------------- */

void report_upstream(struct report *r, const struct upstream *u, const char *why_closed, const char *header,
		     const struct courier_sink *sink, int64_t now_ms)
{
	unsigned window = why_closed ? 0 : upstream_window(u, now_ms);
	bool for_new = upstream_is_for_new(u);
	CLEANUP(mem_freep) char *both = NULL;
	const char *reason;

	report_pause(r, u->paused_until_ms, header, now_ms);
	both = r->parked && r->paused ? mem_fmt("%s; %s", r->parked, r->paused) : NULL;
	reason = why_closed ? why_closed : both ? both : r->parked ? r->parked : r->paused;
	if (r->published && r->published_window == window && r->published_for_new == for_new &&
	    text_is(r->published_reason, reason))
		return;
	r->published = true;
	r->published_window = window;
	r->published_for_new = for_new;
	free(r->published_reason);
	r->published_reason = mem_str(reason);
	sink->window(sink->ctx, r->kind, r->name, window, for_new, reason);
}
