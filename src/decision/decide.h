/* SPDX-License-Identifier: MIT */
/*
 * decide: applies one signal or expiry to a conversation: ledger, recipients, rules, events. Pure.
 *
 * The pipeline commits a decision; `explain` prints one. Facts about other conversations, such as the count of a flag,
 * come through decide_queries.
 */
#ifndef DECISION_DECIDE_H
#define DECISION_DECIDE_H

#include <stdint.h>

#include "base/buf.h"
#include "helpdesk/parse/parsed_webhook.h"
#include "decision/event.h"
#include "decision/ledger.h"
#include "decision/policy.h"

struct decide_queries {
	/* Returns the configured account of that name; NULL: none is configured now. */
	const struct account_policy *(*account)(void *ctx, const char *name);
	/* Counts the open conversations of any source that reached (account, email, flag), without this conversation.
	 * Returns 0 or a negative errno. */
	int (*flag_count)(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
			  struct err *reterr);
	void *ctx;
};
/* A flag_count for a caller that knows no other conversation: the count is 0. */
int decide_no_flags(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		    struct err *reterr) MUSTCHECK;

struct decide_input {
	const struct source_policy *source;
	const char *conversation;
	const struct parsed_webhook *webhook; /* a signal, with the result of its lookup; NULL: an expiry */
	const struct ledger_entry *entry;
	const struct reached_list *reached;
	int64_t now_ms;
	struct decide_queries queries;
	struct buf *explain; /* gets lines for a person; NULL: none are wanted */
};

/*
 * The people whom a decision reaches:
 *
 * - An opening, and a closing where no opening with an address is known, go to the webhook's own addresses. These pass
 *   `emails`, `ignore_emails` and the choice of the account. The account is chosen once for a webhook, by its
 *   attributes, Helpdesk, Conversation ID, Conversation URL and raw references.
 * - Any other closing, and an expiry, go to those reached before, without any check. Where their account is not
 *   configured now, the event has the url "" (event.h) and waits.
 *
 * The rules run once for each person, as `Open Conversations` differs between people. A drop keeps an opening from
 * reaching a person, unless a rule before it has sent an event: that event set the flag to true, so the closing must go
 * to the person too.
 */

/* The result of a webhook, in the store and as the label of deskbridge_webhook_results_total. */
enum decide_result {
	DECIDE_EVENTS,
	DECIDE_HISTORY, /* events, as history */
	DECIDE_DUPLICATE,
	DECIDE_NO_ADDRESS, /* the conversation is open without an address; a later address makes up for it */
	DECIDE_DROPPED,    /* by a rule */
	DECIDE_IGNORED,    /* every address is on the ignore list, or the account is `none` */
	DECIDE_NOTHING,    /* the ledger changes nothing that rules see, no rule sends, or no one was reached */
};
const char *decide_result_name(enum decide_result r); /* "events", "history", "duplicate", "no address", … */

struct decision {
	enum decide_result result;
	char *detail; /* for people: the reason of a drop, the ignored addresses (masked), why there is no event; NULL:
			 none */
	struct ledger_verdict verdict;
	struct ledger_entry entry;   /* after the decision */
	struct reached_list reached; /* all of it, after the decision */
	struct event *events;
	size_t events_n;
};
void decision_done(struct decision *d);

/* Decides. Returns 0 and fills *ret, which the caller owns (decision_done); the error of a query; or -EBADMSG: no event
 * can be made, as no rule's metric can be named, and the webhook becomes a dead letter with the reason in reterr. A
 * closing or expiry that has someone to reach never returns -EBADMSG, because the shipped rule sends for it. An expiry
 * that is not due gives DECIDE_NOTHING and the unchanged entry. */
int decide(const struct decide_input *in, struct decision *ret, struct err *reterr) MUSTCHECK;

/* Fills *ret with the signal that the ledger takes. */
void decide_ledger_signal(const struct webhook *w, const struct signal *signal, struct ledger_signal *ret);

#endif
