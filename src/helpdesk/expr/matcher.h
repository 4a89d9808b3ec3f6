/* SPDX-License-Identifier: MIT */
/*
 * matcher: does a webhook (or an event's properties) say this? Compiled once, immutable, shared by threads. Pure.
 *
 * A mapping reference → condition, all must hold; a list of mappings: one must hold. Conditions: a scalar (equal; text
 * without regard to case), a list (one of), or a mapping of `not`, `matches` (POSIX extended, without regard to case),
 * `exists`, `contains`. What `matches` may cost is bounded (pattern.h). A reference with several values holds where one
 * of them does; `not` where none of them does.
 */
#ifndef HELPDESK_EXPR_MATCHER_H
#define HELPDESK_EXPR_MATCHER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/node.h"
#include "base/problems.h"
#include "helpdesk/expr/reference.h"

struct matcher;

/* NULL where there were errors, which stand in problems. */
struct matcher *matcher_compile(const struct node *n, enum reference_names names, struct problems *problems);
void matcher_free(struct matcher *m);
/* "Tags contains refund and Channel is one of email, chat": one line, no line end. */
void matcher_describe(const struct matcher *m, struct buf *to);
/* The same for explain: "/type is CONVERSATION/CLOSED: yes" a line for each reference, as far as it was asked; "no"
 * says what is there. to: NULL for no lines. */
bool matcher_explain(const struct matcher *m, const struct eval_context *s, struct buf *to);
static inline bool matcher_holds(const struct matcher *m, const struct eval_context *s)
{
	return matcher_explain(m, s, NULL);
}
/* Of one that does not hold, in the middle of a line: "Tags: there is nothing; Channel: there is "sms"", the first that
 * fails of each mapping. */
void matcher_explain_no(const struct matcher *m, const struct eval_context *s, struct buf *to);
/* Calls fn for every reference, in order: which headers to keep, which properties a rule asks for. */
void matcher_references(const struct matcher *m, void (*fn)(void *ctx, const struct reference *r), void *ctx);
/* Whether the answer hangs on what stands at the reference of that text: a mapping has a condition on it, all else in
 * that mapping holds, and no mapping without such a condition holds. */
bool matcher_depends_on(const struct matcher *m, const char *reference, const struct eval_context *s);
/* Whether a condition on the reference of that text is about this value: it is the value, or is not to be it, or
 * contains or matches holds for it. */
bool matcher_names(const struct matcher *m, const char *reference, const char *value);

#endif
