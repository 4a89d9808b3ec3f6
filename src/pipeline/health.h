/*
 * standing: what other threads may ask of the pipeline: can it commit, is it alive, what is parked.
 *
 * Written by the pipeline's and the courier's threads, read by any; one lock over the texts, atomics for the rest.
 */
#ifndef PIPELINE_HEALTH_H
#define PIPELINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct standing;

struct standing *standing_new(void);
void standing_free(struct standing *s);

/* NULL: intake can commit. Else why not. Returns whether that changed from ready to not ready or back. */
bool standing_set_ready(struct standing *s, const struct err *why_not);
bool standing_is_ready(const struct standing *s);
/* From now on not ready, whatever is set. */
void standing_stop(struct standing *s);
void standing_why_not(struct standing *s, struct err *ret);

/* kind: "account" or "lookups". reason NULL: no longer parked. */
void standing_park(struct standing *s, const char *kind, const char *name, const char *reason);
void standing_parked(struct standing *s, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx);

/* Readable since readiness or what is parked changed, until standing_read_news: for one reader. */
int standing_news_fd(const struct standing *s);
void standing_read_news(struct standing *s);

/* The answers to pings. */
void standing_pipeline_alive(struct standing *s, uint64_t token);
void standing_courier_alive(struct standing *s, uint64_t token);
/* The pipeline's thread goes into calls that may wait for the disk, and is back. */
void standing_disk(struct standing *s, bool busy);
#define STANDING_DISK_MS (60 * 1000) /* so long a disk call counts as alive */
bool standing_is_alive(const struct standing *s, uint64_t token);

#endif
