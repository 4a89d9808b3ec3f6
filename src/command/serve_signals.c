/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_out.h"
#include "base/thread.h"
#include "command/command.h"

struct serve_signals {
	pthread_t thread;
	int signals; /* signalfd, read by the thread */
	int news;    /* eventfd, read by the main thread */
	int end;     /* eventfd: the thread ends */
	atomic_bool hup;
	atomic_int stop;              /* the signal; 0: none yet */
	atomic_int_least64_t stop_ms; /* clock_mono_ms; set before `stop` */
};

static void wake(int fd)
{
	(void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* Reads all signals that have come, and wakes the main thread. */
static void take_all(struct serve_signals *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			atomic_store(&s->hup, true);
		} else if (atomic_load(&s->stop) == 0) {
			atomic_store(&s->stop_ms, clock_mono_ms());
			atomic_store(&s->stop, (int)info.ssi_signo);
		}
		wake(s->news);
	}
}

/* Ends the process at the time limit of a stop. */
static __attribute__((noreturn)) void cut_short(void)
{
	log_warning(NULL,
		    "the end did not come in %d s and is cut short: all that was answered is kept, the helpdesks send "
		    "the rest again",
		    SERVE_STOP_MS / 1000);
	(void)log_out_flush();
	_exit(COMMAND_GOOD);
}

static void *signals_main(void *arg)
{
	struct serve_signals *s = arg;

	for (;;) {
		struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->end, .events = POLLIN}};
		int64_t left_ms = -1; /* no limit until a stop is requested */

		if (atomic_load(&s->stop) != 0) {
			left_ms = atomic_load(&s->stop_ms) + SERVE_STOP_MS - clock_mono_ms();
			if (left_ms <= 0)
				cut_short();
		}
		if (poll(fds, 2, (int)left_ms) < 0) {
			INSIST(errno == EINTR);
			continue;
		}
		if (fds[1].revents)
			return NULL;
		if (fds[0].revents)
			take_all(s);
	}
}

static void signals_free(struct serve_signals *s)
{
	for (size_t i = 0; i < 3; i++) {
		int fd = (const int[]){s->signals, s->news, s->end}[i];

		if (fd >= 0)
			(void)close(fd);
	}
	free(s);
}

int serve_signals_start(struct serve_signals **ret, struct err *reterr)
{
	struct serve_signals *s = mem_new(1, sizeof(*s));
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	INSIST(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	INSIST(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	/* A file that may not grow (LimitFSIZE=) counts as a full store: the write fails instead of ending the
	 * process. */
	INSIST(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->signals < 0 || s->news < 0 || s->end < 0) {
		r = err_set(reterr, -errno, "signals: %s", strerror(errno));
		signals_free(s);
		return r;
	}
	thread_start(&s->thread, "signals", signals_main, s);
	*ret = s;
	return 0;
}

int serve_signals_fd(const struct serve_signals *s)
{
	return s->news;
}

void serve_signals_take(struct serve_signals *s, bool *ret_hup, int *ret_stop)
{
	uint64_t times;

	(void)!read(s->news, &times, sizeof(times));
	*ret_hup = atomic_exchange(&s->hup, false);
	*ret_stop = atomic_load(&s->stop);
}

int64_t serve_signals_stop_ms(const struct serve_signals *s)
{
	return atomic_load(&s->stop) != 0 ? atomic_load(&s->stop_ms) : clock_mono_ms();
}

void serve_signals_stop(struct serve_signals *s)
{
	if (!s)
		return;
	wake(s->end);
	thread_join(s->thread);
	signals_free(s);
}
