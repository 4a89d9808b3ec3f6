/*
 * expire: conversations that have been open longer than `expire_after` since our receipt are closed as expired; not
 * while the clock may be wrong (work_age_wait_ms).
 */
#ifndef PIPELINE_EXPIRE_H
#define PIPELINE_EXPIRE_H

#include "pipeline/work.h"

/* Inside the turn's transaction: closes at most max of them, over all sources, each in a savepoint. Returns how many,
 * or what the store failed with. */
int expire_run(struct work *w, unsigned max, struct err *reterr) MUSTCHECK;
/* When the next one is due: clock_mono_ms time; CLOCK_NEVER_MS: none. */
int64_t expire_next_ms(struct work *w);

#endif
