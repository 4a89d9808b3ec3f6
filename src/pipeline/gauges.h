/* SPDX-License-Identifier: MIT */
/*
 * gauges: metrics of the store's present contents. They are read from the store's counters, not from its queues.
 */
#ifndef PIPELINE_GAUGES_H
#define PIPELINE_GAUGES_H

#include "conf/conf.h"
#include "pipeline/health.h"
#include "store/store.h"

struct gauges;

struct gauges *gauges_new(void);
void gauges_free(struct gauges *g);

/* Sets all gauges. A series that no longer exists is set to 0. Events of an account that is not configured are shown as
 * parked. Returns true while an event waits, because its age then changes. Call outside of a transaction. */
bool gauges_refresh(struct gauges *g, struct store *s, const struct config *c, struct health *health, int64_t now_ms);
/* Sets the days left of each account's API revision, and warns near its end. Call at start, after a reload, and once a
 * day. */
void gauges_revisions(const struct config *c, int64_t now_ms);

#endif
