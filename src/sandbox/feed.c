/* SPDX-License-Identifier: MIT */
/*
 * Any thread makes lines and posts them; the feed's thread writes them, in the order of posting. The count of waiting
 * lines bounds the mailbox.
 */
#include <config.h>

#include "sandbox/feed.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/thread.h"

#define FEED_SLICE_MS 200 /* how long feed_free() waits for a reader who does not read */

enum feed_message_kind {
	FEED_LINE,
	FEED_END,
};

struct feed_message {
	struct message message;
	size_t len;
	char text[];
};

struct feed {
	int fd;
	struct mailbox *lines;
	pthread_t thread;
	bool begun;
	atomic_uint waiting;
	atomic_uint left_out;
	atomic_bool ending;
	bool reader_gone; /* used by the feed's thread only */
};

static void add_properties(struct buf *to, const char *json)
{
	CLEANUP(json_putp) struct json_object *o = NULL;
	const char *separator = "   ";

	if (json_read(json, strlen(json), &o, NULL) < 0)
		return;
	json_object_object_foreach(o, key, value)
	{
		CLEANUP(mem_freep) char *scalar = json_scalar(value);
		CLEANUP(mem_freep) char *text = scalar ? TAKE(scalar) : json_text(value);

		buf_adds(to, separator);
		escape_add(to, key, ESCAPE_LINE);
		buf_adds(to, " = ");
		escape_add(to, text, ESCAPE_LINE);
		separator = ", ";
	}
}

void feed_line(const struct world_event *e, struct buf *to)
{
	CLEANUP(buf_done) struct buf line;
	const char *who = world_email(e->profile);
	char iso[CLOCK_ISO_MAX];
	size_t len;

	buf_init(&line, 64 * FEED_LINE_MAX);
	clock_iso(e->time_ms, iso);
	buf_addf(&line, "%.8s  ", iso + 11);
	escape_add(&line, who ? who : e->profile->person, ESCAPE_LINE);
	buf_adds(&line, "  ");
	escape_add(&line, e->metric->name, ESCAPE_LINE);
	if (e->profile_properties)
		add_properties(&line, e->profile_properties);
	if (e->backfill)
		buf_adds(&line, "   (backfill)");
	if (e->duplicate)
		buf_adds(&line, "   (duplicate)");

	/* A line that is too long is cut, but never within a character. */
	len = line.len;
	if (len > FEED_LINE_MAX - 1) {
		len = FEED_LINE_MAX - 1;
		while (len > 0 && (line.data[len] & 0xc0) == 0x80)
			len--;
	}
	buf_add(to, line.data, len);
	buf_addc(to, '\n');
}

struct feed *feed_new(int fd)
{
	struct feed *f = mem_new(1, sizeof(*f));

	f->fd = fd;
	f->lines = mailbox_new();
	return f;
}

static void feed_post(struct feed *f, enum feed_message_kind kind, const char *text, size_t len)
{
	struct feed_message *m = mem_new(1, sizeof(*m) + len);

	m->message.kind = (int)kind;
	m->len = len;
	memcpy(m->text, text, len);
	atomic_fetch_add(&f->waiting, 1);
	mailbox_post(f->lines, &m->message);
}

void feed_event(struct feed *f, const struct world_event *e)
{
	CLEANUP(buf_done) struct buf line;

	if (atomic_load(&f->waiting) >= FEED_WAITING_MAX) {
		atomic_fetch_add(&f->left_out, 1);
		return;
	}
	buf_init(&line, FEED_LINE_MAX);
	feed_line(e, &line);
	feed_post(f, FEED_LINE, line.data, line.len);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void feed_write(struct feed *f, const char *text, size_t len)
{
	struct pollfd p = {.fd = f->fd, .events = POLLOUT};

	while (len > 0 && !f->reader_gone) {
		int ready = poll(&p, 1, FEED_SLICE_MS);
		ssize_t n;

		if (ready == 0 && atomic_load(&f->ending)) {
			f->reader_gone = true;
			return;
		}
		if (ready <= 0)
			continue;
		n = write(f->fd, text, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			f->reader_gone = true;
			return;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void *feed_main(void *arg)
{
	struct feed *f = arg;
	bool end = false;

	while (!end) {
		char lines[AMOUNT_MAX], text[AMOUNT_MAX + 32];
		struct message *m;
		struct message *next;
		unsigned left_out;

		mailbox_wait(f->lines, CLOCK_NEVER_MS);
		for (m = mailbox_take(f->lines); m; m = next) {
			struct feed_message *line = (struct feed_message *)m;

			next = m->next;
			end = end || m->kind == FEED_END;
			feed_write(f, line->text, line->len);
			free(line);
			atomic_fetch_sub(&f->waiting, 1);
		}
		left_out = atomic_exchange(&f->left_out, 0);
		if (left_out > 0)
			feed_write(f, text,
				   (size_t)snprintf(text, sizeof(text), "(%s left out)\n",
						    amount_of(lines, left_out, "line")));
	}
	return NULL;
}

void feed_begin(struct feed *f)
{
	INSIST(!f->begun);
	f->begun = true;
	thread_start(&f->thread, "sandbox-feed", feed_main, f);
}

void feed_free(struct feed *f)
{
	struct message *m;
	struct message *next;

	if (!f)
		return;
	atomic_store(&f->ending, true);
	if (f->begun) {
		feed_post(f, FEED_END, "", 0);
		thread_join(f->thread);
	}
	for (m = mailbox_take(f->lines); m; m = next) {
		next = m->next;
		free(m);
	}
	mailbox_free(f->lines);
	free(f);
}
