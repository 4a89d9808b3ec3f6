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
	SUBMISSION_IGNORED, /* stored as done, "ignored" (`keep: all`) */
};

struct submission_item {
	/* Its webhook is stored. NULL in `answered` if it is pending: then the pipeline has taken ownership. So the
	 * poster may use it in `answered` only for dead letters, duplicates and ignored items. */
	struct parsed_webhook *parsed;
	char *dead_reason;     /* not NULL: insert it as a dead letter */
	bool store_as_ignored; /* insert it as done, "ignored" */
	/* Set by the pipeline. */
	int64_t id;      /* of the stored webhook */
	bool is_pending; /* it is stored, and a pass follows */
	enum submission_result result;
};

/* The poster owns the memory. The pipeline uses it until it calls `answered`. */
struct submission {
	struct message message; /* for the pipeline's mailbox */
	struct submission_item *items;
	size_t n;
	bool refused; /* set by the pipeline: answer 503; the store keeps nothing of it, or may lose it */
	/* The poster's callback: called once, on any one thread, after the commit that holds the submission is on disk
	 * or has failed. The thread does not touch the submission afterwards. It must not block, and reads nothing that
	 * belongs to another thread. */
	void (*answered)(struct submission *s);
	void *user; /* the poster's */
};

#endif
