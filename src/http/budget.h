/* SPDX-License-Identifier: MIT */
/*
 * http/budget: how much memory the bodies under way hold together, and whether there is room for more.
 *
 * The shares: a quarter of the whole is kept for bodies of at most BUDGET_SMALL_BYTES; those may
 * take what is free of the rest too. One address (an address) takes at most a quarter of the rest, small bodies
 * included: so nobody alone shuts out the others, and nothing large shuts out what is small.
 *
 * It only counts; the callers allocate. One lock inside; no call blocks for longer than another one counts.
 */
#ifndef HTTP_BUDGET_H
#define HTTP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"
#include "base/mem.h"

#define BUDGET_SMALL_BYTES (64 * 1024)

struct budget;

/* What one exchange holds. All zero: nothing of no budget, good for reservation_release only. One thread at a time. */
struct reservation {
	struct budget *budget;
	size_t bytes;
	bool has_address;
	struct ip address;
	struct address_usage *usage; /* while bytes > 0 and there is a address */
};

struct budget *budget_new(size_t max_bytes) MUSTCHECK;
void budget_free(struct budget *b); /* every reservation is closed; NULL allowed */

/* The most that one address may hold. For budget_new, and for tests. Pure. */
size_t budget_share(size_t max_bytes);
/* The least max_bytes whose share is that large. Pure. */
size_t budget_for_share(size_t bytes);

/* address: whose share it counts in; NULL: nobody's. Takes nothing yet. */
void reservation_init(struct reservation *res, struct budget *b, const struct ip *address);
/* That many bytes instead of what it held. False where there is no room: then it holds what it held. Less, or as much,
 * is never refused. */
bool reservation_resize(struct reservation *res, size_t bytes) MUSTCHECK;
/* The same for what one can do without: false, too, where more than half of the whole would be under way then. */
bool reservation_resize_spare(struct reservation *res, size_t bytes) MUSTCHECK;
/* The most that could ever be set: with nothing else under way. */
size_t reservation_max(const struct reservation *res);
/* Gives all of it back. */
static inline void reservation_release(struct reservation *res)
{
	INSIST(reservation_resize(res, 0));
}

#endif
