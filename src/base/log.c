/* SPDX-License-Identifier: MIT */
/*
 * Any thread. The settings are three atomic variables, so that a reload needs no lock. The thread that logs a line
 * formats it. One call writes the whole line (log_out.h), so that lines never mix.
 */
#include <config.h>

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/known_secrets.h"
#include "base/log_out.h"
#include "base/mask.h"
#include "base/mem.h"

#define LOG_FORMATTED_MAX 16384 /* bytes of a message before it is cleaned */
#define LOG_MESSAGE_MAX 2048
#define LOG_LINE_MAX 16384
#define LOG_FIELDS_MAX 6

static _Atomic int log_format_now = LOG_FORMAT_TEXT; /* never AUTO */
static _Atomic int log_level_now = LOG_INFO;
static _Atomic bool log_personal_data;

/* One field of a line, from struct log_about, as text. */
struct log_field {
	const char *name;    /* of text and JSON */
	const char *journal; /* of the journal */
	const char *value;
};

/* systemd names its stream by device and inode; a redirected stderr has others. */
bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	errno = 0;
	device = strtoull(stream, &end, 10);
	if (errno != 0 || *end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return errno == 0 && *end == '\0' && device == st.st_dev && inode == st.st_ino;
}

void log_setup(enum log_format format, int level, bool personal_data)
{
	if (format == LOG_FORMAT_AUTO)
		format = log_stderr_is_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	atomic_store(&log_format_now, (int)format);
	atomic_store(&log_level_now, level);
	atomic_store(&log_personal_data, personal_data);
}

bool log_wants(int level)
{
	return level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

const char *log_email(const char *email, char *out)
{
	if (!atomic_load(&log_personal_data))
		return mask_email(email, out);
	(void)snprintf(out, MASK_EMAIL_MAX, "%s", email ? email : "");
	return out;
}

static const char *log_level_name(int level)
{
	static const char *const names[] = {
		[LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "error",
		[LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};

	return names[level & LOG_PRIMASK];
}

static size_t log_fields(const struct log_about *about, struct log_field fields[LOG_FIELDS_MAX], char ids[2][17])
{
	const struct log_field all[LOG_FIELDS_MAX] = {
		{"source", "DESKBRIDGE_SOURCE", about->source},
		{"account", "DESKBRIDGE_ACCOUNT", about->account},
		{"conversation", "DESKBRIDGE_CONVERSATION", about->conversation},
		{"webhook", "DESKBRIDGE_WEBHOOK", about->webhook != 0 ? ids[0] : NULL},
		{"event", "DESKBRIDGE_EVENT", about->event != 0 ? ids[1] : NULL},
		{"reason", "DESKBRIDGE_REASON", about->reason},
	};
	size_t n = 0;

	(void)snprintf(ids[0], 17, "%016" PRIx64, (uint64_t)about->webhook);
	(void)snprintf(ids[1], 17, "%016" PRIx64, (uint64_t)about->event);
	for (size_t i = 0; i < LOG_FIELDS_MAX; i++)
		if (all[i].value)
			fields[n++] = all[i];
	return n;
}

/* Adds " source=gladly webhook=… reason=\"wrong proof\"", the end of a text line and of the journal's MESSAGE. */
static void log_add_fields(struct buf *line, const struct log_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool quote = fields[i].value[0] == '\0' || strpbrk(fields[i].value, " \"=");

		buf_addf(line, quote ? " %s=\"" : " %s=", fields[i].name);
		escape_add(line, fields[i].value, quote ? ESCAPE_QUOTED : ESCAPE_LINE);
		buf_adds(line, quote ? "\"" : "");
	}
}

static void log_add_line(struct buf *line, int level, const char *message, const struct log_field *fields, size_t n)
{
	char time[CLOCK_ISO_MAX];

	clock_iso(clock_now_ms(), time);
	buf_addf(line, "%s %-5s ", time, log_level_name(level));
	escape_add(line, message, ESCAPE_LINE);
	log_add_fields(line, fields, n);
}

static void log_text(int level, const char *message, const struct log_field *fields, size_t n)
{
	CLEANUP(buf_done) struct buf line;

	buf_init(&line, LOG_LINE_MAX);
	log_add_line(&line, level, message, fields, n);
	buf_addc(&line, '\n');
	log_out_text(line.data, line.len);
}

static void log_json(int level, const char *message, const struct log_field *fields, size_t n)
{
	CLEANUP(json_putp) struct json_object *o = json_object_new_object();
	CLEANUP(mem_freep) char *text = NULL;
	CLEANUP(buf_done) struct buf line;
	char time[CLOCK_ISO_MAX];

	clock_iso(clock_now_ms(), time);
	json_set_str(o, "time", time);
	json_set_str(o, "level", log_level_name(level));
	json_set_str(o, "message", message);
	for (size_t i = 0; i < n; i++)
		json_set_str(o, fields[i].name, fields[i].value);
	text = json_printable(o, false);
	buf_init(&line, strlen(text) + 1);
	buf_adds(&line, text);
	buf_addc(&line, '\n');
	log_out_text(line.data, line.len);
}

/* The fields are repeated in MESSAGE, because `journalctl` shows only MESSAGE, and syslog gets only it. */
static void log_journal(int level, const char *message, const struct log_field *fields, size_t n)
{
	CLEANUP(buf_done) struct buf line; /* the fallback for stderr */
	struct buf texts[2 + LOG_FIELDS_MAX];
	struct iovec iov[2 + LOG_FIELDS_MAX];

	buf_init(&line, LOG_LINE_MAX);
	log_add_line(&line, level, message, fields, n);
	buf_addc(&line, '\n');
	for (size_t i = 0; i < n + 2; i++)
		buf_init(&texts[i], LOG_LINE_MAX);
	buf_adds(&texts[0], "MESSAGE=");
	escape_add(&texts[0], message, ESCAPE_LINE);
	log_add_fields(&texts[0], fields, n);
	buf_addf(&texts[1], "PRIORITY=%d", level);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&texts[i + 2], "%s=", fields[i].journal);
		escape_add(&texts[i + 2], fields[i].value, ESCAPE_LINE);
	}
	for (size_t i = 0; i < n + 2; i++)
		iov[i] = (struct iovec){texts[i].data, texts[i].len};
	log_out_journal(iov, n + 2, line.data, line.len);
	for (size_t i = 0; i < n + 2; i++)
		buf_done(&texts[i]);
}

