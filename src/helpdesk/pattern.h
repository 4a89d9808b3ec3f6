/*
 * pattern: whether a POSIX extended regular expression may be compiled. Pure.
 *
 * The C library writes repetitions out when it compiles: "a++++++++" or "((a{99}){99}){99}" takes memory by the power.
 */
#ifndef HELPDESK_PATTERN_H
#define HELPDESK_PATTERN_H

#include <stdbool.h>

/* Whether it stays small when it is written out; whether it is a pattern at all is regcomp's question. */
bool pattern_is_modest(const char *pattern);

#endif
