/* SPDX-License-Identifier: MIT */
/*
 * gauges: what the store holds now, as metrics. Read from counters that the store keeps, not from its queues.
 */
#ifndef PIPELINE_GAUGES_H
#define PIPELINE_GAUGES_H

#include "conf/conf.h"
#include "pipeline/health.h"
#include "store/store.h"

struct gauges;

struct gauges *gauges_new(void);
void gauges_free(struct gauges *g);

/* Sets all of them; a series that is gone is set to 0. Events of an account that is not configured are shown as parked.
 * Returns whether something waits, so that ages go on. Outside of a transaction. */
bool gauges_refresh(struct gauges *g, struct store *s, const struct config *c, struct health *health, int64_t now_ms);
/* How long each account's API revision lives: at start, with a new configuration, and once a day. Warns near its end.
 */
void gauges_revisions(const struct config *c, int64_t now_ms);

#endif
