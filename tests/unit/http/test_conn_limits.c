/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/conn_limits.h"

#define FAR_MS (60 * CLOCK_SECOND_MS)
#define SOON_MS INT64_C(20)

#define MOST 16
#define PER_ADDRESS 8

/* For connections that are not dropped, and so need no socket. */
#define NO_SOCKET (-1)

static atomic_uint dropped[3];
static char last_dropped[IP_TEXT_MAX];

static void on_turned_away(void *ctx, enum http_drop_reason why, const struct ip *from)
{
	(void)ctx;
	(void)snprintf(last_dropped, sizeof(last_dropped), "%s",
		       from ? ip_text(from, (char[IP_TEXT_MAX]){""}) : "unix");
	atomic_fetch_add(&dropped[why], 1);
}

static struct conn_limits *make(int64_t request_ms, int64_t idle_ms, unsigned most, unsigned per_address)
{
	const struct conn_limits_options options = {.request_ms = request_ms,
						    .idle_ms = idle_ms,
						    .most = most,
						    .per_address = per_address,
						    .dropped = on_turned_away};

	for (size_t i = 0; i < 3; i++)
		atomic_store(&dropped[i], 0);
	return conn_limits_new(&options);
}

static int start(void **state)
{
	*state = make(FAR_MS, FAR_MS, MOST, PER_ADDRESS);
	return 0;
}

static int stop(void **state)
{
	conn_limits_stop(*state);
	conn_limits_free(*state);
	return 0;
}

/* A connection with a socket: its other end shows whether it was dropped. */
struct guest {
	struct conn *conn;
	int here, there;
};

static struct guest arrive(struct conn_limits *cl, const char *from)
{
	struct guest g;
	int pair[2];
	struct ip ip;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	g.here = pair[0];
	g.there = pair[1];
	assert_true(!from || ip_read(from, &ip));
	g.conn = conn_opened(cl, g.here, from ? &ip : NULL, from && !ip_is_loopback(&ip));
	return g;
}

static bool is_cut(const struct guest *g)
{
	char byte;

	return recv(g->there, &byte, 1, 0) == 0;
}

static void leave_all(struct guest *guests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		conn_closed(guests[i].conn);
		(void)close(guests[i].here);
		(void)close(guests[i].there);
	}
}

static void make_idle(const struct guest *g)
{
	assert_true(conn_headers_complete(g->conn));
	assert_true(conn_request_complete(g->conn));
	conn_response_began(g->conn);
	conn_response_complete(g->conn, true);
}

/* Returns the time that it waited. */
static int64_t waited_ms(struct conn_limits *cl, int64_t limit_ms)
{
	int64_t began_ms = clock_mono_ms();

	conn_limits_wait_headers(cl, began_ms + limit_ms);
	return clock_mono_ms() - began_ms;
}

static void nobody_is_waited_for_where_nobody_arrived(void **state)
{
	assert_true(waited_ms(*state, FAR_MS) < FAR_MS);
}

static void a_silent_newcomer_is_waited_for_until_the_limit(void **state)
{
	struct conn *c = conn_opened(*state, NO_SOCKET, NULL, false);

	assert_true(waited_ms(*state, SOON_MS) >= SOON_MS);
	conn_closed(c);
}

static void who_was_heard_once_is_no_newcomer_any_more(void **state)
{
	struct conn *c = conn_opened(*state, NO_SOCKET, NULL, false);

	assert_true(conn_headers_complete(c));
	assert_true(waited_ms(*state, FAR_MS) < FAR_MS);
	conn_response_complete(c, false);
	assert_true(waited_ms(*state, FAR_MS) < FAR_MS);
	conn_closed(c);
}

static void *wait_headers(void *arg)
{
	(void)conn_headers_complete(arg);
	return NULL;
}

static void *leave(void *arg)
{
	conn_closed(arg);
	return NULL;
}

static void the_wait_ends_with_the_last_newcomer(void **state)
{
	struct conn *one = conn_opened(*state, NO_SOCKET, NULL, false);
	struct conn *two = conn_opened(*state, NO_SOCKET, NULL, false);
	pthread_t waiter, leaving;

	thread_start(&waiter, "hearing", wait_headers, one);
	thread_start(&leaving, "leaving", leave, two);
	assert_true(waited_ms(*state, FAR_MS) < FAR_MS);
	thread_join(waiter);
	thread_join(leaving);
	conn_closed(one);
}

/* ---- dropping for a new connection ------------------------------------------------------------------------------- */

static void a_crowd_of_slow_clients_makes_room_for_the_next_the_slowest_first(void **state)
{
	struct guest crowd[4 * MOST];

	(void)state;
	for (size_t i = 0; i < 4 * MOST; i++) {
		crowd[i] = arrive(*state, NULL);
		/* Three quarters of the limit remain. */
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(is_cut(&crowd[k]), k + MOST * 3 / 4 <= i);
	}
	assert_int_equal(dropped[HTTP_DROP_FULL], 4 * MOST - MOST * 3 / 4);
	assert_int_equal(dropped[HTTP_DROP_ADDRESS], 0);
	assert_false(conn_request_complete(crowd[0].conn)); /* dropped: its request is not handled */
	assert_true(conn_request_complete(crowd[4 * MOST - 1].conn));
	leave_all(crowd, 4 * MOST);
}

