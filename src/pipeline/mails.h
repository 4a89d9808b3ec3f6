/*
 * mails: what comes into the pipeline's mailbox.
 */
#ifndef PIPELINE_MAILS_H
#define PIPELINE_MAILS_H

#include "base/thread.h"
#include "conf/generation.h"
#include "courier/courier.h"
#include "pipeline/submission.h"

enum mail_kind {
	MAIL_SUBMISSION, /* struct intake_submission: its poster's until answered, all others are heap */
	MAIL_DELIVERY,
	MAIL_WINDOW,
	MAIL_ANSWER,
	MAIL_GENERATION,
	MAIL_PING,
	MAIL_STOP,
	MAIL_LOOK, /* the clock was set or the store's files changed: the turn that follows looks what that means */
};

struct delivery_mail {
	struct mail mail;
	struct delivery *delivery;
};
struct answer_mail {
	struct mail mail;
	struct lookup_answer *answer;
};
struct window_mail {
	struct mail mail;
	enum report_kind kind;
	char *name;
	unsigned window;
	bool for_new; /* lookups: of webhooks only that nobody was asked for yet */
	char *reason; /* NULL: not parked */
};
struct generation_mail {
	struct mail mail;
	struct generation *generation;
};
struct ping_mail {
	struct mail mail;
	uint64_t token;
};

/* Frees a mail and what it holds. Not for submissions: they are answered. */
void mails_free(struct mail *m);

/* A line of mails, oldest first. */
struct mails {
	struct mail *first, *last;
};
void mails_add(struct mails *l, struct mail *m);
struct mail *mails_take(struct mails *l); /* the oldest, or NULL */

#endif
