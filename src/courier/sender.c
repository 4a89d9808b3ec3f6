/* SPDX-License-Identifier: MIT */
/*
 * An event is in the queue or in flight until it comes back through the sink, exactly once, as an outcome or as
 * returned. Events leave the queue in the order of arrival. Their answers come in any order, which is harmless, because
 * only the first event of a person is ever here. Nothing survives a crash.
 */
#include <config.h>

#include "courier/sender.h"

#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/known_secrets.h"
#include "courier/pace.h"
#include "courier/report.h"
#include "klaviyo/reason.h"
#include "klaviyo/request.h"

struct send_job {
	struct send_job *next; /* in the queue */
	struct sender *sender;
	struct event *event;
	struct pace_request request;
};

struct sender {
	struct destination base;
	struct pace pace;
	bool held;
	/* copies of the account's values, because the generation may be freed while events are in flight */
	char *url, *revision, *key, *key_fix_hint;
	/* of the requests, made of the values above; `series` changes with them */
	char *events_url;
	struct pairs headers;
	uint64_t series;
	struct quota_limits limits;
	struct send_job *queue, **queue_end;
};

/* ---- reports and results ----------------------------------------------------------------------------------------- */

/* True where the window is 0. A pause does not close an account's window, so the time does not matter. */
static bool window_is_closed(const struct sender *s)
{
	return s->base.closed || !s->base.configured || s->held || upstream_window(&s->pace.upstream, 0) == 0;
}

static void publish(struct sender *s, int64_t mono_ms)
{
	static const char *const headers[] = {
		[QUOTA_PAUSE_THROTTLED] = "Retry-After", [QUOTA_PAUSE_REMAINING] = "RateLimit-Reset"};
	const char *why_closed = !s->base.configured ? "not configured" : s->held ? "on hold" : NULL;

	report_upstream(&s->base.report, &s->pace.upstream, why_closed, headers[s->pace.paused_by],
			&s->base.shared->sink, mono_ms);
}

struct delivery *delivery_new(struct event *e, const struct outcome_verdict *v)
{
	struct delivery *d = mem_new(1, sizeof(*d));

	d->event = e;
	d->lane = LANE_SINGLE;
	d->done_ms = clock_now_ms();
	if (v)
		d->verdict = *v;
	else
		d->returned = true;
	return d;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	event_done(d->event);
	free(d->event);
	free(d);
}

