/* SPDX-License-Identifier: MIT */
/*
 * decide: what one signal does: ledger, rules, events. Pure: (source, entry, signal) in, the whole decision out.
 *
 * The pipeline commits a decision, `explain` prints one. What decide must know of other conversations (the flag's
 * count) it asks through the view.
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
	/* An account of the configuration by its name; NULL: there is none (any more). */
	const struct account_policy *(*account)(void *ctx, const char *name);
	/* How many open conversations, of any source, reached (account, email, flag), not counting this one. */
	int (*flag_count)(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
			  struct err *reterr);
	void *ctx;
};
/* A flag_count for callers that know no other conversation: always 0. */
int decide_no_flags(void *ctx, const char *account, const char *email, const char *flag, int64_t *ret,
		    struct err *reterr) MUSTCHECK;

struct decide_input {
	const struct source_policy *source;
	const char *conversation;
	const struct parsed_webhook *webhook; /* a signal, told what a lookup took; NULL: an expiry */
	const struct ledger_entry *entry;
	const struct reached_list *reached;
	int64_t now_ms;
	struct decide_queries queries;
	struct buf *explain; /* NULL, or lines for a person */
};

/*
 * The people whom a decision reaches:
 *
 * - The webhook's own addresses (an opening, a closing of what no opening with an address is known of) pass `emails`,
 *   `ignore_emails` and the account's choice. The account is chosen once a webhook, by what the webhook says: its
 *   attributes, Helpdesk, Conversation ID and URL, and raw references.
 * - Those reached are never asked again. Where their account is not configured now, the event is made all the same,
 *   with url "" (event.h), and waits.
 *
 * Rules run once a person, as `Open Conversations` differs between them; a person for whom a rule drops an opening is
 * not reached by it, unless a rule before the drop has sent for it (the flag is true then, and must be taken back).
 */

/* Why a webhook made what it made: its result in the store and the label of deskbridge_webhook_results_total. */
enum decide_result {
	DECIDE_EVENTS,
	DECIDE_HISTORY, /* events too, but as history */
	DECIDE_DUPLICATE,
	DECIDE_NO_ADDRESS, /* kept; made good when an address comes */
	DECIDE_DROPPED,    /* by a rule */
	DECIDE_IGNORED,    /* every address is on the ignore list, or the account is `none` */
	DECIDE_NOTHING,    /* the ledger knows it already, or nobody was reached */
};
const char *decide_result_name(enum decide_result r); /* "events", "history", "duplicate", "no address", … */

struct decision {
	enum decide_result result;
	char *detail; /* for people: the drop's reason, who was ignored (masked), why nothing; NULL: none */
	struct ledger_verdict verdict;
	struct ledger_entry entry;   /* as it is afterwards */
	struct reached_list reached; /* whole, as it is afterwards */
	struct event *events;
	size_t events_n;
};
void decision_done(struct decision *d);

/* 0, or what the view failed with; or -EBADMSG: the webhook is to become a dead letter with this reason (nothing can be
 * sent, as no rule's metric can be named). A closing or expiry that has someone to reach never is: the shipped rule
 * sends. An expiry whose time has not come gives DECIDE_NOTHING and the entry as it was. */
int decide(const struct decide_input *in, struct decision *ret, struct err *reterr) MUSTCHECK;

/* Makes of a webhook the signal that the ledger takes. */
void decide_ledger_signal(const struct webhook *w, const struct signal *signal, struct ledger_signal *ret);

#endif
