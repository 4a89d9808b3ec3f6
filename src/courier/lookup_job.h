/* SPDX-License-Identifier: MIT */
/*
 * lookup_job: one question on its way through the steps of its source's lookup: the doing half of
 * helpdesk/plan/lookup_plan.h. What its end means for the source, lookup_client.c says.
 */
#ifndef COURIER_LOOKUP_JOB_H
#define COURIER_LOOKUP_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/lookup_client.h"
#include "courier/upstream.h"

struct lookup_plan;
struct parsed_webhook;
struct destination_shared;

/* How it ended. */
struct lookup_result {
	enum lookup_outcome outcome;
	enum upstream_answer answer;
	unsigned status;        /* 0: no answer */
	int64_t retry_after_ms; /* -1: not told */
	bool lacks_secret;      /* not asked, for want of a secret */
	bool has_remedy;        /* the reason tells what mends it */
};
static inline struct lookup_result lookup_result_of(enum lookup_outcome outcome, enum upstream_answer answer)
{
	return (struct lookup_result){.outcome = outcome, .answer = answer, .retry_after_ms = -1};
}

struct lookup_job {
	/* of lookup_client.c: the source's walks, its state when the question came, a digest of whom it is about */
	struct lookup_job *prev, *next;
	struct lookup_client *owner;
	struct upstream_stamp stamp;
	uint64_t customer;
	/* Called once, at the end, with a reason for people; it frees the walk. NULL: the question was answered before,
	 * and the walk frees itself when its transfer ends. */
	void (*done)(struct lookup_job *job, struct lookup_result end, const char *reason);

	struct destination_shared *shared;
	struct generation *g; /* by which it is asked to its end; owned */
	const struct source *source;
	struct lookup_request *request; /* owned */
	/* made by lookup_job_begin */
	struct parsed_webhook
		*reparsed; /* request's webhook parsed anew, after a reload; NULL: request's own is asked by */
	struct lookup_plan *lookup_plan; /* borrows that; NULL: the webhook does not read */
};

/* Asks the first step. job is filled but for the last two; heap, now its own. It may be over before this returns. */
void lookup_job_begin(struct lookup_job *job);
void lookup_job_free(struct lookup_job *job); /* with its question */

#endif
