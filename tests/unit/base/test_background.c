/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/background.h"
#include "base/lock.h"

/* A job that the test lets end. */
struct job {
	struct lock lock; /* over the rest */
	struct cond changed;
	bool may_end;
	unsigned done; /* not under the lock: background_wait() makes it visible */
};

static void job_run(void *arg)
{
	struct job *j = arg;

	lock_acquire(&j->lock);
	while (!j->may_end)
		cond_wait(&j->changed, &j->lock);
	lock_release(&j->lock);
	j->done++;
}

static void job_let_end(struct job *j)
{
	lock_acquire(&j->lock);
	j->may_end = true;
	cond_broadcast(&j->changed);
	lock_release(&j->lock);
}

static int setup(void **state)
{
	static struct job job;

	job = (struct job){0};
	lock_init(&job.lock);
	cond_init(&job.changed);
	*state = &job;
	return 0;
}

static int teardown(void **state)
{
	struct job *j = *state;

	cond_done(&j->changed);
	lock_done(&j->lock);
	return 0;
}

static void jobs_run_one_after_the_other(void **state)
{
	struct job *j = *state;
	struct background *b = background_new("test");

	assert_false(background_is_busy(b));
	background_wait(b);
	background_start(b, job_run, j);
	assert_true(background_is_busy(b));
	job_let_end(j);
	background_wait(b);
	assert_false(background_is_busy(b));
	assert_int_equal(j->done, 1);
	for (unsigned i = 2; i <= 1000; i++) {
		background_start(b, job_run, j);
		background_wait(b);
		assert_int_equal(j->done, i);
	}
	background_free(b);
}

static void the_end_waits_for_the_job(void **state)
{
	struct job *j = *state;
	struct background *b = background_new("test");

	background_start(b, job_run, j);
	job_let_end(j);
	background_free(b);
	assert_int_equal(j->done, 1);
	background_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_run_one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_waits_for_the_job, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
