/*
 * Any thread. What is set is three atomic numbers, so that a reload needs no lock; a line is made on the stack of the
 * thread that logs it and goes out with one call, so that lines never mix.
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

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#define LOG_MESSAGE_MAX 2048
#define LOG_LINE_MAX 16384
#define LOG_FIELDS_MAX 6

static _Atomic int log_format_now = LOG_FORMAT_TEXT; /* never AUTO */
static _Atomic int log_level_now = LOG_INFO;
static _Atomic bool log_personal_data;

/* One field of a line: from struct log_about, as text. */
struct log_field {
	const char *name;    /* of text and JSON */
	const char *journal; /* of the journal */
	const char *value;
};

/* systemd tells by device and inode which stream is its own; a redirected stderr has another. */
static bool log_stderr_is_journal(void)
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
		return text_mask(email, out);
	(void)snprintf(out, TEXT_MASK_MAX, "%s", email ? email : "");
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

/*
 * One event is one line of valid UTF-8, whatever a helpdesk put into a name: control characters, and all that is not
 * ASCII where the text is not UTF-8, become \xNN.
 */
static void log_escape(struct buf *to, const char *text, bool quotes)
{
	bool utf8 = text_is_utf8(text, strlen(text));

	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c < 0x20 || *c == 0x7f || (*c >= 0x80 && !utf8))
			buf_addf(to, "\\x%02x", *c);
		else if (quotes && (*c == '"' || *c == '\\'))
			buf_addf(to, "\\%c", *c);
		else
			buf_addc(to, (char)*c);
	}
}

static size_t log_fields(const struct log_about *about, struct log_field fields[LOG_FIELDS_MAX], char ids[2][17])
{
	size_t n = 0;

	if (!about)
		return 0;
	(void)snprintf(ids[0], 17, "%016" PRIx64, (uint64_t)about->webhook);
	(void)snprintf(ids[1], 17, "%016" PRIx64, (uint64_t)about->event);

	const struct log_field all[LOG_FIELDS_MAX] = {
		{"source", "DESKBRIDGE_SOURCE", about->source},
		{"account", "DESKBRIDGE_ACCOUNT", about->account},
		{"conversation", "DESKBRIDGE_CONVERSATION", about->conversation},
		{"webhook", "DESKBRIDGE_WEBHOOK", about->webhook != 0 ? ids[0] : NULL},
		{"event", "DESKBRIDGE_EVENT", about->event != 0 ? ids[1] : NULL},
		{"reason", "DESKBRIDGE_REASON", about->reason},
	};
	for (size_t i = 0; i < LOG_FIELDS_MAX; i++)
		if (all[i].value)
			fields[n++] = all[i];
	return n;
}

static void log_put(struct buf *line)
{
	ssize_t r;

	buf_addc(line, '\n');
	do
		r = write(STDERR_FILENO, line->data, line->len);
	while (r < 0 && errno == EINTR);
}

/* " source=gladly webhook=… reason=\"wrong proof\"": what the text of a line and the journal's MESSAGE end with. */
static void log_add_fields(struct buf *line, const struct log_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool quote = fields[i].value[0] == '\0' || strpbrk(fields[i].value, " \"=");

		buf_addf(line, quote ? " %s=\"" : " %s=", fields[i].name);
		log_escape(line, fields[i].value, quote);
		buf_adds(line, quote ? "\"" : "");
	}
}

static void log_text(int level, const char *message, const struct log_field *fields, size_t n)
{
	CLEANUP(buf_done) struct buf line;
	char time[CLOCK_ISO_MAX];

	buf_init(&line, LOG_LINE_MAX);
	clock_iso(clock_now_ms(), time);
	buf_addf(&line, "%s %-5s ", time, log_level_name(level));
	log_escape(&line, message, false);
	log_add_fields(&line, fields, n);
	log_put(&line);
}

static void log_json_field(struct json_object *o, const char *name, const char *value)
{
	CLEANUP(buf_done) struct buf text;

	buf_init(&text, LOG_LINE_MAX);
	log_escape(&text, value, false);
	json_set_str(o, name, text.data);
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
	log_json_field(o, "message", message);
	for (size_t i = 0; i < n; i++)
		log_json_field(o, fields[i].name, fields[i].value);
	text = json_text(o);
	buf_init(&line, strlen(text) + 1);
	buf_adds(&line, text);
	log_put(&line);
}

/* The fields stand in MESSAGE too: that is all that `journalctl` shows, and what is forwarded to syslog. */
static bool log_journal(int level, const char *message, const struct log_field *fields, size_t n)
{
	struct buf texts[2 + LOG_FIELDS_MAX];
	struct iovec iov[2 + LOG_FIELDS_MAX];
	int r;

	for (size_t i = 0; i < n + 2; i++)
		buf_init(&texts[i], LOG_LINE_MAX);
	buf_adds(&texts[0], "MESSAGE=");
	log_escape(&texts[0], message, false);
	log_add_fields(&texts[0], fields, n);
	buf_addf(&texts[1], "PRIORITY=%d", level);
	for (size_t i = 0; i < n; i++) {
		buf_addf(&texts[i + 2], "%s=", fields[i].journal);
		log_escape(&texts[i + 2], fields[i].value, false);
	}
	for (size_t i = 0; i < n + 2; i++)
		iov[i] = (struct iovec){texts[i].data, texts[i].len};
	r = sd_journal_sendv(iov, (int)n + 2);
	for (size_t i = 0; i < n + 2; i++)
		buf_done(&texts[i]);
	return r >= 0;
}

void log_write(int level, const struct log_about *about, const char *fmt, ...)
{
	struct log_field fields[LOG_FIELDS_MAX];
	CLEANUP(mem_freep) char *conversation = NULL;
	char message[LOG_MESSAGE_MAX], ids[2][17];
	int format, before = errno;
	struct log_about shown;
	va_list ap;
	size_t n;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (about && about->conversation && !atomic_load(&log_personal_data)) {
		shown = *about;
		shown.conversation = conversation = text_mask_all(about->conversation); /* some desks use the address */
		about = &shown;
	}
	n = log_fields(about, fields, ids);
	format = atomic_load(&log_format_now);
	if (format == LOG_FORMAT_JSON)
		log_json(level, message, fields, n);
	else if (format != LOG_FORMAT_JOURNAL || !log_journal(level, message, fields, n))
		log_text(level, message, fields, n);
	errno = before;
}
