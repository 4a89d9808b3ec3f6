/* SPDX-License-Identifier: MIT */
/*
 * http/budget: limits the memory of all request bodies together.
 *
 * A quarter of the budget is reserved for bodies of at most BUDGET_SMALL_BYTES; such bodies may also use what is free
 * of the other three quarters. One address may use at most a quarter of these three quarters, including its small
 * bodies. So no single address blocks the others, and large bodies do not block small ones.
 *
 * It only counts; the callers allocate. One lock protects it and is held only for counting. Any thread.
 */
#ifndef HTTP_BUDGET_H
#define HTTP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/mem.h"

#define BUDGET_SMALL_BYTES (64 * 1024)

struct budget;

/* The memory reserved for one exchange. All zero: an empty reservation, for reservation_release() only. One thread at a
 * time. */
struct reservation {
	struct budget *budget;
	size_t bytes;
	bool has_address;
	struct ip address;
	struct address_usage *usage; /* what its address uses; NULL: bytes is 0, or it has no address */
};

struct budget *budget_new(size_t max_bytes) MUSTCHECK;
void budget_free(struct budget *b); /* every reservation must be released; NULL allowed */

/* Returns the limit of one address. For budget_new(), and for tests. Pure. */
size_t budget_share(size_t max_bytes);
/* Returns the smallest max_bytes with which one address may use `bytes`. Pure. */
size_t budget_for_share(size_t bytes);

/* Makes an empty reservation. address: counts against this address's limit; NULL: against no such limit. */
void reservation_init(struct reservation *res, struct budget *b, const struct ip *address);
/* Changes the reservation to `bytes`. False: the budget does not allow it, and the reservation is unchanged. A smaller
 * or equal size always succeeds. */
bool reservation_resize(struct reservation *res, size_t bytes) MUSTCHECK;
/* As reservation_resize(), for optional memory: also false where more than half of the budget would be used. */
bool reservation_resize_spare(struct reservation *res, size_t bytes) MUSTCHECK;
/* Returns the largest size that this reservation could have if it were the only one. */
size_t reservation_max(const struct reservation *res);
/* Frees the whole reservation. */
static inline void reservation_release(struct reservation *res)
{
	INSIST(reservation_resize(res, 0));
}

#endif
