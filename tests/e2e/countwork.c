/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD: counts the work of a process (harness/preload.py, Work). $COUNTWORK names a file that both
 * map. A count never falls; the test reads it before and after the work that it measures.
 *
 * A statement is an execution that begins, however many rows it has. A commit is a sync of a WAL that was written since
 * the sync before: the sync with which a checkpoint begins is none. Allocations are calls of malloc, calloc and
 * realloc.
 *
 * Callgrind needs another way, because its counts are not in the process: where the test sets `wanted`, the next
 * allocation calls countwork_mark(). Callgrind's option --dump-before=countwork_mark ends a part of its counts there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

struct sqlite3_stmt;

/* In the order of Work.NAMES and Work.mark(). */
struct counts {
	int64_t statements, commits, wal_bytes, allocations;
	int64_t wanted, marks;
};

void countwork_mark(void);
int sqlite3_step(struct sqlite3_stmt *s);

/* glibc's own names: dlsym() may allocate. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static struct counts *counts;
static int wal = -1;   /* the descriptor of the WAL that was written last; the daemon keeps its writer's open */
static int wal_writes; /* since the last sync */

__attribute__((constructor)) static void countwork_start(void)
{
	const char *file = getenv("COUNTWORK");
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *found;

	if (fd < 0)
		return;
	found = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (found != MAP_FAILED)
		__atomic_store_n(&counts, found, __ATOMIC_RELEASE);
}

static void *next_of(void **fn, const char *name)
{
	void *found = __atomic_load_n(fn, __ATOMIC_RELAXED);

	if (!found) {
		found = dlsym(RTLD_NEXT, name);
		if (!found)
			abort();
		__atomic_store_n(fn, found, __ATOMIC_RELAXED);
	}
	return found;
}

static void add(int64_t *count, int64_t n)
{
	(void)__atomic_add_fetch(count, n, __ATOMIC_RELAXED);
}

/* ---- allocations, and callgrind's marks -------------------------------------------------------------------------- */

__attribute__((noinline)) void countwork_mark(void)
{
	add(&counts->marks, 1);
}

static void count_allocation(void)
{
	struct counts *c = __atomic_load_n(&counts, __ATOMIC_ACQUIRE);

	if (!c)
		return;
	add(&c->allocations, 1);
	if (__atomic_load_n(&c->wanted, __ATOMIC_RELAXED) && __atomic_exchange_n(&c->wanted, 0, __ATOMIC_SEQ_CST))
		countwork_mark();
}

void *malloc(size_t size)
{
	count_allocation();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count_allocation();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count_allocation();
	return __libc_realloc(p, size);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

int sqlite3_step(struct sqlite3_stmt *s)
{
	static void *step_fn, *busy_fn;
	int (*step)(struct sqlite3_stmt *) = (int (*)(struct sqlite3_stmt *))next_of(&step_fn, "sqlite3_step");
	int (*busy)(struct sqlite3_stmt *) = (int (*)(struct sqlite3_stmt *))next_of(&busy_fn, "sqlite3_stmt_busy");

	if (counts && !busy(s))
		add(&counts->statements, 1);
	return step(s);
}

/* ---- the WAL ----------------------------------------------------------------------------------------------------- */

static bool is_wal(int fd)
{
	char link[64], name[4096];
	ssize_t n;

	if (fd == __atomic_load_n(&wal, __ATOMIC_RELAXED))
		return true;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	if (n < 4 || memcmp(name + n - 4, "-wal", 4) != 0)
		return false;
	__atomic_store_n(&wal, fd, __ATOMIC_RELAXED);
	return true;
}

static ssize_t written(int fd, ssize_t n)
{
	if (counts && n > 0 && is_wal(fd)) {
		add(&counts->wal_bytes, n);
		__atomic_store_n(&wal_writes, 1, __ATOMIC_RELAXED);
	}
	return n;
}

static void synced(int fd)
{
	if (counts && is_wal(fd) && __atomic_exchange_n(&wal_writes, 0, __ATOMIC_RELAXED))
		add(&counts->commits, 1);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	static void *fn;
	ssize_t (*next)(int, const void *, size_t, off_t) =
		(ssize_t(*)(int, const void *, size_t, off_t))next_of(&fn, "pwrite");

	return written(fd, next(fd, p, n, at));
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	static void *fn;
	ssize_t (*next)(int, const void *, size_t, off64_t) =
		(ssize_t(*)(int, const void *, size_t, off64_t))next_of(&fn, "pwrite64");

	return written(fd, next(fd, p, n, at));
}

/* The next one may be slowdisk.c's. */
int fsync(int fd)
{
	static void *fn;
	int (*next)(int) = (int (*)(int))next_of(&fn, "fsync");

	synced(fd);
	return next(fd);
}

int fdatasync(int fd)
{
	static void *fn;
	int (*next)(int) = (int (*)(int))next_of(&fn, "fdatasync");

	synced(fd);
	return next(fd);
}
