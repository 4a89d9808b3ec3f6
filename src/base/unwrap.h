/* SPDX-License-Identifier: MIT */
/*
 * unwrap: takes encodings off a text and keeps the position of each byte in the original text. Pure.
 *
 * A percent-encoded, escaped or entity-encoded text hides an address or a secret from a plain search, but a person can
 * still read it. So mask_text() and redact() search every decoding of a text: the text as it is, with one layer of
 * encoding taken off, with two, and so on.
 */
#ifndef BASE_UNWRAP_H
#define BASE_UNWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define UNWRAP_LAYERS_MAX 8

/* One decoding of a text. It is not NUL-terminated, and may hold NULs (%00). */
struct unwrapped {
	const char *text;
	size_t len;
	const uint32_t *from, *to; /* byte i is the original bytes from[i] up to to[i]; NULL: i up to i + 1 */
	bool guessed;              /* decoded from =XX, which may be no encoding at all */
};

/* A part of a decoding that is to be replaced. */
struct unwrapped_span {
	size_t from, to; /* to > from */
};

/*
 * Finds the next part of r that must not be shown, from byte `at` on, and adds its replacement to `replacement`. False:
 * there is none. source: the original text.
 */
typedef bool unwrap_find_fn(const void *ctx, const struct unwrapped *r, const char *source, size_t at,
			    struct unwrapped_span *ret, struct buf *replacement);

/* Returns the text with everything replaced that find() finds in any decoding. The caller owns it. text: less than 2
 * GiB. */
char *unwrap_replace(const char *text, unwrap_find_fn *find, const void *ctx);

#endif
