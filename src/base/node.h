/* SPDX-License-Identifier: MIT */
/*
 * node: a tree of mappings, lists and scalars, each with its place in the file.
 *
 * conf/yaml.c reads a YAML file into it, and the pure compilers (definitions, rules, matchers) read it, so that only
 * src/conf depends on libyaml. Scalars are text; for compilers that need the difference, `quoted` distinguishes "12"
 * from 12. A node owns all nodes below it. A tree that is shared is never changed.
 */
#ifndef BASE_NODE_H
#define BASE_NODE_H

#include <stdbool.h>
#include <stddef.h>

enum node_type {
	NODE_NULL, /* empty or ~ */
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_type type;
	bool quoted; /* scalar written in quotes or as a block */
	char *text;  /* scalar */
	char *key;   /* the key in its mapping; NULL: not in a mapping */
	char *path;  /* "sources.gladly.lookup[0].url" */
	char *file;
	unsigned line, column;         /* of the value; from 1 */
	unsigned key_line, key_column; /* of the key; 0: no key, or its place is unknown */
	struct node **items;           /* the elements of a list or mapping, in order */
	size_t n;
};

/* Makes a node without children, text and key; its path is "". file: copied; NULL: "". */
struct node *node_new(enum node_type type, const char *file, unsigned line, unsigned column);
/* Makes a node with the file, line, column and path of `origin`, for problems that are found in it. */
struct node *node_new_at(enum node_type type, const struct node *origin);
void node_add(struct node *parent, const char *key_or_null, struct node *child); /* parent takes ownership of child */
struct node *node_dup(const struct node *n);                                     /* copies the whole tree */
void node_free(struct node *n); /* wipes the texts, which may be secrets; NULL allowed */
static inline void node_freep(struct node **n)
{
	node_free(*n);
}

/* Returns the member of a mapping, or NULL; also NULL where map is NULL or no mapping. */
const struct node *node_get(const struct node *map, const char *key);
/* Returns the text of a member that is a scalar, or NULL. */
const char *node_text(const struct node *map, const char *key);
/* Merges two trees into a new one: mappings by key; of anything else the value in `over` replaces the one in `base`.
 * Each node keeps its place in its file. */
struct node *node_overlay(const struct node *base, const struct node *over);
/* Removes and frees the member of a mapping, if there is one. Only for a tree that is not shared. */
void node_remove(struct node *map, const char *key);
/* Returns a copy of n with the place of its key, for a problem that is about the key. It shares everything with n; do
 * not free it. */
struct node node_at_key(const struct node *n);
const char *node_kind(const struct node *n); /* returns "a mapping", "a list", "text" or "nothing", for messages */

#endif
