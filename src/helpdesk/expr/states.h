/* SPDX-License-Identifier: MIT */
/*
 * states: the states of a conversation that a definition knows, and their meanings (the key `states`). Pure.
 *
 * {reference: {STATE: MEANING or nothing, "*": MEANING of all other states}}. Matchers of the definition ask for a
 * meaning by {means: MEANING} and {not: {means: MEANING}}, so that a source adds a state in one line. A state is known
 * where `states` or a condition on the same reference names it. States are compared without regard to case. Compiled
 * once, immutable after states_check(), shared by threads.
 */
#ifndef HELPDESK_EXPR_STATES_H
#define HELPDESK_EXPR_STATES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/matcher.h"
#include "helpdesk/expr/reference.h"

struct states;

/* Compiles the value of `states`. n: NULL: none. Returns NULL where there is none, or no mapping. */
struct states *states_compile(const struct node *n, struct problems *problems);
void states_free(struct states *s);

/*
 * Copies the nodes of a matcher and replaces each `means` by the states with that meaning. s: NULL: the definition has
 * no `states`. A meaning without a state is an error where that file asks for it. In another file, which is the preset
 * under it, the meaning then matches no state. The caller owns the copy.
 */
struct node *states_spell(struct states *s, const struct node *matcher, const char *file,
			  struct problems *problems) MUSTCHECK;
/*
 * Adds an error for each reference of `states` that no matcher reads, and for each meaning that no matcher of
 * states_spell() has asked for: it would have no effect. Checks only entries written in that file: where it replaces
 * the matchers of a preset, meanings of the preset's states may be unused. n: as for states_compile; matchers may be
 * NULL.
 */
void states_check(const struct states *s, const struct node *n, const struct matcher *const *matchers,
		  size_t matchers_n, const char *file, struct problems *problems);

/* ---- of one webhook ---------------------------------------------------------------------------------------------- */

#define STATES_TEXT_MAX 200 /* bytes of an unknown state that are kept */

struct unknown_state {
	char *text;            /* as received, cut; NULL: none */
	const char *reference; /* where it stands; borrowed from the definition */
	const char *meanings; /* "open or closed": the meanings that matchers ask for there; "": none; borrowed from the
				 definition */
	bool has_wildcard;    /* the definition has a meaning for all other states */
};
void unknown_state_done(struct unknown_state *u);

/*
 * Finds the first unknown state that the result of the webhook depends on. asked: the matchers in the order of
 * evaluation, up to the one that holds. One of them must depend on the state (matcher_depends_on). A state that does
 * not matter, because the URL says what happened, does not count. matchers: those that may name states. NULLs are
 * skipped in both.
 */
bool states_unknown(const struct states *s, const struct matcher *const *asked, size_t asked_n,
		    const struct matcher *const *matchers, size_t matchers_n, const struct eval_context *context,
		    struct unknown_state *ret);
/* Writes a sentence without a line end: the state, its place, and how to add it to the source's definition. outcome:
 * the result of the webhook, as in "the webhook is ignored". */
void unknown_state_describe(const struct unknown_state *u, const char *source, const char *outcome, struct buf *to);

#endif
