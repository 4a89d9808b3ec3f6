/* SPDX-License-Identifier: MIT */
/*
 * pattern: a POSIX extended regular expression with a bounded cost, for any pattern and text. Pure.
 *
 * Costs in the C library, and the bound for each:
 *
 * - Compiling expands repetitions: "((a{99}){99}){99}" takes memory by the power. The parts are counted at load.
 * - A back-reference tries every way. It is refused at load.
 * - A match is tried from every place. The expression is run once, from the beginning of the text, which is cut.
 * - An expression grows with each text. It is compiled again before it is too large.
 */
#ifndef HELPDESK_EXPR_PATTERN_H
#define HELPDESK_EXPR_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define PATTERN_LENGTH_MAX 1000 /* bytes */
#define PATTERN_PARTS_MAX 600   /* letters, sets and groups, with repetitions expanded */
#define PATTERN_DEPTH_MAX 32    /* groups within groups */
#define PATTERN_TEXT_MAX 4096   /* bytes of a text that are read */
#define PATTERN_TEXTS_MAX 8192  /* bytes of all texts of one evaluation */

struct pattern;

/* Compiles. -EINVAL: not a pattern, one with an escape or group of another kind of expression, or one that may cost too
 * much. Case does not count. */
int pattern_compile(const char *text, struct pattern **ret, struct err *reterr) MUSTCHECK;
void pattern_free(struct pattern *p); /* NULL allowed */
/* True where the pattern occurs in the first PATTERN_TEXT_MAX bytes of the text (cut at the end of a letter) and the
 * first *left bytes. Subtracts the bytes read from *left. Any thread, also several at once; none waits for another. */
bool pattern_is_found(struct pattern *p, const char *text, size_t *left);

#endif
