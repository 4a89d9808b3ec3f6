/*
 * An event is in the tray or in flight until it comes back through the sink, exactly once, as an outcome or as
 * returned. Events leave the tray in the order they came. Their answers come in any order, which does no harm, because
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

struct parcel {
	struct parcel *next; /* in the tray */
	struct sender *sender;
	struct event *event;
	struct pace_request request;
};

struct sender {
	struct route route;
	struct pace pace;
	bool held;
	/* of the account, copied: the generation may go while events are sent by it */
	char *url, *revision, *key, *key_mend;
	struct quota_limits limits;
	struct parcel *tray, **tray_end;
};

/* ---- telling ----------------------------------------------------------------------------------------------------- */

/* No pause shuts an account's window. */
static bool is_shut(const struct sender *s)
{
	return s->route.closed || !s->route.configured || s->held || upstream_window(&s->pace.upstream, 0) == 0;
}

static void tell(struct sender *s, int64_t mono_ms)
{
	static const char *const headers[] = {
		[QUOTA_PAUSE_THROTTLED] = "Retry-After", [QUOTA_PAUSE_REMAINING] = "RateLimit-Reset"};
	const char *shut = !s->route.configured ? "not configured" : s->held ? "on hold" : NULL;

	report_upstream(&s->route.report, &s->pace.upstream, shut, headers[s->pace.paused_by], &s->route.shared->sink,
			mono_ms);
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
static void parcel_end(struct parcel *p, const struct outcome_verdict *v)
{
	struct courier_sink *sink = &p->sender->route.shared->sink;
	struct delivery *d = delivery_new(p->event, v);

	free(p);
	sink->delivered(sink->ctx, d);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* Returns what of the tray may not go; all of it where nothing may. */
static void tray_return(struct sender *s, bool all)
{
	struct parcel *p = s->tray, *next;

	s->tray = NULL;
	s->tray_end = &s->tray;
	for (; p; p = next) {
		next = p->next;
		p->next = NULL;
		if (all || (p->event->url && p->event->url[0] != '\0' && !text_is(p->event->url, s->url))) {
			parcel_end(p, NULL);
			continue;
		}
		*s->tray_end = p;
		s->tray_end = &p->next;
	}
}

/* An answer changes the state first, then what is reported and the window. The sink gets it last. */
static void parcel_back(struct parcel *p, const struct outcome_verdict *answer)
{
	struct sender *s = p->sender;
	struct report *report = &s->route.report;
	const struct report_park park = {
		.why = answer->reason, .status = answer->status, .odd = answer->odd, .mend = s->key_mend};
	struct outcome_verdict v = *answer;
	int64_t mono_ms = clock_mono_ms();
	bool moved;

	s->route.shared->deliveries--;
	moved = pace_returned(&s->pace, &p->request, answer, backoff_jitter(), mono_ms, &v.outcome);
	if (!s->route.configured)
		pace_renew(&s->pace, &s->limits); /* nobody waits for the end of its pause */
	if (moved && s->pace.upstream.state == UPSTREAM_PARKED)
		report_parked(report, &park);
	else if (moved)
		report_opened(report);
	if (answer->odd && v.outcome == OUTCOME_REJECT)
		reason_text(v.reason, sizeof(v.reason), NULL, "answered so %d times while others were delivered: %s",
			    PACE_ODD_TRIES, answer->reason);
	/* A request that a stop cuts off says nothing about Klaviyo. */
	if (!s->route.closed) {
		if (v.outcome == OUTCOME_DELIVERED)
			report_answered(report);
		else if (v.outcome == OUTCOME_RETRY && !v.throttled)
			report_failed(report, v.status > 0 ? REPORT_NO_USE : REPORT_UNREACHED, v.reason, mono_ms);
		report_event_waits(report, p->event, &v, mono_ms);
	}
	tell(s, mono_ms);
	if (is_shut(s))
		tray_return(s, true);
	report_attempt(report, p->event, &v);
	parcel_end(p, &v);
}

static void on_reply(void *ctx, const struct http_response *reply)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct parcel *p = ctx;
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
		a.cut = true;
	} else {
		a.transport_error = reply->failure == HTTP_ABORTED ? "stopped before the answer came"
								   : http_why(reply, REASON_ISSUER, why);
	}
	outcome_of(&a, &v);
	parcel_back(p, &v);
}

/* No request was made; the verdict is ours. */
static void parcel_refused(struct parcel *p, enum outcome outcome, const char *why)
{
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	struct outcome_verdict v = {
		.outcome = outcome, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};

	reason_text(v.reason, sizeof(v.reason), secrets, "%s", why);
	parcel_back(p, &v);
}

