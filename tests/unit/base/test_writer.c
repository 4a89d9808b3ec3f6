/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/writer.h"

/* The written pieces, one a line. While `closed`, the writer's thread waits in put(). */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char text[65536];
static bool closed, waits;

static void carry(const char *bytes, size_t len)
{
	pthread_mutex_lock(&lock);
	while (closed) {
		waits = true;
		pthread_cond_broadcast(&changed);
		pthread_cond_wait(&changed, &lock);
	}
	waits = false;
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s\n", (int)len, bytes);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static struct writer *w;

static void put_report(uint64_t n)
{
	char piece[64];
	int len = snprintf(piece, sizeof(piece), "dropped %" PRIu64, n);

	assert_true(writer_put(w, piece, (size_t)len));
}

static void door(bool is_closed)
{
	pthread_mutex_lock(&lock);
	closed = is_closed;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Waits until the writer's thread is blocked in put() with a piece. */
static void wait_for_the_writer(void)
{
	pthread_mutex_lock(&lock);
	while (!waits)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void start(size_t max_bytes)
{
	text[0] = '\0';
	door(false);
	w = writer_start(
		&(struct writer_options){.name = "test", .max_bytes = max_bytes, .put = carry, .dropped = put_report});
}

static bool put(const char *piece)
{
	return writer_put(w, piece, strlen(piece));
}

static int64_t soon(void)
{
	return clock_mono_ms() + 50;
}

static int64_t late(void)
{
	return clock_mono_ms() + 60 * CLOCK_SECOND_MS;
}

static void pieces_go_out_in_order(void **state)
{
	(void)state;
	start(1000);
	assert_true(put("a"));
	assert_true(put("b"));
	assert_true(writer_flush(w, late()));
	assert_string_equal(text, "a\nb\n");
	assert_int_equal(writer_waiting(w), 0);
	assert_true(put("c"));
	assert_true(writer_stop(w, late()));
	assert_string_equal(text, "a\nb\nc\n");
}

static void who_puts_never_waits_and_is_told_where_pieces_are_missing(void **state)
{
	(void)state;
	start(6);
	door(true);
	assert_true(put("first"));
	wait_for_the_writer();
	assert_true(put("two"));
	assert_true(put("xxx"));
	assert_false(put("y"));
	assert_int_equal(writer_waiting(w), 3);
	assert_false(writer_flush(w, soon()));
	door(false);
	assert_true(writer_flush(w, late()));
	assert_string_equal(text, "first\ntwo\nxxx\ndropped 1\n");
	assert_true(put("after"));
	assert_true(writer_stop(w, late()));
	assert_string_equal(text, "first\ntwo\nxxx\ndropped 1\nafter\n");
}

/* If a piece that fits were accepted after a dropped one, the gap would not be reported in its place. */
static void what_is_put_behind_a_dropped_piece_is_dropped_too(void **state)
{
	(void)state;
	start(5);
	door(true);
	assert_true(put("1"));
	wait_for_the_writer();
	assert_true(put("2222"));
	assert_false(put("333"));
	assert_false(put("4"));
	door(false);
	assert_true(writer_stop(w, late()));
	assert_string_equal(text, "1\n2222\ndropped 2\n");
}

static void a_stop_leaves_a_piece_behind_that_nobody_takes(void **state)
{
	(void)state;
	start(1000);
	door(true);
	assert_true(put("a"));
	assert_true(put("b"));
	wait_for_the_writer();
	assert_false(writer_stop(w, soon()));
	assert_string_equal(text, "");
	door(false);
	pthread_mutex_lock(&lock);
	while (text[0] == '\0')
		pthread_cond_wait(&changed, &lock);
	assert_string_equal(text, "a\n");
	pthread_mutex_unlock(&lock);
}

static void a_stop_of_none_is_allowed(void **state)
{
	(void)state;
	assert_true(writer_stop(NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_go_out_in_order),
		cmocka_unit_test(who_puts_never_waits_and_is_told_where_pieces_are_missing),
		cmocka_unit_test(what_is_put_behind_a_dropped_piece_is_dropped_too),
		cmocka_unit_test(a_stop_leaves_a_piece_behind_that_nobody_takes),
		cmocka_unit_test(a_stop_of_none_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
