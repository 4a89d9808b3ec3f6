#include <config.h>

#include "pipeline/tally.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

void tally_add(struct tally *t, enum metric m, const char *label1, const char *label2, const char *label3)
{
	const char *labels[3] = {label1, label2, label3};
	struct tally_count *c;

	/* A turn meets few different series; the latest come again. */
	for (size_t i = t->counts_n; i-- > 0;) {
		c = &t->counts[i];
		if (c->metric == m && text_is(c->labels[0], label1) && text_is(c->labels[1], label2) &&
		    text_is(c->labels[2], label3)) {
			c->n++;
			return;
		}
	}
	if (t->counts_n == t->counts_alloc) {
		t->counts_alloc = t->counts_alloc ? 2 * t->counts_alloc : 16;
		t->counts = mem_grow(t->counts, t->counts_alloc, sizeof(*t->counts));
	}
	c = &t->counts[t->counts_n++];
	*c = (struct tally_count){.metric = m, .n = 1};
	for (unsigned i = 0; i < 3; i++)
		c->labels[i] = mem_str(labels[i]);
}

void tally_observe(struct tally *t, enum metric m, double seconds)
{
	if (t->observations_n == t->observations_alloc) {
		t->observations_alloc = t->observations_alloc ? 2 * t->observations_alloc : 16;
		t->observations = mem_grow(t->observations, t->observations_alloc, sizeof(*t->observations));
	}
	t->observations[t->observations_n].metric = m;
	t->observations[t->observations_n++].seconds = seconds;
}

void tally_savepoint(struct tally *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		t->counts[i].kept = t->counts[i].n;
	t->observations_kept = t->observations_n;
}

/* A series that came since then stays, at 0. */
void tally_undo(struct tally *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		t->counts[i].n = t->counts[i].kept;
	t->observations_n = t->observations_kept;
}

void tally_publish(struct tally *t)
{
	for (size_t i = 0; i < t->counts_n; i++) {
		const struct tally_count *c = &t->counts[i];

		if (c->n > 0)
			metrics_add(c->metric, c->labels[0], c->labels[1], c->labels[2], c->n);
	}
	for (size_t i = 0; i < t->observations_n; i++)
		metrics_observe(t->observations[i].metric, t->observations[i].seconds);
	tally_drop(t);
}

void tally_drop(struct tally *t)
{
	for (size_t i = 0; i < t->counts_n; i++)
		for (unsigned k = 0; k < 3; k++)
			free(t->counts[i].labels[k]);
	t->counts_n = 0;
	t->observations_n = t->observations_kept = 0;
}

void tally_done(struct tally *t)
{
	tally_drop(t);
	free(t->counts);
	free(t->observations);
	*t = (struct tally){0};
}
