#include <config.h>

#include "pipeline/readings.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct kept {
	int64_t id;
	struct parsed_webhook *parsed;
	size_t bytes;
	bool has_waited;
};

struct readings {
	struct kept items[READINGS_MAX]; /* in the order in which they came */
	size_t n;
	size_t bytes;
	_Atomic bool is_full; /* a hint for other threads: it orders no other memory */
};

struct readings *readings_new(void)
{
	return mem_new(1, sizeof(struct readings));
}

void readings_free(struct readings *r)
{
	if (!r)
		return;
	readings_clear(r);
	free(r);
}

/* Those that have waited do not count: they make room. */
static bool is_half_empty(const struct readings *r)
{
	size_t n = 0, bytes = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->items[i].has_waited)
			continue;
		n++;
		bytes += r->items[i].bytes;
	}
	return n <= READINGS_MAX / 2 && bytes <= READINGS_BYTES_MAX / 2;
}

static struct parsed_webhook *take_out(struct readings *r, size_t i)
{
	struct parsed_webhook *p = r->items[i].parsed;

	r->bytes -= r->items[i].bytes;
	r->n--;
	memmove(&r->items[i], &r->items[i + 1], (r->n - i) * sizeof(*r->items));
	if (readings_are_full(r) && is_half_empty(r))
		atomic_store_explicit(&r->is_full, false, memory_order_relaxed);
	return p;
}

static bool has_room(const struct readings *r, size_t bytes)
{
	return r->n < READINGS_MAX && bytes <= READINGS_BYTES_MAX - r->bytes;
}

/* Lets go as many as it takes of those that have waited. Returns whether there is room then. */
static bool make_room(struct readings *r, size_t bytes)
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

void readings_keep(struct readings *r, const struct config *c, struct parsed_webhook *p, bool has_waited)
{
	const struct source *s = config_source(c, p->webhook.source);
	size_t bytes = parsed_webhook_bytes(p);

	readings_forget(r, p->webhook.id);
	if (!p->is_open || p->has_lookup || !s || p->definition != s->definition || bytes > READINGS_BYTES_MAX ||
	    !make_room(r, bytes)) {
		parsed_webhook_free(p);
		return;
	}
	r->items[r->n++] = (struct kept){.id = p->webhook.id, .parsed = p, .bytes = bytes, .has_waited = has_waited};
	r->bytes += bytes;
}

struct parsed_webhook *readings_take(struct readings *r, int64_t id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].id == id)
			return take_out(r, i);
	return NULL;
}

bool readings_are_full(const struct readings *r)
{
	return atomic_load_explicit(&r->is_full, memory_order_relaxed);
}

void readings_forget(struct readings *r, int64_t id)
{
	parsed_webhook_free(readings_take(r, id));
}

void readings_clear(struct readings *r)
{
	while (r->n > 0)
		parsed_webhook_free(take_out(r, r->n - 1));
}
