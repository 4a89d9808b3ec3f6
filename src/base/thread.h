/* SPDX-License-Identifier: MIT */
/*
 * thread: starting a named thread with all signals blocked, and the one way in which threads talk: the mailbox.
 *
 * A mailbox is an unbounded intrusive queue, many writers and one reader, in order of posting. Its bound is kept by who
 * posts: suspended connections, transfers in flight, operator commands are each limited at their source.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* Aborts where the thread cannot be started: only called while starting up. name: at most 15 letters. */
void thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg);
void thread_join(pthread_t t);

/* First member of everything that is posted. */
struct message {
	struct message *next;
	int kind; /* the reader's own enumeration */
};

struct mailbox;
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *m); /* must be empty */
/* Any thread; the mailbox owns the message until it is taken. Calls the waker, if set, after the message is in. */
void mailbox_post(struct mailbox *m, struct message *message);
/* For a reader that sleeps elsewhere (curl's poll): called from the posting thread. Set before the first post. */
void mailbox_set_waker(struct mailbox *m, void (*wake)(void *), void *arg);
/* Reader: all that is there, oldest first, or NULL. Never blocks. */
struct message *mailbox_take(struct mailbox *m);
/* Reader: waits until something is there or clock_mono_ms() reaches until_mono_ms (CLOCK_NEVER_MS: for ever). */
void mailbox_wait(struct mailbox *m, int64_t until_mono_ms);

#endif
