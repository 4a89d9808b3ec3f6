/* SPDX-License-Identifier: MIT */
/*
 * commit: the end of a transaction, in the store and in all that waits for it: whatever others see (metrics, lines of
 * the log, questions to helpdesks) is shown only once it is committed, and forgotten where it is rolled back.
 */
#ifndef PIPELINE_COMMIT_H
#define PIPELINE_COMMIT_H

#include "pipeline/turn_context.h"

/* Ends the transaction that the caller began, whose steps returned r. r < 0, or a commit that fails: everything is
 * rolled back and forgotten, and that is returned. Else 0: it is committed and shown. */
int commit_end(struct turn_context *tc, int r, struct err *reterr) MUSTCHECK;
/* Tells the log what the store set aside or mended, once that is committed. */
void commit_log_losses(struct store *s);

#endif
