/* SPDX-License-Identifier: MIT */
/*
 * unwrap: a text as it reads once an encoding is taken off, with the place of each byte in the text as it was written.
 *
 * A percent-encoded, escaped or entity-encoded text hides an address or a secret from a plain search, and still tells
 * it to a person. mask_text() and strike look for what they hide in every reading of a text: as it is, without one
 * layer, without two, and so on. Pure.
 */
#ifndef BASE_UNWRAP_H
#define BASE_UNWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UNWRAP_LAYERS_MAX 8

/* One reading. text is not NUL-terminated in any useful way: it may hold NULs (%00). */
struct unwrapped {
	const char *text;
	size_t len;
	const uint32_t *from, *to; /* byte i was written at from[i] up to to[i]; NULL: at i up to i + 1 */
	bool guessed;              /* of =XX, which may be no encoding at all */
};

/* Part of a reading, and what is written in its place. */
struct unwrapped_span {
	size_t from, to; /* to > from */
};

/*
 * Finds the next part of r that must not be seen, from the byte `at` on; false where there is none. Writes what stands
 * in its place to `replacement`; source: the text as it was written.
 */
typedef bool unwrap_find_fn(const void *ctx, const struct unwrapped *r, const char *source, size_t at,
			    struct unwrapped_span *ret, struct buf *replacement);

/* The text with all that find() finds in any reading replaced. The caller's. text: less than 2 GiB. */
char *unwrap_replace(const char *text, unwrap_find_fn *find, const void *ctx);

#endif
