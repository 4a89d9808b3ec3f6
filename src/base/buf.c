/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define BUF_FIRST_BYTES 256 /* of content; the allocation has one more for the NUL */

/* data points here while alloc is 0. The byte stays NUL: no function writes to data while alloc is 0. */
static char buf_empty[1];

void buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){.data = buf_empty, .cap = cap};
}

size_t buf_alloc_after(const struct buf *b, size_t n)
{
	size_t content = b->alloc > 0 ? b->alloc - 1 : BUF_FIRST_BYTES;

	if (n == 0 || b->error < 0 || n > b->cap - b->len || b->len + n < b->alloc)
		return b->alloc;
	while (content < b->len + n)
		content *= 2;
	return (content < b->cap ? content : b->cap) + 1;
}

static void buf_grow(struct buf *b, size_t alloc)
{
	if (b->alloc == 0) {
		b->data = mem_grow(NULL, alloc, 1);
		b->data[0] = '\0';
	} else {
		b->data = mem_grow(b->data, alloc, 1);
	}
	b->alloc = alloc;
}

/* Allocates for n more bytes and the NUL. False: the cap does not allow it. */
static bool buf_room(struct buf *b, size_t n)
{
	size_t alloc;

	if (b->error < 0)
		return false;
	if (n > b->cap - b->len) {
		b->error = -EMSGSIZE;
		return false;
	}
	alloc = buf_alloc_after(b, n);
	if (alloc != b->alloc)
		buf_grow(b, alloc);
	return true;
}

void buf_reserve(struct buf *b, size_t n)
{
	size_t alloc = n < b->cap - b->len ? b->len + n + 1 : b->cap + 1;

	if (b->error == 0 && alloc > b->alloc)
		buf_grow(b, alloc);
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0 || !buf_room(b, n))
		return;
	memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	const size_t room = b->error == 0 && b->alloc > 0 ? b->alloc - b->len : 0; /* with that of the NUL */
	char *to = room > 0 ? b->data + b->len : NULL;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(to, room, fmt, ap);
	va_end(ap);
	INSIST(n >= 0);
	if ((size_t)n < room) {
		b->len += (size_t)n;
	} else {
		/* It is cut, or there was no room for anything. */
		if (to)
			*to = '\0';
		if (n > 0 && buf_room(b, (size_t)n)) {
			(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
			b->len += (size_t)n;
		}
	}
	va_end(again);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->alloc > 0)
		b->data[0] = '\0';
}

void buf_done(struct buf *b)
{
	if (b->alloc > 0)
		free(b->data);
	buf_init(b, b->cap);
}

char *buf_take(struct buf *b)
{
	char *text;

	if (b->error < 0) {
		buf_done(b);
		return NULL;
	}
	text = b->alloc > 0 ? b->data : mem_str("");
	buf_init(b, b->cap);
	return text;
}
