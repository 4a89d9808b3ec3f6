/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/lock.h"

struct serve_reloads {
	struct mailbox *mailbox;
	const char *config; /* the file's path, for answers; borrowed */
	int wake;           /* eventfd */
	struct lock lock;
	bool closed; /* under the lock, so that nothing is posted after the last take */
};

static void reloads_wake(void *arg)
{
	const struct serve_reloads *r = arg;

	(void)!write(r->wake, &(uint64_t){1}, sizeof(uint64_t));
}

int serve_reloads_new(const char *config, struct serve_reloads **ret, struct err *reterr)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct serve_reloads *r;

	if (fd < 0)
		return err_set(reterr, -errno, "no eventfd: %s", strerror(errno));
	r = mem_new(1, sizeof(*r));
	r->config = config;
	r->wake = fd;
	r->mailbox = mailbox_new();
	lock_init(&r->lock);
	mailbox_set_waker(r->mailbox, reloads_wake, r);
	*ret = r;
	return 0;
}

void serve_reloads_free(struct serve_reloads *r)
{
	if (!r)
		return;
	mailbox_free(r->mailbox);
	lock_done(&r->lock);
	close(r->wake);
	free(r);
}

static void answer_stopping(const struct serve_reloads *r, struct admin_reload *asked)
{
	admin_reload_answer(asked, &(struct admin_verdict){.kind = ADMIN_RELOAD_STOPPING,
							   .config = r->config,
							   .error = "the daemon is stopping"});
}

void serve_reloads_ask(void *ctx, struct admin_reload *asked)
{
	struct serve_reloads *r = ctx;

	lock_acquire(&r->lock);
	bool closed = r->closed;
	if (!closed)
		mailbox_post(r->mailbox, &asked->message);
	lock_release(&r->lock);
	if (closed)
		answer_stopping(r, asked);
}

int serve_reloads_fd(const struct serve_reloads *r)
{
	return r->wake;
}

struct admin_reload *serve_reloads_take(struct serve_reloads *r)
{
	uint64_t times;

	(void)!read(r->wake, &times, sizeof(times));
	return (struct admin_reload *)(void *)mailbox_take(r->mailbox);
}

void serve_reloads_close(struct serve_reloads *r)
{
	struct admin_reload *asked, *next;

	lock_acquire(&r->lock);
	r->closed = true;
	lock_release(&r->lock);
	for (asked = serve_reloads_take(r); asked; asked = next) {
		next = (struct admin_reload *)(void *)asked->message.next;
		answer_stopping(r, asked);
	}
}
