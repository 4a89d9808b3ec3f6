/* SPDX-License-Identifier: MIT */
/*
 * A source: its state, its mark, and its questions in flight (lookup_job.c). Each question ends with exactly one answer
 * to the sink; questions of one source end in any order. Nothing survives a crash: the webhook that wanted to know is
 * still pending then.
 */
#include <config.h>

#include "courier/lookup_client.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/known_secrets.h"
#include "courier/destination.h"
#include "courier/lookup_job.h"
#include "helpdesk/plan/lookup_plan.h"
#include "klaviyo/reason.h"

#define REASON_MAX 512

struct lookup_client {
	struct destination destination;
	struct upstream upstream;
	struct generation *g;    /* by which is asked; NULL: none yet */
	struct lookup_mark mark; /* of base_url, parameters and credentials as they are configured */
	bool worked;             /* the helpdesk has answered something in JSON under that mark */
	struct lookup_job *jobs;
};

const char *lookup_outcome_name(enum lookup_outcome o)
{
	static const char *const names[] = {
		[LOOKUP_FOUND] = "found",   [LOOKUP_GONE] = "gone", [LOOKUP_RETRY] = "retry",
		[LOOKUP_PARKED] = "parked", [LOOKUP_ODD] = "odd",   [LOOKUP_RETURNED] = "returned",
		[LOOKUP_LATE] = "late",
	};

	return names[o];
}

