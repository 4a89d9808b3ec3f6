/* SPDX-License-Identifier: MIT */
/* Tests file: whole files, size limits, time limits, and that no copy of the text stays in memory. */
#include <config.h>

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fixtures/memory_copies.h"

static char path[] = "/tmp/deskbridge-file-XXXXXX";

static int make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	return close(fd);
}

static int clean(void **state)
{
	(void)state;
	return unlink(path);
}

/* Writes n bytes that differ from their neighbours; one is NUL. */
static char *write_bytes(size_t n)
{
	char *bytes = mem_new(n, 1);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 7 % 251);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(close(fd), 0);
	return bytes;
}

static void a_file_is_read_whole_or_refused(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 32768, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CLEANUP(mem_freep) char *bytes = write_bytes(sizes[i]);
		CLEANUP(mem_freep) char *text = NULL;
		size_t len = 0;

		assert_int_equal(file_read(path, FILE_REGULAR, 1 << 20, &text, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(text, bytes, len);
		assert_int_equal(text[len], '\0');
		free(TAKE(text));
		assert_int_equal(file_read(path, FILE_ANY, sizes[i], &text, &len), 0);
		assert_int_equal(len, sizes[i]);
		free(TAKE(text));
		if (len > 0)
			assert_int_equal(file_read(path, FILE_REGULAR, len - 1, &text, &len), -EFBIG);
		assert_null(text);
		assert_int_equal(len, sizes[i]);
	}
}

static void what_has_no_end_is_given_up(void **state)
{
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(file_read("/dev/zero", FILE_ANY, 100000, &text, &len), -EFBIG);
	assert_null(text);
}

static void what_is_no_file_is_named(void **state)
{
	CLEANUP(mem_freep) char *pipe_path = mem_fmt("%s.pipe", path);
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	assert_int_equal(file_read(pipe_path, FILE_REGULAR, 10, &text, &len), -EMEDIUMTYPE);
	assert_int_equal(file_read("/", FILE_REGULAR, 10, &text, &len), -EMEDIUMTYPE);
	assert_int_equal(file_read("/dev/null", FILE_REGULAR, 10, &text, &len), -EMEDIUMTYPE);
	assert_int_equal(file_read("/", FILE_ANY, 10, &text, &len), -EISDIR);
	assert_int_equal(file_read("/none", FILE_ANY, 10, &text, &len), -ENOENT);
	assert_null(text);
	assert_int_equal(unlink(pipe_path), 0);
}

/* `-c <(make-config)` works; a named pipe without a writer blocks no reader. */
static void a_pipe_is_read_and_one_without_a_writer_is_empty(void **state)
{
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(mem_freep) char *none = NULL;
	CLEANUP(mem_freep) char *named = NULL;
	char folder[] = "/tmp/deskbridge-pipe-XXXXXX";
	char name[32];
	int ends[2];
	size_t len;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "version: 1", 10), 10);
	assert_int_equal(close(ends[1]), 0);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
	assert_int_equal(file_read(name, FILE_ANY, 100, &text, &len), 0);
	assert_string_equal(text, "version: 1");
	assert_int_equal(close(ends[0]), 0);

	assert_non_null(mkdtemp(folder));
	named = mem_fmt("%s/pipe", folder);
	assert_int_equal(mkfifo(named, 0600), 0);
	assert_int_equal(file_read(named, FILE_ANY, 100, &none, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(unlink(named), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_silent_pipe_is_waited_for_as_long_as_is_said(void **state)
{
	char *text = NULL;
	int ends[2];
	size_t len;

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "half", 4), 4);
	assert_int_equal(file_read_fd(ends[0], 100, clock_mono_ms() + 20, &text, &len), -ETIMEDOUT);
	assert_null(text);
	assert_int_equal(close(ends[0]) | close(ends[1]), 0);
}

static void on_alarm(int number)
{
	(void)number;
}

/* The pipe is written in pieces, with signals between them. */
static void a_pipe_is_read_to_its_end(void **state)
{
	const struct sigaction interrupts = {.sa_handler = on_alarm};
	const struct sigaction before = {.sa_handler = SIG_DFL};

	assert_int_equal(sigaction(SIGUSR1, &interrupts, NULL), 0);
	(void)state;
	for (int blocking = 0; blocking < 2; blocking++) {
		CLEANUP(mem_freep) char *text = NULL;
		int ends[2], status;
		size_t len;
		pid_t child;

		assert_int_equal(pipe2(ends, O_CLOEXEC | (blocking ? 0 : O_NONBLOCK)), 0);
		child = fork();
		if (child == 0) {
			bool good = true;

			for (int i = 0; i < 50; i++) {
				good = write(ends[1], "piece ", 6) == 6 && good;
				(void)kill(getppid(), SIGUSR1);
				(void)usleep(500);
			}
			_exit(good ? 0 : 1);
		}
		assert_int_equal(close(ends[1]), 0);
		assert_int_equal(file_read_fd(ends[0], 300, CLOCK_NEVER_MS, &text, &len), 0);
		assert_int_equal(len, 300);
		assert_int_equal(strncmp(text, "piece piece ", 12), 0);
		assert_int_equal(close(ends[0]), 0);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		assert_int_equal(status, 0);
	}
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

/* Fragments the heap, so that growing memory has to move. */
static void make_holes(void *guards[8])
{
	void *holes[8];

	for (int i = 0; i < 8; i++) {
		holes[i] = mem_new((size_t)20000 << i / 2, 1);
		guards[i] = mem_new(1, 1);
	}
	for (int i = 0; i < 8; i++)
		free(holes[i]);
}

/* Searches the freed memory for each piece of the text. */
static void no_copy_of_what_was_read_stays(void **state)
{
	char piece[] = "a secret of some length that stands here many times\n";
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	size_t n = sizeof(piece) - 1;
	char hidden[sizeof(piece)];
	void *guards[8];

	(void)state;
	if (!memory_can_be_searched())
		return;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(write(fd, piece, n), n);
	assert_int_equal(close(fd), 0);
	memcpy(hidden, piece, sizeof(piece));
	memory_turn(hidden, n);
	explicit_bzero(piece, n);
	make_holes(guards);

	assert_int_equal(file_read(path, FILE_REGULAR, 1 << 20, &text, &len), 0);
	assert_int_equal(memory_copies(hidden), 2000);
	mem_wipe(TAKE(text), len);
	assert_int_equal(file_read(path, FILE_REGULAR, len - 1, &text, &len), -EFBIG);
	assert_int_equal(memory_copies(hidden), 0);
	for (int i = 0; i < 8; i++)
		free(guards[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole_or_refused),
		cmocka_unit_test(what_has_no_end_is_given_up),
		cmocka_unit_test(what_is_no_file_is_named),
		cmocka_unit_test(a_pipe_is_read_and_one_without_a_writer_is_empty),
		cmocka_unit_test(a_silent_pipe_is_waited_for_as_long_as_is_said),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(no_copy_of_what_was_read_stays),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
