/* SPDX-License-Identifier: MIT */
/*
 * disk_budget: how much a turn may do while the disk is nearly full. All that a turn writes stands in the WAL before it
 * stands in the database, and a transaction that does not fit is lost whole: so on a disk with little room the turns
 * are small, and after one that did not fit they are as small as can be for a while. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_DISK_BUDGET_H
#define PIPELINE_DISK_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/health.h"
#include "pipeline/submission.h"
#include "store/store.h"

/* From one turn to the next; begins as zeros but for store and health, which are lent. */
struct disk_budget {
	struct store *store;
	struct health *health;
	bool full;
	bool refused_large; /* told; until one of that kind is taken */
	unsigned starved;   /* turns in a row that did not fit on the disk */
	unsigned cautious;  /* so many turns are still as small as can be */
	int64_t left;       /* bytes that webhooks may still bring in this turn */
};

/* Returns whether the store may take more webhooks in the turn that begins; tells health and, where that changed, the
 * log. failing: the last commit failed, so that webhooks are refused in any case. */
bool disk_budget_check(struct disk_budget *b, bool failing);
/* Returns whether this submission fits into the turn, beside those before it. */
bool disk_budget_fits(struct disk_budget *b, const struct submission *s);
/* Return how many pending webhooks the turn may take up (0: none until there is room), and how many rows it may clean.
 */
size_t disk_budget_passes(const struct disk_budget *b);
size_t disk_budget_clean_rows(const struct disk_budget *b, size_t max);
/* After each turn: the code with which it failed, or 0. */
void disk_budget_turn_ended(struct disk_budget *b, int code);

#endif
