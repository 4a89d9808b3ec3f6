/* SPDX-License-Identifier: MIT */
/*
 * mem: memory that is there or the process is not, and scope-bound clean-up.
 *
 * These functions never return NULL: out of memory aborts with one line on stderr. A crash is a case that the daemon
 * survives without loss, as what was not committed was not acknowledged; thousands of untested out-of-memory paths are
 * not. Sizes that an outsider controls are bounded before they come here.
 *
 * The same holds for what libraries allocate (mem_guards_libraries): their malloc, calloc and realloc are ours.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *mem_new(size_t n, size_t size) __attribute__((malloc, warn_unused_result));   /* zeroed, overflow-checked */
void *mem_grow(void *p, size_t n, size_t size) __attribute__((warn_unused_result)); /* realloc, not zeroed */
void *mem_dup(const void *p, size_t len) __attribute__((warn_unused_result));       /* with a NUL put behind */
char *mem_str(const char *s) __attribute__((warn_unused_result));                   /* NULL in, NULL out */
char *mem_strn(const char *s, size_t len) __attribute__((warn_unused_result));
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));
/* Overwrites what may be a secret, and frees it. NULL allowed. */
void mem_wipe(void *p, size_t len);
void mem_wipe_str(char *s);

/*
 * Makes room for one element more behind the n of items, which is NULL at first. The room doubles at each power of two,
 * so that nobody keeps a capacity: an array that is grown so is grown in no other way, but may be cut.
 */
#define MEM_ROOM(items, n) ((items) = mem_room((items), (n), sizeof(*(items))))
void *mem_room(void *items, size_t n, size_t size) __attribute__((warn_unused_result));
/* The same for an array that is emptied and filled again and again, and keeps its memory: alloc, 0 at first, is how
 * many elements it has room for. */
#define MEM_ROOM_KEPT(items, n, alloc) ((items) = mem_room_kept((items), (n), &(alloc), sizeof(*(items))))
void *mem_room_kept(void *items, size_t n, size_t *alloc, size_t size) __attribute__((warn_unused_result));

/* The end of the process, for a library that says that memory is short. */
void mem_lacking(void) __attribute__((noreturn));
/* Called once before the process ends by mem_lacking or a failed INSIST, on whatever thread, with whatever lock held:
 * it must neither allocate nor wait for long. NULL: nothing. */
void mem_on_abort(void (*fn)(void));
/* For tests: false under the sanitizers and without glibc. */
extern const bool mem_guards_libraries;

/* `CLEANUP(mem_freep) char *s = NULL;` frees at the end of the scope; TAKE(s) hands s over and leaves NULL behind. */
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
 * What cannot happen, checked in production too: says where, aborts. Never for input.
 */
#define INSIST(cond)                                                            \
	do {                                                                    \
		if (!(cond))                                                    \
			mem_insist_failed(#cond, __FILE__, __LINE__, __func__); \
	} while (0)
void mem_insist_failed(const char *cond, const char *file, int line, const char *func) __attribute__((noreturn));

#endif