/* Passes the result to the sink and frees the job. v NULL: not sent. */
static void send_job_end(struct send_job *job, const struct outcome_verdict *v)
{
	struct courier_sink *sink = &job->sender->base.shared->sink;
	struct delivery *d = delivery_new(job->event, v);

	free(job);
	sink->delivered(sink->ctx, d);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* True for an event that was queued for another URL. */
static bool is_for_other_url(const struct sender *s, const struct event *e)
{
	return e->url && e->url[0] != '\0' && !text_is(e->url, s->url);
}

/* Returns queued events that must not be sent: those of another URL, or all. */
static void queue_return(struct sender *s, bool all)
{
	struct send_job *job = s->queue;
	struct send_job *next;

	s->queue = NULL;
	s->queue_end = &s->queue;
	for (; job; job = next) {
		next = job->next;
		job->next = NULL;
		if (all || is_for_other_url(s, job->event)) {
			send_job_end(job, NULL);
			continue;
		}
		*s->queue_end = job;
		s->queue_end = &job->next;
	}
}

/* Handles an answer: changes the state first, then reports it and the window. The sink gets the event last. */
static void send_job_back(struct send_job *job, const struct outcome_verdict *answer)
{
	struct sender *s = job->sender;
	struct report *report = &s->base.report;
	const struct report_park park = {
		.why = answer->reason, .status = answer->status, .odd = answer->odd, .fix_hint = s->key_fix_hint};
	struct outcome_verdict v = *answer;
	int64_t mono_ms = clock_mono_ms();
	bool moved;

	s->base.shared->deliveries--;
	if (answer->odd)
		job->request.person = digest_number(job->event->email, strlen(job->event->email));
	moved = pace_returned(&s->pace, &job->request, answer, backoff_jitter(), mono_ms, &v.outcome);
	if (!s->base.configured)
		pace_renew(&s->pace, &s->limits); /* its pause does not matter any more */
	if (moved && s->pace.upstream.state == UPSTREAM_PARKED)
		report_parked(report, &park);
	else if (moved)
		report_park_ended(report);
	if (answer->odd && v.outcome == OUTCOME_REJECT)
		reason_text(v.reason, sizeof(v.reason), NULL, "answered so %d times while others were delivered: %s",
			    PACE_ODD_TRIES, answer->reason);
	/* A request that a stop aborts says nothing about Klaviyo. */
	if (!s->base.closed) {
		if (v.outcome == OUTCOME_DELIVERED)
			report_answered(report);
		else if (v.outcome == OUTCOME_RETRY && !v.throttled)
			report_failed(report, v.status > 0 ? REPORT_NO_USE : REPORT_UNREACHED, v.reason, mono_ms);
		report_event_waits(report, job->event, &v, mono_ms);
	}
	publish(s, mono_ms);
	if (window_is_closed(s))
		queue_return(s, true);
	report_attempt(report, job->event, &v);
	send_job_end(job, &v);
}

static void on_response(void *ctx, const struct http_response *response)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct send_job *job = ctx;
	struct outcome_answer a = {
		.lane = LANE_SINGLE,
		.status = response->status,
		.type = response->type,
		.headers = &response->headers,
		.secrets = secrets,
	};
	struct outcome_verdict v;
	char why[HTTP_WHY_MAX];

	/* Status and headers are enough of an answer that is too long. */
	if (response->failure == HTTP_OK || response->failure == HTTP_TOO_LONG)
		report_took(response->took_us);
	if (response->failure == HTTP_OK) {
		a.body = response->body.data;
		a.body_len = response->body.len;
	} else if (response->failure == HTTP_TOO_LONG) {
		a.truncated = true;
	} else {
		a.transport_error = response->failure == HTTP_ABORTED ? "stopped before the answer came"
								      : http_why(response, REASON_ISSUER, why);
	}
	outcome_of(&a, &v);
	send_job_back(job, &v);
}

/* Ends a job whose request could not be made, with an outcome that deskbridge decides. For pace it counts as an answer.
 */
static void send_job_end_unsent(struct send_job *job, enum outcome outcome, const char *why)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct outcome_verdict v = {
		.outcome = outcome, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};

	reason_text(v.reason, sizeof(v.reason), secrets, "%s", why);
	send_job_back(job, &v);
}

static int send_job_ask(struct send_job *job, char *body, struct err *reterr)
{
	struct sender *s = job->sender;
	struct http_request request = {
		.method = "POST",
		.url = s->events_url,
		.headers = &s->headers,
		.series = s->series,
		.body = body,
		.body_len = strlen(body),
		.connect_timeout_ms = s->base.shared->options.connect_ms,
		.timeout_ms = s->base.shared->options.timeout_ms,
	};

	return http_client_start(s->base.shared->client, &request, on_response, job, reterr);
}

static void send_job_send(struct send_job *job, int64_t mono_ms)
{
	struct sender *s = job->sender;
	struct err why = {0};
	char *body;

	pace_sent(&s->pace, &job->request, mono_ms);
	s->base.shared->deliveries++;
	/* The wall clock decides if an event is late. */
	if (request_single(job->event, clock_now_ms(), &body, &why) < 0) {
		send_job_end_unsent(job, OUTCOME_REJECT, why.text);
	} else if (!s->key) {
		free(body);
		send_job_end_unsent(job, OUTCOME_PARK, "the key cannot be read");
	} else if (send_job_ask(job, body, &why) < 0) {
		/* The account's key or URL makes no valid request, so none of its events can be sent. */
		send_job_end_unsent(job, OUTCOME_PARK, why.text);
	}
}

