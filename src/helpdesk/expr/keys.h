/* SPDX-License-Identifier: MIT */
/*
 * keys: checks names against lists of known ones, for the compilers of definitions and rules. Pure.
 */
#ifndef HELPDESK_EXPR_KEYS_H
#define HELPDESK_EXPR_KEYS_H

#include <stdbool.h>

#include "base/node.h"
#include "base/problems.h"

/* Adds an error for every unknown key of map, with the nearest known key. known: NULL-terminated. */
void keys_check(const struct node *map, const char *const *known, struct problems *problems);
/* Adds an error at `at` for an unknown name: with the nearest of known, or all of them. */
void keys_error(const struct node *at, const char *what, const char *name, const char *const *known,
		struct problems *problems);
/* Returns true or false as written. Anything else is an error and gives the fallback; so does a NULL node, without an
 * error. */
bool keys_bool(const struct node *n, bool fallback, struct problems *problems);

#endif
