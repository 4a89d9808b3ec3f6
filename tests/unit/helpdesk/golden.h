/* SPDX-License-Identifier: MIT */
/*
 * golden: the files of tests/data/helpdesks, and reports of differences between them and a desk. Test code.
 *
 * golden_desk.c makes a source of a file's preset and settings, golden_proof.c checks proofs and derives refusals,
 * test_golden.c parses webhooks and compares.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/node.h"
#include "conf/generation.h"

/* One case of a file, and the number of its failed expectations. */
struct golden {
	const char *file;
	const struct node *root, *at; /* the file, the case */
	const char *name;             /* of the case */
	unsigned failures;

	struct generation *generation;
	const struct source *source;
	struct node *authenticate; /* the effective one: the definition's with the source's over it */
	int64_t now_ms;
	struct pairs headers; /* received */
	char *body;           /* on the wire, NUL-terminated behind body_len */
	size_t body_len;
	const char *query;
};

/* Prints "FILE: CASE: MEMBER: expected …, found …" on standard error; NULL is printed as nothing. */
void golden_differs(struct golden *g, const char *member, const char *expected, const char *found);
/* True where both are NULL or equal. */
void golden_text(struct golden *g, const char *member, const char *expected, const char *found);

/* Returns the case's own value, or the file's. */
const struct node *golden_get(const struct golden *g, const char *key);

/* Fills the members from `generation` on from the case and its file; dir: a folder for the configuration. False after
 * printing the error of the file. */
bool golden_open(struct golden *g, const char *dir);
void golden_close(struct golden *g);

/* Compares the verdict with `proof`, and derives the refusals of a good one. True where the proof is good. */
bool golden_prove(struct golden *g);

#endif
