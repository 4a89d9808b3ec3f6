#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/patience.h"

#define FAR_US (60 * INT64_C(1000000))
#define SOON_US (20 * INT64_C(1000))

/* No socket: nobody here waits so long that it would be cut off. */
#define NO_SOCKET (-1)

static int start(void **state)
{
	*state = patience_new(FAR_US / 1000);
	return 0;
}

static int stop(void **state)
{
	patience_stop(*state);
	patience_free(*state);
	return 0;
}

/* How long it waited. */
static int64_t waited_us(struct patience *p, int64_t limit_us)
{
	int64_t began_us = clock_mono_us();

	patience_wait_heard(p, began_us + limit_us);
	return clock_mono_us() - began_us;
}

static void nobody_is_waited_for_where_nobody_arrived(void **state)
{
	assert_true(waited_us(*state, FAR_US) < FAR_US);
}

static void a_silent_newcomer_is_waited_for_until_the_limit(void **state)
{
	struct client *c = patience_arrived(*state, NO_SOCKET);

	assert_true(waited_us(*state, SOON_US) >= SOON_US);
	patience_left(c);
}

static void who_was_heard_once_is_no_newcomer_any_more(void **state)
{
	struct client *c = patience_arrived(*state, NO_SOCKET);

	patience_heard(c);
	assert_true(waited_us(*state, FAR_US) < FAR_US);
	patience_served(c);
	assert_true(waited_us(*state, FAR_US) < FAR_US);
	patience_left(c);
}

static void *hear(void *arg)
{
	patience_heard(arg);
	return NULL;
}

static void *leave(void *arg)
{
	patience_left(arg);
	return NULL;
}

static void the_wait_ends_with_the_last_newcomer(void **state)
{
	struct client *one = patience_arrived(*state, NO_SOCKET), *two = patience_arrived(*state, NO_SOCKET);
	pthread_t hearing, leaving;

	thread_start(&hearing, "hearing", hear, one);
	thread_start(&leaving, "leaving", leave, two);
	assert_true(waited_us(*state, FAR_US) < FAR_US);
	thread_join(hearing);
	thread_join(leaving);
	patience_left(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_waited_for_where_nobody_arrived, start, stop),
		cmocka_unit_test_setup_teardown(a_silent_newcomer_is_waited_for_until_the_limit, start, stop),
		cmocka_unit_test_setup_teardown(who_was_heard_once_is_no_newcomer_any_more, start, stop),
		cmocka_unit_test_setup_teardown(the_wait_ends_with_the_last_newcomer, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
