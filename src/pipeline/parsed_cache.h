/* SPDX-License-Identifier: MIT */
/*
 * parsed_cache: parsed webhooks that wait in memory for their next pass, so that it need not parse them again.
 *
 * Only a cache: a webhook that is not here is loaded and parsed. Bounded by number and estimated bytes. It holds what a
 * turn that is not committed yet has inserted, and ids of a turn that is rolled back are given again: then, and with a
 * new generation, it must be cleared. Owned by the pipeline's thread; only parsed_cache_is_full() is for all.
 */
#ifndef PIPELINE_PARSED_CACHE_H
#define PIPELINE_PARSED_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "helpdesk/parse/parsed_webhook.h"

#define PARSED_CACHE_MAX 64
#define PARSED_CACHE_BYTES_MAX (8 * 1024 * 1024) /* of all together, by parsed_webhook_bytes() */

struct parsed_cache;

struct parsed_cache *parsed_cache_new(void);
void parsed_cache_free(struct parsed_cache *cache);

/*
 * Takes p over, in the place of an older one of its id; frees it where there is no room, where it was told something,
 * or where its source in c has another definition than it was read by. has_waited: a pass has left it waiting. Such
 * ones make room for others, the one that came first before all: passes come in order of receipt, so a fresh one is
 * needed sooner.
 */
void parsed_cache_add(struct parsed_cache *cache, const struct config *c, struct parsed_webhook *p, bool has_waited);
/* The webhook of that id, which is the caller's from now on, or NULL. */
struct parsed_webhook *parsed_cache_take(struct parsed_cache *cache, int64_t id) MUSTCHECK;
/*
 * True from the moment that one finds no room until fresh ones take half of the room at most. Under load single places
 * become free, and each turn brings many webhooks: nearly all of their trees would be handed over only to be freed.
 * Any thread.
 */
bool parsed_cache_is_full(const struct parsed_cache *cache);
/* The webhook has come to its end. */
void parsed_cache_remove(struct parsed_cache *cache, int64_t id);
void parsed_cache_clear(struct parsed_cache *cache);

#endif
