/* SPDX-License-Identifier: MIT */
/*
 * A source: its state, its mark, and its lookup jobs in flight (lookup_job.c). Each request ends with exactly one
 * answer to the sink. Requests of one source end in any order. Nothing survives a crash: the webhook of a request is
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
	struct destination base;
	struct upstream upstream;
	struct generation *g;    /* used for requests; NULL: none yet */
	struct lookup_mark mark; /* of the configured base_url, parameters and credentials */
	bool worked;             /* with this mark, the helpdesk has answered in JSON */
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

static void lookup_job_unlink(struct lookup_job *job)
{
	struct lookup_client *l = job->owner;

	if (job->prev)
		job->prev->next = job->next;
	else
		l->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	job->prev = job->next = NULL;
	job->done = NULL;
	upstream_returned(&l->upstream);
}

/* Passes the answer to the sink. Takes the members of request, and ownership of lookup_plan (NULL: not sent), which
 * borrows from them. worked: may be NULL. */
static void answer(const struct courier_sink *sink, struct lookup_request *request, struct lookup_plan *lookup_plan,
		   const struct lookup_result *end, const struct lookup_mark *worked, const char *why)
{
	struct lookup_answer *a = mem_new(1, sizeof(*a));

	a->source = TAKE(request->source);
	a->key = TAKE(request->key);
	a->outcome = end->outcome;
	a->retry_after_ms = end->retry_after_ms;
	if (worked)
		a->worked = *worked;
	if (end->outcome == LOOKUP_FOUND)
		lookup_plan_result(lookup_plan, &a->found);
	else
		(void)err_set(&a->reason, -EIO, "%s", why);
	if (!lookup_plan || !lookup_plan_has_moved(lookup_plan)) {
		a->parsed = TAKE(request->parsed);
		a->generation = TAKE(request->generation);
	}
	lookup_plan_free(lookup_plan);
	report_lookup(a->source, lookup_outcome_name(end->outcome));
	sink->lookup_answered(sink->ctx, a);
}

void lookup_client_return(const struct courier_sink *sink, struct lookup_request *request, enum lookup_outcome outcome,
			  const char *why)
{
	struct lookup_result end = {.outcome = outcome, .retry_after_ms = -1};

	answer(sink, request, NULL, &end, NULL, why);
	lookup_request_free(request);
}

/* Reports the end of a job. parks: upstream.parks before it. */
static void report_answer(struct lookup_client *l, const struct lookup_job *job, const struct lookup_result *end,
			  unsigned parks, const char *why, int64_t now_ms)
{
	struct report *report = &l->base.report;
	const struct secret *secret =
		job->source->lookup_password ? job->source->lookup_password : job->source->lookup_token;
	const struct report_park park = {
		.why = why,
		.status = end->status,
		.credentials = end->status == 401 || end->lacks_secret,
		.fix_hint = secret ? secret_fix_hint(secret) : "the source's `lookup`, then reload",
	};

	if (l->upstream.parks != parks)
		report_parked(report, &park);
	if (end->answer == UPSTREAM_ANSWER_USEFUL) {
		if (report->parked && job->stamp.epoch == l->upstream.epoch)
			report_park_ended(report);
		report_answered(report);
	} else if (end->outcome == LOOKUP_RETRY && end->answer == UPSTREAM_ANSWER_TROUBLE) {
		report_failed(report, end->has_remedy ? REPORT_REMEDY : REPORT_UNREACHED, why, now_ms);
	}
}

static void publish(struct lookup_client *l, int64_t now_ms)
{
	report_upstream(&l->base.report, &l->upstream, l->base.configured ? NULL : "not configured", "Retry-After",
			&l->base.shared->sink, now_ms);
}

/* Changes the state first, then reports the window, then the answer: the answer wakes webhooks, which must find the new
 * window. */
static void lookup_job_is_over(struct lookup_job *job, struct lookup_result end, const char *reason)
{
	struct lookup_client *l = job->owner;
	struct upstream *u = &l->upstream;
	unsigned parks = u->parks;
	CLEANUP(redactor_unrefp) struct redactor *secrets = known_secrets_get();
	int64_t now_ms = clock_mono_ms();
	char why[REASON_MAX];

	reason_text(why, sizeof(why), secrets, "%s", reason ? reason : "");
	if (job->stamp.epoch == u->epoch && job->lookup_plan && lookup_plan_was_answered(job->lookup_plan))
		l->worked = true;
	/* Until a lookup of the source has worked, "no such customer" more likely means a wrong URL. */
	if (end.outcome == LOOKUP_GONE && !l->worked) {
		CLEANUP(mem_freep) char *said = mem_str(why);

		end.outcome = LOOKUP_PARKED;
		end.answer = UPSTREAM_ANSWER_REFUSED;
		reason_text(why, sizeof(why), NULL,
			    "%s, and no lookup of this source has worked yet: the base_url may be wrong", said);
	}
	if (end.outcome == LOOKUP_PARKED && job->stamp.epoch != u->epoch)
		end.outcome = LOOKUP_RETRY; /* the former credentials were refused */
	upstream_answered(u, job->stamp, end.answer, job->customer, end.retry_after_ms, now_ms);
	if (!l->base.configured)
		upstream_renew(u); /* its pause does not matter any more */
	report_answer(l, job, &end, parks, why, now_ms);
	lookup_job_unlink(job);
	publish(l, now_ms);
	answer(&l->base.shared->sink, job->request, TAKE(job->lookup_plan), &end, l->worked ? &l->mark : NULL, why);
	lookup_job_free(job);
}

/* ---- the mark ---------------------------------------------------------------------------------------------------- */

