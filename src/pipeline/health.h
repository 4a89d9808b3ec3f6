/* SPDX-License-Identifier: MIT */
/*
 * health: the pipeline's state for other threads: can it commit, is it alive, what is parked.
 *
 * The pipeline's and the courier's threads write it; any thread reads it. A lock protects the texts; the rest is
 * atomic.
 */
#ifndef PIPELINE_HEALTH_H
#define PIPELINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct health;

struct health *health_new(void);
void health_free(struct health *h);

/* A reason why the pipeline takes no webhooks. Only a cause's owner sets and clears it. */
enum health_cause {
	HEALTH_CLOCK,      /* the system's clock is not set yet */
	HEALTH_COMMIT,     /* the store cannot commit */
	HEALTH_STORE_SIZE, /* the store may not grow */
	HEALTH_CAUSES,
};
/* why NULL: clears the cause. The pipeline is ready while no cause is set. */
void health_set(struct health *h, enum health_cause cause, const struct err *why);
bool health_is_ready(const struct health *h);
/* Makes the pipeline not ready for the rest of the process. */
void health_stop(struct health *h);
/* Writes the latest cause to *ret. Call only while not ready. */
void health_why_not(struct health *h, struct err *ret);

/* kind: "account" or "lookups". reason NULL: not parked. */
void health_park(struct health *h, const char *kind, const char *name, const char *reason);
/* Calls fn for each parked account and source, with the lock held. */
void health_parked(struct health *h, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		   void *ctx);

/* Returns a descriptor that is readable after a change of readiness or of what is parked, until health_read_news(). One
 * reader only. */
int health_news_fd(const struct health *h);
void health_read_news(struct health *h);

enum health_thread {
	HEALTH_PIPELINE,
	HEALTH_COURIER,
};
/* Records the thread's answer to a ping. */
void health_alive(struct health *h, enum health_thread thread, uint64_t token);
/* Marks the begin and the end of calls of the pipeline's thread that may wait for the disk. */
void health_disk(struct health *h, bool busy);
#define HEALTH_DISK_MS (60 * 1000) /* a disk call counts as alive for this long */
/* True where both threads have answered the ping with this token, or the pipeline's is in a disk call. */
bool health_is_alive(const struct health *h, uint64_t token);

#endif
