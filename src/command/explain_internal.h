/* SPDX-License-Identifier: MIT */
/*
 * explain_internal: the parts of `deskbridge explain`, in the order in which the daemon processes a webhook: proof,
 * lookup, signal. For cmd_explain.c, which reads the arguments and splits a body into its items. All functions print to
 * standard output.
 */
#ifndef COMMAND_EXPLAIN_INTERNAL_H
#define COMMAND_EXPLAIN_INTERNAL_H

#include "base/buf.h"
#include "command/options.h"
#include "conf/generation.h"
#include "helpdesk/parse/parsed_webhook.h"

#define EXPLAIN_MAX (1024 * 1024)

/* Prints a title, indented lines and an empty line. */
void explain_block(const char *title, const struct buf *lines);

/* Prints and returns the verdict on the request's proof. w: the whole request. query: as received, with its secret. */
enum proof_verdict explain_proof(const struct generation *g, const struct source *s, const struct webhook *w,
				 const char *query);

/* The helpdesk's answers about customers, in the order of the requests, over all items. */
struct explain_answers {
	const char *files[OPTION_LIST_MAX]; /* borrowed */
	char *texts[OPTION_LIST_MAX];
	size_t lens[OPTION_LIST_MAX];
	size_t n;
	size_t used;
};
void explain_answers_done(struct explain_answers *a);

/* Runs the lookup over the given answers, and prints its steps. True where the lookup is complete: *ret then holds
 * the results. The caller owns *ret in any case. */
bool explain_lookup(const struct source *s, const struct webhook *w, struct explain_answers *a, struct customer *ret);

/* Prints settle, ledger, rules, events and requests. */
void explain_signal(const struct generation *g, const struct source *s, const struct parsed_webhook *p);

#endif
