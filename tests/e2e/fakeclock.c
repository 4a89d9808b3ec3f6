/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: the wall clock of a program, set by a test (harness/preload.py, Clock). $FAKECLOCK names a file of eight
 * bytes: by how many milliseconds the clock is ahead, in the machine's byte order. A write into it is the clock being
 * set: it counts at once, and timers that wait to be cancelled by that (TFD_TIMER_CANCEL_ON_SET) are. The monotonic
 * clock stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/*
 * All by system calls: a sanitizer's runtime reads the clock while it starts, when neither libc's functions nor those
 * that it puts in their place may be called yet.
 */

static const int64_t *ahead_at; /* where the number stands; NULL: not looked for yet */
static int timer = -1;          /* the one that stands for the wall clock's */

static int64_t ahead_ms(void)
{
	static const int64_t none;
	const int64_t *at = __atomic_load_n(&ahead_at, __ATOMIC_ACQUIRE);

	if (!at) {
		const char *file = getenv("FAKECLOCK");
		long map = -1;
		int fd = file ? (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;

		if (fd >= 0) {
			map = syscall(SYS_mmap, NULL, sizeof(*at), PROT_READ, MAP_SHARED, fd, 0);
			(void)syscall(SYS_close, fd);
		}
		at = map == -1 ? &none : (const int64_t *)map;
		__atomic_store_n(&ahead_at, at, __ATOMIC_RELEASE);
	}
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int64_t ahead, ns;

	if (syscall(SYS_clock_gettime, id, ret) < 0)
		return -1;
	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return 0;
	ahead = ahead_ms();
	ns = ret->tv_nsec + ahead % 1000 * 1000000;
	ret->tv_sec += ahead / 1000 + (ns < 0 ? -1 : ns / 1000000000);
	ret->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
	return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ret->tv_sec = now.tv_sec;
	ret->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

int timerfd_create(int id, int flags)
{
	const char *file = getenv("FAKECLOCK");

	if (id != CLOCK_REALTIME || !file)
		return (int)syscall(SYS_timerfd_create, id, flags);
	timer = (int)syscall(SYS_inotify_init1, (flags & TFD_CLOEXEC ? IN_CLOEXEC : 0) | IN_NONBLOCK);
	if (timer >= 0)
		(void)syscall(SYS_inotify_add_watch, timer, file, IN_MODIFY);
	return timer;
}

/*
 * Arming it anew is what a program does once it has seen it cancelled. The kernel arms it, and fails with ECANCELED,
 * where the clock was set once more since the program's read(); here that is always so, as no read() takes events away.
 */
int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	char events[4096];
	bool was_set = false;

	if (fd != timer || fd < 0)
		return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
	while (syscall(SYS_read, fd, events, sizeof(events)) > 0)
		was_set = true;
	if (was_set)
		errno = ECANCELED;
	return was_set ? -1 : 0;
}
