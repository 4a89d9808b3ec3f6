/* SPDX-License-Identifier: MIT */
/*
 * An event is in the queue or in flight until it comes back through the sink, exactly once, as an outcome or as
 * returned. Events leave the queue in the order they came. Their answers come in any order, which does no harm, because
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
	struct destination destination;
	struct pace pace;
	bool held;
	/* of the account, copied: the generation may go while events are sent by it */
	char *url, *revision, *key, *key_fix_hint;
	struct quota_limits limits;
	struct send_job *queue, **queue_end;
};

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* No pause shuts an account's window. */
static bool is_shut(const struct sender *s)
{
	return s->destination.closed || !s->destination.configured || s->held ||
	       upstream_window(&s->pace.upstream, 0) == 0;
}

static void publish(struct sender *s, int64_t mono_ms)
{
	static const char *const headers[] = {
		[QUOTA_PAUSE_THROTTLED] = "Retry-After", [QUOTA_PAUSE_REMAINING] = "RateLimit-Reset"};
	const char *shut = !s->destination.configured ? "not configured" : s->held ? "on hold" : NULL;

	report_upstream(&s->destination.report, &s->pace.upstream, shut, headers[s->pace.paused_by],
			&s->destination.shared->sink, mono_ms);
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

/* The end of a parcel. v NULL: it was not sent. */
static void send_job_end(struct send_job *p, const struct outcome_verdict *v)
{
	struct courier_sink *sink = &p->sender->destination.shared->sink;
	struct delivery *d = delivery_new(p->event, v);

	free(p);
	sink->delivered(sink->ctx, d);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* Returns what of the queue may not go; all of it where nothing may. */
static void queue_return(struct sender *s, bool all)
{
	struct send_job *p = s->queue, *next;

	s->queue = NULL;
	s->queue_end = &s->queue;
	for (; p; p = next) {
		next = p->next;
		p->next = NULL;
		if (all || (p->event->url && p->event->url[0] != '\0' && !text_is(p->event->url, s->url))) {
			send_job_end(p, NULL);
			continue;
		}
		*s->queue_end = p;
		s->queue_end = &p->next;
	}
}

/* An answer changes the state first, then what is reported and the window. The sink gets it last. */
static void send_job_back(struct send_job *p, const struct outcome_verdict *answer)
{
	struct sender *s = p->sender;
	struct report *report = &s->destination.report;
	const struct report_park park = {
		.why = answer->reason, .status = answer->status, .odd = answer->odd, .fix_hint = s->key_fix_hint};
	struct outcome_verdict v = *answer;
	int64_t mono_ms = clock_mono_ms();
	bool moved;

	s->destination.shared->deliveries--;
	moved = pace_returned(&s->pace, &p->request, answer, backoff_jitter(), mono_ms, &v.outcome);
	if (!s->destination.configured)
		pace_renew(&s->pace, &s->limits); /* nobody waits for the end of its pause */
	if (moved && s->pace.upstream.state == UPSTREAM_PARKED)
		report_parked(report, &park);
	else if (moved)
		report_opened(report);
	if (answer->odd && v.outcome == OUTCOME_REJECT)
		reason_text(v.reason, sizeof(v.reason), NULL, "answered so %d times while others were delivered: %s",
			    PACE_ODD_TRIES, answer->reason);
	/* A request that a stop cuts off says nothing about Klaviyo. */
	if (!s->destination.closed) {
		if (v.outcome == OUTCOME_DELIVERED)
			report_answered(report);
		else if (v.outcome == OUTCOME_RETRY && !v.throttled)
			report_failed(report, v.status > 0 ? REPORT_NO_USE : REPORT_UNREACHED, v.reason, mono_ms);
		report_event_waits(report, p->event, &v, mono_ms);
	}
	publish(s, mono_ms);
	if (is_shut(s))
		queue_return(s, true);
	report_attempt(report, p->event, &v);
	send_job_end(p, &v);
}

static void on_reply(void *ctx, const struct http_response *reply)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct send_job *p = ctx;
	struct outcome_answer a = {
		.lane = LANE_SINGLE,
		.status = reply->status,
		.type = reply->type,
		.headers = &reply->headers,
		.secrets = secrets,
	};
	struct outcome_verdict v;
	char why[HTTP_WHY_MAX];

	/* Of an answer that is too long, status and headers say what it means. */
	if (reply->failure == HTTP_OK || reply->failure == HTTP_TOO_LONG)
		report_took(reply->took_us);
	if (reply->failure == HTTP_OK) {
		a.body = reply->body.data;
		a.body_len = reply->body.len;
	} else if (reply->failure == HTTP_TOO_LONG) {
		a.truncated = true;
	} else {
		a.transport_error = reply->failure == HTTP_ABORTED ? "stopped before the answer came"
								   : http_why(reply, REASON_ISSUER, why);
	}
	outcome_of(&a, &v);
	send_job_back(p, &v);
}

/* No request was made; the verdict is ours. */
static void send_job_refused(struct send_job *p, enum outcome outcome, const char *why)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct outcome_verdict v = {
		.outcome = outcome, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};

	reason_text(v.reason, sizeof(v.reason), secrets, "%s", why);
	send_job_back(p, &v);
}

