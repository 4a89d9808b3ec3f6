/* SPDX-License-Identifier: MIT */
/*
 * insert: inserts the webhooks of a turn's submissions into the store. A part of turn.c.
 */
#ifndef PIPELINE_INSERT_H
#define PIPELINE_INSERT_H

#include <stdbool.h>

#include "pipeline/disk_budget.h"
#include "pipeline/messages.h"
#include "pipeline/turn_context.h"

/* Inside the turn's transaction. Sets `refused` of submissions that the disk has no space for or that cannot be kept,
 * and the results of the others' items. Takes `parsed` of items that will have a pass, for tc's cache. failing: as for
 * disk_budget_check(), which it calls. Returns 0 or the store's error. */
int insert_submissions(struct turn_context *tc, struct disk_budget *budget, bool failing,
		       const struct message_list *submissions, struct err *reterr) MUSTCHECK;

#endif