static void a_whole_request_is_never_cut_off(void **state)
{
	struct guest busy[MOST], more[3 * MOST];

	(void)state;
	for (size_t i = 0; i < MOST; i++) {
		busy[i] = arrive(*state, "127.0.0.1");
		assert_true(conn_headers_complete(busy[i].conn));
		assert_true(conn_request_complete(busy[i].conn));
	}
	for (size_t i = 0; i < 3 * MOST; i++)
		more[i] = arrive(*state, "127.0.0.1");
	for (size_t i = 0; i < MOST; i++)
		assert_false(is_cut(&busy[i]));
	/* A quarter of the limit may be transferring; these are refused after their headers. */
	for (size_t i = 0; i < 3 * MOST; i++)
		assert_int_equal(is_cut(&more[i]), i < 3 * MOST - MOST / 4);
	assert_false(conn_headers_complete(more[3 * MOST - 1].conn));
	leave_all(busy, MOST);
	/* A place that became free meanwhile is used. */
	assert_true(conn_headers_complete(more[3 * MOST - 2].conn));
	leave_all(more, 3 * MOST);
}

static void idle_clients_make_room_while_few_are_asking(void **state)
{
	struct guest idle[MOST * 3 / 4], next[MOST];

	(void)state;
	for (size_t i = 0; i < MOST * 3 / 4; i++) {
		idle[i] = arrive(*state, NULL);
		make_idle(&idle[i]);
	}
	for (size_t i = 0; i < MOST; i++)
		next[i] = arrive(*state, NULL);
	/* The longest idle one is dropped first, until a quarter of the limit is transferring; from then on the slowest
	 * one. */
	for (size_t i = 0; i < MOST * 3 / 4; i++)
		assert_int_equal(is_cut(&idle[i]), i < MOST / 4);
	for (size_t i = 0; i < MOST; i++)
		assert_int_equal(is_cut(&next[i]), i < MOST - MOST / 4);
	leave_all(idle, MOST * 3 / 4);
	leave_all(next, MOST);
}

static void one_address_holds_so_many_and_the_others_are_left_alone(void **state)
{
	static const char *const uncounted[] = {"127.0.0.1", "::1", NULL};
	struct conn_limits *cl = make(FAR_MS, FAR_MS, 0, PER_ADDRESS);
	struct guest other = arrive(cl, "192.0.2.2");
	struct guest crowd[3 * PER_ADDRESS], free_ones[3 * 2 * PER_ADDRESS];

	(void)state;
	for (size_t i = 0; i < 3 * PER_ADDRESS; i++)
		crowd[i] = arrive(cl, i % 2 > 0 ? "192.0.2.1" : "::ffff:192.0.2.1");
	for (size_t i = 0; i < 3 * PER_ADDRESS; i++)
		assert_int_equal(is_cut(&crowd[i]), i < 2 * PER_ADDRESS);
	assert_int_equal(dropped[HTTP_DROP_ADDRESS], 2 * PER_ADDRESS);
	assert_string_equal(last_dropped, "192.0.2.1");
	assert_false(is_cut(&other));
	for (size_t i = 0; i < 3 * 2 * PER_ADDRESS; i++)
		free_ones[i] = arrive(cl, uncounted[i % 3]);
	for (size_t i = 0; i < 3 * 2 * PER_ADDRESS; i++)
		assert_false(is_cut(&free_ones[i]));
	leave_all(crowd, 3 * PER_ADDRESS);
	leave_all(free_ones, 3 * 2 * PER_ADDRESS);
	leave_all(&other, 1);
	stop((void **)&cl);
}

static void an_ipv6_host_is_counted_by_its_64(void **state)
{
	struct guest neighbour = arrive(*state, "2001:db8:0:2::1");
	struct guest crowd[2 * PER_ADDRESS];

	for (size_t i = 0; i < 2 * PER_ADDRESS; i++) {
		CLEANUP(mem_freep) char *from = mem_fmt("2001:db8:0:1::%zx", i + 1);

		crowd[i] = arrive(*state, from);
	}
	for (size_t i = 0; i < 2 * PER_ADDRESS; i++)
		assert_int_equal(is_cut(&crowd[i]), i < PER_ADDRESS);
	assert_false(is_cut(&neighbour));
	leave_all(crowd, 2 * PER_ADDRESS);
	leave_all(&neighbour, 1);
}

