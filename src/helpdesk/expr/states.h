/* SPDX-License-Identifier: MIT */
/*
 * states: which states of a conversation a definition knows, and what they mean (the key `states`). Pure.
 *
 * {reference: {STATE: MEANING or nothing, "*": MEANING of those that are not named}}. The matchers of the definition
 * ask for a meaning by {means: MEANING} and {not: {means: MEANING}}, so that a source adds a state of its own in one
 * line. A state is known where `states` or a condition on the same reference names it. States are compared without
 * regard to case. Compiled once, immutable once states_check() is back, shared by threads.
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

/* n: the value of `states`, or NULL. NULL where there is none, or where it is no mapping. */
struct states *states_compile(const struct node *n, struct problems *problems);
void states_free(struct states *s);

/*
 * A copy of a matcher's text in which each `means` is replaced by the states that have that meaning. s: NULL: the
 * definition has none. A meaning that no state has is an error where that file asks for it; elsewhere, in a preset over
 * which the file is laid, no state has it any more. The caller owns the copy.
 */
struct node *states_spell(struct states *s, const struct node *matcher, const char *file,
			  struct problems *problems) MUSTCHECK;
/*
 * An error for each reference of `states` that none of the matchers looks at, and for each meaning that none of those
 * spelled has asked for: it would have no effect. Only for those that are written in that file: where the matchers of a
 * preset are replaced, the meanings of its own states may have no use any more. n as for states_compile; matchers may
 * be NULL.
 */
void states_check(const struct states *s, const struct node *n, const struct matcher *const *matchers,
		  size_t matchers_n, const char *file, struct problems *problems);

/* ---- of one webhook ---------------------------------------------------------------------------------------------- */

#define STATES_TEXT_MAX 200 /* bytes that are kept of an unknown state */

struct unknown_state {
	char *text;            /* as it came, cut; NULL: there is none */
	const char *reference; /* the reference; the definition's */
	const char
		*meanings; /* "open or closed": the meanings that matchers ask for there; "": none; the definition's */
	bool has_wildcard; /* the definition says what states mean that it does not name */
};
void unknown_state_done(struct unknown_state *u);

/*
 * The first unknown state on which it hangs what the webhook says: `asked` are the matchers in the order in which they
 * are asked, up to the one that holds, and one of them looks at the state while all else in its mapping holds. A state
 * on which nothing hangs, because the URL says what happened, is none. matchers: those that name states. NULLs are
 * passed over in both.
 */
bool states_unknown(const struct states *s, const struct matcher *const *asked, size_t asked_n,
		    const struct matcher *const *matchers, size_t matchers_n, const struct eval_context *context,
		    struct unknown_state *ret);
/* The state, its place, and how to tell the source's definition what it means: a sentence without a line end. outcome:
 * what became of the webhook, as in "the webhook is ignored". */
void unknown_state_describe(const struct unknown_state *u, const char *source, const char *outcome, struct buf *to);

#endif
