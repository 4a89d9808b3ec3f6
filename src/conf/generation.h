/* SPDX-License-Identifier: MIT */
/*
 * generation: a configuration and its secrets, replaced as a whole.
 *
 * A generation is reference-counted and immutable. One lock guards the pointer to the current one. Each thread holds a
 * reference while it works with a generation: intake for one request, the pipeline for one turn, the courier until it
 * gets the next generation. A changed secret file makes a new generation with the same configuration. A reload makes
 * one with a new configuration and new secrets, or leaves the current generation in place.
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

/* Loads a configuration and its secrets. Returns NULL with problems, or a generation with one reference that is not
 * yet the current one. */
struct generation *generation_load(const char *file, struct problems *problems);
/* As generation_load(), but calls prepare with the configuration before its secrets are read, unless the
 * configuration has errors by then. */
struct generation *generation_load_prepared(const char *file, void (*prepare)(void *ctx, const struct config *c),
					    void *ctx, struct problems *problems);
/*
 * Returns a generation with the same configuration and secrets that were read again; NULL where no secret changed.
 * Problems, such as a file that is gone or a value that the source's proof cannot use, are warnings, and the old secret
 * stays.
 */
struct generation *generation_refresh(const struct generation *g, struct problems *problems);

struct generation *generation_ref(struct generation *g); /* adds a reference */
void generation_unref(struct generation *g);             /* NULL allowed; the last reference frees it */
static inline void generation_unrefp(struct generation **g)
{
	generation_unref(*g);
}

/* Returns the current generation with a reference for the caller. NULL before the first generation_make_current. Any
 * thread. */
struct generation *generation_current(void);
/* Takes ownership of the caller's reference, and drops the reference to the old generation. Main thread. */
void generation_make_current(struct generation *g);

/* Returns -EINVAL where settings differ that a running daemon cannot change; reterr names them: "listen.address,
 * store.url: restart needed". */
int generation_may_follow(const struct generation *old, const struct generation *next, struct err *reterr) MUSTCHECK;

#endif
