/* SPDX-License-Identifier: MIT */
/*
 * disk_budget: limits a turn's work on a nearly full disk. A turn writes to the WAL first, and a transaction that does
 * not fit is rolled back whole. So turns are small on a disk with little space, and minimal for a while after one that
 * did not fit. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_DISK_BUDGET_H
#define PIPELINE_DISK_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/health.h"
#include "pipeline/submission.h"
#include "store/store.h"

/* Lives as long as the pipeline. Zeroed at first, except store and health, which are borrowed. */
struct disk_budget {
	struct store *store;
	struct health *health;
	bool full;
	bool refused_large; /* the refusal of a large webhook was logged; reset when a submission fits */
	unsigned starved;   /* turns in a row that did not fit on the disk */
	unsigned cautious;  /* number of coming turns that stay minimal */
	int64_t left;       /* bytes of webhooks that this turn may still insert */
};

/* Returns true where the coming turn may insert webhooks. Reports to health, and logs a change. failing: the last
 * commit failed, so webhooks are refused anyway. */
bool disk_budget_check(struct disk_budget *b, bool failing);
/* Returns true where this submission still fits into the turn. */
bool disk_budget_fits(struct disk_budget *b, const struct submission *s);
/* Return the number of pending webhooks that the turn may process (0: none until there is space), and of rows that it
 * may delete. */
size_t disk_budget_passes(const struct disk_budget *b);
size_t disk_budget_clean_rows(const struct disk_budget *b, size_t max);
/* Call after each turn. code: the turn's error, or 0. */
void disk_budget_turn_ended(struct disk_budget *b, int code);

#endif
