/* SPDX-License-Identifier: MIT */
/*
 * janitor: periodic work, and what a new configuration or another time of the clock makes necessary: webhooks and
 * events that may go on, due times that are too far away, expiries, deletions, the WAL, the gauges.
 *
 * Owned by the pipeline's thread. Its order in a turn: janitor_wake_sources and janitor_cap_due_times before the
 * pending webhooks, janitor_clean after them, both inside the transaction; janitor_after outside of it.
 */
#ifndef PIPELINE_JANITOR_H
#define PIPELINE_JANITOR_H

#include "pipeline/health.h"
#include "pipeline/disk_budget.h"
#include "pipeline/wall_clock.h"
#include "pipeline/turn_context.h"

struct janitor;

struct janitor *janitor_new(int64_t mono_ms);
void janitor_free(struct janitor *j);

/* Another generation is used from now on: everything is looked at once more. */
void janitor_configured(struct janitor *j);
/* The wall clock is another than that by which due times were noted. */
void janitor_clock(struct janitor *j, enum wall_clock_change change);

/* After the start or another configuration: lets go the webhooks whose source is configured now. */
int janitor_wake_sources(struct janitor *j, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* After the start, a step back of the clock or another configuration: a due time that is too far away to be right
 * becomes now. It does so for a few rows a turn. */
int janitor_cap_due_times(struct janitor *j, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* Expires what has been open for too long; deletes what is past its time where it is due, and more than comes in where
 * the store is nearly full. */
int janitor_clean(struct janitor *j, struct turn_context *tc, const struct disk_budget *budget,
		  struct err *reterr) MUSTCHECK;
/* Writes the WAL back at a quiet time and shows the gauges. */
void janitor_after(struct janitor *j, struct turn_context *tc, struct health *health);
int64_t janitor_next_ms(const struct janitor *j, struct turn_context *tc); /* clock_mono_ms time */

#endif
