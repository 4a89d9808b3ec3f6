/* SPDX-License-Identifier: MIT */
/*
 * buf: a growable run of bytes with a hard cap and a sticky error.
 *
 * Invariants: data is never NULL after buf_init (it may point to a static empty string); data[len] is always NUL; len
 * never exceeds cap. An addition that would exceed cap adds nothing, sets error to -EMSGSIZE, and so do all later ones:
 * build first, ask once at the end. Not thread-safe. Depends on mem only.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t alloc; /* bytes owned at data; 0: static */
	size_t cap;   /* most bytes that len may reach */
	int error;    /* 0 or negative errno; sticky until buf_clear */
};

void buf_init(struct buf *b, size_t cap);
/* Returns the alloc that n more bytes would lead to: it doubles, up to one byte more than cap. A caller that counts
 * memory asks before the memory is taken. */
size_t buf_alloc_after(const struct buf *b, size_t n);
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *b); /* empty and without error, memory kept */
void buf_done(struct buf *b);  /* frees; usable only after buf_init */
/* The caller owns the NUL-terminated string afterwards; b is as after buf_init. NULL where error is set. */
char *buf_take(struct buf *b);

#endif
