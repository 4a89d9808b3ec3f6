/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/parsed_cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct cached {
	int64_t id;
	struct parsed_webhook *parsed;
	size_t bytes;
	bool has_waited;
};

struct parsed_cache {
	struct cached items[PARSED_CACHE_MAX]; /* in order of arrival */
	size_t n;
	size_t bytes;
	_Atomic bool is_full; /* a hint for other threads; orders no other memory */
};

struct parsed_cache *parsed_cache_new(void)
{
	return mem_new(1, sizeof(struct parsed_cache));
}

void parsed_cache_free(struct parsed_cache *cache)
{
	if (!cache)
		return;
	parsed_cache_clear(cache);
	free(cache);
}

/* Entries that have waited do not count, because they are evicted first. */
static bool is_half_empty(const struct parsed_cache *cache)
{
	size_t n = 0;
	size_t bytes = 0;

	for (size_t i = 0; i < cache->n; i++) {
		if (cache->items[i].has_waited)
			continue;
		n++;
		bytes += cache->items[i].bytes;
	}
	return n <= PARSED_CACHE_MAX / 2 && bytes <= PARSED_CACHE_BYTES_MAX / 2;
}

static struct parsed_webhook *take_out(struct parsed_cache *cache, size_t i)
{
	struct parsed_webhook *p = cache->items[i].parsed;

	cache->bytes -= cache->items[i].bytes;
	cache->n--;
	memmove(&cache->items[i], &cache->items[i + 1], (cache->n - i) * sizeof(*cache->items));
	if (parsed_cache_is_full(cache) && is_half_empty(cache))
		atomic_store_explicit(&cache->is_full, false, memory_order_relaxed);
	return p;
}

static bool has_room(const struct parsed_cache *cache, size_t bytes)
{
	return cache->n < PARSED_CACHE_MAX && bytes <= PARSED_CACHE_BYTES_MAX - cache->bytes;
}

/* Evicts as many entries that have waited as needed. Returns true where there is room then. */
static bool make_room(struct parsed_cache *cache, size_t bytes)
{
	for (size_t i = 0; i < cache->n && !has_room(cache, bytes);) {
		if (cache->items[i].has_waited)
			parsed_webhook_free(take_out(cache, i));
		else
			i++;
	}
	if (has_room(cache, bytes))
		return true;
	atomic_store_explicit(&cache->is_full, true, memory_order_relaxed);
	return false;
}

void parsed_cache_add(struct parsed_cache *cache, const struct config *c, struct parsed_webhook *p, bool has_waited)
{
	const struct source *s = config_source(c, p->webhook.source);
	size_t bytes = parsed_webhook_bytes(p);

	parsed_cache_remove(cache, p->webhook.id);
	if (!p->has_item || p->has_lookup || !s || p->definition != s->definition || bytes > PARSED_CACHE_BYTES_MAX ||
	    !make_room(cache, bytes)) {
		parsed_webhook_free(p);
		return;
	}
	cache->items[cache->n++] =
		(struct cached){.id = p->webhook.id, .parsed = p, .bytes = bytes, .has_waited = has_waited};
	cache->bytes += bytes;
}

struct parsed_webhook *parsed_cache_take(struct parsed_cache *cache, int64_t id)
{
	for (size_t i = 0; i < cache->n; i++)
		if (cache->items[i].id == id)
			return take_out(cache, i);
	return NULL;
}

bool parsed_cache_is_full(const struct parsed_cache *cache)
{
	return atomic_load_explicit(&cache->is_full, memory_order_relaxed);
}

void parsed_cache_remove(struct parsed_cache *cache, int64_t id)
{
	parsed_webhook_free(parsed_cache_take(cache, id));
}

void parsed_cache_clear(struct parsed_cache *cache)
{
	while (cache->n > 0)
		parsed_webhook_free(take_out(cache, cache->n - 1));
}
