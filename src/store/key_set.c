/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/key_set.h"

#include "base/mem.h"

#define FIRST_ALLOC 256
#define NONE 0 /* no node: indexes of nodes begin at 1 */

/* Nodes of one bucket are a list. Those of one key stand in the order of their ids, but other keys may stand between
 * them. */
struct key_node {
	struct key_entry entry;
	uint32_t next;
};

struct key_bucket {
	uint32_t first, last;
};

void key_set_done(struct key_set *set)
{
	free(set->nodes);
	free(set->buckets);
	*set = (struct key_set){0};
}

/* Keys of events are in the order of time, so their bits are mixed. */
static struct key_bucket *bucket_of(const struct key_set *set, int64_t key)
{
	uint64_t mixed = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);

	return &set->buckets[(mixed ^ mixed >> 32) & (set->alloc - 1)];
}

static struct key_node *node_of(const struct key_set *set, uint32_t index)
{
	return &set->nodes[index - 1];
}

/* Puts a node into its bucket: behind the last one where it comes last, as nearly all do, otherwise before the first
 * one of its key with a larger id. */
static void node_link(struct key_set *set, uint32_t index)
{
	struct key_node *node = node_of(set, index);
	struct key_bucket *bucket = bucket_of(set, node->entry.key);
	uint32_t *link = &bucket->first;
	const struct key_node *last;

	if (bucket->last != NONE) {
		last = node_of(set, bucket->last);
		if (last->entry.key == node->entry.key && last->entry.id < node->entry.id)
			link = &node_of(set, bucket->last)->next;
	}
	while (*link != NONE) {
		const struct key_node *other = node_of(set, *link);

		if (other->entry.key == node->entry.key && other->entry.id > node->entry.id)
			break;
		link = &node_of(set, *link)->next;
	}
	node->next = *link;
	*link = index;
	if (node->next == NONE)
		bucket->last = index;
}

/* Puts the nodes of an old bucket behind those of their new buckets, in the order in which they stand. */
static void bucket_move(struct key_set *set, uint32_t index)
{
	while (index != NONE) {
		struct key_node *node = node_of(set, index);
		struct key_bucket *bucket = bucket_of(set, node->entry.key);
		uint32_t next = node->next;

		*(bucket->last == NONE ? &bucket->first : &node_of(set, bucket->last)->next) = index;
		bucket->last = index;
		node->next = NONE;
		index = next;
	}
}

static void set_grow(struct key_set *set)
{
	CLEANUP(mem_freep) struct key_bucket *old = set->buckets;
	size_t was = set->alloc;

	set->alloc = was ? was * 2 : FIRST_ALLOC;
	set->nodes = mem_grow(set->nodes, set->alloc, sizeof(*set->nodes));
	set->buckets = mem_new(set->alloc, sizeof(*set->buckets));
	for (size_t i = 0; i < was; i++)
		bucket_move(set, old[i].first);
}

bool key_set_add(struct key_set *set, struct key_entry entry)
{
	uint32_t index;

	if (key_set_next(set, entry.key, entry.id - 1, NULL) == entry.id)
		return false;
	if (set->n == set->alloc)
		set_grow(set);
	index = set->spare;
	if (index != NONE)
		set->spare = node_of(set, index)->next;
	else
		index = ++set->used;
	node_of(set, index)->entry = entry;
	node_link(set, index);
	set->n++;
	set->changes++;
	return true;
}

bool key_set_remove(struct key_set *set, struct key_entry entry)
{
	struct key_bucket *bucket;
	uint32_t before = NONE;
	uint32_t index;

	if (set->n == 0)
		return false;
	bucket = bucket_of(set, entry.key);
	for (index = bucket->first; index != NONE; before = index, index = node_of(set, index)->next) {
		const struct key_node *node = node_of(set, index);

		if (node->entry.key == entry.key && node->entry.id == entry.id)
			break;
	}
	if (index == NONE)
		return false;
	*(before == NONE ? &bucket->first : &node_of(set, before)->next) = node_of(set, index)->next;
	if (bucket->last == index)
		bucket->last = before;
	node_of(set, index)->entry.id = 0;
	node_of(set, index)->next = set->spare;
	set->spare = index;
	set->n--;
	set->changes++;
	return true;
}

int64_t key_set_next(const struct key_set *set, int64_t key, int64_t after, struct key_cursor *cursor)
{
	const struct key_bucket *bucket;
	uint32_t i;

	if (set->n == 0)
		return 0;
	bucket = bucket_of(set, key);
	/* A new id is larger than those of its key, which the last node often shows at once. */
	if (bucket->last != NONE && node_of(set, bucket->last)->entry.key == key &&
	    node_of(set, bucket->last)->entry.id <= after)
		return 0;
	i = cursor && cursor->node != NONE && cursor->changes == set->changes ? cursor->node : bucket->first;
	for (; i != NONE; i = node_of(set, i)->next) {
		const struct key_entry *entry = &node_of(set, i)->entry;

		if (entry->key != key || entry->id <= after)
			continue;
		if (cursor)
			*cursor = (struct key_cursor){i, set->changes};
		return entry->id;
	}
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	const struct key_entry *x = a;
	const struct key_entry *y = b;

	if (x->key != y->key)
		return (x->key > y->key) - (x->key < y->key);
	return (x->id > y->id) - (x->id < y->id);
}

void key_set_copy(const struct key_set *set, struct key_entry *to)
{
	size_t n = 0;

	for (uint32_t i = 1; i <= set->used; i++)
		if (node_of(set, i)->entry.id != 0)
			to[n++] = node_of(set, i)->entry;
	INSIST(n == set->n);
}

void key_entries_sort(struct key_entry *entries, size_t n)
{
	qsort(entries, n, sizeof(*entries), entry_compare);
}

size_t key_entries_find(const struct key_entry *entries, size_t n, struct key_entry entry)
{
	size_t from = 0;

	while (from < n) {
		size_t middle = from + (n - from) / 2;

		if (entry_compare(&entries[middle], &entry) < 0)
			from = middle + 1;
		else
			n = middle;
	}
	return from;
}
