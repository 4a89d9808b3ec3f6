/*
 * state: what the sandbox's parts share. One lock; nothing under it blocks.
 */
#ifndef SANDBOX_STATE_H
#define SANDBOX_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "sandbox/desk.h"
#include "sandbox/faults.h"
#include "sandbox/feed.h"
#include "sandbox/world.h"

#define STATE_STATUS_MAX 600

struct state {
	struct lock lock; /* over all below, until the blank line */
	struct world *world;
	struct faults faults;
	struct desk desk;
	uint64_t by_status[STATE_STATUS_MAX]; /* requests to /api/… by their answer */
	uint64_t cut;                         /* without an answer */
	unsigned concurrent, peak_concurrent; /* requests to /api/… in hand */

	bool no_quota;     /* constant */
	struct feed *feed; /* constant; NULL: none */
};

#endif
