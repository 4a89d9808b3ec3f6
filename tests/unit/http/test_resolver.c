/* SPDX-License-Identifier: MIT */
/*
 * Tests the client while names are not resolved: this program's getaddrinfo() replaces the C library's, also for
 * libcurl, and blocks until the test releases it.
 */
#include <config.h>

#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "http/client.h"

#define CONNECT_MS 100
#define FAR_MS 10000 /* the longest time for which the resolver blocks */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, hanging;
static bool released;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct timespec until;

	(void)name;
	(void)service;
	(void)hints;
	(void)ret;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += FAR_MS / 1000;
	pthread_mutex_lock(&lock);
	asked++;
	hanging++;
	pthread_cond_broadcast(&changed);
	while (!released && pthread_cond_timedwait(&changed, &lock, &until) == 0)
		;
	hanging--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return EAI_AGAIN;
}

static void wait_asked(unsigned n)
{
	pthread_mutex_lock(&lock);
	while (asked < n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

/* Ends the blocking, and waits until no call is in the resolver. */
static int release(void **state)
{
	(void)state;
	pthread_mutex_lock(&lock);
	released = true;
	pthread_cond_broadcast(&changed);
	while (hanging > 0)
		pthread_cond_wait(&changed, &lock);
	released = false;
	asked = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

struct seen {
	unsigned n;
	enum http_failure failure;
};

static void done(void *ctx, const struct http_response *response)
{
	struct seen *seen = ctx;

	seen->n++;
	seen->failure = response->failure;
}

static void start_get(struct http_client *c, struct seen *seen, int64_t connect_ms)
{
	const struct http_request request = {
		.method = "GET",
		.url = "http://klaviyo.invalid/",
		.connect_timeout_ms = connect_ms,
	};
	struct err e;

	assert_int_equal(http_client_start(c, &request, done, seen, &e), 0);
}

static void a_resolver_that_hangs_does_not_hold_up_the_loop(void **state)
{
	struct http_client *c = http_client_new("deskbridge/test");
	int64_t began_ms = clock_mono_ms();
	struct seen seen = {0};

	(void)state;
	start_get(c, &seen, CONNECT_MS);
	while (seen.n == 0)
		http_client_turn(c, CLOCK_NEVER_MS);
	assert_int_equal(seen.failure, HTTP_TIMEOUT);
	assert_true(clock_mono_ms() - began_ms < FAR_MS / 2);
	http_client_free(c);
	assert_true(clock_mono_ms() - began_ms < FAR_MS / 2);
}

static void a_resolver_that_hangs_does_not_hold_up_the_end(void **state)
{
	struct http_client *c = http_client_new("deskbridge/test");
	int64_t began_ms = clock_mono_ms();
	struct seen seen = {0};

	(void)state;
	start_get(c, &seen, FAR_MS);
	http_client_turn(c, 0);
	wait_asked(1);
	http_client_free(c);
	assert_int_equal(seen.failure, HTTP_ABORTED);
	assert_true(clock_mono_ms() - began_ms < FAR_MS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_resolver_that_hangs_does_not_hold_up_the_loop, release),
		cmocka_unit_test_teardown(a_resolver_that_hangs_does_not_hold_up_the_end, release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
