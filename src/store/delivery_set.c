/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/delivery_set.h"

#include "base/mem.h"

#define FIRST_BITS 8

uint64_t delivery_key(const unsigned char *digest)
{
	uint64_t key = 0;

	for (int i = 0; i < 8; i++)
		key = key << 8 | digest[i];
	return key;
}

void delivery_set_done(struct delivery_set *set)
{
	free(set->slots);
	*set = (struct delivery_set){0};
}

static void slot_fill(struct delivery_set *set, const struct delivery_slot *entry)
{
	size_t i = (size_t)(entry->key >> set->shift);

	while (set->slots[i].id != 0)
		i = (i + 1) & (set->alloc - 1);
	set->slots[i] = *entry;
}

static void set_grow(struct delivery_set *set)
{
	struct delivery_set old = *set;

	set->alloc = old.alloc ? old.alloc * 2 : (size_t)1 << FIRST_BITS;
	set->shift = old.alloc ? old.shift - 1 : 64 - FIRST_BITS;
	set->slots = mem_new(set->alloc, sizeof(*set->slots));
	for (size_t i = 0; i < old.alloc; i++)
		if (old.slots[i].id != 0)
			slot_fill(set, &old.slots[i]);
	free(old.slots);
}

void delivery_set_add(struct delivery_set *set, uint64_t key, int64_t id)
{
	/* Two thirds: a search for a key that is not there looks at five slots. */
	if ((set->n + 1) * 3 > set->alloc * 2)
		set_grow(set);
	slot_fill(set, &(struct delivery_slot){.key = key, .id = id});
	set->n++;
}

void delivery_set_remove(struct delivery_set *set, uint64_t key, int64_t id)
{
	size_t mask = set->alloc - 1;
	size_t hole = (size_t)(key >> set->shift);

	while (set->slots[hole].id != id || set->slots[hole].key != key) {
		INSIST(set->slots[hole].id != 0);
		hole = (hole + 1) & mask;
	}
	/* Entries behind the hole move into it, where a search would otherwise end before them. */
	for (size_t i = (hole + 1) & mask; set->slots[i].id != 0; i = (i + 1) & mask) {
		size_t first = (size_t)(set->slots[i].key >> set->shift);

		if (((i - first) & mask) < ((i - hole) & mask))
			continue;
		set->slots[hole] = set->slots[i];
		hole = i;
	}
	set->slots[hole].id = 0;
	set->n--;
}

int64_t delivery_set_next(const struct delivery_set *set, uint64_t key, size_t *at)
{
	while (set->alloc > 0) {
		const struct delivery_slot *slot = &set->slots[((size_t)(key >> set->shift) + *at) & (set->alloc - 1)];

		if (slot->id == 0)
			return 0;
		++*at;
		if (slot->key == key)
			return slot->id;
	}
	return 0;
}
