/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/node.h"

#include <string.h>

#include "base/mem.h"

struct node *node_new(enum node_type type, const char *file, unsigned line, unsigned column)
{
	struct node *n = mem_new(1, sizeof(*n));

	n->type = type;
	n->path = mem_str("");
	n->file = mem_str(file ? file : "");
	n->line = line;
	n->column = column;
	return n;
}

struct node *node_new_at(enum node_type type, const struct node *origin)
{
	struct node *n = node_new(type, origin->file, origin->line, origin->column);

	free(n->path);
	n->path = mem_str(origin->path);
	return n;
}

static void node_append(struct node *parent, struct node *child)
{
	MEM_ROOM(parent->items, parent->n);
	parent->items[parent->n++] = child;
}

/* Sets the path of the index-th child and of all nodes below it, because a tree may be built from either end. */
static void node_set_path(const struct node *parent, size_t index, struct node *child)
{
	free(child->path);
	if (!child->key)
		child->path = mem_fmt("%s[%zu]", parent->path, index);
	else if (parent->path[0] == '\0')
		child->path = mem_str(child->key);
	else
		child->path = mem_fmt("%s.%s", parent->path, child->key);
	for (size_t i = 0; i < child->n; i++)
		node_set_path(child, i, child->items[i]);
}

void node_add(struct node *parent, const char *key_or_null, struct node *child)
{
	INSIST(parent->type == (key_or_null ? NODE_MAP : NODE_LIST));
	free(child->key);
	child->key = mem_str(key_or_null);
	node_append(parent, child);
	node_set_path(parent, parent->n - 1, child);
}

/* Copies a node without its children. */
static struct node *node_dup_bare(const struct node *n)
{
	struct node *copy = mem_new(1, sizeof(*copy));

	copy->type = n->type;
	copy->quoted = n->quoted;
	copy->text = mem_str(n->text);
	copy->key = mem_str(n->key);
	copy->path = mem_str(n->path);
	copy->file = mem_str(n->file);
	copy->line = n->line;
	copy->column = n->column;
	copy->key_line = n->key_line;
	copy->key_column = n->key_column;
	return copy;
}

struct node *node_dup(const struct node *n)
{
	struct node *copy = node_dup_bare(n);

	for (size_t i = 0; i < n->n; i++)
		node_append(copy, node_dup(n->items[i]));
	return copy;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		node_free(n->items[i]);
	free(n->items);
	mem_wipe_str(n->text);
	free(n->key);
	free(n->path);
	free(n->file);
	free(n);
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->type != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	return NULL;
}

const char *node_text(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return n && n->type == NODE_SCALAR ? n->text : NULL;
}

/* Paths are copied, not rebuilt: a message must name the place in the file from which the text came. */
struct node *node_overlay(const struct node *base, const struct node *over)
{
	struct node *all;

	if (base->type != NODE_MAP || over->type != NODE_MAP)
		return node_dup(over);
	all = node_dup_bare(over);
	for (size_t i = 0; i < base->n; i++) {
		const struct node *member = base->items[i];
		const struct node *other = node_get(over, member->key);

		node_append(all, other ? node_overlay(member, other) : node_dup(member));
	}
	for (size_t i = 0; i < over->n; i++)
		if (!node_get(base, over->items[i]->key))
			node_append(all, node_dup(over->items[i]));
	return all;
}

void node_remove(struct node *map, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++) {
		if (map->type == NODE_MAP && strcmp(map->items[i]->key, key) == 0)
			node_free(map->items[i]);
		else
			map->items[kept++] = map->items[i];
	}
	map->n = kept;
}

struct node node_at_key(const struct node *n)
{
	struct node at = *n;

	if (n->key_line > 0) {
		at.line = n->key_line;
		at.column = n->key_column;
	}
	return at;
}

const char *node_kind(const struct node *n)
{
	static const char *const kinds[] = {
		[NODE_NULL] = "nothing",
		[NODE_SCALAR] = "text",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a mapping",
	};

	return kinds[n ? n->type : NODE_NULL];
}
