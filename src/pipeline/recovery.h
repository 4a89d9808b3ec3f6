/* SPDX-License-Identifier: MIT */
/*
 * recovery: webhooks that were pending when the last process ended.
 *
 * They are taken up one a transaction, before the turn's own: the try is counted and committed just before, and the
 * count taken back with the commit of what it made. So a webhook whose pass kills the process is known by its count,
 * and no other is. The commit of one try holds the count of the next, if that comes at once: so each costs one commit.
 */
#ifndef PIPELINE_RECOVERY_H
#define PIPELINE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/disk_budget.h"
#include "pipeline/turn_context.h"

/* Begins, before the first turn, with the store's last webhook as `until`. */
struct recovery {
	int64_t until;   /* webhooks up to this id were pending at start, or are long gone */
	int64_t counted; /* the one of them whose try is counted and did not end; 0: none */
};

/* Once, after the store was opened and before the first turn: what waited for somebody's answer is ready again. */
int recovery_restart(struct store *s, struct err *reterr) MUSTCHECK;
/* True for a webhook that recovery takes up, or has. */
bool recovery_has(const struct recovery *recovery, int64_t webhook);
/* Takes up what is ready, for so long. Outside of a transaction. 0, or what the store failed with: nothing is left half
 * done. */
int recovery_run(struct recovery *recovery, struct turn_context *tc, const struct disk_budget *budget,
		 int64_t budget_us, struct err *reterr) MUSTCHECK;

#endif
