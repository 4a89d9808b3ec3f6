/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "http/address.h"

static char dir[] = "/tmp/test-address-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void addresses_are_read_and_loopback_is_known(void **state)
{
	static const struct {
		const char *text;
		bool loopback, local;
	} cases[] = {
		{"127.0.0.1:8085", true, false},    {"127.9.9.9:1", true, false},     {"[::1]:8085", true, false},
		{"localhost:0", true, false},       {":8085", false, false},          {"0.0.0.0:80", false, false},
		{"[::]:65535", false, false},       {"192.0.2.7:8085", false, false}, {"[2001:db8::1]:1", false, false},
		{"unix:/run/x.socket", true, true},
	};
	struct http_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (http_address_parse(cases[i].text, &a, NULL) != 0)
			fail_msg("refused: %s", cases[i].text);
		if (http_address_is_loopback(&a) != cases[i].loopback || http_address_is_unix(&a) != cases[i].local)
			fail_msg("misjudged: %s", cases[i].text);
	}
}

static void what_is_no_address_says_what_was_expected(void **state)
{
	static const char *const cases[] = {
		"",
		"8085",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:x",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"1.2.3:80",
		"example.com:80",
		"::1:8085",
		"[::1]",
		"[::1:8085",
		"[]:8085",
		"[1.2.3.4]:8",
		"[::1]x:8085",
		"unix:",
		"http://1.2.3.4:5",
		"127.0.0.1:80 ",
		" 127.0.0.1:80",
		"[::1%lo]:8",
	};
	struct http_address a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e.text[0] = '\0';
		if (http_address_parse(cases[i], &a, &e) != -EINVAL)
			fail_msg("taken: \"%s\"", cases[i]);
		if (!strstr(e.text, "127.0.0.1:8085") && !strstr(e.text, "[::1]:8085"))
			fail_msg("\"%s\": no example in \"%s\"", cases[i], e.text);
	}
}

static void a_relative_unix_path_is_told(void **state)
{
	static const char *const cases[] = {"unix:s", "unix:./s", "unix:@s", "unix:run/deskbridge/s"};
	struct http_address a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (http_address_parse(cases[i], &a, &e) != -EINVAL || !strstr(e.text, "write an absolute path"))
			fail_msg("taken: \"%s\"", cases[i]);
}

static void a_long_unix_path_is_refused(void **state)
{
	char text[200] = "unix:/";
	struct http_address a;
	struct err e;

	(void)state;
	memset(text + 6, 'x', 150);
	assert_int_equal(http_address_parse(text, &a, &e), -EINVAL);
	assert_non_null(strstr(e.text, "107"));
}

static void the_bound_port_is_told(void **state)
{
	static const char *const cases[][2] = {{"127.0.0.1:0", "127.0.0.1:"}, {":0", NULL}};
	struct http_address a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text;
		int fd, again;

		assert_int_equal(http_address_parse(cases[i][0], &a, NULL), 0);
		fd = http_address_listen(&a, &e);
		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
		text = http_address_of_socket(fd);
		if (cases[i][1])
			assert_memory_equal(text, cases[i][1], strlen(cases[i][1]));
		assert_int_not_equal(text[strlen(text) - 1], ':');
		if (i == 0) {
			assert_int_equal(http_address_parse(text, &a, NULL), 0);
			again = http_address_listen(&a, &e);
			assert_int_equal(again, -EADDRINUSE);
			assert_non_null(
				strstr(e.text, "another program listens there, or this one runs already: end that"));
		}
		free(text);
		(void)close(fd);
	}
}

static void an_unix_socket_takes_the_place_of_a_dead_one_only(void **state)
{
	CLEANUP(mem_freep) char *text = mem_fmt("unix:%s/s", dir);
	CLEANUP(mem_freep) char *bound = NULL;
	const char *path = text + 5;
	struct http_address a;
	struct stat st;
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(http_address_parse(text, &a, NULL), 0);
	fd = http_address_listen(&a, &e);
	assert_true(fd >= 0);
	bound = http_address_of_socket(fd);
	assert_string_equal(bound, text);
	assert_return_code(stat(path, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(http_address_listen(&a, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "another program listens there, or this one runs already: end that"));
	(void)close(fd);

	fd = http_address_listen(&a, &e); /* the file still exists, without a listener */
	assert_true(fd >= 0);
	(void)close(fd);
	assert_return_code(unlink(path), errno);

	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(http_address_listen(&a, &e), -EEXIST);
	assert_non_null(strstr(e.text, "no socket: move it away, or choose another path"));
	assert_return_code(stat(path, &st), errno);
	assert_return_code(unlink(path), errno);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_loopback_is_known),
		cmocka_unit_test(a_relative_unix_path_is_told),
		cmocka_unit_test(what_is_no_address_says_what_was_expected),
		cmocka_unit_test(a_long_unix_path_is_refused),
		cmocka_unit_test(the_bound_port_is_told),
		cmocka_unit_test(an_unix_socket_takes_the_place_of_a_dead_one_only),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
