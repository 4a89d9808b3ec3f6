/*
 * serve_reloads: reloads that were asked for through the admin address, on their way to the main thread, where they
 * take turns with SIGHUP.
 */
#ifndef COMMAND_SERVE_RELOADS_H
#define COMMAND_SERVE_RELOADS_H

#include "admin/reload.h"
#include "base/err.h"
#include "base/mem.h"

struct serve_reloads;

/* config: the path of the configuration, for answers; it must outlive them. */
int serve_reloads_new(const char *config, struct serve_reloads **ret, struct err *reterr) MUSTCHECK;
void serve_reloads_free(struct serve_reloads *r); /* closed and answered before; NULL allowed */
/* An admin_reloader's ask, with the serve_reloads as ctx. Any thread. Once closed, it answers by itself. */
void serve_reloads_ask(void *ctx, struct admin_reload *asked);
/* To be polled for reading. Main thread. */
int serve_reloads_fd(const struct serve_reloads *r);
/* All that have asked by now, linked by mail.next; NULL: none. Each must be answered. Main thread. */
struct admin_reload *serve_reloads_take(struct serve_reloads *r);
/* All who have asked, or ask from now on, are told that the daemon stops. Main thread. */
void serve_reloads_close(struct serve_reloads *r);

#endif
