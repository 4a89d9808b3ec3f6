/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_BYTES 16384

int file_open(const char *path, enum file_kind kind)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (kind == FILE_REGULAR && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		(void)close(fd);
		return -EMEDIUMTYPE;
	}
	return fd;
}

/* As read(2), but returns a negative errno, and waits until a non-blocking descriptor is readable. */
static ssize_t read_some(int fd, char *to, size_t n, int64_t until_ms)
{
	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		ssize_t got = read(fd, to, n);
		int64_t left_ms = -1;

		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		if (until_ms != CLOCK_NEVER_MS) {
			left_ms = until_ms - clock_mono_ms();
			if (left_ms <= 0)
				return -ETIMEDOUT;
		}
		if (errno == EAGAIN)
			(void)poll(&readable, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
	}
}

int file_read_fd(int fd, size_t max, int64_t until_ms, char **ret, size_t *ret_len)
{
	size_t len = 0;
	size_t size = 0;
	char *text = NULL;
	ssize_t n;

	do {
		if (len == size) {
			char *before = text;

			size = size > 0 ? size * 2 : FIRST_BYTES;
			size = size < max ? size : max + 1; /* one more byte shows that it is too long */
			/* realloc(3) may move the text and leave a copy of it. */
			text = mem_grow(NULL, size + 1, 1);
			if (len > 0)
				memcpy(text, before, len);
			mem_wipe(before, len);
		}
		n = read_some(fd, text + len, size - len, until_ms);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len <= max);
	if (n < 0 || len > max) {
		mem_wipe(text, len);
		return n < 0 ? (int)n : -EFBIG;
	}
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	return 0;
}

int file_read(const char *path, enum file_kind kind, size_t max, char **ret, size_t *ret_len)
{
	int64_t until_ms = clock_mono_ms() + FILE_PIPE_WAIT_MS;
	int fd = file_open(path, kind);
	int r;

	if (fd < 0)
		return fd;
	r = file_read_fd(fd, max, until_ms, ret, ret_len);
	(void)close(fd);
	return r;
}