/* ---- cleaning ---------------------------------------------------------------------------------------------------- */

/* Cleans a text. Only the caller knows which texts are this program's own, so every text is treated as text from
 * outside. The caller owns the result. */
static char *log_clean(const struct redactor *secrets, const char *text)
{
	char *redacted = redact(secrets, text);
	char *masked;

	if (atomic_load(&log_personal_data))
		return redacted;
	masked = mask_text(redacted);
	free(redacted);
	return masked;
}

/* Formats and cleans a message, and cuts it only afterwards: a part of a secret would not be recognised. The caller
 * owns it. */
static char *log_message(const struct redactor *secrets, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static char *log_message(const struct redactor *secrets, const char *fmt, va_list ap)
{
	CLEANUP(mem_freep) char *text = NULL;
	size_t size;
	va_list again;
	char *clean;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	size = n < 0 ? 1 : n < LOG_FORMATTED_MAX ? (size_t)n + 1 : LOG_FORMATTED_MAX;
	text = mem_new(size, 1);
	if (n >= 0)
		(void)vsnprintf(text, size, fmt, ap);
	clean = log_clean(secrets, text);
	if (strlen(clean) >= LOG_MESSAGE_MAX)
		clean[LOG_MESSAGE_MAX - 1] = '\0';
	return clean;
}

void log_write(int level, const struct log_about *about, const char *fmt, ...)
{
	struct log_field fields[LOG_FIELDS_MAX] = {0};
	CLEANUP(mem_freep) char *message = NULL;
	int before = errno;
	char *cleaned[LOG_FIELDS_MAX];
	char ids[2][17];
	int format;
	struct redactor *secrets;
	va_list ap;
	size_t n;

	if (!log_wants(level))
		return;
	secrets = known_secrets_get();
	va_start(ap, fmt);
	message = log_message(secrets, fmt, ap);
	va_end(ap);
	n = about ? log_fields(about, fields, ids) : 0;
	for (size_t i = 0; i < n; i++)
		fields[i].value = cleaned[i] = log_clean(secrets, fields[i].value);
	redactor_unref(secrets);
	format = atomic_load(&log_format_now);
	if (format == LOG_FORMAT_JSON)
		log_json(level, message, fields, n);
	else if (format == LOG_FORMAT_JOURNAL)
		log_journal(level, message, fields, n);
	else
		log_text(level, message, fields, n);
	for (size_t i = 0; i < n; i++)
		free(cleaned[i]);
	errno = before;
}

void log_dropped(uint64_t n)
{
	char lines[AMOUNT_MAX];

	/* At every level: other lines may be missing too. */
	log_write(log_wants(LOG_WARNING) ? LOG_WARNING : LOG_ERR, NULL, "%s %s dropped because nobody read them",
		  amount_of(lines, (long long)n, "log line"), n == 1 ? "was" : "were");
}

bool ratelimit_passes(struct ratelimit *l, int64_t now_ms, int64_t every_ms, unsigned *ret_left_out)
{
	if (l->begun && now_ms - l->logged_ms < every_ms) {
		l->left_out++;
		return false;
	}
	*ret_left_out = l->left_out;
	*l = (struct ratelimit){.begun = true, .logged_ms = now_ms};
	return true;
}

const char *ratelimit_suffix(unsigned left_out, char out[RATELIMIT_MORE_MAX])
{
	out[0] = '\0';
	if (left_out > 0)
		(void)snprintf(out, RATELIMIT_MORE_MAX, " (and %u more before it)", left_out);
	return out;
}