void lookup_answer_done(struct lookup_answer *a)
{
	free(a->source);
	free(a->key);
	customer_done(&a->found);
	parsed_webhook_free(a->parsed);
	generation_unref(a->generation);
	*a = (struct lookup_answer){0};
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void lookup_job_unlink(struct lookup_job *w)
{
	struct lookup_client *l = w->owner;

	if (w->prev)
		w->prev->next = w->next;
	else
		l->jobs = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->prev = w->next = NULL;
	w->over = NULL;
	upstream_returned(&l->upstream);
}

/* Takes over what is in q, and lookup_plan (NULL: nothing was asked), which borrows it. worked: NULL for none. */
static void answer(const struct courier_sink *sink, struct lookup_request *q, struct lookup_plan *lookup_plan,
		   const struct lookup_result *end, const struct lookup_mark *worked, const char *why)
{
	struct lookup_answer *a = mem_new(1, sizeof(*a));

	a->source = TAKE(q->source);
	a->key = TAKE(q->key);
	a->outcome = end->outcome;
	a->retry_after_ms = end->retry_after_ms;
	if (worked)
		a->worked = *worked;
	if (end->outcome == LOOKUP_FOUND)
		lookup_plan_result(lookup_plan, &a->found);
	else
		(void)err_set(&a->reason, -EIO, "%s", why);
	if (!lookup_plan || !lookup_plan_has_moved(lookup_plan)) {
		a->parsed = TAKE(q->parsed);
		a->generation = TAKE(q->generation);
	}
	lookup_plan_free(lookup_plan);
	report_lookup(a->source, lookup_outcome_name(end->outcome));
	sink->lookup_answered(sink->ctx, a);
}

void lookup_client_return(const struct courier_sink *sink, struct lookup_request *q, enum lookup_outcome outcome,
			  const char *why)
{
	struct lookup_result end = {.outcome = outcome, .retry_after_ms = -1};

	answer(sink, q, NULL, &end, NULL, why);
	lookup_request_free(q);
}

/* Reports the end of a walk. parks: how often the source had been parked before. */
static void report_answer(struct lookup_client *l, const struct lookup_job *w, const struct lookup_result *end,
			  unsigned parks, const char *why, int64_t now_ms)
{
	struct report *report = &l->destination.report;
	const struct secret *secret = w->source->lookup_password ? w->source->lookup_password : w->source->lookup_token;
	const struct report_park park = {
		.why = why,
		.status = end->status,
		.credentials = end->status == 401 || end->secret,
		.fix_hint = secret ? secret_fix_hint(secret) : "the source's `lookup`, then reload",
	};

	if (l->upstream.parks != parks)
		report_parked(report, &park);
	if (end->word == UPSTREAM_ANSWER_USEFUL) {
		if (report->parked && w->asked.epoch == l->upstream.epoch)
			report_opened(report);
		report_answered(report);
	} else if (end->outcome == LOOKUP_RETRY && end->word == UPSTREAM_ANSWER_TROUBLE) {
		report_failed(report, end->tells ? REPORT_REMEDY : REPORT_UNREACHED, why, now_ms);
	}
}

static void publish(struct lookup_client *l, int64_t now_ms)
{
	report_upstream(&l->destination.report, &l->upstream, l->destination.configured ? NULL : "not configured",
			"Retry-After", &l->destination.shared->sink, now_ms);
}

/* The state first, then the window, then the answer: whoever is freed by the answer must know the window. */
static void lookup_job_is_over(struct lookup_job *w, struct lookup_result end, const char *reason)
{
	struct lookup_client *l = w->owner;
	struct upstream *u = &l->upstream;
	unsigned parks = u->parks;
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	int64_t now_ms = clock_mono_ms();
	char why[REASON_MAX];

	reason_text(why, sizeof(why), secrets, "%s", reason ? reason : "");
	if (w->asked.epoch == u->epoch && w->lookup_plan && lookup_plan_was_answered(w->lookup_plan))
		l->worked = true;
	/* Before the source's lookups have worked once, "no such customer" is more likely a wrong URL. */
	if (end.outcome == LOOKUP_GONE && !l->worked) {
		CLEANUP(mem_freep) char *said = mem_str(why);

		end.outcome = LOOKUP_PARKED;
		end.word = UPSTREAM_ANSWER_REFUSED;
		reason_text(why, sizeof(why), NULL,
			    "%s, and no lookup of this source has worked yet: the base_url may be wrong", said);
	}
	if (end.outcome == LOOKUP_PARKED && w->asked.epoch != u->epoch)
		end.outcome = LOOKUP_RETRY; /* other credentials were refused, not the present ones */
	upstream_answered(u, w->asked, end.word, w->customer, end.retry_after_ms, now_ms);
	if (!l->destination.configured)
		upstream_renew(u); /* nobody waits for the end of its pause */
	report_answer(l, w, &end, parks, why, now_ms);
	lookup_job_unlink(w);
	publish(l, now_ms);
	answer(&l->destination.shared->sink, w->q, TAKE(w->lookup_plan), &end, l->worked ? &l->mark : NULL, why);
	lookup_job_free(w);
}

/* ---- the mark ---------------------------------------------------------------------------------------------------- */

/* With its end, so that two values never read as one. */
static void mark_add(struct digest *d, const char *value)
{
	digest_add(d, value ? "+" : "-", 1);
	if (value)
		digest_add(d, value, strlen(value) + 1);
}

static void mark_add_name(void *ctx, const char *name, const char *value)
{
	mark_add(ctx, name);
	mark_add(ctx, value);
}

static const char *secret_text(const struct generation *g, const struct secret *secret)
{
	return secret ? secret_value(g->secrets, secret) : NULL;
}

/* Of the source as g configures it. Where it is another than before, nothing has worked yet. */
static void mark_of(struct lookup_client *l, const struct source *s, const struct generation *g)
{
	struct lookup_mark mark = {.is_set = true};
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();

	mark_add(d, s->lookup_user);
	mark_add(d, secret_text(g, s->lookup_password));
	mark_add(d, secret_text(g, s->lookup_token));
	definition_parameters(s->definition, mark_add_name, d);
	digest_end(d, sha);
	memcpy(mark.bytes, sha, sizeof(mark.bytes));
	if (l->mark.is_set && memcmp(l->mark.bytes, mark.bytes, sizeof(mark.bytes)) == 0)
		return;
	l->mark = mark;
	l->worked = false;
}

/* ---- the route --------------------------------------------------------------------------------------------------- */

static bool secret_changed(const struct generation *old, const struct generation *g, const struct secret *secret)
{
	return secret && !text_is(secret_text(old, secret), secret_text(g, secret));
}

/* A reload asks again at once, as the fault may have been mended over there; other credentials are a new beginning. */
static void lookup_client_configure(struct destination *r, struct generation *g, bool reloaded)
{
	struct lookup_client *l = (struct lookup_client *)r;
	const struct source *s = config_source(g->config, r->report.name);

	r->configured = s && definition_about(s->definition)->steps_n > 0;
	if (!r->configured) {
		upstream_renew(&l->upstream);
		report_unparked(&r->report);
	} else if (reloaded) {
		mark_of(l, s, g);
		upstream_renew(&l->upstream);
	} else if (secret_changed(l->g, g, s->lookup_password) || secret_changed(l->g, g, s->lookup_token)) {
		mark_of(l, s, g);
		upstream_renew(&l->upstream);
		report_unparked(&r->report);
	}
	generation_unref(l->g);
	l->g = generation_ref(g);
	r->report.published = false;
	publish(l, clock_mono_ms());
}

static int64_t lookup_client_run(struct destination *r, bool sending, int64_t now_ms)
{
	struct lookup_client *l = (struct lookup_client *)r;
	int64_t next_ms = CLOCK_NEVER_MS;

	(void)sending; /* questions go out at once */
	if (r->closed)
		return next_ms;
	if (r->configured)
		next_ms = upstream_tick(&l->upstream, now_ms);
	publish(l, now_ms);
	return next_ms;
}

/* Transfers cannot be called back: each walk waits for its own and is freed there. An answer could not be used before
 * the next start, which asks anew. */
static void lookup_client_close(struct destination *r)
{
	struct lookup_client *l = (struct lookup_client *)r;

	r->closed = true;
	while (l->jobs) {
		const struct lookup_result end = lookup_result_of(LOOKUP_RETURNED, UPSTREAM_ANSWER_TROUBLE);
		struct lookup_job *w = l->jobs;

		lookup_job_unlink(w);
		answer(&r->shared->sink, w->q, TAKE(w->lookup_plan), &end, NULL, "stopped before the answer came");
	}
}

static void lookup_client_free(struct destination *r)
{
	struct lookup_client *l = (struct lookup_client *)r;

	INSIST(!l->jobs);
	generation_unref(l->g);
	report_done(&r->report);
	free(l);
}

struct destination *lookup_client_new(struct destination_shared *shared, const char *source)
{
	static const struct destination_ops ops = {lookup_client_configure, lookup_client_run, lookup_client_close,
						   lookup_client_free};
	static const struct upstream_kind kind = {
		.window = LOOKUP_WINDOW,
		.window_parked = 1,
		.pause_shuts = true,
		.renewed = UPSTREAM_READY, /* a question costs nobody anything */
	};
	struct lookup_client *l = mem_new(1, sizeof(*l));

	l->destination = (struct destination){.ops = &ops,
					      .shared = shared,
					      .upstream = &l->upstream,
					      .report = {.kind = REPORT_LOOKUPS, .name = mem_str(source)}};
	upstream_init(&l->upstream, &kind);
	return &l->destination;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* Why a question is given back without being asked, and as what; NULL: it is asked. */
static const char *turned_away(const struct lookup_client *l, const struct lookup_request *q, enum lookup_outcome *ret)
{
	const char *parked = l->destination.report.parked;

	*ret = LOOKUP_RETURNED;
	if (l->destination.closed)
		return "deskbridge stops";
	if (!l->destination.configured)
		return "the source has no lookup configured";
	*ret = LOOKUP_LATE; /* for the window */
	if (l->upstream.in_flight >= upstream_window(&l->upstream, clock_mono_ms()) ||
	    (!q->is_new && upstream_is_for_new(&l->upstream)))
		return parked ? parked : "the helpdesk is not to be asked now";
	return NULL;
}

void lookup_client_start(struct destination *r, struct lookup_request *q)
{
	struct lookup_client *l = (struct lookup_client *)r;
	const char *customer = q->parsed->webhook.customer, *away;
	enum lookup_outcome outcome;
	struct lookup_job *w;

	if (q->worked.is_set && l->mark.is_set && memcmp(q->worked.bytes, l->mark.bytes, sizeof(l->mark.bytes)) == 0)
		l->worked = true; /* the asker kept that of an earlier process */
	away = turned_away(l, q, &outcome);
	if (away) {
		lookup_client_return(&r->shared->sink, q, outcome, away);
		return;
	}
	w = mem_new(1, sizeof(*w));
	w->owner = l;
	w->over = lookup_job_is_over;
	w->shared = r->shared;
	w->g = generation_ref(l->g);
	w->source = config_source(l->g->config, q->source);
	w->q = q;
	w->asked = upstream_sent(&l->upstream);
	w->customer = digest_number(customer ? customer : q->key);
	w->next = l->jobs;
	if (l->jobs)
		l->jobs->prev = w;
	l->jobs = w;
	lookup_job_begin(w);
}
