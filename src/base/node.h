/* SPDX-License-Identifier: MIT */
/*
 * node: a tree of mappings, lists and text with the place where each was written.
 *
 * What conf/yaml.c makes of a YAML file, and what the pure compilers (definitions, rules, matchers) read; so only
 * src/conf knows libyaml. Scalars are text; `quoted` tells "12" from 12, for the compilers that care. The tree owns
 * all below its root. Immutable once it is shared.
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
	char *key;   /* the key under which a mapping holds it; NULL else */
	char *path;  /* "sources.gladly.lookup[0].url" */
	char *file;
	unsigned line, column;         /* of the value; from 1 */
	unsigned key_line, key_column; /* of the key; 0 where there is none or nobody said */
	struct node **items;           /* of a list or mapping, in order */
	size_t n;
};

struct node *node_new(enum node_type type, const char *file, unsigned line, unsigned column);
/* A new node with the line, column and path of `origin`, for problems that are found in it. */
struct node *node_new_at(enum node_type type, const struct node *origin);
void node_add(struct node *parent, const char *key_or_null, struct node *child); /* parent owns child */
struct node *node_dup(const struct node *n);
void node_free(struct node *n); /* wipes the texts, which may be secrets; NULL allowed */
static inline void node_freep(struct node **n)
{
	node_free(*n);
}

/* The member of a mapping, or NULL (also where map is NULL or no mapping). */
const struct node *node_get(const struct node *map, const char *key);
/* The text of a member that is a scalar, or NULL. */
const char *node_text(const struct node *map, const char *key);
/* `over` laid over `base`: mappings by key, anything else replaced. A new tree; places stay those of the files. */
struct node *node_overlay(const struct node *base, const struct node *over);
/* Frees the member of a mapping, where there is one. For a tree that nobody else looks at yet. */
void node_remove(struct node *map, const char *key);
/* The node as it should stand in a problem that is about its key. Shares all with n; not to be freed. */
struct node node_at_key(const struct node *n);
const char *node_kind(const struct node *n); /* "a mapping", "a list", "text", "nothing": for messages */

#endif
