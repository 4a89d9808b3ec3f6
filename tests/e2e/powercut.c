/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD: keeps what a power cut would leave of the WAL (harness/preload.py, PowerCut). At each fsync
 * or fdatasync of a file whose name ends in "-wal" it copies the file as it is when the call begins, and makes the copy
 * $POWERCUT when the call has worked. Each of these calls takes SLOW_MS longer, so that a kill comes during one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLOW_MS 20

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the copies, and of their order */

static bool is_wal(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 4 && memcmp(path + n - 4, "-wal", 4) == 0;
}

static void copy(int from, const char *to)
{
	static char part[1 << 20];
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;
	ssize_t n;

	while (fd >= 0 && (n = pread(from, part, sizeof(part), at)) > 0 && write(fd, part, (size_t)n) == n)
		at += n;
	if (fd >= 0)
		(void)close(fd);
}

static int sync_and_keep(long call, int fd)
{
	const char *kept = getenv("POWERCUT");
	char taken[PATH_MAX];
	int r;

	if (!kept || !is_wal(fd))
		return (int)syscall(call, fd);
	(void)snprintf(taken, sizeof(taken), "%s.taken", kept);
	(void)pthread_mutex_lock(&lock);
	copy(fd, taken);
	(void)nanosleep(&(struct timespec){.tv_nsec = SLOW_MS * 1000000L}, NULL);
	r = (int)syscall(call, fd);
	if (r == 0)
		(void)rename(taken, kept);
	(void)pthread_mutex_unlock(&lock);
	return r;
}

int fsync(int fd)
{
	return sync_and_keep(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_and_keep(SYS_fdatasync, fd);
}
