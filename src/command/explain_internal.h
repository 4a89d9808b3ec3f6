/* SPDX-License-Identifier: MIT */
/*
 * explain_internal: what `deskbridge explain` tells of one webhook, in the order in which the daemon takes it: the
 * proof, the lookup, the signal. For cmd_explain.c, which takes the words and goes from the body to its items. All of
 * it prints to standard output.
 */
#ifndef COMMAND_EXPLAIN_INTERNAL_H
#define COMMAND_EXPLAIN_INTERNAL_H

#include "base/buf.h"
#include "command/options.h"
#include "conf/generation.h"
#include "helpdesk/parse/parsed_webhook.h"

#define EXPLAIN_MAX (1024 * 1024)

/* Indented lines below a title, and an empty one. */
void explain_block(const char *title, const struct buf *lines);

/* Tells whether the request is proven. w: the whole request; query: as it came, its secret still in it. */
enum proof_verdict explain_proof(const struct generation *g, const struct source *s, const struct webhook *w,
				 const char *query);

/* The helpdesk's answers about customers, in the order of the questions; of several items, over all of them. */
struct explain_answers {
	const char *files[OPTION_LIST_MAX]; /* borrowed */
	char *texts[OPTION_LIST_MAX];
	size_t lens[OPTION_LIST_MAX];
	size_t n;
	size_t used;
};
void explain_answers_done(struct explain_answers *a);

/* Walks through the lookup and tells of it. Whether *ret is filled with what the answers say; it is the caller's. */
bool explain_lookup(const struct source *s, const struct webhook *w, struct explain_answers *a, struct customer *ret);

/* Settle, ledger, rules, events, requests. */
void explain_signal(const struct generation *g, const struct source *s, const struct parsed_webhook *p);

#endif
