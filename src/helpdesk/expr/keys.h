/* SPDX-License-Identifier: MIT */
/*
 * keys: known and unknown names, for the compilers of definitions and rules. Pure.
 */
#ifndef HELPDESK_EXPR_KEYS_H
#define HELPDESK_EXPR_KEYS_H

#include <stdbool.h>

#include "base/node.h"
#include "base/problems.h"

/* An error for every key of map that is not known, with the nearest that is. known: NULL-ended. */
void keys_check(const struct node *map, const char *const *known, struct problems *problems);
/* An error at `at` that says what `name` should have been: one of known, and which of them is nearest. */
void keys_error(const struct node *at, const char *what, const char *name, const char *const *known,
		struct problems *problems);
/* true, false; an error for anything else, and the fallback. NULL node: the fallback. */
bool keys_bool(const struct node *n, bool fallback, struct problems *problems);

#endif
