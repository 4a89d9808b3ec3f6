/* SPDX-License-Identifier: MIT */
/*
 * matcher: a condition on a webhook or on an event's properties. Compiled once, immutable, shared by threads. Pure.
 *
 * A matcher is a mapping from references to conditions, all of which must hold, or a list of mappings, one of which
 * must hold. The conditions:
 *
 * - a scalar: equal; text without regard to case
 * - a list: one of them
 * - a mapping of `not`, `matches` (POSIX extended, without regard to case, with bounded cost: pattern.h), `exists`,
 *   `contains`
 *
 * A reference with several values holds where one of them does; `not` where none of them does.
 */
#ifndef HELPDESK_EXPR_MATCHER_H
#define HELPDESK_EXPR_MATCHER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"

struct matcher;

/* Returns NULL with errors in problems. */
struct matcher *matcher_compile(const struct node *n, enum reference_names names, struct problems *problems);
void matcher_free(struct matcher *m);
/* Describes the matcher: "Tags contains refund and Channel is one of email, chat", on one line without its end. */
void matcher_describe(const struct matcher *m, struct buf *to);
/* Evaluates, and adds a line for each reference that was evaluated: "/type is CONVERSATION/CLOSED: yes"; after "no"
 * stands the value found. to: NULL: no lines. */
bool matcher_explain(const struct matcher *m, const struct eval_context *s, struct buf *to);
static inline bool matcher_holds(const struct matcher *m, const struct eval_context *s)
{
	return matcher_explain(m, s, NULL);
}
/* Explains, within a line, why a matcher does not hold: "Tags: there is nothing; Channel: there is "sms"", with the
 * first failure of each mapping. */
void matcher_explain_no(const struct matcher *m, const struct eval_context *s, struct buf *to);
/* Calls fn for every reference, in order. */
void matcher_references(const struct matcher *m, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* True where the result depends on the value at the reference of that text: a mapping has a condition on it, the rest
 * of that mapping holds, and no mapping without such a condition holds. */
bool matcher_depends_on(const struct matcher *m, const char *reference, const struct eval_context *s);
/* True where a condition on the reference of that text names this value: is it, is not it, or contains or matches it.
 */
bool matcher_names(const struct matcher *m, const char *reference, const char *value);

#endif
