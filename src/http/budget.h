/*
 * http/budget: how much memory the bodies under way hold together, and whether there is room for more.
 *
 * The shares: a quarter of the whole is kept for bodies of at most BUDGET_SMALL_BYTES; those may
 * take what is free of the rest too. One holder (an address) takes at most a quarter of the rest, small bodies
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

/* What one exchange holds. All zero: nothing of no budget, good for claim_release only. One thread at a time. */
struct claim {
	struct budget *budget;
	size_t bytes;
	bool has_holder;
	struct ip holder;
	struct holder *account; /* while bytes > 0 and there is a holder */
};

struct budget *budget_new(size_t max_bytes) MUSTCHECK;
void budget_free(struct budget *b); /* every claim is closed; NULL allowed */

/* The most that one holder may hold. For budget_new, and for tests. Pure. */
size_t budget_share(size_t max_bytes);
/* The least max_bytes whose share is that large. Pure. */
size_t budget_for_share(size_t bytes);

/* holder: whose share it counts in; NULL: nobody's. Takes nothing yet. */
void claim_open(struct claim *c, struct budget *b, const struct ip *holder);
/* That many bytes instead of what it held. False where there is no room: then it holds what it held. Less, or as much,
 * is never refused. */
bool claim_set(struct claim *c, size_t bytes) MUSTCHECK;
/* The same for what one can do without: false, too, where more than half of the whole would be under way then. */
bool claim_set_spare(struct claim *c, size_t bytes) MUSTCHECK;
/* The most that could ever be set: with nothing else under way. */
size_t claim_most(const struct claim *c);
/* Gives all of it back. */
static inline void claim_release(struct claim *c)
{
	INSIST(claim_set(c, 0));
}

#endif
