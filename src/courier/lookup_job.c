/* SPDX-License-Identifier: MIT */
/*
 * Runs on the courier's thread, inside the HTTP client's loop. A job has one transfer at a time. A job without one is
 * about to end.
 */
#include <config.h>

#include "courier/lookup_job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/known_secrets.h"
#include "courier/destination.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "helpdesk/plan/lookup_plan.h"
#include "klaviyo/retry_after.h"

#define HEADER_SHOWN_MAX 4096 /* bytes of a header that are used for a reason */

void lookup_job_free(struct lookup_job *job)
{
	lookup_plan_free(job->lookup_plan);
	parsed_webhook_free(job->reparsed);
	lookup_request_free(job->request);
	generation_unref(job->g);
	free(job);
}

static void step(struct lookup_job *job);

/* Handles a step without a usable answer. Returns true where the step is optional, and skips it. */
static bool skips(struct lookup_job *job)
{
	if (!lookup_plan_step_is_optional(job->lookup_plan))
		return false;
	lookup_plan_skip(job->lookup_plan);
	return true;
}

static void failed(struct lookup_job *job, const struct http_response *response)
{
	struct lookup_result end = lookup_result_of(LOOKUP_RETRY, UPSTREAM_ANSWER_TROUBLE);
	char reason[HTTP_WHY_MAX];

	if (response->failure == HTTP_ABORTED) {
		job->done(job, lookup_result_of(LOOKUP_RETURNED, UPSTREAM_ANSWER_TROUBLE),
			  "stopped before the answer came");
		return;
	}
	if (skips(job)) {
		step(job);
		return;
	}
	if (response->failure == HTTP_TOO_LONG) {
		(void)snprintf(reason, sizeof(reason), "the answer is longer than %d KiB", LOOKUP_ANSWER_MAX / 1024);
		job->done(job, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_ODD), reason);
		return;
	}
	end.has_remedy = http_why_has_remedy(response->failure);
	job->done(job, end,
		  http_why(response,
			   job->source->lookup_ca ? "no authority in the source's `lookup.ca` signed it"
						  : "no authority that is trusted signed it: name its file in the "
						    "source's `lookup.ca`, or add it to the system's store",
			   reason));
}

static char *redacted_or_null(const char *text)
{
	CLEANUP(mem_freep) char *part = text ? mem_strn(text, strnlen(text, HEADER_SHOWN_MAX)) : NULL;

	return part ? known_secrets_redact(part) : NULL;
}

static void answered(struct lookup_job *job, const struct http_response *response)
{
	CLEANUP(mem_freep) char *location = redacted_or_null(pairs_get(&response->headers, "Location"));
	CLEANUP(mem_freep) char *type = redacted_or_null(response->type);
	struct lookup_result end = {.status = response->status, .retry_after_ms = -1};
	struct err reason = {0};

	/* The reason cuts these texts, and a cut secret would not be recognised. So secrets are redacted first. */
	lookup_plan_location(job->lookup_plan, location);
	switch (lookup_plan_answer(job->lookup_plan, response->status, type, response->body.data, response->body.len,
				   &reason)) {
	case LOOKUP_PLAN_CONTINUE:
	case LOOKUP_PLAN_MOVED:
		step(job);
		return;
	case LOOKUP_PLAN_GONE:
		end.outcome = LOOKUP_GONE;
		end.answer = UPSTREAM_ANSWER_USEFUL;
		break;
	case LOOKUP_PLAN_PARK:
		end.outcome = LOOKUP_PARKED;
		end.answer = UPSTREAM_ANSWER_REFUSED;
		break;
	case LOOKUP_PLAN_RETRY:
		end.outcome = LOOKUP_RETRY;
		end.answer = response->status == 429 ? UPSTREAM_ANSWER_THROTTLED : UPSTREAM_ANSWER_TROUBLE;
		end.retry_after_ms = retry_after_ms(&response->headers);
		break;
	case LOOKUP_PLAN_ODD:
		end.outcome = LOOKUP_ODD;
		end.answer = UPSTREAM_ANSWER_ODD;
		break;
	}
	job->done(job, end, reason.text);
}

static void on_response(void *ctx, const struct http_response *response)
{
	struct lookup_job *job = ctx;

	/* The status of a long error page is enough. */
	if (!job->done)
		lookup_job_free(job);
	else if (response->failure == HTTP_OK ||
		 (response->failure == HTTP_TOO_LONG && (response->status < 200 || response->status > 299)))
		answered(job, response);
	else
		failed(job, response);
}

/* r: the error that stopped the steps; 1: all steps were done. */
static void no_more_steps(struct lookup_job *job, int r, struct err *why)
{
	struct lookup_result end = lookup_result_of(LOOKUP_FOUND, UPSTREAM_ANSWER_USEFUL);

	if (r > 0 && lookup_plan_found_no_address(job->lookup_plan, why)) {
		end.outcome = LOOKUP_GONE;
	} else if (r == -EACCES) {
		end = lookup_result_of(LOOKUP_PARKED, UPSTREAM_ANSWER_REFUSED);
		end.lacks_secret = true;
	} else if (r == -ENOENT && lookup_plan_was_answered(job->lookup_plan)) {
		end.outcome = LOOKUP_GONE; /* the answer lacks a value that the next step needs */
	} else if (r == -ENOENT) {
		end = lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE); /* the webhook lacks a value */
	} else if (r < 0) {
		end = lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_ODD);
	}
	job->done(job, end, why->text);
}

/* Sends the next step's request; ends the job where there is none. Skips optional steps that cannot be sent. */
static void step(struct lookup_job *job)
{
	const struct lookup_plan_secrets secrets = {
		.user = job->source->lookup_user,
		.password = job->source->lookup_password ? secret_value(job->g->secrets, job->source->lookup_password)
							 : NULL,
		.token = job->source->lookup_token ? secret_value(job->g->secrets, job->source->lookup_token) : NULL,
	};
	struct err why = {0};
	int r;

	do {
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(pairs_done) struct pairs headers = {0};
		struct http_request request = {
			.method = "GET",
			.headers = &headers,
			.connect_timeout_ms = job->shared->options.lookup.connect_ms,
			.timeout_ms = job->shared->options.lookup.timeout_ms,
			.max_answer = LOOKUP_ANSWER_MAX,
			.authorities = job->source->lookup_ca,
		};

		r = lookup_plan_next(job->lookup_plan, &secrets, &url, &headers, &why);
		request.url = url;
		if (r == 0)
			r = http_client_start(job->shared->client, &request, on_response, job, &why);
	} while (r < 0 && skips(job));

	if (r != 0)
		no_more_steps(job, r, &why);
}

void lookup_job_begin(struct lookup_job *job)
{
	const struct parsed_webhook *webhook = job->request->parsed;
	struct err why;

	if (webhook->definition != job->source->definition)
		webhook = job->reparsed =
			parsed_webhook_borrow(job->source->definition, &job->request->parsed->webhook);
	if (!webhook->has_item)
		job->done(job, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE), webhook->result.reason);
	else if (lookup_plan_new(job->source->definition, &webhook->context, &job->lookup_plan, &why) < 0)
		job->done(job, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE), why.text);
	else
		step(job);
}
