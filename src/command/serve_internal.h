/* SPDX-License-Identifier: MIT */
/*
 * serve_internal: the parts of the daemon's main thread, for its loop in cmd_serve.c alone.
 *
 *   serve_start     the limit of open files, the token of the admin address
 *   serve_notify    messages to the service manager
 *   serve_reloads   reloads that were requested through the admin address
 *   serve_signals   the thread that takes the signals, and the time limit of a stop
 *   serve_watch     changed files: secrets, the store
 *
 * A function that names no thread is for the main thread.
 */
#ifndef COMMAND_SERVE_INTERNAL_H
#define COMMAND_SERVE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/reload.h"
#include "base/err.h"
#include "base/mem.h"
#include "conf/admin_token.h"
#include "conf/conf.h"
#include "conf/secret.h"
#include "pipeline/pipeline.h"

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* Raises the process's limit of open files to its hard limit. Logs a warning if the connections of the listener and
 * everything else need more. */
void serve_files_allow(unsigned max_connections);

/* The state of the admin token that the daemon makes where none is configured. serve_token_log logs it, once the log is
 * set up. */
struct serve_token {
	/* At a reload: the current configuration. A token file at another path is not made, as that needs a restart.
	 * NULL: at the start. */
	const struct config *former;
	struct admin_token_found found;
	struct err fault; /* why there is no token; code 0: there is one. Without a token the daemon runs and refuses
			     /api. */
};

/* For generation_load_prepared: makes the token's file where there is none, before secrets are read. ctx: struct
 * serve_token. Blocks on files. */
void serve_token_prepare(void *ctx, const struct config *c);
/* Logs what serve_token_prepare found and did. c: the configuration that was taken. */
void serve_token_log(const struct serve_token *t, const struct config *c);

/* ---- signals ----------------------------------------------------------------------------------------------------- */
/*
 * A thread of its own receives the signals. When SIGTERM comes, the main thread may be busy with anything, and during
 * the stop it waits for threads that wait for the disk. So this thread, which waits for nothing else, measures the time
 * of the stop from the signal on. If the process has not ended after SERVE_STOP_MS, this thread logs that and ends
 * the process. No acknowledged webhook is lost: what was acknowledged is committed.
 */
#define SERVE_STOP_MS 9000 /* 10 s are documented; the last log lines need some time */

struct serve_signals;

/* Blocks the signals in the calling thread and in the threads that it starts, and starts the signal thread. Before
 * any other thread. */
int serve_signals_start(struct serve_signals **ret, struct err *reterr) MUSTCHECK;
/* Returns a descriptor that is readable once a signal has come, until serve_signals_take(). */
int serve_signals_fd(const struct serve_signals *s);
/* Returns the signals since the last call. *ret_hup: SIGHUP came. *ret_stop: the first signal that asks for a stop;
 * 0: none yet. */
void serve_signals_take(struct serve_signals *s, bool *ret_hup, int *ret_stop);
/* Returns the time of the first signal that asks for a stop (clock_mono_ms); the present time where there was none. */
int64_t serve_signals_stop_ms(const struct serve_signals *s);
/* Ends the signal thread. NULL allowed. */
void serve_signals_stop(struct serve_signals *s);

/* ---- the service manager ----------------------------------------------------------------------------------------- */
/*
 * Messages go to the service manager by sd_notify, in order, from a thread of their own (base/writer.h), so that the
 * main thread never waits for it. Without a service manager these functions do nothing.
 */
void serve_notify_start(void);
/* Sends a message, as sd_notifyf. */
void serve_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Sends WATCHDOG=1, unless former messages still wait: the service manager would not read this one either. */
void serve_notify_alive(void);
/* Waits up to 0.2 s until the messages are sent, and ends the thread. */
void serve_notify_stop(void);

/* Returns the line that `systemctl status` shows, "account default: Missing or invalid private key. (401); listening
 * on …": the present problems, then `listening`. The caller owns it. */
char *serve_status(struct pipeline *p, const char *listening) MUSTCHECK;

/* ---- files that change ------------------------------------------------------------------------------------------- */
/*
 * serve_watch reports that a file from which a secret was read may have changed. It watches folders, as editors and
 * secret managers replace a file, a link or a whole folder. For each path it watches each link that is followed, the
 * link's target, and the folders on the way.
 */
struct serve_watch;

/* Watches the files of secrets. A folder that cannot be watched is logged once and left out. */
struct serve_watch *serve_watch_new(const struct secrets *secrets);
void serve_watch_free(struct serve_watch *w); /* NULL allowed */
/* Returns a descriptor to poll for reading; -1: nothing is watched. */
int serve_watch_fd(const struct serve_watch *w);
/* Reads the events. True where one of the files may have changed. Never blocks. */
bool serve_watch_read(struct serve_watch *w);
/* True where the watched files and folders may no longer be those at the paths, so that a new serve_watch is needed. */
bool serve_watch_is_stale(const struct serve_watch *w);

/*
 * Watches the store's files for deletion, renaming and replacement. path: the store, which is open. Returns a
 * descriptor to poll for reading, which the caller closes; -1, after a log line, where the files cannot be watched:
 * then the pipeline notices the loss when it has work.
 */
int serve_store_watch(const char *path);
/* Reads the events. Never blocks. */
void serve_store_read(int fd);

/* ---- reloads ----------------------------------------------------------------------------------------------------- */
/*
 * Reloads that were requested through the admin address, on their way to the main thread, which serves them in turn
 * with SIGHUP.
 */
struct serve_reloads;

/* config: the path of the configuration, for the answers; it must outlive them. */
int serve_reloads_new(const char *config, struct serve_reloads **ret, struct err *reterr) MUSTCHECK;
/* Call it after serve_reloads_close, when all requests are answered. NULL allowed. */
void serve_reloads_free(struct serve_reloads *r);
/* The `ask` of an admin_reloader, with the serve_reloads as ctx. After serve_reloads_close it answers at once. Any
 * thread. */
void serve_reloads_ask(void *ctx, struct admin_reload *asked);
/* Returns a descriptor to poll for reading. */
int serve_reloads_fd(const struct serve_reloads *r);
/* Returns all requests so far, linked by message.next; NULL: none. Each must be answered. */
struct admin_reload *serve_reloads_take(struct serve_reloads *r);
/* Answers all requests, and those that come later, with "the daemon is stopping". */
void serve_reloads_close(struct serve_reloads *r);

#endif
