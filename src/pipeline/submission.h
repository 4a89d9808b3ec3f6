/* SPDX-License-Identifier: MIT */
/*
 * submission: the webhooks of one POST, which intake submits and the pipeline commits together.
 */
#ifndef PIPELINE_SUBMISSION_H
#define PIPELINE_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/thread.h"
#include "helpdesk/parse/parsed_webhook.h"

enum submission_result {
	SUBMISSION_ACCEPTED,
	SUBMISSION_DUPLICATE,
	SUBMISSION_IGNORED, /* stored as ignored (`keep: all`), or not stored */
};
struct submission_item {
	struct parsed_webhook *parsed; /* its webhook is stored; NULL once the pipeline took ownership for the pass */
	int64_t id;                    /* set by the pipeline: the stored webhook's */
	bool kept;                     /* false: nothing to store (ignored) */
	char *dead_reason;             /* not NULL: insert it as a dead letter */
	bool ignored;                  /* insert it as done, "ignored" */
	enum submission_result result; /* set by the pipeline */
};
/* The poster owns the memory. The pipeline uses it until it calls `answered`. */
struct submission {
	struct message message; /* the pipeline's */
	struct submission_item *items;
	size_t n;
	bool refused; /* set by the pipeline: nothing was stored; 503 */
	/* Called once, on the pipeline's thread, after the commit or its failure. Must not block. */
	void (*answered)(struct submission *s);
	void *user;
};

#endif
