/* SPDX-License-Identifier: MIT */
/*
 * golden: the cases of tests/data/helpdesks, and reports of differences.
 *
 * golden_desk.c configures a source from a file's preset and settings, golden_proof.c checks proofs and derives
 * requests that must be refused, test_golden.c parses the webhooks and compares.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/node.h"
#include "conf/generation.h"

/* One case of a file. */
struct golden {
	const char *file;
	const struct node *root, *at; /* the file, the case */
	const char *name;             /* of the case */
	unsigned failures;            /* expectations of this case that failed */

	struct generation *generation;
	const struct source *source;
	struct node *authenticate; /* the definition's, overlaid with the source's */
	int64_t now_ms;
	struct pairs headers; /* of the request */
	char *body;           /* of the request, with a NUL behind body_len */
	size_t body_len;
	const char *query;
};

/* Counts a failure and prints "FILE: CASE: MEMBER: expected …, found …" to stderr. NULL is printed as nothing. */
void golden_differs(struct golden *g, const char *member, const char *expected, const char *found);
/* Reports a difference unless both are NULL or the texts are equal. */
void golden_text(struct golden *g, const char *member, const char *expected, const char *found);

/* Returns the case's own value, else the file's, else NULL. */
const struct node *golden_get(const struct golden *g, const char *key);

/* Fills the members from `generation` on from the case and its file. dir: a folder for the configuration. Returns false
 * after a report of an error in the file. */
bool golden_open(struct golden *g, const char *dir);
void golden_close(struct golden *g);

/* Compares the verdict with `proof`. If it is good, as expected, derives requests that must be refused, checks those
 * and returns true; else false. */
bool golden_prove(struct golden *g);

#endif
