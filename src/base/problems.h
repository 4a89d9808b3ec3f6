/* SPDX-License-Identifier: MIT */
/*
 * problems: all errors and warnings of a file, found in one pass.
 *
 * Each names the file, line, column and key's path, what was expected, and what to do. Warnings do not fail a load; a
 * notice is a warning that asks for no action. They are printed one a line as "FILE:LINE:COLUMN: PATH: TEXT", with
 * "warning: " or "notice: " before the text of one. After PROBLEMS_MAX problems further ones are only counted. Not
 * thread-safe.
 */
#ifndef BASE_PROBLEMS_H
#define BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PROBLEMS_MAX 200

struct node;

struct problem {
	bool warning; /* does not fail the load */
	bool notice;  /* a warning that asks for no action */
	char *file;
	unsigned line, column; /* from 1; 0: the file as a whole */
	char *path;            /* "sources.gladly.preset", or "" */
	char *text;
};

struct problems {
	struct problem *items;
	size_t n;
	size_t errors, warnings; /* also count problems past PROBLEMS_MAX; warnings include notices */
};

enum problem_kind {
	PROBLEM_ERROR,
	PROBLEM_WARNING,
	PROBLEM_NOTICE,
};
/* Adds a problem. at: the node that it is about; NULL: none. */
void problems_add(struct problems *p, enum problem_kind kind, const struct node *at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#define problems_error(p, at, ...) problems_add(p, PROBLEM_ERROR, at, __VA_ARGS__)
#define problems_warn(p, at, ...) problems_add(p, PROBLEM_WARNING, at, __VA_ARGS__)
#define problems_notice(p, at, ...) problems_add(p, PROBLEM_NOTICE, at, __VA_ARGS__)
/* True where a problem with exactly this text was added before, at any place. */
bool problems_have(const struct problems *p, const char *text);
/* Adds an error without a node: a file that cannot be opened, a line that cannot be parsed. */
void problems_error_at(struct problems *p, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Sorts the problems from index `from` on by their places, those in `file` first, and removes repeated ones: a place
 * may have been checked several times. */
void problems_sort(struct problems *p, size_t from, const char *file);
/* Returns the problem's place, "FILE:LINE:COLUMN: PATH: ", as far as it is known, or "". The caller owns it. */
char *problem_location(const struct problem *one) __attribute__((warn_unused_result));
/* Prints all problems through base/out, then how many more were counted. */
void problems_print(const struct problems *p, FILE *to);
void problems_done(struct problems *p);

#endif
