/* SPDX-License-Identifier: MIT */
/*
 * file: opens a file and reads all of it. Blocks on the file system. Any thread.
 *
 * The configuration may name a named pipe instead of a file. It is opened without waiting for a writer, so that it
 * cannot block the daemon. The text may be a secret: no copy of it stays in memory but the one that is returned.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define FILE_PIPE_WAIT_MS 5000

enum file_kind {
	FILE_REGULAR, /* everything but a regular file is -EMEDIUMTYPE */
	FILE_ANY,     /* also a named pipe; without a writer it is empty */
};

/* Opens a file for reading. Returns a non-blocking descriptor, or a negative errno. */
int file_open(const char *path, enum file_kind kind) MUSTCHECK;

/*
 * Reads from fd, blocking or not, to its end. The caller owns *ret, which is NUL-terminated, and must wipe it where it
 * may hold a secret.
 *
 *   -EFBIG      there are more than max bytes
 *   -ETIMEDOUT  a non-blocking descriptor had not ended at until_ms of clock_mono_ms() (CLOCK_NEVER_MS: no limit)
 */
int file_read_fd(int fd, size_t max, int64_t until_ms, char **ret, size_t *ret_len) MUSTCHECK;

/* Opens and reads a file. -ETIMEDOUT: a pipe had not ended after FILE_PIPE_WAIT_MS. */
int file_read(const char *path, enum file_kind kind, size_t max, char **ret, size_t *ret_len) MUSTCHECK;

#endif
