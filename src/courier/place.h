/*
 * place: one source as far as its lookups go: its state, and what people were told of it. On the thread of the lookups.
 * Only for lookup.c.
 */
#ifndef COURIER_PLACE_H
#define COURIER_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/lookup.h"
#include "courier/report.h"
#include "courier/upstream.h"

struct place {
	struct place *next;
	bool configured;          /* in the present generation, with a lookup */
	struct upstream upstream; /* in flight are questions: they point here */
	struct report report;
	struct lookup_mark mark; /* of base_url, parameters and credentials as they are configured */
	bool worked;             /* the helpdesk has answered something in JSON under that mark */
};
struct places {
	struct place *first;
};

struct place *places_find(const struct places *all, const char *name); /* or NULL */
struct place *places_get(struct places *all, const char *name);        /* made where it is not there */
/* Frees those that are not configured and have nothing under way. */
void places_sweep(struct places *all);
void places_free(struct places *all);

/* The mark of the source as g configures it. Where it is another than before, nothing has worked yet. */
void place_mark(struct place *p, const struct source *s, const struct generation *g);
/* A mark that was kept: whether it is this one. */
void place_recall(struct place *p, const struct lookup_mark *kept);

#endif
