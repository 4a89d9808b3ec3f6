/* SPDX-License-Identifier: MIT */
/*
 * log_out: how finished lines leave the process, to stderr or to the journal; only for log.c and for `serve`.
 *
 * At first each line is written by the thread that logs it. From log_out_start on lines go through a thread of their
 * own (base/writer.h): nobody waits for whoever reads the log, lines beyond LOG_OUT_BYTES are dropped and counted.
 */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define LOG_OUT_BYTES ((size_t)2 * 1024 * 1024)
#define LOG_OUT_STOP_MS 500 /* for the last lines */

/* One line, its end included. */
void log_out_text(const char *line, size_t len);
/* A line for the journal, by its fields; the first is "MESSAGE=…". fallback: what stderr gets where libsystemd fails.
 */
void log_out_journal(const struct iovec *fields, size_t n, const char *fallback, size_t fallback_len);

/*
 * `serve` alone, before its other threads start. A process that dies of a failed INSIST, or as memory is short, gives
 * the lines before that a moment to leave. dropped: logs that n lines were dropped (log_dropped); the thread calls it,
 * and writes what it logs by itself.
 */
void log_out_start(void (*dropped)(uint64_t n));
/* Gives what was logged LOG_OUT_STOP_MS to leave; nothing else may log meanwhile. After it lines are written by the
 * thread that logs them, or by nobody where the last one could not leave. */
void log_out_stop(void);
/* The same for a process that ends while other threads run: they may still log, and it may still come out. Returns
 * whether all that was logged is out. */
bool log_out_flush(void);

#endif