static void an_address_whose_requests_are_all_whole_gets_no_more(void **state)
{
	struct guest busy[PER_ADDRESS], more, other;

	for (size_t i = 0; i < PER_ADDRESS; i++) {
		busy[i] = arrive(*state, "192.0.2.1");
		assert_true(conn_headers_complete(busy[i].conn) && conn_request_complete(busy[i].conn));
	}
	more = arrive(*state, "192.0.2.1");
	other = arrive(*state, "192.0.2.2");
	assert_false(is_cut(&more));
	assert_false(conn_headers_complete(more.conn));
	assert_true(conn_headers_complete(other.conn));
	leave_all(busy, PER_ADDRESS);
	leave_all(&more, 1);
	leave_all(&other, 1);
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

static void wait_until_cut(const struct guest *g)
{
	struct pollfd p = {.fd = g->there, .events = POLLIN};

	assert_int_equal(poll(&p, 1, FAR_MS), 1);
	assert_true(is_cut(g));
}

static void a_request_has_its_time_from_the_beginning_whatever_comes_of_it(void **state)
{
	struct conn_limits *cl = make(SOON_MS, FAR_MS, 0, 0);
	struct guest slow = arrive(cl, "192.0.2.9");
	struct guest busy = arrive(cl, NULL);
	struct guest idle = arrive(cl, NULL);

	(void)state;
	make_idle(&idle);
	assert_true(conn_headers_complete(busy.conn) && conn_request_complete(busy.conn));
	conn_request_began(slow.conn);
	assert_true(conn_headers_complete(slow.conn));
	wait_until_cut(&slow);
	assert_false(conn_request_complete(slow.conn));
	while (atomic_load(&dropped[HTTP_DROP_SLOW]) < 1)
		(void)sched_yield();
	assert_string_equal(last_dropped, "192.0.2.9");
	assert_false(is_cut(&busy) || is_cut(&idle));
	/* A client that does not read its answer, and one that does not continue its next request. */
	conn_response_began(busy.conn);
	wait_until_cut(&busy);
	conn_request_began(idle.conn);
	wait_until_cut(&idle);
	leave_all(&slow, 1);
	leave_all(&busy, 1);
	leave_all(&idle, 1);
	stop((void **)&cl);
}

static void idle_has_a_time_of_its_own_and_is_no_slowness(void **state)
{
	struct conn_limits *cl = make(FAR_MS, SOON_MS, 0, 0);
	struct guest idle = arrive(cl, NULL);
	struct guest unproven = arrive(cl, NULL);

	(void)state;
	assert_true(conn_headers_complete(unproven.conn) && conn_request_complete(unproven.conn));
	conn_response_complete(unproven.conn, false);
	make_idle(&idle);
	wait_until_cut(&idle);
	assert_false(is_cut(&unproven));
	leave_all(&idle, 1);
	leave_all(&unproven, 1);
	stop((void **)&cl);
	assert_int_equal(dropped[HTTP_DROP_SLOW], 0);
}

/* Returns how often the thread of conn_limits has gone to sleep. */
static unsigned sleeps(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(tasks);
	for (struct dirent *task; (task = readdir(tasks));) {
		CLEANUP(mem_freep) char *path = mem_fmt("/proc/self/task/%s/status", task->d_name);
		FILE *status = fopen(path, "re");
		bool is_it = false;
		char line[128];

		while (status && fgets(line, sizeof(line), status)) {
			is_it |= strcmp(line, "Name:\thttp-conn_limits\n") == 0;
			if (is_it)
				(void)sscanf(line, "voluntary_ctxt_switches: %u", &n);
		}
		if (status)
			(void)fclose(status);
	}
	(void)closedir(tasks);
	return n;
}

static void good_requests_do_not_wake_the_thread_that_cuts_off(void **state)
{
	struct conn *c = conn_opened(*state, NO_SOCKET, NULL, false);
	unsigned before = sleeps();
	unsigned woken;

	for (int i = 0; i < 2000; i++) {
		conn_request_began(c);
		assert_true(conn_headers_complete(c) && conn_request_complete(c));
		conn_response_began(c);
		conn_response_complete(c, true);
		(void)sched_yield();
	}
	woken = sleeps() - before;
	conn_closed(c);
	assert_in_range(woken, 0, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_waited_for_where_nobody_arrived, start, stop),
		cmocka_unit_test_setup_teardown(a_silent_newcomer_is_waited_for_until_the_limit, start, stop),
		cmocka_unit_test_setup_teardown(who_was_heard_once_is_no_newcomer_any_more, start, stop),
		cmocka_unit_test_setup_teardown(the_wait_ends_with_the_last_newcomer, start, stop),
		cmocka_unit_test_setup_teardown(a_crowd_of_slow_clients_makes_room_for_the_next_the_slowest_first,
						start, stop),
		cmocka_unit_test_setup_teardown(a_whole_request_is_never_cut_off, start, stop),
		cmocka_unit_test_setup_teardown(idle_clients_make_room_while_few_are_asking, start, stop),
		cmocka_unit_test(one_address_holds_so_many_and_the_others_are_left_alone),
		cmocka_unit_test_setup_teardown(an_ipv6_host_is_counted_by_its_64, start, stop),
		cmocka_unit_test_setup_teardown(an_address_whose_requests_are_all_whole_gets_no_more, start, stop),
		cmocka_unit_test(a_request_has_its_time_from_the_beginning_whatever_comes_of_it),
		cmocka_unit_test(idle_has_a_time_of_its_own_and_is_no_slowness),
		cmocka_unit_test_setup_teardown(good_requests_do_not_wake_the_thread_that_cuts_off, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
