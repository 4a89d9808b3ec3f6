#include <config.h>

#include "command/serve_notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/writer.h"

#define NOTIFY_BYTES ((size_t)256 * 1024)
#define NOTIFY_STOP_MS 200

static struct writer *notify_writer; /* NULL: there is no service manager */

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
