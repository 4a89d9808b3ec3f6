/* SPDX-License-Identifier: MIT */
/*
 * file: a file opened and read whole. Blocks on the file system. Any thread.
 *
 * A named pipe may stand where a configuration names a file: it is opened without waiting for whoever writes to it, so
 * that it cannot stop the daemon. The text may be a secret: no copy of it is left behind but the one that is returned.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

#define FILE_PIPE_WAIT_MS 5000

enum file_kind {
	FILE_REGULAR, /* anything else is -EMEDIUMTYPE */
	FILE_ANY,     /* a named pipe too; one that nobody writes to is empty */
};

/* Opens for reading. The file's descriptor, which does not block, or a negative errno. */
int file_open(const char *path, enum file_kind kind) MUSTCHECK;

/*
 * Reads from fd, blocking or not, to its end. -EFBIG: there are more than max bytes; -ETIMEDOUT: a descriptor that does
 * not block had not ended at until_ms of clock_mono_ms() (CLOCK_NEVER_MS: it is waited for). *ret has a NUL put behind
 * it and is the caller's, who wipes it where it may hold a secret.
 */
int file_read_fd(int fd, size_t max, int64_t until_ms, char **ret, size_t *ret_len) MUSTCHECK;

/* Both. A pipe that has not ended in FILE_PIPE_WAIT_MS is -ETIMEDOUT. */
int file_read(const char *path, enum file_kind kind, size_t max, char **ret, size_t *ret_len) MUSTCHECK;

#endif
