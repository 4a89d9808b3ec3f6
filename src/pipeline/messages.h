/* SPDX-License-Identifier: MIT */
/*
 * messages: the messages of the pipeline's mailbox.
 */
#ifndef PIPELINE_MESSAGES_H
#define PIPELINE_MESSAGES_H

#include "base/thread.h"
#include "conf/generation.h"
#include "courier/courier.h"
#include "pipeline/submission.h"

enum pipeline_message_kind {
	MESSAGE_SUBMISSION, /* struct submission, owned by its poster; all others are heap */
	MESSAGE_DELIVERY,
	MESSAGE_WINDOW,
	MESSAGE_ANSWER,
	MESSAGE_GENERATION,
	MESSAGE_PING,
	MESSAGE_STOP,
	MESSAGE_RECHECK, /* the clock was set, or the store's files changed: the next turn checks both */
};

struct delivery_message {
	struct message message;
	struct delivery *delivery;
};
struct answer_message {
	struct message message;
	struct lookup_answer *answer;
};
struct window_message {
	struct message message;
	enum report_kind kind;
	char *name;
	unsigned window;
	bool for_new; /* lookups: only for webhooks without a previous request */
	char *reason; /* why work waits; NULL: it does not */
};
struct generation_message {
	struct message message;
	struct generation *generation;
};
struct ping_message {
	struct message message;
	uint64_t token;
};

/* Frees a message and its contents. Not for submissions, which are answered. */
void message_free(struct message *m);

/* A queue of messages, oldest first. */
struct message_list {
	struct message *first, *last;
};
void message_list_add(struct message_list *l, struct message *m);
struct message *message_list_take(struct message_list *l); /* the oldest, or NULL */

#endif
