/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD: a slow disk, whose delay a test sets while the program runs (harness/preload.py, SlowDisk).
 * $SLOWDISK names a file of two numbers of eight bytes in the machine's byte order: the milliseconds that each fsync
 * and fdatasync takes in addition to its own time, and the number of them that wait now, which this library writes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct disk {
	int64_t ms, waiting;
};

static struct disk *disk_open(void)
{
	static struct disk *disk;
	struct disk *found = __atomic_load_n(&disk, __ATOMIC_ACQUIRE);
	const char *file = getenv("SLOWDISK");
	int fd;

	if (found || !file)
		return found;
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (found == MAP_FAILED)
		return NULL;
	__atomic_store_n(&disk, found, __ATOMIC_RELEASE);
	return found;
}

static void wait_for_the_disk(void)
{
	struct disk *d = disk_open();
	int64_t ms = d ? __atomic_load_n(&d->ms, __ATOMIC_RELAXED) : 0;
	struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};

	if (ms == 0)
		return;
	(void)__atomic_add_fetch(&d->waiting, 1, __ATOMIC_SEQ_CST);
	while (nanosleep(&left, &left) < 0)
		;
	(void)__atomic_sub_fetch(&d->waiting, 1, __ATOMIC_SEQ_CST);
}

int fsync(int fd)
{
	wait_for_the_disk();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	wait_for_the_disk();
	return (int)syscall(SYS_fdatasync, fd);
}
