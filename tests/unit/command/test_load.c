/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/load.h"

static void an_address_to_listen_on_becomes_a_url(void **state)
{
	static const struct {
		const char *address, *url;
	} rows[] = {
		{"127.0.0.1:8086", "http://127.0.0.1:8086/x"},
		{"10.1.2.3:80", "http://10.1.2.3:80/x"},
		{"[2001:db8::1]:8086", "http://[2001:db8::1]:8086/x"},
		{"bridge.internal:8086", "http://bridge.internal:8086/x"},
		{":8086", "http://127.0.0.1:8086/x"},
		{"0.0.0.0:8086", "http://127.0.0.1:8086/x"},
		{"[::]:8086", "http://[::1]:8086/x"},
		{"localhost", "http://localhost/x"},
		{"", "http:///x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *unix_socket = "untouched";
		CLEANUP(mem_freep) char *url = load_url(rows[i].address, "/x", &unix_socket);
		assert_string_equal(url, rows[i].url);
		assert_null(unix_socket);
	}
}

static void a_unix_socket_is_connected_to_by_its_path(void **state)
{
	const char *unix_socket = NULL;
	CLEANUP(mem_freep) char *url = load_url("unix:/run/deskbridge/admin.sock", "/api/status", &unix_socket);

	(void)state;
	assert_string_equal(url, "http://localhost/api/status");
	assert_string_equal(unix_socket, "/run/deskbridge/admin.sock");
}

static void a_file_is_read_whole_or_refused(void **state)
{
	char path[] = "test_load.XXXXXX";
	char *text = NULL;
	int fd = mkstemp(path);
	struct err e = {0};
	size_t len = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "ab\0cd", 5), 5);
	close(fd);
	assert_int_equal(load_file(path, 5, &text, &len, &e), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(text, "ab\0cd", 6);
	free(text);

	text = (char *)"untouched";
	assert_true(load_file(path, 4, &text, &len, &e) < 0);
	assert_non_null(strstr(e.text, path));
	assert_string_equal(text, "untouched");
	unlink(path);
	assert_int_equal(load_file(path, 5, &text, &len, &e), -ENOENT);
	assert_non_null(strstr(e.text, path));
}

static void a_file_without_an_end_is_given_up(void **state)
{
	struct err e = {0};
	char *text = NULL;
	size_t len;

	(void)state;
	(void)alarm(20); /* else the test would never end */
	assert_true(load_file("/dev/zero", 100000, &text, &len, &e) < 0);
	(void)alarm(0);
	assert_null(text);
	assert_non_null(strstr(e.text, "longer"));
}

static void a_folder_is_no_file(void **state)
{
	struct err e = {0};
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_true(load_file("/", 100, &text, &len, &e) < 0);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_to_listen_on_becomes_a_url),
		cmocka_unit_test(a_unix_socket_is_connected_to_by_its_path),
		cmocka_unit_test(a_file_is_read_whole_or_refused),
		cmocka_unit_test(a_file_without_an_end_is_given_up),
		cmocka_unit_test(a_folder_is_no_file),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
