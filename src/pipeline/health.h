/* SPDX-License-Identifier: MIT */
/*
 * health: what other threads may ask of the pipeline: can it commit, is it alive, what is parked.
 *
 * Written by the pipeline's and the courier's threads, read by any; one lock over the texts, atomics for the rest.
 */
#ifndef PIPELINE_HEALTH_H
#define PIPELINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct health;

struct health *health_new(void);
void health_free(struct health *h);

/* What keeps the pipeline from taking webhooks. Each is told and taken back by its owner alone. */
enum health_cause {
	HEALTH_CLOCK,      /* the system's clock is not set yet */
	HEALTH_COMMIT,     /* the store cannot commit */
	HEALTH_STORE_SIZE, /* the store may not grow */
	HEALTH_CAUSES,
};
/* why NULL: not any more. The pipeline is ready while no cause stands. */
void health_set(struct health *h, enum health_cause cause, const struct err *why);
bool health_is_ready(const struct health *h);
/* From now on not ready, whatever is set. */
void health_stop(struct health *h);
/* Where it is not ready: the cause that came last. */
void health_why_not(struct health *h, struct err *ret);

/* kind: "account" or "lookups". reason NULL: no longer parked. */
void health_park(struct health *h, const char *kind, const char *name, const char *reason);
void health_parked(struct health *h, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		   void *ctx);

/* Readable since readiness or what is parked changed, until health_read_news: for one reader. */
int health_news_fd(const struct health *h);
void health_read_news(struct health *h);

enum health_thread {
	HEALTH_PIPELINE,
	HEALTH_COURIER,
};
/* That thread has answered a ping. */
void health_alive(struct health *h, enum health_thread thread, uint64_t token);
/* The pipeline's thread goes into calls that may wait for the disk, and is back. */
void health_disk(struct health *h, bool busy);
#define HEALTH_DISK_MS (60 * 1000) /* so long a disk call counts as alive */
bool health_is_alive(const struct health *h, uint64_t token);

#endif
