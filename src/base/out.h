/* SPDX-License-Identifier: MIT */
/*
 * out: what commands say on a terminal.
 *
 * All printing goes through here (tests/check-tree.sh holds it). The text of a format is this program's own; every %s
 * may come from outside, so known secrets are struck out of it (known_secrets.h) and it is escaped (escape.h): no byte
 * of it is obeyed by a terminal, and a value stays in its line. Main thread. Failures show at command_end()'s fflush().
 */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stddef.h>
#include <stdio.h>

/* printf with %s, %c, %d, %i, %u, %x, %X, %f, %g, %% and any flags, lengths, widths and precisions. The width of %s
 * counts characters, so that columns stand below each other. */
void out_to(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define out_print(...) out_to(stdout, __VA_ARGS__)
#define out_error(...) out_to(stderr, __VA_ARGS__)
/* A text of several lines: struck and escaped but for its line ends and tabs. */
void out_lines(FILE *to, const char *text);
/* Byte for byte: for what another program is to read (a definition's file, a command for the shell). */
void out_exact(FILE *to, const char *text);
/* Columns that %s takes for a text. */
size_t out_width(const char *text);

#endif
