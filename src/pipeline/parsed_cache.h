/* SPDX-License-Identifier: MIT */
/*
 * parsed_cache: a cache of parsed webhooks that wait for their next pass, so that it need not parse them again.
 *
 * A webhook that is not cached is loaded and parsed again. The cache is bounded by number and estimated bytes. Clear it
 * after a rollback, because the ids of the turn's webhooks are given again, and with a new generation. Owned by the
 * pipeline's thread; parsed_cache_is_full() is for any thread.
 */
#ifndef PIPELINE_PARSED_CACHE_H
#define PIPELINE_PARSED_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "helpdesk/parse/parsed_webhook.h"

#define PARSED_CACHE_MAX 64
#define PARSED_CACHE_BYTES_MAX (8 * 1024 * 1024) /* of all entries, by parsed_webhook_bytes() */

struct parsed_cache;

struct parsed_cache *parsed_cache_new(void);
void parsed_cache_free(struct parsed_cache *cache);

/*
 * Takes ownership of p and replaces an entry with the same id. Frees p if there is no room, if it has no tree, if it
 * holds a lookup's answer, or if its source in c has another definition. has_waited: its pass ended in a wait. Entries
 * that have waited are evicted first, the oldest of them before the others, because new webhooks are processed sooner.
 */
void parsed_cache_add(struct parsed_cache *cache, const struct config *c, struct parsed_webhook *p, bool has_waited);
/* Removes and returns the entry; NULL: none. The caller owns it. */
struct parsed_webhook *parsed_cache_take(struct parsed_cache *cache, int64_t id) MUSTCHECK;
/*
 * True from the first webhook without room until entries that have not waited take half of the cache at most. Under
 * load single places become free, and each turn brings many webhooks: nearly all of their trees would be passed on only
 * to be freed. Any thread.
 */
bool parsed_cache_is_full(const struct parsed_cache *cache);
/* Frees the entry of a webhook that has ended. */
void parsed_cache_remove(struct parsed_cache *cache, int64_t id);
void parsed_cache_clear(struct parsed_cache *cache);

#endif