static int parcel_ask(struct parcel *p, char *body, struct err *reterr)
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
		.connect_timeout_ms = s->route.shared->options.connect_ms,
		.timeout_ms = s->route.shared->options.timeout_ms,
	};
	int r;

	request_headers(&headers, s->key, s->revision);
	r = http_client_start(s->route.shared->client, &ask, on_reply, p, reterr);
	pairs_done(&headers);
	return r;
}

static void parcel_send(struct parcel *p, int64_t mono_ms)
{
	struct sender *s = p->sender;
	struct err why = {0};
	char *body;

	pace_sent(&s->pace, &p->request, mono_ms);
	s->route.shared->deliveries++;
	/* The wall clock says whether an event is late. */
	if (request_single(p->event, clock_now_ms(), &body, &why) < 0) {
		parcel_refused(p, OUTCOME_REJECT, why.text);
	} else if (!s->key) {
		free(body);
		parcel_refused(p, OUTCOME_PARK, "the key cannot be read");
	} else if (parcel_ask(p, body, &why) < 0) {
		/* A key or URL of which no request can be made: nobody's event can go. */
		parcel_refused(p, OUTCOME_PARK, why.text);
	}
}

static int64_t sender_run(struct route *r, bool sending, int64_t now_ms)
{
	struct sender *s = (struct sender *)r;
	const struct upstream *u = &s->pace.upstream;
	int64_t next_ms = CLOCK_NEVER_MS;

	if (r->closed || !r->configured || s->held)
		return next_ms;
	pace_tick(&s->pace, now_ms);
	tell(s, now_ms);
	while (sending && s->tray && pace_next_ms(&s->pace, now_ms) <= now_ms) {
		struct parcel *p = s->tray;

		s->tray = p->next;
		if (!s->tray)
			s->tray_end = &s->tray;
		p->next = NULL;
		parcel_send(p, now_ms);
	}
	/* The next run, where nothing comes before it: at a probe's time, when the pace lets the next event go, or at
	 * a pause's end. */
	if (u->state == UPSTREAM_PARKED || (sending && s->tray))
		next_ms = pace_next_ms(&s->pace, now_ms);
	return now_ms < u->paused_until_ms && u->paused_until_ms < next_ms ? u->paused_until_ms : next_ms;
}

/* ---- being told -------------------------------------------------------------------------------------------------- */

/* Takes the account's values; true where one that Klaviyo sees has changed. */
static bool adopt(struct sender *s, const struct account *a, const char *key)
{
	bool changed = !s->route.configured || !text_is(s->url, a->url) || !text_is(s->revision, a->revision) ||
		       !text_is(s->key, key) || s->limits.per_second != a->single.per_second ||
		       s->limits.per_minute != a->single.per_minute || s->limits.share != a->single.share;

	free(s->url);
	free(s->revision);
	free(s->key_mend);
	mem_wipe_str(s->key);
	s->url = mem_str(a->url);
	s->revision = mem_str(a->revision);
	s->key_mend = mem_str(secret_fix_hint(a->api_key));
	s->key = mem_str(key);
	s->limits = a->single;
	s->held = a->hold;
	s->route.configured = true;
	return changed;
}

static void sender_configure(struct route *r, struct generation *g, bool reloaded)
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
	r->report.told = false;
	tell(s, clock_mono_ms());
	tray_return(s, is_shut(s));
}

void sender_take(struct route *r, struct event *e)
{
	struct sender *s = (struct sender *)r;
	struct parcel *p = mem_new(1, sizeof(*p));

	p->sender = s;
	p->event = e;
	p->request = (struct pace_request){.event = e->id, .person = digest_number(e->email), .since = s->pace.taken};
	*s->tray_end = p;
	s->tray_end = &p->next;
	tray_return(s, is_shut(s));
}

static void sender_close(struct route *r)
{
	r->closed = true;
	tray_return((struct sender *)r, true);
}

static void sender_free(struct route *r)
{
	struct sender *s = (struct sender *)r;

	INSIST(!s->tray && s->pace.upstream.in_flight == 0);
	free(s->url);
	free(s->revision);
	mem_wipe_str(s->key);
	free(s->key_mend);
	report_done(&r->report);
	free(s);
}

struct route *sender_new(struct route_shared *shared, const char *account, int64_t now_ms)
{
	static const struct route_ops ops = {sender_configure, sender_run, sender_close, sender_free};
	struct sender *s = mem_new(1, sizeof(*s));

	s->route = (struct route){.ops = &ops,
				  .shared = shared,
				  .upstream = &s->pace.upstream,
				  .report = {.kind = REPORT_ACCOUNT, .name = mem_str(account)}};
	s->tray_end = &s->tray;
	s->limits = (struct quota_limits){1, 1, 1};
	pace_init(&s->pace, &s->limits, now_ms);
	return &s->route;
}
