/* SPDX-License-Identifier: MIT */
/*
 * lookup_job: runs one lookup request through its source's steps, which helpdesk/plan/lookup_plan.h plans.
 * lookup_client.c decides what the result means for the source.
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

/* The result of a lookup request. */
struct lookup_result {
	enum lookup_outcome outcome;
	enum upstream_answer answer;
	unsigned status;        /* 0: no answer */
	int64_t retry_after_ms; /* -1: not given */
	bool lacks_secret;      /* not sent: a secret is missing */
	bool has_remedy;        /* the reason contains the remedy */
};
static inline struct lookup_result lookup_result_of(enum lookup_outcome outcome, enum upstream_answer answer)
{
	return (struct lookup_result){.outcome = outcome, .answer = answer, .retry_after_ms = -1};
}

struct lookup_job {
	/* set by lookup_client.c: the list of the source's jobs, its state at the start, a digest of the customer */
	struct lookup_job *prev, *next;
	struct lookup_client *owner;
	struct upstream_stamp stamp;
	uint64_t customer;
	/* Called once at the end, with a reason for people; frees the job. NULL: the answer was given, and the job
	 * frees itself when its transfer ends. */
	void (*done)(struct lookup_job *job, struct lookup_result end, const char *reason);

	struct destination_shared *shared;
	struct generation *g; /* used until the end; owned */
	const struct source *source;
	struct lookup_request *request; /* owned */
	/* set by lookup_job_begin() */
	struct parsed_webhook *reparsed; /* the webhook, parsed again after a reload; NULL: request->parsed is used */
	struct lookup_plan *lookup_plan; /* borrows from the one in use; NULL: the webhook is unreadable */
};

/* Starts the first step. All members of job (heap) are set except the last two. Takes ownership; the job may end
 * before this returns. */
void lookup_job_begin(struct lookup_job *job);
void lookup_job_free(struct lookup_job *job); /* with its request */

#endif
