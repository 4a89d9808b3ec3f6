/*
 * The lookup of a definition: its steps, bound to the names.
 */
#include <config.h>

#include "helpdesk/definition/definition_reader.h"

#include <string.h>

#include "base/clock.h"

#define LOOKUP_CACHE_DEFAULT_MS (10 * CLOCK_MINUTE_MS)

/* What a step uses must be known before it: parameters, and what earlier steps take. */
static void check_step_names(struct reader *r, const struct node *n, const struct step *s)
{
	struct name_check c = {.r = r, .at = node_get(n, "when"), .in_step = true};

	if (s->when)
		matcher_references(s->when, name_check_one, &c);
	c.at = node_get(n, "url");
	for (size_t i = 0; i < s->urls_n; i++)
		template_references(s->urls[i], name_check_one, &c);
	for (size_t i = 0; i < s->headers_n; i++) {
		c.at = node_get(node_get(n, "headers"), s->headers[i].name);
		if (s->headers[i].value)
			template_references(s->headers[i].value, name_check_one, &c);
	}
}

static bool was_taken(const struct definition *d, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++)
		if (step_takes(&d->steps[i], name))
			return true;
	return false;
}

/* Several steps may take the same name; a parameter has it for itself. */
static void add_step_names(struct reader *r, const struct node *n, size_t step)
{
	const struct step *s = &r->d->steps[step];

	for (size_t i = 0; i < s->take_n; i++)
		if (!was_taken(r->d, step, s->take[i].name))
			reader_add_name(r, node_get(node_get(n, "take"), s->take[i].name), s->take[i].name, NULL);
}

void reader_read_lookup(struct reader *r)
{
	const struct node *n = node_get(r->n, "lookup");
	struct definition *d = r->d;
	size_t errors = r->problems->errors;

	if (!n)
		return;
	d->cache_ms = -1;
	d->steps_n = steps_compile(n, d->steps, r->problems);
	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];

		check_step_names(r, n->items[i], s);
		add_step_names(r, n->items[i], i);
		/* One entry holds what all steps told: it is as fresh as the most demanding of them. */
		if (s->cache_ms >= 0 && (d->cache_ms < 0 || s->cache_ms < d->cache_ms))
			d->cache_ms = s->cache_ms;
		if (s->moved.n > 0 && (!d->customer || fact_written(d->customer)[0] != '/'))
			problems_error(r->problems, node_get(n->items[i], "moved"),
				       "expected `customer` to be a JSON Pointer: the new id takes its place");
	}
	if (d->cache_ms < 0)
		d->cache_ms = LOOKUP_CACHE_DEFAULT_MS;
	for (size_t i = 0; i < d->steps_n && r->problems->errors == errors; i++)
		step_check_sample(&d->steps[i], n->items[i], r->binding && r->binding->overlaid, r->problems);
}

void definition_parameters(const struct definition *d, void (*fn)(void *ctx, const char *name, const char *value),
			   void *ctx)
{
	for (size_t i = 0; i < d->names.n; i++)
		fn(ctx, d->names.items[i].name, d->names.items[i].value);
}

static void see_shown(void *ctx, const struct reference *reference)
{
	struct definition *d = ctx;
	const char *name = reference_name(reference);

	for (size_t i = 0; name && i < d->steps_n; i++)
		d->steps[i].shown = d->steps[i].shown || step_takes(&d->steps[i], name);
}

void reader_mark_shown(struct reader *r)
{
	attributes_references(r->d->attributes, see_shown, r->d);
	links_references(r->d->conversation_url, see_shown, r->d);
}
