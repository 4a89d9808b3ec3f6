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
	struct cached items[PARSED_CACHE_MAX]; /* in the order in which they came */
	size_t n;
	size_t bytes;
	_Atomic bool is_full; /* a hint for other threads: it orders no other memory */
};

struct parsed_cache *parsed_cache_new(void)
{
	return mem_new(1, sizeof(struct parsed_cache));
}

void parsed_cache_free(struct parsed_cache *r)
{
	if (!r)
		return;
	parsed_cache_clear(r);
	free(r);
}

/* Those that have waited do not count: they make room. */
static bool is_half_empty(const struct parsed_cache *r)
{
	size_t n = 0, bytes = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->items[i].has_waited)
			continue;
		n++;
		bytes += r->items[i].bytes;
	}
	return n <= PARSED_CACHE_MAX / 2 && bytes <= PARSED_CACHE_BYTES_MAX / 2;
}

static struct parsed_webhook *take_out(struct parsed_cache *r, size_t i)
{
	struct parsed_webhook *p = r->items[i].parsed;

	r->bytes -= r->items[i].bytes;
	r->n--;
	memmove(&r->items[i], &r->items[i + 1], (r->n - i) * sizeof(*r->items));
	if (parsed_cache_is_full(r) && is_half_empty(r))
		atomic_store_explicit(&r->is_full, false, memory_order_relaxed);
	return p;
}

static bool has_room(const struct parsed_cache *r, size_t bytes)
{
	return r->n < PARSED_CACHE_MAX && bytes <= PARSED_CACHE_BYTES_MAX - r->bytes;
}

/* Lets go as many as it takes of those that have waited. Returns whether there is room then. */
static bool make_room(struct parsed_cache *r, size_t bytes)
{
	for (size_t i = 0; i < r->n && !has_room(r, bytes);) {
		if (r->items[i].has_waited)
			parsed_webhook_free(take_out(r, i));
		else
			i++;
	}
	if (has_room(r, bytes))
		return true;
	atomic_store_explicit(&r->is_full, true, memory_order_relaxed);
	return false;
}

void parsed_cache_add(struct parsed_cache *r, const struct config *c, struct parsed_webhook *p, bool has_waited)
{
	const struct source *s = config_source(c, p->webhook.source);
	size_t bytes = parsed_webhook_bytes(p);

	parsed_cache_remove(r, p->webhook.id);
	if (!p->has_item || p->has_lookup || !s || p->definition != s->definition || bytes > PARSED_CACHE_BYTES_MAX ||
	    !make_room(r, bytes)) {
		parsed_webhook_free(p);
		return;
	}
	r->items[r->n++] = (struct cached){.id = p->webhook.id, .parsed = p, .bytes = bytes, .has_waited = has_waited};
	r->bytes += bytes;
}

struct parsed_webhook *parsed_cache_take(struct parsed_cache *r, int64_t id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].id == id)
			return take_out(r, i);
	return NULL;
}

bool parsed_cache_is_full(const struct parsed_cache *r)
{
	return atomic_load_explicit(&r->is_full, memory_order_relaxed);
}

void parsed_cache_remove(struct parsed_cache *r, int64_t id)
{
	parsed_webhook_free(parsed_cache_take(r, id));
}

void parsed_cache_clear(struct parsed_cache *r)
{
	while (r->n > 0)
		parsed_webhook_free(take_out(r, r->n - 1));
}
