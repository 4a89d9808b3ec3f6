/*
 * expire: conversations that have been open longer than `expire_after` since our receipt are closed as expired; not
 * while the clock may be wrong (work_age_wait_ms).
 */
#ifndef PIPELINE_EXPIRE_H
#define PIPELINE_EXPIRE_H

#include "pipeline/work.h"

/* Of one run to the next; begins as zeros. */
struct expire {
	int64_t rest_until_ms; /* after a source whose oldest cannot be closed: clock_mono_ms */
	bool told;             /* in the log, until all can be closed again */
};

/* Inside the turn's transaction: closes at most max of them, over all sources, each in a savepoint. Returns how many,
 * or what the store failed with. One that cannot be closed is the matter of its source alone, which is tried again a
 * minute later. */
int expire_run(struct expire *x, struct work *w, unsigned max, struct err *reterr) MUSTCHECK;
/* When the next one is due: clock_mono_ms time; CLOCK_NEVER_MS: none. */
int64_t expire_next_ms(const struct expire *x, struct work *w);

#endif
