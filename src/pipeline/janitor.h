/* SPDX-License-Identifier: MIT */
/*
 * janitor: periodic work, and the work after a reload or a clock jump. It wakes webhooks, corrects due times, expires
 * conversations, deletes old rows, writes the WAL back and sets gauges.
 *
 * Owned by the pipeline's thread. Order in a turn: janitor_wake_sources() and janitor_cap_due_times() run before the
 * pending webhooks, janitor_clean() after them, all inside the transaction. janitor_after() runs outside of it.
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

/* Reports a new generation: all checks run again. */
void janitor_configured(struct janitor *j);
/* Reports the wall clock's change: after a start or a jump, stored due times may be wrong. */
void janitor_clock(struct janitor *j, enum wall_clock_change change);

/* After a start or a reload: wakes webhooks whose source is configured now, those that wait for a lookup's next try,
 * and those that wait for a lookup of a source that has none any more. */
int janitor_wake_sources(struct janitor *j, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* After a start, a clock step back or a reload: sets due times that are too far in the future to now, a few rows in
 * each turn. */
int janitor_cap_due_times(struct janitor *j, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* Expires conversations that have been open too long. Deletes rows past their retention; in a nearly full store it
 * deletes more rows than come in. */
int janitor_clean(struct janitor *j, struct turn_context *tc, const struct disk_budget *budget,
		  struct err *reterr) MUSTCHECK;
/* Writes the WAL back at a quiet time and sets the gauges. */
void janitor_after(struct janitor *j, struct turn_context *tc, struct health *health);
int64_t janitor_next_ms(const struct janitor *j, struct turn_context *tc); /* time of the next work (clock_mono_ms) */

#endif
