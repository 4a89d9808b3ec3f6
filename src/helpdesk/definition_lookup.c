/*
 * The lookup of a definition: its steps, bound to the names.
 */
#include <config.h>

#include "helpdesk/definition_reader.h"

#include <string.h>

#include "base/clock.h"

#define LOOKUP_CACHE_DEFAULT_MS (10 * CLOCK_MINUTE_MS)

static void read_step_names(struct reader *r, const struct node *n, const struct step *s)
{
	struct name_check c = {.r = r, .at = node_get(n, "url")};

	if (s->url)
		template_references(s->url, name_check_one, &c);
	for (size_t i = 0; i < s->headers_n; i++) {
		c.at = node_get(node_get(n, "headers"), s->headers[i].name);
		if (s->headers[i].value)
			template_references(s->headers[i].value, name_check_one, &c);
	}
	for (size_t i = 0; i < s->take_n; i++)
		reader_add_name(r, node_get(node_get(n, "take"), s->take[i].name), s->take[i].name, NULL);
}

void reader_read_lookup(struct reader *r)
{
	const struct node *n = node_get(r->n, "lookup");
	struct definition *d = r->d;

	if (!n)
		return;
	d->cache_ms = -1;
	d->steps_n = steps_compile(n, d->steps, r->problems);
	for (size_t i = 0; i < d->steps_n; i++) {
		const struct step *s = &d->steps[i];

		read_step_names(r, n->items[i], s);
		/* One entry holds what all steps told: it is as fresh as the most demanding of them. */
		if (s->cache_ms >= 0 && (d->cache_ms < 0 || s->cache_ms < d->cache_ms))
			d->cache_ms = s->cache_ms;
		if (s->moved && (!d->customer || fact_written(d->customer)[0] != '/'))
			problems_error(r->problems, node_get(n->items[i], "moved"),
				       "expected `customer` to be a JSON Pointer: the new id takes its place");
	}
	if (d->cache_ms < 0)
		d->cache_ms = LOOKUP_CACHE_DEFAULT_MS;
}
