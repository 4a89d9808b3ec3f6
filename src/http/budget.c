/* SPDX-License-Identifier: MIT */
/*
 * Three sums: of all reservations, of the large ones, and of each address's. A address has an account while it holds
 * anything, so there are never more accounts than reservations.
 */
#include <config.h>

#include "http/budget.h"

#include <stdint.h>

#include "base/lock.h"

#define BUDGET_BUCKETS 1024

struct address_usage {
	struct address_usage *next; /* in its bucket */
	struct ip ip;
	size_t reservations, bytes;
};

struct budget {
	size_t max, rest, share; /* constant */
	struct lock lock;        /* over all below */
	size_t all, large;
	struct address_usage *buckets[BUDGET_BUCKETS];
};

/* The three quarters that are not kept for small bodies. */
static size_t rest_of(size_t max_bytes)
{
	return max_bytes - max_bytes / 4;
}

size_t budget_share(size_t max_bytes)
{
	return rest_of(max_bytes) / 4;
}

size_t budget_for_share(size_t bytes)
{
	size_t rest = 4 * bytes;

	/* A rest of r is left of r + floor(r / 3) where r is no multiple of 3, of one less where it is. */
	return bytes == 0 ? 0 : rest + (rest - 1) / 3;
}

struct budget *budget_new(size_t max_bytes)
{
	struct budget *b = mem_new(1, sizeof(*b));

	b->max = max_bytes;
	b->rest = rest_of(max_bytes);
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

/* ---- holders ----------------------------------------------------------------------------------------------------- */

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

/* Whether `more` may come to what is there. */
static bool fits(size_t there, size_t more, size_t most)
{
	return there <= most && more <= most - there;
}

/* An account is there before anything is counted in it, and goes after. */
static void reservation_ref_address(struct reservation *c)
{
	struct address_usage **at;

	if (!c->has_address || c->account)
		return;
	at = address_slot(c->budget, &c->address);
	if (!*at) {
		*at = mem_new(1, sizeof(**at));
		(*at)->ip = c->address;
	}
	c->account = *at;
	c->account->reservations++;
}

static void reservation_unref_address(struct reservation *c)
{
	if (c->account && --c->account->reservations == 0) {
		struct address_usage **at = address_slot(c->budget, &c->account->ip);

		INSIST(*at == c->account && c->account->bytes == 0);
		*at = c->account->next;
		free(c->account);
	}
	c->account = NULL;
}

void reservation_init(struct reservation *c, struct budget *b, const struct ip *address)
{
	*c = (struct reservation){.budget = b, .has_address = address};
	if (address)
		c->address = *address;
}

/* most: of the whole that is under way then. */
static bool set(struct reservation *c, size_t bytes, size_t most)
{
	struct budget *b = c->budget;
	bool may;

	if (bytes == c->bytes)
		return true;
	lock_acquire(&b->lock);
	reservation_ref_address(c);
	may = bytes < c->bytes || (fits(b->all - c->bytes, bytes, most) &&
				   fits(b->large - large_part(c->bytes), large_part(bytes), b->rest) &&
				   (!c->account || fits(c->account->bytes - c->bytes, bytes, b->share)));
	if (may) {
		b->all += bytes - c->bytes;
		b->large += large_part(bytes) - large_part(c->bytes);
		if (c->account)
			c->account->bytes += bytes - c->bytes;
		c->bytes = bytes;
	}
	if (c->bytes == 0)
		reservation_unref_address(c);
	lock_release(&b->lock);
	return may;
}

bool reservation_resize(struct reservation *c, size_t bytes)
{
	return set(c, bytes, c->budget ? c->budget->max : 0);
}

bool reservation_resize_spare(struct reservation *c, size_t bytes)
{
	return set(c, bytes, c->budget->max / 2);
}

size_t reservation_max(const struct reservation *c)
{
	return c->has_address ? c->budget->share : c->budget->rest;
}
