/* SPDX-License-Identifier: MIT */
/*
 * recovery: processes the webhooks that were pending when the last process ended.
 *
 * It processes them in batches, each in a transaction before the turn. The attempt of each webhook of a batch is
 * counted and committed first; the commit of the results resets the counts. So after a crash only the webhooks of the
 * batch have a count. Such a webhook is tried alone, so a second crash counts for the one that causes it. Three counts
 * make it a dead letter, and no other. The commit of a batch also counts the next one, so a batch costs one commit.
 */
#ifndef PIPELINE_RECOVERY_H
#define PIPELINE_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/disk_budget.h"
#include "pipeline/turn_context.h"

/* Clients wait while a batch is processed: about 3 ms. */
#define RECOVERY_BATCH 32

/* Initialise `until` with the store's last webhook before the first turn. */
struct recovery {
	int64_t until;                   /* webhooks up to this id were there at start */
	int64_t counted[RECOVERY_BATCH]; /* the webhooks whose counted attempts have not ended */
	size_t counted_n;
};

/* Makes webhooks ready that waited for a lookup. Call once, after the store is opened and before the first turn. */
int recovery_restart(struct store *s, struct err *reterr) MUSTCHECK;
/* True for a webhook that recovery processes or has processed. */
bool recovery_has(const struct recovery *recovery, int64_t webhook);
/* Processes ready webhooks for budget_us. Call outside of a transaction. Returns 0 or the store's error, after which
 * nothing is half done. */
int recovery_run(struct recovery *recovery, struct turn_context *tc, const struct disk_budget *budget,
		 int64_t budget_us, struct err *reterr) MUSTCHECK;

#endif
