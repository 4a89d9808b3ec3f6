#include <config.h>

#include "courier/place.h"

#include <string.h>

#include "base/digest.h"

static const struct upstream_kind kind = {
	.window = LOOKUP_WINDOW,
	.window_parked = 1,
	.pause_shuts = true,
	.renewed = UPSTREAM_READY, /* a question costs nobody anything */
};

struct place *places_find(const struct places *all, const char *name)
{
	struct place *p;

	for (p = all->first; p && !text_is(p->report.name, name); p = p->next)
		;
	return p;
}

struct place *places_get(struct places *all, const char *name)
{
	struct place *p = places_find(all, name);

	if (p)
		return p;
	p = mem_new(1, sizeof(*p));
	report_init(&p->report, REPORT_LOOKUPS, name);
	upstream_init(&p->upstream, &kind);
	p->next = all->first;
	all->first = p;
	return p;
}

static void place_free(struct place *p)
{
	report_done(&p->report);
	free(p);
}

void places_sweep(struct places *all)
{
	for (struct place **at = &all->first; *at;) {
		struct place *p = *at;

		if (p->configured || p->upstream.in_flight > 0) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		place_free(p);
	}
}

void places_free(struct places *all)
{
	for (struct place *p = all->first, *next; p; p = next) {
		next = p->next;
		place_free(p);
	}
	all->first = NULL;
}

/* ---- the mark ---------------------------------------------------------------------------------------------------- */

/* With its end, so that two values never read as one. */
static void mark_add(struct digest *d, const char *value)
{
	digest_add(d, value ? "+" : "-", 1);
	if (value)
		digest_add(d, value, strlen(value) + 1);
}

static void mark_add_name(void *ctx, const char *name, const char *value)
{
	mark_add(ctx, name);
	mark_add(ctx, value);
}

static const char *secret_text(const struct generation *g, const struct secret *secret)
{
	return secret ? secret_value(g->secrets, secret) : NULL;
}

void place_mark(struct place *p, const struct source *s, const struct generation *g)
{
	struct lookup_mark mark = {.is_set = true};
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct digest *d = digest_new();

	mark_add(d, s->lookup_user);
	mark_add(d, secret_text(g, s->lookup_password));
	mark_add(d, secret_text(g, s->lookup_token));
	definition_parameters(s->definition, mark_add_name, d);
	digest_end(d, sha);
	memcpy(mark.bytes, sha, sizeof(mark.bytes));
	if (p->mark.is_set && memcmp(p->mark.bytes, mark.bytes, sizeof(mark.bytes)) == 0)
		return;
	p->mark = mark;
	p->worked = false;
}

void place_recall(struct place *p, const struct lookup_mark *kept)
{
	if (kept->is_set && p->mark.is_set && memcmp(kept->bytes, p->mark.bytes, sizeof(kept->bytes)) == 0)
		p->worked = true;
}
