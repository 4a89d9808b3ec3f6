/* SPDX-License-Identifier: MIT */
/*
 * recovery: processes the webhooks that were pending when the last process ended.
 *
 * Each has a transaction of its own, before the turn. The attempt is counted and committed first; the commit of its
 * result resets the count. So only a webhook whose pass ends the process keeps a count. The commit of one attempt also
 * counts the next, so each attempt costs one commit.
 */
#ifndef PIPELINE_RECOVERY_H
#define PIPELINE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/disk_budget.h"
#include "pipeline/turn_context.h"

/* Initialise `until` with the store's last webhook before the first turn. */
struct recovery {
	int64_t until;   /* webhooks up to this id were there at start */
	int64_t counted; /* the webhook whose counted attempt has not ended; 0: none */
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
