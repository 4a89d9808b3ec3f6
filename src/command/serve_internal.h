/* SPDX-License-Identifier: MIT */
/*
 * serve_internal: the parts of the daemon's main thread, for its loop in cmd_serve.c alone.
 *
 *   serve_start     the limit of open files, the admin token
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

/* Raises the process's limit of open files as far as it may. A warning is logged where the listener's connections and
 * all else need more. */
void serve_files_allow(unsigned max_connections);

/* News about the admin token that the daemon makes where none is configured. They are told once the log is set up. */
struct serve_token {
	/* At a reload: a file elsewhere is not made, as that needs a restart. NULL: the start. */
	const struct config *former;
	struct admin_token_found found;
	struct err fault; /* why there is none; code 0: there is one. The daemon works without, and refuses /api. */
};

/* For generation_load_prepared: makes the token's file where there is none, before it is read. ctx: struct serve_token.
 * Blocks on files. */
void serve_token_prepare(void *ctx, const struct config *c);
void serve_token_log(const struct serve_token *t, const struct config *c);

/* ---- signals ----------------------------------------------------------------------------------------------------- */
/*
 * The main thread may be in the middle of anything when SIGTERM comes, and on its way to the end it waits for threads
 * that wait for a disk. So the time of a stop counts from the signal, on a thread that waits for nothing else: where
 * the process has not ended by itself SERVE_STOP_MS later, this thread ends it with a line in the log. That loses
 * nothing that was acknowledged: what is committed is committed, what is not was not answered.
 */
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

/* ---- the service manager ----------------------------------------------------------------------------------------- */
/*
 * It is told by sd_notify, without ever waiting for it: messages go out in order by a thread of their own
 * (base/writer.h). Where there is no service manager nothing is done.
 */
void serve_notify_start(void);
/* As sd_notifyf. */
void serve_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* WATCHDOG=1, unless the service manager has not taken earlier messages yet: it would not see this one either. */
void serve_notify_alive(void);
/* Gives what was told a moment to leave. */
void serve_notify_stop(void);

/* The line that `systemctl status` shows, "account default: Missing or invalid private key. (401); listening on …":
 * what is wrong now, then `listening`. The caller owns it. */
char *serve_status(struct pipeline *p, const char *listening) MUSTCHECK;

/* ---- files that change ------------------------------------------------------------------------------------------- */
/*
 * serve_watch tells when a file that a secret was read from may have changed. It watches the folders, because editors
 * and secret managers put a new file, a new link or a whole new folder in the place of the old one: of each path, every
 * link that is followed, what it leads to, and the folders on the way.
 */
struct serve_watch;

/* Folders that cannot be watched are logged once and left out. */
struct serve_watch *serve_watch_new(const struct secrets *secrets);
void serve_watch_free(struct serve_watch *w); /* NULL allowed */
/* To be polled for reading; -1 where there is nothing to watch. */
int serve_watch_fd(const struct serve_watch *w);
/* Takes what was told. Whether one of the files may have changed. Never blocks. */
bool serve_watch_read(struct serve_watch *w);
/* Whether folders came or went by what was told, so that it must be made anew. */
bool serve_watch_is_stale(const struct serve_watch *w);

/* Tells when one of the store's files may have been deleted, renamed or replaced. path: the store, which is open.
 * Returns a descriptor to be polled for reading, the caller's to close; -1 where the files cannot be watched, which is
 * logged: the loss is then seen when there is work. */
int serve_store_watch(const char *path);
/* Takes what was told. Never blocks. */
void serve_store_read(int fd);

/* ---- reloads ----------------------------------------------------------------------------------------------------- */
/*
 * Reloads that were asked for through the admin address, on their way to the main thread, where they take turns with
 * SIGHUP.
 */
struct serve_reloads;

/* config: the path of the configuration, for answers; it must outlive them. */
int serve_reloads_new(const char *config, struct serve_reloads **ret, struct err *reterr) MUSTCHECK;
void serve_reloads_free(struct serve_reloads *r); /* closed and answered before; NULL allowed */
/* An admin_reloader's ask, with the serve_reloads as ctx. Any thread. Once closed, it answers by itself. */
void serve_reloads_ask(void *ctx, struct admin_reload *asked);
/* To be polled for reading. */
int serve_reloads_fd(const struct serve_reloads *r);
/* All that have asked by now, linked by mail.next; NULL: none. Each must be answered. */
struct admin_reload *serve_reloads_take(struct serve_reloads *r);
/* All who have asked, or ask from now on, are told that the daemon stops. */
void serve_reloads_close(struct serve_reloads *r);

#endif
