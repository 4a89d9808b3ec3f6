/* SPDX-License-Identifier: MIT */
/*
 * thread: starts named threads with all signals blocked. Threads talk through mailboxes.
 *
 * A mailbox is an unbounded intrusive queue with many writers and one reader; messages are read in order of posting.
 * The posters bound it: suspended connections, transfers in flight and operator commands are each limited at their
 * source.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread. Aborts on failure, because threads are started when the program or a part of it starts. name: at most 15 characters. */
void thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg);
void thread_join(pthread_t t);

/* The first member of every message's struct. */
struct message {
	struct message *next;
	int kind; /* of the reader's own enum */
};

struct mailbox;
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *m); /* must be empty */
/* Any thread. Adds the message. If it is the only one, wakes the reader or calls the waker. The mailbox owns the
 * message until the reader takes it. */
void mailbox_post(struct mailbox *m, struct message *message);
/* For a reader that sleeps elsewhere (in curl's poll): wake is called on the posting thread. Set it before the first
 * post. The reader calls mailbox_take() after each wake. */
void mailbox_set_waker(struct mailbox *m, void (*wake)(void *), void *arg);
/* Reader only: takes all messages, linked by next, oldest first; NULL: none. Never blocks. */
struct message *mailbox_take(struct mailbox *m);
/* Any thread: true where no message waits. */
bool mailbox_is_empty(struct mailbox *m);
/* Reader only: waits until a message is there or clock_mono_ms() reaches until_mono_ms (CLOCK_NEVER_MS: for ever). */
void mailbox_wait(struct mailbox *m, int64_t until_mono_ms);

#endif
