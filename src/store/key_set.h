/* SPDX-License-Identifier: MIT */
/*
 * key_set: entries (key, id) in memory: a hash table from keys to ids, and a sorted array of them. Only for src/store.
 *
 * Several entries may have one key. Their ids come in ascending order. Adding the largest id of a key takes the same
 * time however many there are.
 */
#ifndef STORE_KEY_SET_H
#define STORE_KEY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_entry {
	int64_t key, id;
};

struct key_node;
struct key_bucket;

struct key_set {
	struct key_node *nodes;
	struct key_bucket *buckets; /* alloc of each; alloc is a power of two; 0: nothing was added yet */
	size_t n, alloc;
	uint32_t used, spare; /* nodes below `used` were used; the first free one of these, 0: none */
	uint64_t changes;     /* their number */
};

/* Where a walk through the ids of one key stands, so that it need not begin anew while the set does not change. Zeros:
 * at the beginning. */
struct key_cursor {
	uint32_t node;
	uint64_t changes;
};

void key_set_done(struct key_set *set);
/* Returns false where the set has the entry already. */
bool key_set_add(struct key_set *set, struct key_entry entry);
/* Returns false where the set does not have the entry. */
bool key_set_remove(struct key_set *set, struct key_entry entry);
/* Returns the smallest id above `after` that the key has; 0: there is none. Ids are above 0. cursor: of a walk that got
 * `after` from the call before; NULL: this is no walk. */
int64_t key_set_next(const struct key_set *set, int64_t key, int64_t after, struct key_cursor *cursor);
/* Copies the entries to an array with room for them, in no order. */
void key_set_copy(const struct key_set *set, struct key_entry *to);

/* Sorts an array by keys and ids. */
void key_entries_sort(struct key_entry *entries, size_t n);
/* Returns the index of the first entry of a sorted array that is not before `entry`. */
size_t key_entries_find(const struct key_entry *entries, size_t n, struct key_entry entry);

#endif
