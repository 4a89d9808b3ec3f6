/* SPDX-License-Identifier: MIT */
/*
 * pattern: a POSIX extended regular expression whose cost is bounded, whatever pattern and text are. Pure.
 *
 * The C library writes repetitions out when it compiles ("((a{99}){99}){99}" takes memory by the power), tries every
 * way for a back-reference, tries every place where a match may begin, and keeps what it learns from each text for as
 * long as the expression lives. So the parts of a pattern are counted at load, back-references are refused there, a
 * text is cut, the expression is run once from the text's beginning, and it is compiled anew before it has grown.
 */
#ifndef HELPDESK_EXPR_PATTERN_H
#define HELPDESK_EXPR_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define PATTERN_LENGTH_MAX 1000 /* bytes */
#define PATTERN_PARTS_MAX 600   /* letters, sets and groups, repetitions written out */
#define PATTERN_DEPTH_MAX 32    /* groups within groups */
#define PATTERN_TEXT_MAX 4096   /* bytes of a text that are looked at */
#define PATTERN_TEXTS_MAX 8192  /* bytes of all texts of one question */

struct pattern;

/* -EINVAL: not a pattern, one with an escape or group of other kinds of expressions, or one that may cost too much.
 * Case does not count. */
int pattern_compile(const char *text, struct pattern **ret, struct err *reterr) MUSTCHECK;
void pattern_free(struct pattern *p); /* NULL allowed */
/* Whether it is found anywhere in the first PATTERN_TEXT_MAX bytes of the text (which end with a whole letter), and in
 * no more than *left bytes; takes what was looked at from *left. Any thread, several at once; none waits for another.
 */
bool pattern_is_found(struct pattern *p, const char *text, size_t *left);

#endif
