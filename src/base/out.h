/* SPDX-License-Identifier: MIT */
/*
 * out: prints what commands show on a terminal.
 *
 * All printing goes through here (tests/check-tree.sh checks this). The format is this program's own text; every %s may
 * come from outside. So known secrets in it are redacted (known_secrets.h) and controls are escaped (escape.h): a
 * terminal obeys no byte of it, and a value cannot begin a new line. Main thread. Write errors are noticed by the
 * fflush() in command_end().
 */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stddef.h>
#include <stdio.h>

/* As fprintf(), with %s, %c, %d, %i, %u, %x, %X, %f, %g and %%, and all flags, lengths, widths and precisions. The
 * width of %s counts characters, so that columns line up. */
void out_to(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define out_print(...) out_to(stdout, __VA_ARGS__)
#define out_error(...) out_to(stderr, __VA_ARGS__)
/* Prints a text of several lines: redacted, and escaped but for its line ends and tabs. */
void out_lines(FILE *to, const char *text);
/* Prints a text byte for byte, for another program (a definition's file, a command for the shell). */
void out_exact(FILE *to, const char *text);
/* Returns the number of columns that %s takes for a text. */
size_t out_width(const char *text);

#endif
