/* SPDX-License-Identifier: MIT */
/*
 * generation: configuration and secrets as of now, taken and dropped as a whole.
 *
 * Reference-counted, immutable. The current one is behind one lock; a thread takes a reference for as long as it works
 * by it: intake for one request, the pipeline for one turn, the courier until it is told of the next.
 * A changed secret file makes a new generation with the same configuration; SIGHUP makes one with both new, or none.
 */
#ifndef CONF_GENERATION_H
#define CONF_GENERATION_H

#include <stdint.h>

#include "conf/conf.h"

struct generation {
	const struct config *config;
	const struct secrets *secrets;
	uint64_t number; /* from 1, for logs */
			 /* private members follow in generation.c */
};

/* Loads from the file. Returns NULL with problems, or a generation with one reference that is not current yet. */
struct generation *generation_load(const char *file, struct problems *problems);
/* The same; prepare is called with the configuration before its secrets are read, where it has no errors so far. */
struct generation *generation_load_prepared(const char *file, void (*prepare)(void *ctx, const struct config *c),
					    void *ctx, struct problems *problems);
/* The same configuration, secrets read anew: NULL where nothing changed. Problems (a file gone, or what can be no
 * secret of the source's proof) are warnings, and the former secret stays. */
struct generation *generation_refresh(const struct generation *g, struct problems *problems);

struct generation *generation_ref(struct generation *g); /* one more reference */
void generation_unref(struct generation *g);             /* NULL allowed; the last one frees */
static inline void generation_unrefp(struct generation **g)
{
	generation_unref(*g);
}

/* The process's current one, referenced for the caller. Any thread. NULL before the first generation_make_current. */
struct generation *generation_current(void);
/* Takes over the caller's reference; drops the former's. Main thread. */
void generation_make_current(struct generation *g);

/* Settings that may not change in a running daemon: -EINVAL names them ("listen.address, store.url: restart needed").
 */
int generation_may_follow(const struct generation *old, const struct generation *next, struct err *reterr) MUSTCHECK;

#endif