static int64_t sender_run(struct destination *d, bool sending, int64_t now_ms)
{
	struct sender *s = (struct sender *)d;
	const struct upstream *u = &s->pace.upstream;
	int64_t next_ms = CLOCK_NEVER_MS;

	if (d->closed || !d->configured || s->held)
		return next_ms;
	pace_tick(&s->pace, now_ms);
	publish(s, now_ms);
	while (sending && s->queue && pace_next_ms(&s->pace, now_ms) <= now_ms) {
		struct send_job *job = s->queue;

		s->queue = job->next;
		if (!s->queue)
			s->queue_end = &s->queue;
		job->next = NULL;
		send_job_send(job, now_ms);
	}
	/* The next run: at a probe's time, when the pace allows the next event, or at a pause's end. */
	if (u->state == UPSTREAM_PARKED || (sending && s->queue))
		next_ms = pace_next_ms(&s->pace, now_ms);
	return now_ms < u->paused_until_ms && u->paused_until_ms < next_ms ? u->paused_until_ms : next_ms;
}

/* ---- the destination --------------------------------------------------------------------------------------------- */

/* One of them holds the key. */
static void wipe_headers(struct pairs *headers)
{
	for (size_t i = 0; i < headers->n; i++)
		mem_wipe_str(TAKE(headers->items[i].value));
	pairs_done(headers);
}

static void make_request_parts(struct sender *s)
{
	free(s->events_url);
	wipe_headers(&s->headers);
	s->events_url = request_url(s->url, KLAVIYO_PATH_EVENTS);
	if (s->key)
		request_headers(&s->headers, s->key, s->revision);
	s->series = ++s->base.shared->series;
}

/* Copies the account's values. Returns true where one that Klaviyo sees has changed. */
static bool take_configuration(struct sender *s, const struct account *a, const char *key)
{
	bool changed = !s->base.configured || !text_is(s->url, a->url) || !text_is(s->revision, a->revision) ||
		       !text_is(s->key, key) || s->limits.per_second != a->single.per_second ||
		       s->limits.per_minute != a->single.per_minute || s->limits.share != a->single.share;

	free(s->url);
	free(s->revision);
	free(s->key_fix_hint);
	mem_wipe_str(s->key);
	s->url = mem_str(a->url);
	s->revision = mem_str(a->revision);
	s->key_fix_hint = mem_str(secret_fix_hint(a->api_key));
	s->key = mem_str(key);
	make_request_parts(s);
	s->limits = a->single;
	s->held = a->hold;
	s->base.configured = true;
	return changed;
}

static void sender_configure(struct destination *d, struct generation *g, bool reloaded)
{
	struct sender *s = (struct sender *)d;
	const struct account *a = config_account(g->config, d->report.name);
	bool changed = !a || take_configuration(s, a, secret_value(g->secrets, a->api_key));

	if (!a)
		d->configured = false;
	if (changed || reloaded)
		pace_renew(&s->pace, &s->limits);
	if (changed)
		report_renewed(&d->report);
	d->report.published = false;
	publish(s, clock_mono_ms());
	queue_return(s, window_is_closed(s));
}

void sender_take(struct destination *d, struct event *e)
{
	struct sender *s = (struct sender *)d;
	struct send_job *job = mem_new(1, sizeof(*job));

	job->sender = s;
	job->event = e;
	job->request = (struct pace_request){.event = e->id, .since = s->pace.successes};
	if (window_is_closed(s) || is_for_other_url(s, e)) {
		send_job_end(job, NULL);
		return;
	}
	*s->queue_end = job;
	s->queue_end = &job->next;
}

static void sender_close(struct destination *d)
{
	d->closed = true;
	queue_return((struct sender *)d, true);
}

static void sender_free(struct destination *d)
{
	struct sender *s = (struct sender *)d;

	INSIST(!s->queue && s->pace.upstream.in_flight == 0);
	free(s->url);
	free(s->revision);
	mem_wipe_str(s->key);
	free(s->key_fix_hint);
	free(s->events_url);
	wipe_headers(&s->headers);
	report_done(&d->report);
	free(s);
}

struct destination *sender_new(struct destination_shared *shared, const char *account, int64_t now_ms)
{
	static const struct destination_ops ops = {sender_configure, sender_run, sender_close, sender_free};
	struct sender *s = mem_new(1, sizeof(*s));

	s->base = (struct destination){.ops = &ops,
				       .shared = shared,
				       .upstream = &s->pace.upstream,
				       .report = {.kind = REPORT_ACCOUNT, .name = mem_str(account)}};
	s->queue_end = &s->queue;
	s->limits = (struct quota_limits){1, 1, 1};
	pace_init(&s->pace, &s->limits, now_ms);
	return &s->base;
}
