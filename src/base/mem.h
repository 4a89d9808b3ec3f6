/* SPDX-License-Identifier: MIT */
/*
 * mem: allocation that never fails, clean-up at the end of a scope, and INSIST.
 *
 * These functions never return NULL: without memory the process aborts with one line on stderr. The daemon survives a
 * crash without loss, because what was not committed was not acknowledged; thousands of untested out-of-memory paths
 * would be worse. Callers bound every size that comes from outside.
 *
 * The allocations of libraries abort in the same way (mem_guards_libraries): the program has its own malloc, calloc and
 * realloc.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *mem_new(size_t n, size_t size) __attribute__((malloc, warn_unused_result));   /* zeroed; checks for overflow */
void *mem_grow(void *p, size_t n, size_t size) __attribute__((warn_unused_result)); /* as realloc(); not zeroed */
void *mem_dup(const void *p, size_t len) __attribute__((warn_unused_result));       /* with a NUL behind it */
/* Copies it, with a NUL behind it, into room of `size` bytes where it fits; otherwise into *own, which the caller
 * frees. *own is NULL before the call. */
char *mem_dup_in(const char *p, size_t len, char *room, size_t size, char **own) __attribute__((warn_unused_result));
char *mem_str(const char *s) __attribute__((warn_unused_result)); /* NULL for NULL */
char *mem_strn(const char *s, size_t len) __attribute__((warn_unused_result));
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));
/* Overwrites memory that may hold a secret, and frees it. NULL allowed. */
void mem_wipe(void *p, size_t len);
void mem_wipe_str(char *s);

/*
 * Makes room for one more element behind n items; items is NULL at first. The capacity doubles at each power of two, so
 * that no caller stores it. Such an array grows only in this way; it may be cut.
 */
#define MEM_ROOM(items, n) ((items) = mem_room((items), (n), sizeof(*(items))))
void *mem_room(void *items, size_t n, size_t size) __attribute__((warn_unused_result));
/* As MEM_ROOM, for an array that is emptied and filled many times and keeps its memory. alloc, 0 at first, is its
 * capacity in elements. */
#define MEM_ROOM_KEPT(items, n, alloc) ((items) = mem_room_kept((items), (n), &(alloc), sizeof(*(items))))
void *mem_room_kept(void *items, size_t n, size_t *alloc, size_t size) __attribute__((warn_unused_result));

/* Ends the process. For a library that reports that memory is short. */
void mem_lacking(void) __attribute__((noreturn));
/* Sets a function that is called once before mem_lacking() or a failed INSIST ends the process. It runs on any thread,
 * with any lock held, so it must neither allocate nor wait for long. NULL: none. */
void mem_on_abort(void (*fn)(void));
/* For tests: true where the allocations of libraries abort too; false under the sanitizers and without glibc. */
extern const bool mem_guards_libraries;

/* `CLEANUP(mem_freep) char *s = NULL;` frees at the end of the scope. TAKE(s) gives the value of s and sets s to
 * NULL. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p)                                   \
	__extension__({                           \
		__typeof__(p) *take_p_ = &(p);    \
		__typeof__(p) take_v_ = *take_p_; \
		*take_p_ = NULL;                  \
		take_v_;                          \
	})

static inline void mem_freep(void *pp)
{
	free(*(void **)pp);
}

#define MUSTCHECK __attribute__((warn_unused_result))

/*
 * Checks a condition that is always true, also in production: otherwise prints the place and aborts. Never for input.
 */
#define INSIST(cond)                                                            \
	do {                                                                    \
		if (!(cond))                                                    \
			mem_insist_failed(#cond, __FILE__, __LINE__, __func__); \
	} while (0)
void mem_insist_failed(const char *cond, const char *file, int line, const char *func) __attribute__((noreturn));

#endif
