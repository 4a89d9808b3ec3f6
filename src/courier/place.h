/*
 * place: one source as far as its lookups go: its state, what was told of its window, whether and why it is parked.
 * On the thread of the lookups; now_ms is clock_mono_ms(). Only for src/courier.
 */
#ifndef COURIER_PLACE_H
#define COURIER_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "courier/lookup.h"
#include "courier/upstream.h"

struct place {
	struct place *next;
	char *name;
	bool configured;          /* in the present generation, with a lookup */
	struct upstream upstream; /* in flight are questions: they point here */
	bool told;                /* a window since the last generation */
	unsigned told_window;
	bool told_for_new;
	char *told_reason;
	char *parked;            /* why, for people; NULL: not parked */
	char label[16];          /* the same, for metrics */
	char *paused;            /* "paused until …": a pause of more than a minute; NULL: none */
	struct lookup_mark mark; /* of base_url, parameters and credentials as they are configured */
	bool worked;             /* the helpdesk has answered something in JSON under that mark */
	unsigned failures;       /* in a row, since the last useful answer */
};
struct places {
	struct place *first;
};

struct place *places_find(const struct places *all, const char *name); /* or NULL */
struct place *places_get(struct places *all, const char *name);        /* made where it is not there */
/* Frees those that are not configured and have nothing under way. */
void places_sweep(struct places *all);
void places_free(struct places *all);

/* Whether a secret is wrong, or the URL is more likely. */
enum place_trouble {
	PLACE_CREDENTIALS,
	PLACE_ANSWERS,
};

/* The mark of the source as g configures it. Where it is another than before, nothing has worked yet. */
void place_mark(struct place *p, const struct source *s, const struct generation *g);
/* A mark that was kept: whether it is this one. */
void place_recall(struct place *p, const struct lookup_mark *kept);
/* Tells the window where it, or its reason, changed since it was told last. */
void place_tell(struct place *p, const struct lookup_sink *sink, int64_t now_ms);
/* Parked, or again after a probe: gauge, and one warning when it begins. status 0: there was no answer. */
void place_park(struct place *p, const struct source *s, enum place_trouble trouble, unsigned status, const char *why);
void place_unpark(struct place *p);
/* Keeps and logs a pause of more than a minute; forgets one that is over. */
void place_pause(struct place *p, int64_t now_ms);
/* One warning when PLACE_FAILURES questions in a row had no useful answer, one notice when one has again. tells: `why`
 * tells what mends it. */
#define PLACE_FAILURES 5
void place_failed(struct place *p, const char *why, bool tells);
void place_answered(struct place *p);

#endif
