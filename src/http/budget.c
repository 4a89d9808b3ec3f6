/* SPDX-License-Identifier: MIT */
/*
 * Three sums are kept: of all reservations, of the large ones, and of each address's. An address has a usage entry
 * while it holds memory, so there are never more entries than reservations.
 */
#include <config.h>

#include "http/budget.h"

#include <stdint.h>

#include "base/lock.h"

#define BUDGET_BUCKETS 1024

struct address_usage {
	struct address_usage *next; /* in the same bucket */
	struct ip ip;
	size_t reservations, bytes;
};

struct budget {
	size_t max, large_max, share; /* constant */
	struct lock lock;             /* over all members below */
	size_t all, large;
	struct address_usage *buckets[BUDGET_BUCKETS];
};

/* Returns the three quarters that are not reserved for small bodies. */
static size_t large_max_of(size_t max_bytes)
{
	return max_bytes - max_bytes / 4;
}

size_t budget_share(size_t max_bytes)
{
	return large_max_of(max_bytes) / 4;
}

size_t budget_for_share(size_t bytes)
{
	size_t large_max = 4 * bytes;

	/* The smallest max whose three quarters, as large_max_of() rounds them, are at least large_max. */
	return bytes == 0 ? 0 : large_max + (large_max - 1) / 3;
}

struct budget *budget_new(size_t max_bytes)
{
	struct budget *b = mem_new(1, sizeof(*b));

	b->max = max_bytes;
	b->large_max = large_max_of(max_bytes);
	b->share = budget_share(max_bytes);
	lock_init(&b->lock);
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	INSIST(b->all == 0 && b->large == 0);
	for (size_t i = 0; i < BUDGET_BUCKETS; i++)
		INSIST(!b->buckets[i]);
	lock_done(&b->lock);
	free(b);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static struct address_usage **address_slot(struct budget *b, const struct ip *ip)
{
	struct address_usage **at;

	INSIST(lock_is_mine(&b->lock));
	for (at = &b->buckets[ip_hash(ip) % BUDGET_BUCKETS]; *at && !ip_same(&(*at)->ip, ip); at = &(*at)->next)
		;
	return at;
}

/* ---- reservations ------------------------------------------------------------------------------------------------ */

static size_t large_part(size_t bytes)
{
	return bytes > BUDGET_SMALL_BYTES ? bytes : 0;
}

/* True where `used` and `more` together are at most `most`. */
static bool fits(size_t used, size_t more, size_t most)
{
	return used <= most && more <= most - used;
}

/* Finds or makes the usage entry of the reservation's address. It exists before anything is counted in it. */
static void reservation_ref_address(struct reservation *res)
{
	struct address_usage **at;

	if (!res->has_address || res->usage)
		return;
	at = address_slot(res->budget, &res->address);
	if (!*at) {
		*at = mem_new(1, sizeof(**at));
		(*at)->ip = res->address;
	}
	res->usage = *at;
	res->usage->reservations++;
}

static void reservation_unref_address(struct reservation *res)
{
	if (res->usage && --res->usage->reservations == 0) {
		struct address_usage **at = address_slot(res->budget, &res->usage->ip);

		INSIST(*at == res->usage && res->usage->bytes == 0);
		*at = res->usage->next;
		free(res->usage);
	}
	res->usage = NULL;
}

void reservation_init(struct reservation *res, struct budget *b, const struct ip *address)
{
	*res = (struct reservation){.budget = b, .has_address = address};
	if (address)
		res->address = *address;
}

/* most: the limit of all reservations together. */
static bool resize(struct reservation *res, size_t bytes, size_t most)
{
	struct budget *b = res->budget;
	bool may;

	if (bytes == res->bytes)
		return true;
	lock_acquire(&b->lock);
	reservation_ref_address(res);
	may = bytes < res->bytes || (fits(b->all - res->bytes, bytes, most) &&
				     fits(b->large - large_part(res->bytes), large_part(bytes), b->large_max) &&
				     (!res->usage || fits(res->usage->bytes - res->bytes, bytes, b->share)));
	if (may) {
		b->all += bytes - res->bytes;
		b->large += large_part(bytes) - large_part(res->bytes);
		if (res->usage)
			res->usage->bytes += bytes - res->bytes;
		res->bytes = bytes;
	}
	if (res->bytes == 0)
		reservation_unref_address(res);
	lock_release(&b->lock);
	return may;
}

bool reservation_resize(struct reservation *res, size_t bytes)
{
	return resize(res, bytes, res->budget ? res->budget->max : 0);
}

bool reservation_resize_spare(struct reservation *res, size_t bytes)
{
	return resize(res, bytes, res->budget->max / 2);
}

size_t reservation_max(const struct reservation *res)
{
	return res->has_address ? res->budget->share : res->budget->large_max;
}
