/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/mem.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic(void (*)(void)) mem_abort_hook;

void mem_on_abort(void (*fn)(void))
{
	atomic_store(&mem_abort_hook, fn);
}

/* Prints the line and aborts. Uses neither stdio nor the log, because both may allocate. Does not wait for a full pipe;
 * if another process fills it between poll() and write(), the alarm ends this process. */
static __attribute__((noreturn)) void mem_die(const char *line)
{
	void (*hook)(void) = atomic_exchange(&mem_abort_hook, NULL);
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	sigset_t set;

	if (hook)
		hook();
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	(void)signal(SIGALRM, SIG_DFL);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)alarm(1);
	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLOUT))
		(void)!write(STDERR_FILENO, line, strlen(line));
	abort();
}

void mem_lacking(void)
{
	mem_die("deskbridge: out of memory\n");
}

/* ---- libraries --------------------------------------------------------------------------------------------------- */
/*
 * When an allocation fails, json-c 0.16 omits a member or makes it null, and reports success; such a webhook would look
 * like one of no interest. So failed allocations of libraries end the process too: these functions replace the
 * allocator's own in the whole process. They only call the next allocator, which is the C library's or one that was
 * loaded before it (LD_PRELOAD, valgrind). free() is the next allocator's own, so it gets its own memory back.
 *
 * Not under the sanitizers, which have their own allocator; theirs ends the process as well.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MEM_SANITIZED 1
#endif
#endif
#if defined(DESKBRIDGE_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEM_SANITIZED 1
#endif

#if !defined(MEM_SANITIZED) && defined(__GLIBC__)
const bool mem_guards_libraries = true;

/* Looks up the next allocator's function. glibc's dlsym() allocates only on failure. Every thread finds the same *fn,
 * so no lock is needed. */
static void *mem_next(void **fn, const char *name)
{
	void *found = __atomic_load_n(fn, __ATOMIC_RELAXED);

	if (found)
		return found;
	found = dlsym(RTLD_NEXT, name);
	if (!found)
		mem_die("deskbridge: there is no allocator to pass on to\n");
	__atomic_store_n(fn, found, __ATOMIC_RELAXED);
	return found;
}

static void *mem_next_malloc(size_t size)
{
	static void *fn;
	void *(*next)(size_t) = (void *(*)(size_t))mem_next(&fn, "malloc");
	void *p = next(size);

	if (!p && size > 0)
		mem_lacking();
	return p;
}

void *malloc(size_t size)
{
	return mem_next_malloc(size);
}

/* glibc before 2.41 takes calloc()'s memory from no cache of the thread, which costs five times malloc()'s. So a small
 * block is malloc()'s. */
#define CACHED_BYTES_MAX 1024 /* glibc caches blocks of at most 1032 bytes */

void *calloc(size_t n, size_t size)
{
	static void *fn;
	void *(*next)(size_t, size_t);
	size_t bytes;
	void *p;

	/* Not malloc() itself: the compiler makes calloc() of malloc() and memset(). */
	if (!__builtin_mul_overflow(n, size, &bytes) && bytes <= CACHED_BYTES_MAX) {
		p = mem_next_malloc(bytes);
		return bytes > 0 ? memset(p, 0, bytes) : p;
	}
	next = (void *(*)(size_t, size_t))mem_next(&fn, "calloc");
	p = next(n, size);

	if (!p && n > 0 && size > 0)
		mem_lacking();
	return p;
}

void *realloc(void *p, size_t size)
{
	static void *fn;
	void *(*next)(void *, size_t) = (void *(*)(void *, size_t))mem_next(&fn, "realloc");
	void *grown = next(p, size);

	if (!grown && size > 0) /* realloc(p, 0) frees p */
		mem_lacking();
	return grown;
}
#else
const bool mem_guards_libraries = false;
#endif

/* ---- functions of mem.h ------------------------------------------------------------------------------------------ */

static void *mem_check(void *p)
{
	if (!p)
		mem_lacking();
	return p;
}

void *mem_new(size_t n, size_t size)
{
	return mem_check(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		mem_die("deskbridge: out of memory (impossible size)\n");
	return mem_check(realloc(p, bytes > 0 ? bytes : 1));
}

void *mem_room(void *items, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? mem_grow(items, n > 0 ? 2 * n : 1, size) : items;
}

void *mem_room_kept(void *items, size_t n, size_t *alloc, size_t size)
{
	if (n < *alloc)
		return items;
	*alloc = n > 0 ? 2 * n : 16;
	return mem_grow(items, *alloc, size);
}

void *mem_dup(const void *p, size_t len)
{
	char *copy;

	INSIST(len < SIZE_MAX);
	copy = mem_check(malloc(len + 1));
	if (len > 0)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

char *mem_dup_in(const char *p, size_t len, char *room, size_t size, char **own)
{
	if (len >= size)
		return *own = mem_dup(p, len);
	memcpy(room, p, len);
	room[len] = '\0';
	return room;
}

char *mem_str(const char *s)
{
	return s ? mem_dup(s, strlen(s)) : NULL;
}

char *mem_strn(const char *s, size_t len)
{
	return s ? mem_dup(s, strnlen(s, len)) : NULL;
}

char *mem_fmt(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return mem_check(n < 0 ? NULL : text);
}

void mem_wipe(void *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
	free(p);
}

void mem_wipe_str(char *s)
{
	mem_wipe(s, s ? strlen(s) : 0);
}

void mem_insist_failed(const char *cond, const char *file, int line, const char *func)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "deskbridge: %s:%d: %s: this cannot happen: not (%s)\n", file, line, func,
		       cond);
	mem_die(text);
}
