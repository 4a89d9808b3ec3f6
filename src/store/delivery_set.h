/* SPDX-License-Identifier: MIT */
/*
 * delivery_set: a hash table in memory from digests of deliveries to the rows of `delivery_tail`. Only for src/store.
 *
 * A key is the first 8 bytes of a digest. Digests are uniformly distributed, so the highest bits of the key are its
 * place, and the table is in the order of the digests but for a few neighbours: an iteration over `slots` needs no
 * sorting. Keys may be equal, of two sources or by chance; the row decides.
 */
#ifndef STORE_DELIVERY_SET_H
#define STORE_DELIVERY_SET_H

#include <stddef.h>
#include <stdint.h>

struct delivery_slot {
	uint64_t key;
	int64_t id; /* of the row; 0: the slot is empty */
};

struct delivery_set {
	struct delivery_slot *slots; /* open addressing, linear probing */
	size_t n, alloc;             /* alloc: a power of two; 0: nothing was added yet */
	unsigned shift;              /* key >> shift is the first slot of a key */
};

uint64_t delivery_key(const unsigned char *digest);
void delivery_set_done(struct delivery_set *set);
void delivery_set_add(struct delivery_set *set, uint64_t key, int64_t id);
/* Removes an entry that was added. */
void delivery_set_remove(struct delivery_set *set, uint64_t key, int64_t id);
/* Returns the id of an entry with this key; 0: there is no further one. *at is 0 before the first call and counts the
 * slots that were looked at. */
int64_t delivery_set_next(const struct delivery_set *set, uint64_t key, size_t *at);

#endif