/* Adds the terminating NUL, too, so that two values are never read as one. */
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

/* Sets the mark of the source in g. Under a new mark no lookup has worked yet. */
static void mark_of(struct lookup_client *l, const struct source *s, const struct generation *g)
{
	struct lookup_mark mark = {.is_set = true};
	struct digest *d = digest_new();
	unsigned char sha[DIGEST_SHA256_BYTES];

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

/* ---- the destination --------------------------------------------------------------------------------------------- */

static bool secret_changed(const struct generation *old, const struct generation *g, const struct secret *secret)
{
	return secret && !text_is(secret_text(old, secret), secret_text(g, secret));
}

/* A reload opens a parked source, because its fault may be fixed at the helpdesk. So do changed credentials, which also
 * end the report of the park. */
static void lookup_client_configure(struct destination *d, struct generation *g, bool reloaded)
{
	struct lookup_client *l = (struct lookup_client *)d;
	const struct source *s = config_source(g->config, d->report.name);

	d->configured = s && definition_about(s->definition)->steps_n > 0;
	if (!d->configured) {
		upstream_renew(&l->upstream);
		report_unparked(&d->report);
	} else if (reloaded) {
		mark_of(l, s, g);
		upstream_renew(&l->upstream);
	} else if (secret_changed(l->g, g, s->lookup_password) || secret_changed(l->g, g, s->lookup_token)) {
		mark_of(l, s, g);
		upstream_renew(&l->upstream);
		report_unparked(&d->report);
	}
	generation_unref(l->g);
	l->g = generation_ref(g);
	d->report.published = false;
	publish(l, clock_mono_ms());
}

static int64_t lookup_client_run(struct destination *d, bool sending, int64_t now_ms)
{
	struct lookup_client *l = (struct lookup_client *)d;
	int64_t next_ms = CLOCK_NEVER_MS;

	(void)sending; /* requests are sent when they arrive */
	if (d->closed)
		return next_ms;
	if (d->configured)
		next_ms = upstream_tick(&l->upstream, now_ms);
	publish(l, now_ms);
	return next_ms;
}

/* Answers all requests. Transfers cannot be cancelled: each job waits for its own and is freed there. Their answers are
 * not needed, because the next start asks again. */
static void lookup_client_close(struct destination *d)
{
	struct lookup_client *l = (struct lookup_client *)d;

	d->closed = true;
	while (l->jobs) {
		const struct lookup_result end = lookup_result_of(LOOKUP_RETURNED, UPSTREAM_ANSWER_TROUBLE);
		struct lookup_job *job = l->jobs;

		lookup_job_unlink(job);
		answer(&d->shared->sink, job->request, TAKE(job->lookup_plan), &end, NULL,
		       "stopped before the answer came");
	}
}

static void lookup_client_free(struct destination *d)
{
	struct lookup_client *l = (struct lookup_client *)d;

	INSIST(!l->jobs);
	generation_unref(l->g);
	report_done(&d->report);
	free(l);
}

struct destination *lookup_client_new(struct destination_shared *shared, const char *source)
{
	static const struct destination_ops ops = {lookup_client_configure, lookup_client_run, lookup_client_close,
						   lookup_client_free};
	static const struct upstream_kind kind = {
		.window = LOOKUP_WINDOW,
		.window_parked = 1,
		.pause_closes = true,
		.renewed = UPSTREAM_READY, /* a refused request costs nothing */
	};
	struct lookup_client *l = mem_new(1, sizeof(*l));

	l->base = (struct destination){.ops = &ops,
				       .shared = shared,
				       .upstream = &l->upstream,
				       .report = {.kind = REPORT_LOOKUPS, .name = mem_str(source)}};
	upstream_init(&l->upstream, &kind);
	return &l->base;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* Returns the reason to return a request unsent, with its outcome in *ret; NULL: send it. */
static const char *why_returned(const struct lookup_client *l, const struct lookup_request *request,
				enum lookup_outcome *ret)
{
	const char *parked = l->base.report.parked;

	*ret = LOOKUP_RETURNED;
	if (l->base.closed)
		return "deskbridge stops";
	if (!l->base.configured)
		return "the source has no lookup configured";
	*ret = LOOKUP_LATE; /* the window has closed */
	if (l->upstream.in_flight >= upstream_window(&l->upstream, clock_mono_ms()) ||
	    (!request->is_new && upstream_is_for_new(&l->upstream)))
		return parked ? parked : "the helpdesk is not to be asked now";
	return NULL;
}

void lookup_client_start(struct destination *d, struct lookup_request *request)
{
	struct lookup_client *l = (struct lookup_client *)d;
	const char *customer = request->parsed->webhook.customer;
	const char *why;
	enum lookup_outcome outcome;
	struct lookup_job *job;

	if (request->worked.is_set && l->mark.is_set &&
	    memcmp(request->worked.bytes, l->mark.bytes, sizeof(l->mark.bytes)) == 0)
		l->worked = true; /* in an earlier process; the caller stored the mark */
	why = why_returned(l, request, &outcome);
	if (why) {
		lookup_client_return(&d->shared->sink, request, outcome, why);
		return;
	}
	job = mem_new(1, sizeof(*job));
	job->owner = l;
	job->done = lookup_job_is_over;
	job->shared = d->shared;
	job->g = generation_ref(l->g);
	job->source = config_source(l->g->config, request->source);
	job->request = request;
	job->stamp = upstream_sent(&l->upstream);
	if (!customer)
		customer = request->key;
	job->customer = digest_number(customer, strlen(customer));
	job->next = l->jobs;
	if (l->jobs)
		l->jobs->prev = job;
	l->jobs = job;
	lookup_job_begin(job);
}
