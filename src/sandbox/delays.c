/*
 * The server's threads post; the thread here keeps what waits in a list sorted by when it is due. The server's
 * max_connections bounds the list. Once closed, a late poster answers by itself, under the same lock that closed it:
 * nothing that was suspended is ever forgotten.
 */
#include <config.h>

#include "sandbox/delays.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/thread.h"

enum delay_kind {
	DELAY_EXCHANGE,
	DELAY_CLOSE,
};

struct delay {
	struct mail mail;
	struct delay *later; /* the thread's sorted list */
	struct http_exchange *x;
	int64_t due_mono_ms;
	enum fault_cut cut;
	struct answer answer;
};

struct delays {
	struct mailbox *mail;
	pthread_t thread;
	struct lock lock; /* over closed, and posting with it */
	bool closed;
};

static void finish(struct delay *d)
{
	if (d->cut != FAULT_CUT_NONE)
		http_resume_cut(d->x, d->cut == FAULT_CUT_RESET);
	else
		http_resume(d->x, &(struct http_answer){
					  .status = d->answer.status,
					  .type = d->answer.type,
					  .body = d->answer.body,
					  .body_len = d->answer.body ? strlen(d->answer.body) : 0,
					  .headers = &d->answer.headers,
				  });
	answer_done(&d->answer);
	free(d);
}

static void insert(struct delay **list, struct delay *d)
{
	while (*list && (*list)->due_mono_ms <= d->due_mono_ms)
		list = &(*list)->later;
	d->later = *list;
	*list = d;
}

static void *delays_main(void *arg)
{
	struct delays *self = arg;
	struct delay *waiting = NULL;
	bool closing = false;

	while (!closing || waiting) {
		struct mail *m, *next;

		mailbox_wait(self->mail, closing ? 0 : waiting ? waiting->due_mono_ms : CLOCK_NEVER_MS);
		for (m = mailbox_take(self->mail); m; m = next) {
			next = m->next;
			if (m->kind == DELAY_EXCHANGE) {
				insert(&waiting, (struct delay *)m);
			} else {
				closing = true;
				free(m);
			}
		}
		while (waiting && (closing || waiting->due_mono_ms <= clock_mono_ms())) {
			struct delay *due = waiting;

			waiting = due->later;
			finish(due);
		}
	}
	return NULL;
}

struct delays *delays_new(void)
{
	struct delays *self = mem_new(1, sizeof(*self));

	self->mail = mailbox_new();
	lock_init(&self->lock);
	thread_start(&self->thread, "sandbox-delays", delays_main, self);
	return self;
}

void delays_post(struct delays *self, struct http_exchange *x, int64_t due_mono_ms, enum fault_cut cut,
		 struct answer *a)
{
	struct delay *d = mem_new(1, sizeof(*d));

	d->mail.kind = DELAY_EXCHANGE;
	d->x = x;
	d->due_mono_ms = due_mono_ms;
	d->cut = cut;
	d->answer = *a;
	*a = (struct answer){0};
	lock_acquire(&self->lock);
	if (self->closed)
		finish(d);
	else
		mailbox_post(self->mail, &d->mail);
	lock_release(&self->lock);
}

void delays_close(struct delays *self)
{
	struct delay *d = mem_new(1, sizeof(*d));

	d->mail.kind = DELAY_CLOSE;
	lock_acquire(&self->lock);
	self->closed = true;
	mailbox_post(self->mail, &d->mail);
	lock_release(&self->lock);
	thread_join(self->thread);
}

void delays_free(struct delays *self)
{
	if (!self)
		return;
	mailbox_free(self->mail);
	lock_done(&self->lock);
	free(self);
}
