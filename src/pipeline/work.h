/*
 * work: what one turn works with, lent to the pieces that do it. Nothing in it outlives the turn but by its owner.
 *
 * Everything that a piece does to the store may still be rolled back; so what cannot be taken back (metrics, questions
 * to helpdesks, hand-overs) is noted in tally, lookups and dispatch and happens after the commit.
 */
#ifndef PIPELINE_WORK_H
#define PIPELINE_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "config/generation.h"
#include "pipeline/dispatch.h"
#include "pipeline/lookups.h"
#include "pipeline/tally.h"
#include "store/store.h"

struct work {
	struct store *store;
	const struct config *config;
	struct lookups *lookups;
	struct dispatch *dispatch;
	struct tally *tally;
	int64_t now_ms;
};

/* Whether r means that the store itself fails, so that the turn must be rolled back; anything else is the matter of the
 * one item that was worked on. */
bool work_is_stores(int r);

/* 0…1, for back-off. */
double work_chance(void);

#endif
