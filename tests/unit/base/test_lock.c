/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "fixtures/child.h"

static struct lock fixed = LOCK_INIT;

struct table {
	struct lock lock;
	struct cond changed;
	int n;
	bool mine, acquired;
};

static void lay(struct table *t)
{
	*t = (struct table){0};
	lock_init(&t->lock);
	cond_init(&t->changed);
}

static void clear(struct table *t)
{
	cond_done(&t->changed);
	lock_done(&t->lock);
}

static void *look(void *arg)
{
	struct table *t = arg;

	t->mine = lock_is_mine(&t->lock);
	t->acquired = lock_acquire_until(&t->lock, clock_mono_ms() + 20);
	return NULL;
}

static void a_lock_is_its_holders_alone(void **state)
{
	int64_t start = clock_mono_ms();
	struct table t;
	pthread_t other;

	(void)state;
	lay(&t);
	assert_false(lock_is_mine(&t.lock));
	lock_acquire(&t.lock);
	assert_true(lock_is_mine(&t.lock));
	t.mine = t.acquired = true;
	thread_start(&other, "other", look, &t);
	thread_join(other);
	assert_false(t.mine);
	assert_false(t.acquired);
	assert_true(clock_mono_ms() >= start + 20);
	assert_true(lock_is_mine(&t.lock));
	lock_release(&t.lock);
	assert_false(lock_is_mine(&t.lock));
	clear(&t);
}

static void a_lock_that_is_free_is_acquired_whatever_the_time(void **state)
{
	(void)state;
	assert_true(lock_acquire_until(&fixed, INT64_MIN));
	assert_true(lock_is_mine(&fixed));
	/* Returns at once, because only this thread could release it. */
	assert_false(lock_acquire_until(&fixed, clock_mono_ms() + CLOCK_DAY_MS));
	lock_release(&fixed);
	assert_true(lock_acquire_until(&fixed, CLOCK_NEVER_MS));
	lock_release(&fixed);
}

static void *acquire_whenever(void *arg)
{
	struct table *t = arg;

	t->acquired = lock_acquire_until(&t->lock, CLOCK_NEVER_MS);
	lock_release(&t->lock);
	return NULL;
}

static void a_lock_can_be_waited_for_without_an_end(void **state)
{
	struct table t;
	pthread_t other;

	(void)state;
	lay(&t);
	lock_acquire(&t.lock);
	thread_start(&other, "other", acquire_whenever, &t);
	(void)usleep(20000); /* time to reach the lock; there is no way to observe that */
	lock_release(&t.lock);
	thread_join(other);
	assert_true(t.acquired);
	clear(&t);
}

static void *count_to_three(void *arg)
{
	struct table *t = arg;

	lock_acquire(&t->lock);
	for (int i = 1; i <= 3; i++) {
		t->n = i;
		cond_signal(&t->changed);
		while (t->n == i)
			cond_wait(&t->changed, &t->lock);
	}
	t->mine = lock_is_mine(&t->lock);
	lock_release(&t->lock);
	return NULL;
}

static void waiting_hands_the_lock_over_and_takes_it_back(void **state)
{
	struct table t;
	pthread_t other;

	(void)state;
	lay(&t);
	lock_acquire(&t.lock);
	thread_start(&other, "other", count_to_three, &t);
	for (int i = 1; i <= 3; i++) {
		while (t.n != i)
			assert_true(cond_wait_until(&t.changed, &t.lock, CLOCK_NEVER_MS));
		assert_true(lock_is_mine(&t.lock));
		t.n = 0;
		cond_broadcast(&t.changed);
	}
	lock_release(&t.lock);
	thread_join(other);
	assert_true(t.mine);
	clear(&t);
}

static void waiting_ends_when_the_time_has_come(void **state)
{
	int64_t until = clock_mono_ms() + 30;
	struct table t;

	(void)state;
	lay(&t);
	lock_acquire(&t.lock);
	while (cond_wait_until(&t.changed, &t.lock, until))
		;
	assert_true(clock_mono_ms() >= until);
	assert_true(lock_is_mine(&t.lock));
	assert_false(cond_wait_until(&t.changed, &t.lock, 0));
	assert_false(cond_wait_until(&t.changed, &t.lock, INT64_MIN));
	lock_release(&t.lock);
	clear(&t);
}

static void acquire_twice(struct table *t)
{
	lock_acquire(&t->lock);
	lock_acquire(&t->lock);
}

static void release_what_is_free(struct table *t)
{
	lock_release(&t->lock);
}

static void wait_with_what_is_free(struct table *t)
{
	(void)cond_wait_until(&t->changed, &t->lock, 0);
}

struct mistake {
	void (*make)(struct table *t);
};

static int make_mistake(void *ctx)
{
	const struct mistake *mistake = ctx;
	struct table t;

	lay(&t);
	mistake->make(&t);
	return 0;
}

static void a_mistake_with_a_lock_ends_the_process(void **state)
{
	struct mistake mistakes[] = {{acquire_twice}, {release_what_is_free}, {wait_with_what_is_free}};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++)
		assert_int_equal(child_run(make_mistake, &mistakes[i]), -SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_is_its_holders_alone),
		cmocka_unit_test(a_lock_that_is_free_is_acquired_whatever_the_time),
		cmocka_unit_test(a_lock_can_be_waited_for_without_an_end),
		cmocka_unit_test(waiting_hands_the_lock_over_and_takes_it_back),
		cmocka_unit_test(waiting_ends_when_the_time_has_come),
		cmocka_unit_test(a_mistake_with_a_lock_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
