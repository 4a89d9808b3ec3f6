/* SPDX-License-Identifier: MIT */
/*
 * log: one line for one event, with the ids that belong to it.
 *
 * Levels are syslog's. Library code logs at debug only and returns its errors; the one caller that knows what a failure
 * means for the user logs it, once. A line contains no payload, no secret and no full e-mail address: callers write an
 * address with log_email(), which masks it unless log.personal_data is set. Each message and each member of struct
 * log_about is cleaned before it is written: known secrets are redacted (known_secrets.h), addresses are masked in
 * every form of writing (mask.h) unless log.personal_data is set, control characters are escaped (escape.h).
 *
 * Every line is complete without the lines around it. Three formats (<time> is UTC: 2026-11-21T16:00:00Z):
 *
 *   text     "<time> <level> <message> source=gladly webhook=00000000000001f4 reason=\"wrong proof\""
 *   json     one object a line: time, level, message, then the names of the text format
 *   journal  MESSAGE is the text's line from <message> on; PRIORITY; DESKBRIDGE_SOURCE, …, DESKBRIDGE_REASON
 *
 * Any thread; one write(2) or sd_journal_sendv() a line. In `serve` the thread that logs never waits for these calls
 * (log_out.h).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

enum log_format {
	LOG_FORMAT_AUTO = 0, /* the journal if stderr goes to it, else text */
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_JOURNAL,
};

/*
 * The subject of a line. NULL or 0: not part of the line. The members follow the message, always in this order: source,
 * account, conversation, webhook, event, reason. The message does not repeat them. Ids are printed as %016x, so that
 * grep finds one in all logs.
 */
struct log_about {
	const char *source;
	const char *account;
	const char *conversation;
	const char *reason; /* a code or a sentence */
	int64_t webhook;
	int64_t event;
};

/* Sets how lines are logged, for all threads: once before they start, and again at each reload. level: a syslog
 * priority. */
void log_setup(enum log_format format, int level, bool personal_data);
bool log_wants(int level); /* true where lines of that level are logged */
/* True where systemd reads stderr into its journal. */
bool log_stderr_is_journal(void);

/* Formats, cleans and writes one line, if the level is logged. Keeps errno. about: NULL allowed. */
void log_write(int level, const struct log_about *about, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(about, ...) log_write(LOG_ERR, about, __VA_ARGS__)
#define log_warning(about, ...) log_write(LOG_WARNING, about, __VA_ARGS__)
#define log_notice(about, ...) log_write(LOG_NOTICE, about, __VA_ARGS__)
#define log_info(about, ...) log_write(LOG_INFO, about, __VA_ARGS__)
#define log_debug(about, ...)                                     \
	do {                                                      \
		if (log_wants(LOG_DEBUG))                         \
			log_write(LOG_DEBUG, about, __VA_ARGS__); \
	} while (0)

/* Logs that n lines were dropped; for log_out_start(). */
void log_dropped(uint64_t n);

/* Writes the address as this log may show it, and returns out. out: MASK_EMAIL_MAX bytes. */
const char *log_email(const char *email, char *out);

/* ---- rate limit -------------------------------------------------------------------------------------------------- */
/*
 * Limits how often lines of one kind are logged, and counts those that were left out. Pure; if several threads use one,
 * they hold the caller's lock.
 */

#define RATELIMIT_MORE_MAX 48

struct ratelimit {         /* {0}: no line was logged yet */
	bool begun;        /* a line was logged */
	int64_t logged_ms; /* when the last line was logged */
	unsigned left_out; /* lines left out since then */
};

/* True where this line is to be logged: the first one, then one every every_ms. Then *ret_left_out is the number of
 * lines left out before it. now_ms: of either clock, but always of the same one. */
bool ratelimit_passes(struct ratelimit *l, int64_t now_ms, int64_t every_ms, unsigned *ret_left_out);
/* Writes " (and 3 more before it)", or "" for 0. Returns out. */
const char *ratelimit_suffix(unsigned left_out, char out[RATELIMIT_MORE_MAX]);

#endif
