/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/log_out.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/writer.h"

#define FIELDS_MAX 16

static _Atomic(struct writer *) out; /* NULL: each thread writes its own lines */
/* Lines are discarded: the thread is being stopped, or it was left behind with a line that the reader does not take. */
static atomic_bool blocked;
static _Thread_local bool may_block;       /* this is the writer's thread, which logs the number of dropped lines */
static void (*report_dropped)(uint64_t n); /* set before that thread starts */

/* ---- to stderr and the journal: may block ------------------------------------------------------------------------ */

/* Another process may have made stderr non-blocking, so a write may be partial. */
static void write_text(const char *line, size_t len)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	ssize_t n;

	while (len > 0) {
		n = write(STDERR_FILENO, line, len);
		if (n < 0 && errno == EAGAIN)
			(void)poll(&fd, 1, -1);
		else if (n < 0 && errno != EINTR)
			return;
		line += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void write_journal(const struct iovec *fields, size_t n, const char *fallback, size_t fallback_len)
{
	if (sd_journal_sendv(fields, (int)n) < 0)
		write_text(fallback, fallback_len);
}

/* ---- on the writer's thread -------------------------------------------------------------------------------------- */

/* A piece in the queue is a list of parts, each with its length: the line for stderr, then the journal's fields. */
static void add_part(struct buf *to, const char *bytes, size_t len)
{
	buf_add(to, &len, sizeof(len));
	buf_add(to, bytes, len);
}

static const char *take_part(const char **at, size_t *ret_len)
{
	const char *bytes = *at + sizeof(*ret_len);

	memcpy(ret_len, *at, sizeof(*ret_len));
	*at = bytes + *ret_len;
	return bytes;
}

static void put(const char *bytes, size_t len)
{
	const char *at = bytes;
	const char *end = bytes + len;
	struct iovec fields[FIELDS_MAX];
	size_t n, text_len;
	const char *text;

	text = take_part(&at, &text_len);
	for (n = 0; at < end && n < FIELDS_MAX; n++)
		fields[n].iov_base = (void *)take_part(&at, &fields[n].iov_len);
	if (n > 0)
		write_journal(fields, n, text, text_len);
	else
		write_text(text, text_len);
}

static void on_dropped(uint64_t n)
{
	may_block = true;
	report_dropped(n);
}

/* ---- functions for log.c ----------------------------------------------------------------------------------------- */

void log_out_text(const char *line, size_t len)
{
	struct writer *w = atomic_load(&out);
	CLEANUP(buf_done) struct buf piece;

	buf_init(&piece, SIZE_MAX);
	if (!w) {
		if (may_block || !atomic_load(&blocked))
			write_text(line, len);
		return;
	}
	add_part(&piece, line, len);
	(void)writer_put(w, piece.data, piece.len);
}

void log_out_journal(const struct iovec *fields, size_t n, const char *fallback, size_t fallback_len)
{
	struct writer *w = atomic_load(&out);
	CLEANUP(buf_done) struct buf piece;

	INSIST(n <= FIELDS_MAX);
	buf_init(&piece, SIZE_MAX);
	if (!w) {
		if (may_block || !atomic_load(&blocked))
			write_journal(fields, n, fallback, fallback_len);
		return;
	}
	add_part(&piece, fallback, fallback_len);
	for (size_t i = 0; i < n; i++)
		add_part(&piece, fields[i].iov_base, fields[i].iov_len);
	(void)writer_put(w, piece.data, piece.len);
}

/* ---- start and stop ---------------------------------------------------------------------------------------------- */

bool log_out_flush(void)
{
	struct writer *w = atomic_load(&out);

	return !w || writer_flush(w, clock_mono_ms() + LOG_OUT_STOP_MS);
}

static void on_abort(void)
{
	(void)log_out_flush();
}

void log_out_start(void (*dropped)(uint64_t n))
{
	const struct writer_options options = {
		.name = "log", .max_bytes = LOG_OUT_BYTES, .put = put, .dropped = on_dropped};

	INSIST(!atomic_load(&out));
	report_dropped = dropped;
	atomic_store(&blocked, false);
	atomic_store(&out, writer_start(&options));
	mem_on_abort(on_abort);
}

void log_out_stop(void)
{
	struct writer *w;

	/* Set before the writer is removed, so that a line that another thread logs meanwhile (serve_signals, after the
	 * time limit) is discarded. Otherwise that thread would wait for a reader that may never come. */
	atomic_store(&blocked, true);
	w = atomic_exchange(&out, NULL);
	mem_on_abort(NULL);
	atomic_store(&blocked, !writer_stop(w, clock_mono_ms() + LOG_OUT_STOP_MS));
}
