/* SPDX-License-Identifier: MIT */
/*
 * problems: everything that is wrong with a file, found in one reading.
 *
 * Each names file, line, column and the key's path, what was expected, and what to do. Warnings do not fail a load; a
 * notice is a warning that asks for nothing. Printed one a line as "FILE:LINE:COLUMN: PATH: TEXT" ("warning: " or
 * "notice: " before the text of one). Bounded: after
 * PROBLEMS_MAX the rest is only counted. Not thread-safe.
 */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PROBLEMS_MAX 200

struct node;

struct problem {
	bool warning; /* it fails no load */
	bool notice;  /* such a warning that asks for nothing: worth knowing, once */
	char *file;
	unsigned line, column; /* from 1; 0: the file as a whole */
	char *path;            /* "sources.gladly.preset", or "" */
	char *text;
};

struct problems {
	struct problem *items;
	size_t n;
	size_t errors, warnings; /* counted past PROBLEMS_MAX too; notices are among the warnings */
};

enum problem_kind {
	PROBLEM_ERROR,
	PROBLEM_WARNING,
	PROBLEM_NOTICE,
};
/* at: its place; NULL: there is none. */
void problems_add(struct problems *p, enum problem_kind kind, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#define problems_error(p, at, ...) problems_add(p, PROBLEM_ERROR, at, __VA_ARGS__)
#define problems_warn(p, at, ...) problems_add(p, PROBLEM_WARNING, at, __VA_ARGS__)
#define problems_notice(p, at, ...) problems_add(p, PROBLEM_NOTICE, at, __VA_ARGS__)
/* Whether a problem with exactly this text was added before, at any place. */
bool problems_have(const struct problems *p, const char *text);
/* Where there is no node: a file that cannot be opened, a broken line. */
void problems_error_at(struct problems *p, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Puts what was found since the from-th into the order of its places, those of `file` first, and each problem once:
 * what stands once in a file may have been looked at several times. */
void problems_sort(struct problems *p, size_t from, const char *file);
/* The problem's place, "FILE:LINE:COLUMN: PATH: ", as far as it is known, or "". The caller owns it. */
char *problem_location(const struct problem *one) __attribute__((warn_unused_result));
void problems_print(const struct problems *p, FILE *to);
void problems_done(struct problems *p);

#endif
