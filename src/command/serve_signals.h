/*
 * serve_signals: the thread that takes the daemon's signals and holds it to the end that they ask for.
 *
 * The main thread may be in the middle of anything when SIGTERM comes, and on its way to the end it waits for threads
 * that wait for a disk. So the time of a stop counts from the signal, on a thread that waits for nothing else: where
 * the process has not ended by itself SERVE_STOP_MS later, this thread ends it with a line in the log. That loses
 * nothing that was acknowledged: what is committed is committed, what is not was not answered.
 */
#ifndef COMMAND_SERVE_SIGNALS_H
#define COMMAND_SERVE_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define SERVE_STOP_MS 9000 /* 10 s are promised; the last lines of the log need a moment */

struct serve_signals;

/* Blocks the signals for the calling thread and those that it starts, and starts the thread. Before any other. */
int serve_signals_start(struct serve_signals **ret, struct err *reterr) MUSTCHECK;
/* Readable once a signal has come. */
int serve_signals_fd(const struct serve_signals *s);
/* The signals since the last time. ret_hup: to read the configuration. ret_stop: the first signal that asks for the
 * end; 0: none yet. */
void serve_signals_take(struct serve_signals *s, bool *ret_hup, int *ret_stop);
/* When the signal for the end came (clock_mono_ms); now where it did not. */
int64_t serve_signals_stop_ms(const struct serve_signals *s);
/* The end is reached: the thread ends. NULL allowed. */
void serve_signals_stop(struct serve_signals *s);

#endif
