/*
 * apply: a decision, written into the store: the conversation as it is afterwards, and its events.
 */
#ifndef PIPELINE_APPLY_H
#define PIPELINE_APPLY_H

#include "decision/decide.h"
#include "pipeline/work.h"

/* What decide may ask of other conversations. The view borrows w, source and conversation. */
struct apply_view {
	struct work *work;
	const char *source, *conversation;
};
struct decide_view apply_view(struct apply_view *v);

/* Inside a transaction (and a savepoint of the caller's). */
int apply_decision(struct work *w, const char *source, const char *conversation, struct decision *d,
		   struct err *reterr) MUSTCHECK;

#endif
