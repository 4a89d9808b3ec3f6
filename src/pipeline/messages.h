/* SPDX-License-Identifier: MIT */
/*
 * messages: what comes into the pipeline's mailbox.
 */
#ifndef PIPELINE_MESSAGES_H
#define PIPELINE_MESSAGES_H

#include "base/thread.h"
#include "conf/generation.h"
#include "courier/courier.h"
#include "pipeline/submission.h"

enum pipeline_message_kind {
	MESSAGE_SUBMISSION, /* struct submission: its poster's until answered, all others are heap */
	MESSAGE_DELIVERY,
	MESSAGE_WINDOW,
	MESSAGE_ANSWER,
	MESSAGE_GENERATION,
	MESSAGE_PING,
	MESSAGE_STOP,
	MESSAGE_RECHECK, /* the clock was set or the store's files changed: the turn that follows looks what that means
			  */
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
	bool for_new; /* lookups: of webhooks only that nobody was asked for yet */
	char *reason; /* NULL: not parked */
};
struct generation_message {
	struct message message;
	struct generation *generation;
};
struct ping_message {
	struct message message;
	uint64_t token;
};

/* Frees a mail and what it holds. Not for submissions: they are answered. */
void message_free(struct message *m);

/* A line of mails, oldest first. */
struct message_list {
	struct message *first, *last;
};
void message_list_add(struct message_list *l, struct message *m);
struct message *message_list_take(struct message_list *l); /* the oldest, or NULL */

#endif
