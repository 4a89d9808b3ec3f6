/* SPDX-License-Identifier: MIT */
/*
 * submission: what intake hands to the pipeline: the webhooks of one POST, committed together.
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
	SUBMISSION_IGNORED, /* kept as ignored (`keep: all`), or not kept */
};
struct submission_item {
	struct parsed_webhook *parsed; /* stored of it is its webhook. Taken over (NULL then) where a pass follows */
	int64_t id;                    /* set by the pipeline: the stored webhook's */
	bool kept;                     /* false: nothing to store (ignored) */
	char *dead_reason;             /* goes in as a dead letter */
	bool ignored;                  /* goes in as done, "ignored" */
	enum submission_result result; /* set by the pipeline */
};
/* Owned by whoever posts it; the pipeline owns it until `answered`. */
struct submission {
	struct message message; /* pipeline's */
	struct submission_item *items;
	size_t n;
	bool refused; /* set by the pipeline: nothing was taken; 503 */
	/* Called once, on the pipeline's thread, after the commit or its failure. Must not block. */
	void (*answered)(struct submission *s);
	void *user;
};

#endif
