/* SPDX-License-Identifier: MIT */
/*
 * buf: a growable byte buffer with a hard limit and a sticky error.
 *
 * Invariants:
 * - data is never NULL after buf_init(); it may point to a static empty string.
 * - data[len] is always NUL.
 * - len never exceeds cap.
 *
 * An addition that would exceed cap adds nothing and sets error to -EMSGSIZE; after that every addition fails. So a
 * caller adds everything first and checks error once at the end. Not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t alloc; /* bytes allocated at data; 0: data is static */
	size_t cap;   /* the limit of len */
	int error;    /* 0 or a negative errno; stays until buf_clear() */
};

/* Makes it empty, without allocating. cap: the limit of len. */
void buf_init(struct buf *b, size_t cap);
/* Returns the value of alloc after an addition of n bytes: it doubles, up to cap + 1. A caller that counts memory calls
 * this before the addition. */
size_t buf_alloc_after(const struct buf *b, size_t n);
/* Allocates for n more bytes in all, so that many additions allocate once. */
void buf_reserve(struct buf *b, size_t n);
/* Add bytes, a text, a character, a formatted text. */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *b); /* empties it and clears the error; keeps the memory */
void buf_done(struct buf *b);  /* frees the memory, and empties it as buf_init() does; call buf_init() before */
/* Returns the content as a NUL-terminated string that the caller owns; NULL where error is set. Empties b. */
char *buf_take(struct buf *b);

#endif
