/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define WRITERS 4
#define MESSAGES 500

struct numbered {
	struct message message;
	int writer, number;
};

struct writer {
	struct mailbox *to;
	int id;
};

static void *write_messages(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < MESSAGES; i++) {
		struct numbered *l = mem_new(1, sizeof(*l));

		l->writer = w->id;
		l->number = i;
		mailbox_post(w->to, &l->message);
	}
	return NULL;
}

static void each_writers_mail_comes_in_order_and_whole(void **state)
{
	struct mailbox *m = mailbox_new();
	int expected[WRITERS] = {0};
	int got = 0;
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){m, i};
		thread_start(&threads[i], "writer", write_messages, &writers[i]);
	}
	while (got < WRITERS * MESSAGES) {
		struct message *message;
		struct message *next;

		mailbox_wait(m, CLOCK_NEVER_MS);
		message = mailbox_take(m);
		assert_non_null(message);
		for (; message; message = next, got++) {
			struct numbered *l = (struct numbered *)message;

			next = message->next;
			assert_int_equal(l->number, expected[l->writer]++);
			free(l);
		}
	}
	assert_null(mailbox_take(m));
	for (int i = 0; i < WRITERS; i++)
		thread_join(threads[i]);
	mailbox_free(m);
}

static void waiting_ends_when_the_time_has_come(void **state)
{
	struct mailbox *m = mailbox_new();
	int64_t until = clock_mono_ms() + 30;

	(void)state;
	mailbox_wait(m, until);
	assert_true(clock_mono_ms() >= until);
	mailbox_wait(m, 0);
	mailbox_wait(m, INT64_MIN);
	assert_null(mailbox_take(m));
	mailbox_free(m);
	mailbox_free(NULL);
}

static void waiting_is_over_where_mail_is_there_already(void **state)
{
	struct mailbox *m = mailbox_new();
	struct message one = {.kind = 1};
	struct message two = {.kind = 2};

	(void)state;
	mailbox_post(m, &one);
	mailbox_post(m, &two);
	mailbox_wait(m, CLOCK_NEVER_MS);
	assert_ptr_equal(mailbox_take(m), &one);
	assert_ptr_equal(one.next, &two);
	assert_null(two.next);
	mailbox_free(m);
}

static void on_wake(void *arg)
{
	struct mailbox **m = arg;
	struct message *message = mailbox_take(*m); /* the message is in the mailbox, and the lock is free */

	assert_non_null(message);
	message->kind++;
}

static void the_waker_is_called_after_the_mail_is_in(void **state)
{
	struct mailbox *m = mailbox_new();
	struct message message = {.kind = 7};

	(void)state;
	mailbox_set_waker(m, on_wake, &m);
	mailbox_post(m, &message);
	assert_int_equal(message.kind, 8);
	mailbox_free(m);
}

static void count_wake(void *arg)
{
	++*(int *)arg;
}

static void the_waker_is_called_once_until_the_mail_is_taken(void **state)
{
	struct mailbox *m = mailbox_new();
	struct message one = {.kind = 1}, two = {.kind = 2};
	int wakes = 0;

	(void)state;
	mailbox_set_waker(m, count_wake, &wakes);
	mailbox_post(m, &one);
	mailbox_post(m, &two);
	assert_int_equal(wakes, 1);
	assert_ptr_equal(mailbox_take(m), &one);
	assert_ptr_equal(one.next, &two);
	mailbox_post(m, &two);
	assert_int_equal(wakes, 2);
	assert_ptr_equal(mailbox_take(m), &two);
	mailbox_free(m);
}

static void *look_at_signals(void *arg)
{
	sigset_t *mask = arg;

	(void)pthread_sigmask(SIG_SETMASK, NULL, mask);
	return NULL;
}

static void threads_have_all_signals_blocked(void **state)
{
	sigset_t before, after, inside;
	pthread_t t;

	(void)state;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &before);
	thread_start(&t, "signals", look_at_signals, &inside);
	thread_join(t);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&inside, SIGTERM), 1);
	assert_int_equal(sigismember(&inside, SIGHUP), 1);
	assert_int_equal(sigismember(&inside, SIGPIPE), 1);
	assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_writers_mail_comes_in_order_and_whole),
		cmocka_unit_test(waiting_ends_when_the_time_has_come),
		cmocka_unit_test(waiting_is_over_where_mail_is_there_already),
		cmocka_unit_test(the_waker_is_called_after_the_mail_is_in),
		cmocka_unit_test(the_waker_is_called_once_until_the_mail_is_taken),
		cmocka_unit_test(threads_have_all_signals_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
