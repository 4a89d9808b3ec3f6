/*
 * All on the courier's thread. An event is in the tray, or under way, or gone: each comes back through the sink exactly
 * once, as an outcome or as returned. Events leave the tray in the order they came; their answers come in any order,
 * which the person's order survives because only the first event of a person is ever here. Nothing survives a crash.
 */
#include <config.h>

#include "courier/outlet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/known.h"
#include "courier/pace.h"
#include "courier/report.h"
#include "klaviyo/reason.h"
#include "klaviyo/request.h"

struct parcel {
	struct parcel *next; /* in the tray */
	struct outlet *outlet;
	struct event *event;
	struct pace_request request;
};

struct outlet {
	struct outlet_shared *shared;
	struct pace pace;
	bool configured, held, closed;
	/* of the account, copied: the generation may go while we send by it */
	char *url, *revision, *key, *key_mend;
	struct quota_limits limits;
	struct parcel *tray, **tray_end;
	struct report report;
};

/* The same for events of the same address. */
static uint64_t person_of(const struct event *e)
{
	unsigned char digest[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();
	uint64_t person;

	digest_add(d, e->email, strlen(e->email));
	digest_end(d, digest);
	memcpy(&person, digest, sizeof(person));
	return person;
}

struct outlet *outlet_new(struct outlet_shared *shared, const char *name, int64_t now_ms)
{
	struct outlet *o = mem_new(1, sizeof(*o));

	o->shared = shared;
	report_init(&o->report, REPORT_ACCOUNT, name);
	o->tray_end = &o->tray;
	o->limits = (struct quota_limits){1, 1, 1};
	pace_init(&o->pace, &o->limits, now_ms);
	return o;
}

void outlet_free(struct outlet *o)
{
	INSIST(!o->tray && o->pace.upstream.in_flight == 0);
	free(o->url);
	free(o->revision);
	mem_wipe_str(o->key);
	free(o->key_mend);
	report_done(&o->report);
	free(o);
}

const char *outlet_name(const struct outlet *o)
{
	return o->report.name;
}

bool outlet_is_configured(const struct outlet *o)
{
	return o->configured;
}

unsigned outlet_in_flight(const struct outlet *o)
{
	return o->pace.upstream.in_flight;
}

/* No pause shuts an account's window. */
static unsigned outlet_window(const struct outlet *o)
{
	return o->configured && !o->held ? upstream_window(&o->pace.upstream, 0) : 0;
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static void outlet_tell(struct outlet *o)
{
	const char *shut = !o->configured ? "not configured" : o->held ? "on hold" : NULL;
	const struct courier_sink *sink = &o->shared->sink;

	if (report_window(&o->report, outlet_window(o), false, shut))
		sink->window(sink->ctx, o->report.name, o->report.told_window, o->report.told_reason);
}

/* Tells of a pause where it begins, changes or ends. */
static void outlet_look_at_pause(struct outlet *o, int64_t mono_ms)
{
	static const char *const headers[] = {
		[QUOTA_PAUSE_THROTTLED] = "Retry-After", [QUOTA_PAUSE_TOLD] = "RateLimit-Reset"};

	report_pause(&o->report, o->pace.upstream.paused_until_ms, headers[o->pace.paused_by], mono_ms);
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
	struct courier_sink *sink = &p->outlet->shared->sink;
	struct delivery *d = delivery_new(p->event, v);

	free(p);
	sink->delivered(sink->ctx, d);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* Returns what of the tray may not go; all of it where nothing may. */
static void tray_return(struct outlet *o, bool all)
{
	struct parcel *p = o->tray, *next;

	o->tray = NULL;
	o->tray_end = &o->tray;
	for (; p; p = next) {
		next = p->next;
		p->next = NULL;
		if (all || (p->event->url && p->event->url[0] != '\0' && !text_is(p->event->url, o->url))) {
			parcel_end(p, NULL);
			continue;
		}
		*o->tray_end = p;
		o->tray_end = &p->next;
	}
}

static bool outlet_is_shut(const struct outlet *o)
{
	return o->closed || outlet_window(o) == 0;
}

static void outlet_changed(struct outlet *o, const struct outcome_verdict *v)
{
	const struct report_park park = {.why = v->reason, .status = v->status, .odd = v->odd, .mend = o->key_mend};

	if (o->pace.upstream.state == UPSTREAM_PARKED)
		report_parked(&o->report, &park);
	else
		report_opened(&o->report);
}

/* Whether Klaviyo works. A long wait that a 503 asks for is added to the reason. */
static void outlet_heard(struct outlet *o, const struct event *e, struct outcome_verdict *v, int64_t mono_ms)
{
	if (v->outcome == OUTCOME_DELIVERED)
		report_answered(&o->report);
	else if (v->outcome == OUTCOME_RETRY && !v->throttled)
		report_failed(&o->report, v->status > 0 ? REPORT_NO_USE : REPORT_UNREACHED, v->reason, mono_ms);
	report_event_waits(&o->report, e, v, mono_ms);
}

/* What came back moves the state, then the window, and is told last. */
static void parcel_back(struct parcel *p, const struct outcome_verdict *answer)
{
	struct outlet *o = p->outlet;
	struct outcome_verdict v = *answer;
	int64_t mono_ms = clock_mono_ms();

	o->shared->in_flight--;
	if (pace_returned(&o->pace, &p->request, answer, backoff_chance(), mono_ms, &v.outcome))
		outlet_changed(o, answer);
	if (answer->odd && v.outcome == OUTCOME_REJECT)
		reason_text(v.reason, sizeof(v.reason), NULL, "answered so %d times while others were delivered: %s",
			    PACE_ODD_TRIES, answer->reason);
	if (!o->closed)
		outlet_heard(o, p->event, &v, mono_ms);
	outlet_look_at_pause(o, mono_ms);
	outlet_tell(o);
	if (outlet_is_shut(o))
		tray_return(o, true);
	report_attempt(&o->report, p->event, &v);
	parcel_end(p, &v);
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	CLEANUP(strikes_unrefp) struct strikes *secrets = known_secrets();
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
	CLEANUP(strikes_unrefp) struct strikes *secrets = known_secrets();
	struct outcome_verdict v = {
		.outcome = outcome, .retry_after_ms = -1, .limit = -1, .remaining = -1, .reset_s = -1};

	reason_text(v.reason, sizeof(v.reason), secrets, "%s", why);
	parcel_back(p, &v);
}

static int parcel_ask(struct parcel *p, char *body, struct err *reterr)
{
	struct outlet *o = p->outlet;
	CLEANUP(mem_freep) char *url = request_url(o->url, KLAVIYO_PATH_EVENTS);
	struct pairs headers = {0};
	struct http_ask ask = {
		.method = "POST",
		.url = url,
		.headers = &headers,
		.body = body,
		.body_len = strlen(body),
		.connect_timeout_ms = o->shared->options.connect_ms,
		.timeout_ms = o->shared->options.timeout_ms,
	};
	int r;

	request_headers(&headers, o->key, o->revision);
	r = http_client_start(o->shared->client, &ask, on_reply, p, reterr);
	pairs_done(&headers);
	return r;
}

static void parcel_send(struct parcel *p, int64_t mono_ms)
{
	struct outlet *o = p->outlet;
	struct err why = {0};
	char *body;

	pace_sent(&o->pace, &p->request, mono_ms);
	o->shared->in_flight++;
	/* Whether an event is late, the wall clock says. */
	if (request_single(p->event, clock_now_ms(), &body, &why) < 0) {
		parcel_refused(p, OUTCOME_REJECT, why.text);
	} else if (!o->key) {
		free(body);
		parcel_refused(p, OUTCOME_PARK, "the key cannot be read");
	} else if (parcel_ask(p, body, &why) < 0) {
		/* A key or URL of which no request can be made: nobody's event can go. */
		parcel_refused(p, OUTCOME_PARK, why.text);
	}
}

/* When to run again though nothing came: a probe's time, the pace where something is to be sent, a pause's end. */
static int64_t outlet_next_ms(struct outlet *o, bool sending, int64_t now_ms)
{
	int64_t next_ms = CLOCK_NEVER_MS;

	if (o->pace.upstream.state == UPSTREAM_PARKED || (sending && o->tray))
		next_ms = pace_next_ms(&o->pace, now_ms);
	return o->report.paused && o->report.paused_until_ms < next_ms ? o->report.paused_until_ms : next_ms;
}

int64_t outlet_run(struct outlet *o, bool sending, int64_t now_ms)
{
	if (o->closed || !o->configured || o->held)
		return CLOCK_NEVER_MS;
	pace_tick(&o->pace, now_ms);
	outlet_look_at_pause(o, now_ms);
	outlet_tell(o);
	while (sending && o->tray && pace_next_ms(&o->pace, now_ms) <= now_ms) {
		struct parcel *p = o->tray;

		o->tray = p->next;
		if (!o->tray)
			o->tray_end = &o->tray;
		p->next = NULL;
		parcel_send(p, now_ms);
	}
	return outlet_next_ms(o, sending, now_ms);
}

/* ---- being told -------------------------------------------------------------------------------------------------- */

static bool same_limits(const struct quota_limits *a, const struct quota_limits *b)
{
	return a->per_second == b->per_second && a->per_minute == b->per_minute && a->share == b->share;
}

/* Takes the account's values; true where one that Klaviyo sees has changed. */
static bool outlet_adopt(struct outlet *o, const struct account *a, const char *key)
{
	bool changed = !o->configured || !text_is(o->url, a->url) || !text_is(o->revision, a->revision) ||
		       !text_is(o->key, key) || !same_limits(&o->limits, &a->single);

	free(o->url);
	free(o->revision);
	free(o->key_mend);
	mem_wipe_str(o->key);
	o->url = mem_str(a->url);
	o->revision = mem_str(a->revision);
	o->key_mend = mem_str(secret_mend(a->api_key));
	o->key = mem_str(key);
	o->limits = a->single;
	o->held = a->hold;
	o->configured = true;
	return changed;
}

void outlet_configure(struct outlet *o, const struct account *a, const struct secrets *secrets, bool reloaded)
{
	bool changed = !a || outlet_adopt(o, a, secret_value(secrets, a->api_key));

	if (!a)
		o->configured = false;
	if (changed || reloaded)
		pace_renew(&o->pace, &o->limits);
	if (changed)
		report_renewed(&o->report);
	outlet_look_at_pause(o, clock_mono_ms());
	o->report.told = false;
	outlet_tell(o);
	tray_return(o, outlet_is_shut(o));
}

void outlet_take(struct outlet *o, struct event *e)
{
	struct parcel *p = mem_new(1, sizeof(*p));

	p->outlet = o;
	p->event = e;
	p->request = (struct pace_request){.event = e->id, .person = person_of(e)};
	pace_handed(&o->pace, &p->request);
	*o->tray_end = p;
	o->tray_end = &p->next;
	tray_return(o, outlet_is_shut(o));
}

void outlet_close(struct outlet *o)
{
	o->closed = true;
	tray_return(o, true);
}
