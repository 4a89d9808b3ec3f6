/* SPDX-License-Identifier: MIT */
/*
 * log_out: writes finished log lines to stderr or to the journal; only for log.c and `serve`.
 *
 * At first each line is written by the thread that logs it. After log_out_start() a thread of its own (base/writer.h)
 * writes them, so that no other thread waits for the reader of the log. Lines beyond LOG_OUT_BYTES are dropped and
 * counted.
 */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define LOG_OUT_BYTES ((size_t)2 * 1024 * 1024)
#define LOG_OUT_STOP_MS 500 /* time limit for writing the last lines */

/* Writes one line; `line` includes the line end. */
void log_out_text(const char *line, size_t len);
/* Sends a line to the journal, by its fields; the first one is "MESSAGE=…". If libsystemd fails, writes fallback to
 * stderr. */
void log_out_journal(const struct iovec *fields, size_t n, const char *fallback, size_t fallback_len);

/*
 * Starts the thread. Only `serve` calls it, before its other threads start. When the process ends by a failed INSIST or
 * without memory, the lines logged before get LOG_OUT_STOP_MS to be written. dropped: logs that n lines were dropped
 * (log_dropped). The thread calls it and writes its line at once.
 */
void log_out_start(void (*dropped)(uint64_t n));
/* Waits up to LOG_OUT_STOP_MS until the lines are written, and ends the thread. Afterwards lines are written by the
 * thread that logs them; if the thread could not be ended, because the reader does not take its line, they are
 * discarded. No other thread may log during the call, but one that is about to end the process; its line may be
 * discarded. */
void log_out_stop(void);
/* Waits up to LOG_OUT_STOP_MS until the lines are written, for a process that ends while other threads run; these may
 * still log, and the writer may still write. Returns true if all lines are written. */
bool log_out_flush(void);

#endif
