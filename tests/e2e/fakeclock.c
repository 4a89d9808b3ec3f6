/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD: the wall clock of a program, which a test sets (harness/preload.py, Clock). $FAKECLOCK
 * names a file of eight bytes: the milliseconds by which the clock is ahead, in the machine's byte order. A write into
 * the file sets the clock: it counts at once, and cancels timers with TFD_TIMER_CANCEL_ON_SET. The monotonic clock does
 * not change.
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
 * These functions use system calls. A sanitizer's runtime reads the clock while it starts, when neither libc's
 * functions nor its replacements of them may be called yet.
 */

static const int64_t *ahead_at; /* the number in the file; NULL: not yet mapped */
static int timer = -1;          /* the timer of the wall clock */

static int64_t ahead_ms(void)
{
	const int64_t *at = __atomic_load_n(&ahead_at, __ATOMIC_ACQUIRE);
	static const int64_t none;

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
 * A program that has seen its timer cancelled arms it again. The kernel arms it, and fails with ECANCELED where the
 * clock was set once more since the program's read(). Here that always fails, as no read() consumes the events.
 */
int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	bool was_set = false;
	char events[4096];

	if (fd != timer || fd < 0)
		return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
	while (syscall(SYS_read, fd, events, sizeof(events)) > 0)
		was_set = true;
	if (was_set)
		errno = ECANCELED;
	return was_set ? -1 : 0;
}
