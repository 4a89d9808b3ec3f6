/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "command/serve_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/known_secrets.h"
#include "base/text.h"
#include "base/writer.h"

#define NOTIFY_BYTES ((size_t)256 * 1024)
#define NOTIFY_STOP_MS 200

static struct writer *notify_writer; /* NULL: no service manager */

/* Blocks while the service manager's queue is full. */
static void notify_put(const char *text, size_t len)
{
	(void)len;
	(void)sd_notify(0, text);
}

void serve_notify_start(void)
{
	const struct writer_options options = {.name = "notify", .max_bytes = NOTIFY_BYTES, .put = notify_put};

	if (getenv("NOTIFY_SOCKET"))
		notify_writer = writer_start(&options);
}

void serve_notify(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	if (!notify_writer)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		mem_lacking();
	va_end(ap);
	(void)writer_put(notify_writer, text, strlen(text) + 1);
	free(text);
}

void serve_notify_alive(void)
{
	if (notify_writer && writer_waiting(notify_writer) == 0)
		serve_notify("WATCHDOG=1");
}

void serve_notify_stop(void)
{
	(void)writer_stop(TAKE(notify_writer), clock_mono_ms() + NOTIFY_STOP_MS);
}

/* ---- the line of the status -------------------------------------------------------------------------------------- */

#define STATUS_MAX 4000 /* bytes; systemd reads one datagram. `deskbridge status` prints the rest */

/* Adds one problem: "account default: reason; ". */
static void add(struct buf *to, const char *what, const char *name, const char *reason)
{
	CLEANUP(mem_freep) char *clean = known_secrets_clean(reason);
	CLEANUP(mem_freep) char *text = mem_fmt("%s%s%s: %s; ", what, *name ? " " : "", name, clean);

	if (to->len + strlen(text) <= STATUS_MAX)
		buf_adds(to, text);
}

static void add_parked(void *ctx, const char *kind, const char *name, const char *reason)
{
	add(ctx, text_is(kind, "lookups") ? "lookups of" : kind, name, reason);
}

char *serve_status(struct pipeline *p, const char *listening)
{
	struct err why = {0};
	struct buf line;
	char *text;

	buf_init(&line, STATUS_MAX + 512);
	if (!pipeline_readiness(p, &why))
		add(&line, "not ready", "", why.text);
	pipeline_parked(p, add_parked, &line);
	buf_adds(&line, listening);
	text = mem_str(line.data);
	buf_done(&line);
	return text;
}
