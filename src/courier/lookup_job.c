/* SPDX-License-Identifier: MIT */
/*
 * Runs on the courier's thread, inside the HTTP client's loop. A walk has one transfer at a time, or none: then it is
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

#define HEADER_SHOWN_MAX 4096 /* bytes of a header that are looked at for a reason */

void lookup_job_free(struct lookup_job *w)
{
	lookup_plan_free(w->lookup_plan);
	parsed_webhook_free(w->renewed);
	lookup_request_free(w->q);
	generation_unref(w->g);
	free(w);
}

static void step(struct lookup_job *w);

/* No usable answer. True where the step may fail, and is left behind. */
static bool skips(struct lookup_job *w)
{
	if (!lookup_plan_step_is_optional(w->lookup_plan))
		return false;
	lookup_plan_skip(w->lookup_plan);
	return true;
}

static void failed(struct lookup_job *w, const struct http_response *reply)
{
	struct lookup_result end = lookup_result_of(LOOKUP_RETRY, UPSTREAM_ANSWER_TROUBLE);
	char reason[HTTP_WHY_MAX];

	if (reply->failure == HTTP_ABORTED) {
		w->over(w, lookup_result_of(LOOKUP_RETURNED, UPSTREAM_ANSWER_TROUBLE),
			"stopped before the answer came");
		return;
	}
	if (skips(w)) {
		step(w);
		return;
	}
	if (reply->failure == HTTP_TOO_LONG) {
		(void)snprintf(reason, sizeof(reason), "the answer is longer than %d KiB", LOOKUP_ANSWER_MAX / 1024);
		w->over(w, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_ODD), reason);
		return;
	}
	end.tells = http_why_has_remedy(reply->failure);
	w->over(w, end,
		http_why(reply,
			 w->source->lookup_ca ? "no authority in the source's `lookup.ca` signed it"
					      : "no authority that is trusted signed it: name its file in the "
						"source's `lookup.ca`, or add it to the system's store",
			 reason));
}

static char *redacted_or_null(const char *text)
{
	CLEANUP(mem_freep) char *part = text ? mem_strn(text, strnlen(text, HEADER_SHOWN_MAX)) : NULL;

	return part ? known_secrets_redact(part) : NULL;
}

static void answered(struct lookup_job *w, const struct http_response *reply)
{
	CLEANUP(mem_freep) char *location = redacted_or_null(pairs_get(&reply->headers, "Location"));
	CLEANUP(mem_freep) char *type = redacted_or_null(reply->type);
	struct lookup_result end = {.status = reply->status, .retry_after_ms = -1};
	struct err reason = {0};

	/* The reason cuts them, and a part of a secret is not recognised any more: so secrets are struck before. */
	lookup_plan_location(w->lookup_plan, location);
	switch (lookup_plan_answer(w->lookup_plan, reply->status, type, reply->body.data, reply->body.len, &reason)) {
	case LOOKUP_PLAN_CONTINUE:
	case LOOKUP_PLAN_MOVED:
		step(w);
		return;
	case LOOKUP_PLAN_GONE:
		end.outcome = LOOKUP_GONE;
		end.word = UPSTREAM_ANSWER_USEFUL;
		break;
	case LOOKUP_PLAN_PARK:
		end.outcome = LOOKUP_PARKED;
		end.word = UPSTREAM_ANSWER_REFUSED;
		break;
	case LOOKUP_PLAN_RETRY:
		end.outcome = LOOKUP_RETRY;
		end.word = reply->status == 429 ? UPSTREAM_ANSWER_THROTTLED : UPSTREAM_ANSWER_TROUBLE;
		end.retry_after_ms = retry_after_ms(&reply->headers);
		break;
	case LOOKUP_PLAN_ODD:
		end.outcome = LOOKUP_ODD;
		end.word = UPSTREAM_ANSWER_ODD;
		break;
	}
	w->over(w, end, reason.text);
}

static void on_reply(void *ctx, const struct http_response *reply)
{
	struct lookup_job *w = ctx;

	/* The status of an error page that is too long says enough. */
	if (!w->over)
		lookup_job_free(w);
	else if (reply->failure == HTTP_OK ||
		 (reply->failure == HTTP_TOO_LONG && (reply->status < 200 || reply->status > 299)))
		answered(w, reply);
	else
		failed(w, reply);
}

/* r: why no step is asked any more; 1: all were. */
static void no_more_steps(struct lookup_job *w, int r, struct err *why)
{
	struct lookup_result end = lookup_result_of(LOOKUP_FOUND, UPSTREAM_ANSWER_USEFUL);

	if (r > 0 && lookup_plan_found_no_address(w->lookup_plan, why)) {
		end.outcome = LOOKUP_GONE;
	} else if (r == -EACCES) {
		end = lookup_result_of(LOOKUP_PARKED, UPSTREAM_ANSWER_REFUSED);
		end.secret = true;
	} else if (r == -ENOENT && lookup_plan_was_answered(w->lookup_plan)) {
		end.outcome = LOOKUP_GONE; /* the helpdesk named nobody to ask on about */
	} else if (r == -ENOENT) {
		end = lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE); /* the webhook's own lack */
	} else if (r < 0) {
		end = lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_ODD);
	}
	w->over(w, end, why->text);
}

/* Asks the next step; ends the walk where there is none. Steps that cannot be asked and may fail are left behind. */
static void step(struct lookup_job *w)
{
	const struct lookup_plan_secrets secrets = {
		.user = w->source->lookup_user,
		.password = w->source->lookup_password ? secret_value(w->g->secrets, w->source->lookup_password) : NULL,
		.token = w->source->lookup_token ? secret_value(w->g->secrets, w->source->lookup_token) : NULL,
	};
	struct err why = {0};
	int r;

	do {
		CLEANUP(mem_freep) char *url = NULL;
		CLEANUP(pairs_done) struct pairs headers = {0};
		struct http_request ask = {
			.method = "GET",
			.headers = &headers,
			.connect_timeout_ms = w->shared->options.lookup.connect_ms,
			.timeout_ms = w->shared->options.lookup.timeout_ms,
			.max_answer = LOOKUP_ANSWER_MAX,
			.authorities = w->source->lookup_ca,
		};

		r = lookup_plan_next(w->lookup_plan, &secrets, &url, &headers, &why);
		ask.url = url;
		if (r == 0)
			r = http_client_start(w->shared->client, &ask, on_reply, w, &why);
	} while (r < 0 && skips(w));

	if (r != 0)
		no_more_steps(w, r, &why);
}

void lookup_job_begin(struct lookup_job *w)
{
	const struct parsed_webhook *webhook = w->q->parsed;
	struct err why;

	if (webhook->definition != w->source->definition)
		webhook = w->renewed = parsed_webhook_borrow(w->source->definition, &w->q->parsed->webhook);
	if (!webhook->has_item)
		w->over(w, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE), webhook->result.reason);
	else if (lookup_plan_new(w->source->definition, &webhook->context, &w->lookup_plan, &why) < 0)
		w->over(w, lookup_result_of(LOOKUP_ODD, UPSTREAM_ANSWER_TROUBLE), why.text);
	else
		step(w);
}