static int send_job_ask(struct send_job *p, char *body, struct err *reterr)
{
	struct sender *s = p->sender;
	CLEANUP(mem_freep) char *url = request_url(s->url, KLAVIYO_PATH_EVENTS);
	struct pairs headers = {0};
	struct http_request ask = {
		.method = "POST",
		.url = url,
		.headers = &headers,
		.body = body,
		.body_len = strlen(body),
		.connect_timeout_ms = s->destination.shared->options.connect_ms,
		.timeout_ms = s->destination.shared->options.timeout_ms,
	};
	int r;

	request_headers(&headers, s->key, s->revision);
	r = http_client_start(s->destination.shared->client, &ask, on_reply, p, reterr);
	pairs_done(&headers);
	return r;
}

static void send_job_send(struct send_job *p, int64_t mono_ms)
{
	struct sender *s = p->sender;
	struct err why = {0};
	char *body;

	pace_sent(&s->pace, &p->request, mono_ms);
	s->destination.shared->deliveries++;
	/* The wall clock says whether an event is late. */
	if (request_single(p->event, clock_now_ms(), &body, &why) < 0) {
		send_job_refused(p, OUTCOME_REJECT, why.text);
	} else if (!s->key) {
		free(body);
		send_job_refused(p, OUTCOME_PARK, "the key cannot be read");
	} else if (send_job_ask(p, body, &why) < 0) {
		/* A key or URL of which no request can be made: nobody's event can go. */
		send_job_refused(p, OUTCOME_PARK, why.text);
	}
}

static int64_t sender_run(struct destination *r, bool sending, int64_t now_ms)
{
	struct sender *s = (struct sender *)r;
	const struct upstream *u = &s->pace.upstream;
	int64_t next_ms = CLOCK_NEVER_MS;

	if (r->closed || !r->configured || s->held)
		return next_ms;
	pace_tick(&s->pace, now_ms);
	publish(s, now_ms);
	while (sending && s->queue && pace_next_ms(&s->pace, now_ms) <= now_ms) {
		struct send_job *p = s->queue;

		s->queue = p->next;
		if (!s->queue)
			s->queue_end = &s->queue;
		p->next = NULL;
		send_job_send(p, now_ms);
	}
	/* The next run, where nothing comes before it: at a probe's time, when the pace lets the next event go, or at
	 * a pause's end. */
	if (u->state == UPSTREAM_PARKED || (sending && s->queue))
		next_ms = pace_next_ms(&s->pace, now_ms);
	return now_ms < u->paused_until_ms && u->paused_until_ms < next_ms ? u->paused_until_ms : next_ms;
}

/* ---- being told -------------------------------------------------------------------------------------------------- */

/* Takes the account's values; true where one that Klaviyo sees has changed. */
static bool adopt(struct sender *s, const struct account *a, const char *key)
{
	bool changed = !s->destination.configured || !text_is(s->url, a->url) || !text_is(s->revision, a->revision) ||
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
	s->limits = a->single;
	s->held = a->hold;
	s->destination.configured = true;
	return changed;
}

static void sender_configure(struct destination *r, struct generation *g, bool reloaded)
{
	struct sender *s = (struct sender *)r;
	const struct account *a = config_account(g->config, r->report.name);
	bool changed = !a || adopt(s, a, secret_value(g->secrets, a->api_key));

	if (!a)
		r->configured = false;
	if (changed || reloaded)
		pace_renew(&s->pace, &s->limits);
	if (changed)
		report_renewed(&r->report);
	r->report.published = false;
	publish(s, clock_mono_ms());
	queue_return(s, is_shut(s));
}

void sender_take(struct destination *r, struct event *e)
{
	struct sender *s = (struct sender *)r;
	struct send_job *p = mem_new(1, sizeof(*p));

	p->sender = s;
	p->event = e;
	p->request = (struct pace_request){.event = e->id, .person = digest_number(e->email), .since = s->pace.taken};
	*s->queue_end = p;
	s->queue_end = &p->next;
	queue_return(s, is_shut(s));
}

static void sender_close(struct destination *r)
{
	r->closed = true;
	queue_return((struct sender *)r, true);
}

static void sender_free(struct destination *r)
{
	struct sender *s = (struct sender *)r;

	INSIST(!s->queue && s->pace.upstream.in_flight == 0);
	free(s->url);
	free(s->revision);
	mem_wipe_str(s->key);
	free(s->key_fix_hint);
	report_done(&r->report);
	free(s);
}

struct destination *sender_new(struct destination_shared *shared, const char *account, int64_t now_ms)
{
	static const struct destination_ops ops = {sender_configure, sender_run, sender_close, sender_free};
	struct sender *s = mem_new(1, sizeof(*s));

	s->destination = (struct destination){.ops = &ops,
					      .shared = shared,
					      .upstream = &s->pace.upstream,
					      .report = {.kind = REPORT_ACCOUNT, .name = mem_str(account)}};
	s->queue_end = &s->queue;
	s->limits = (struct quota_limits){1, 1, 1};
	pace_init(&s->pace, &s->limits, now_ms);
	return &s->destination;
}
