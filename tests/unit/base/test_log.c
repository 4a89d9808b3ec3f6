/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/known_secrets.h"
#include "base/log.h"
#include "base/log_out.h"
#include "base/mask.h"
#include "base/mem.h"
#include "base/text.h"
#include "fixtures/capture.h"

static struct capture logged;

/* Returns what was written to stderr since capture_begin(&logged, stderr). */
static char *captured(void)
{
	static char text[65536];

	capture_end(&logged, text, sizeof(text));
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void a_line_has_time_level_message_and_ids(void **state)
{
	const struct log_about about = {
		.source = "gladly", .webhook = 500, .reason = "bad proof", .conversation = "c=1"};
	char *text;

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	capture_begin(&logged, stderr);
	log_info(&about, "refused %d", 401);
	log_error(NULL, "plain");
	text = captured();
	assert_int_equal(lines(text), 2);
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[19], 'Z');
	assert_memory_equal(text + 20,
			    " info  refused 401 source=gladly conversation=\"c=1\" webhook=00000000000001f4 "
			    "reason=\"bad proof\"\n",
			    96);
	assert_non_null(strstr(text, "Z error plain\n"));
}

static void one_event_is_one_line_whatever_it_says(void **state)
{
	const struct log_about about = {.conversation = "a\"b\\c\nd"};
	char *text;
	char longest[5000];

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	capture_begin(&logged, stderr);
	log_info(&about, "first\nsecond\r\x1b[31m \x7f \xc3\xa4");
	log_info(NULL, "broken \xff\xc3");
	log_info(NULL, "%s", longest);
	text = captured();
	assert_int_equal(lines(text), 3);
	assert_non_null(
		strstr(text, "first\\x0asecond\\x0d\\x1b[31m \\x7f \xc3\xa4 conversation=\"a\\\"b\\\\c\\x0ad\"\n"));
	assert_non_null(strstr(text, "broken \\xff\\xc3\n"));
	assert_true(text_is_utf8(text, strlen(text)));
}

static void levels_below_are_silent(void **state)
{
	const char *text;

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_WARNING, false);
	assert_false(log_wants(LOG_NOTICE));
	assert_true(log_wants(LOG_WARNING));
	capture_begin(&logged, stderr);
	log_notice(NULL, "one");
	log_info(NULL, "two");
	log_debug(NULL, "three");
	errno = ENOENT;
	log_warning(NULL, "four");
	assert_int_equal(errno, ENOENT);
	text = captured();
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, " warning four\n"));
}

static void json_lines_are_json(void **state)
{
	const struct log_about about = {.source = "gladly",
					.account = "default",
					.event = 0x1234,
					.reason = "say \"no\"\n",
					.conversation = "\xff"};
	struct json_object *o = NULL;
	char *text;

	(void)state;
	log_setup(LOG_FORMAT_JSON, LOG_INFO, false);
	capture_begin(&logged, stderr);
	log_warning(&about, "a \"b\" \\ \t%s", "c");
	text = captured();
	assert_int_equal(lines(text), 1);
	assert_int_equal(json_read(text, strlen(text), &o, NULL), 0);
	assert_string_equal(json_member_str(o, "level"), "warning");
	assert_string_equal(json_member_str(o, "message"), "a \"b\" \\ \tc");
	assert_string_equal(json_member_str(o, "source"), "gladly");
	assert_string_equal(json_member_str(o, "account"), "default");
	assert_string_equal(json_member_str(o, "event"), "0000000000001234");
	assert_string_equal(json_member_str(o, "conversation"), "\\xff");
	assert_string_equal(json_member_str(o, "reason"), "say \"no\"\n");
	assert_null(json_member(o, "webhook"));
	assert_int_equal(strlen(json_member_str(o, "time")), 20);
	json_object_put(o);
}

/* Replaces libsystemd: the test's own journal, so that none need run. */
static char journal[16][2048];
static int journal_n;
/* While frozen, senders wait, as with a stopped journald. */
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t journal_changed = PTHREAD_COND_INITIALIZER;
static bool journal_frozen;
static int journal_lines;

static void freeze(bool frozen)
{
	pthread_mutex_lock(&journal_lock);
	journal_frozen = frozen;
	pthread_cond_broadcast(&journal_changed);
	pthread_mutex_unlock(&journal_lock);
}

int sd_journal_sendv(const struct iovec *iov, int n);
int sd_journal_sendv(const struct iovec *iov, int n)
{
	assert_in_range(n, 0, 16);
	pthread_mutex_lock(&journal_lock);
	while (journal_frozen)
		pthread_cond_wait(&journal_changed, &journal_lock);
	journal_lines++;
	pthread_mutex_unlock(&journal_lock);
	for (journal_n = 0; journal_n < n; journal_n++)
		(void)snprintf(journal[journal_n], sizeof(journal[0]), "%.*s", (int)iov[journal_n].iov_len,
			       (const char *)iov[journal_n].iov_base);
	return 0;
}

static void a_line_of_the_journal_is_whole_in_its_message_and_in_fields(void **state)
{
	const struct log_about about = {.source = "gladly",
					.account = "default",
					.conversation = "c=\"1\"",
					.webhook = 500,
					.event = 0x1234,
					.reason = "wrong\nproof"};
	static const char *const expected[] = {
		"MESSAGE=a webhook was refused source=gladly account=default conversation=\"c=\\\"1\\\"\" "
		"webhook=00000000000001f4 event=0000000000001234 reason=wrong\\x0aproof",
		"PRIORITY=4",
		"DESKBRIDGE_SOURCE=gladly",
		"DESKBRIDGE_ACCOUNT=default",
		"DESKBRIDGE_CONVERSATION=c=\"1\"",
		"DESKBRIDGE_WEBHOOK=00000000000001f4",
		"DESKBRIDGE_EVENT=0000000000001234",
		"DESKBRIDGE_REASON=wrong\\x0aproof",
	};

	(void)state;
	log_setup(LOG_FORMAT_JOURNAL, LOG_INFO, false);
	log_warning(&about, "a webhook was %s", "refused");
	assert_int_equal(journal_n, 8);
	for (int i = 0; i < journal_n; i++)
		assert_string_equal(journal[i], expected[i]);
	log_info(NULL, "plain");
	assert_int_equal(journal_n, 2);
	assert_string_equal(journal[0], "MESSAGE=plain");
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
}

static void addresses_are_masked_unless_asked_for(void **state)
{
	char *text;
	char out[MASK_EMAIL_MAX];

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	capture_begin(&logged, stderr);
	log_info(NULL, "for %s", log_email("jo.doe@example.com", out));
	text = captured();
	assert_non_null(strstr(text, "for j***@example.com\n"));
	assert_null(strstr(text, "jo.doe"));
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, true);
	assert_string_equal(log_email("jo.doe@example.com", out), "jo.doe@example.com");
	assert_string_equal(log_email(NULL, out), "");
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	assert_string_equal(log_email("jo.doe@example.com", out), "j***@example.com");
}

/* Some helpdesks use the customer's address as the conversation's id. */
static void an_address_in_a_conversations_id_is_masked(void **state)
{
	const struct log_about about = {.conversation = "jo.doe@example.com/7", .reason = "why"};
	static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *text;

		log_setup(formats[i], LOG_INFO, false);
		capture_begin(&logged, stderr);
		log_info(&about, "dropped");
		text = captured();
		assert_non_null(strstr(text, "j***@example.com/7"));
		assert_null(strstr(text, "jo.doe"));
		log_setup(formats[i], LOG_INFO, true);
		capture_begin(&logged, stderr);
		log_info(&about, "dropped");
		text = captured();
		assert_non_null(strstr(text, "jo.doe@example.com/7"));
	}
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
}

/* Tried in the message and each member, in each format, with and without personal_data. */
static void what_must_not_be_shown_never_is(void **state)
{
	static const char *const secrets[] = {"the-secret-key"};
	static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL};
	static const char *const banned[] = {"secret-key", "the%2Dsecret", "dGhlLXNlY3JldC1rZXk", "jane.doe",
					     "\x1b",       "\xc2\x9b",     "\xe2\x80\xae"};
	static const char said[] = "the-secret-key the%2Dsecret%2Dkey dGhlLXNlY3JldC1rZXk= jane.doe%40example.com "
				   "jane.doe\\u0040example.com jane.doe@example.com \x1b[2J \xc2\x9b \xe2\x80\xae";
	const struct log_about about = {.source = said, .account = said, .conversation = said, .reason = said};

	(void)state;
	known_secrets_add(secrets, 1);
	for (unsigned i = 0; i < 6; i++) {
		bool personal = i >= 3;
		char all[65536] = "";
		size_t len = 0;

		log_setup(formats[i % 3], LOG_INFO, personal);
		capture_begin(&logged, stderr);
		log_warning(&about, "told %s", said);
		len = (size_t)snprintf(all, sizeof(all), "%s", captured());
		for (int n = 0; formats[i % 3] == LOG_FORMAT_JOURNAL && n < journal_n; n++)
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s\n", journal[n]);
		assert_non_null(strstr(all, "[secret]"));
		for (size_t k = 0; k < sizeof(banned) / sizeof(banned[0]); k++)
			if (!personal || strcmp(banned[k], "jane.doe") != 0)
				assert_null(strstr(all, banned[k]));
		if (!personal)
			assert_non_null(strstr(all, "j***@example.com"));
	}
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	known_secrets_forget();
}

/* Also where a message is longer than a line may be. */
static void no_part_of_a_secret_is_left_where_a_message_is_cut(void **state)
{
	static const char *const secrets[] = {"the-secret-key"};
	char longest[3000];

	(void)state;
	known_secrets_add(secrets, 1);
	for (size_t at = 2020; at < 2060; at++) {
		char *text;

		memset(longest, 'x', sizeof(longest) - 1);
		memcpy(longest + at, secrets[0], strlen(secrets[0]));
		longest[sizeof(longest) - 1] = '\0';
		capture_begin(&logged, stderr);
		log_warning(NULL, "%s", longest);
		text = captured();
		assert_null(strstr(text, "the-"));
	}
	known_secrets_forget();
}

static void auto_is_text_where_stderr_is_not_the_journal(void **state)
{
	static const char *const streams[] = {"", "1", "x:y", "1:2:3", "99:99"};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		assert_return_code(setenv("JOURNAL_STREAM", streams[i], 1), errno);
		capture_begin(&logged, stderr);
		log_setup(LOG_FORMAT_AUTO, LOG_INFO, false);
		log_info(NULL, "here");
		text = captured();
		assert_non_null(strstr(text, " info  here\n"));
	}
	assert_return_code(unsetenv("JOURNAL_STREAM"), errno);
}

static void auto_is_the_journal_where_stderr_is_its_stream(void **state)
{
	char *text;
	char stream[64];
	struct stat st;

	(void)state;
	capture_begin(&logged, stderr);
	assert_return_code(fstat(STDERR_FILENO, &st), errno);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	assert_return_code(setenv("JOURNAL_STREAM", stream, 1), errno);
	log_setup(LOG_FORMAT_AUTO, LOG_INFO, false);
	log_debug(NULL, "not wanted, and not sent to anyone's journal");
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	text = captured();
	assert_string_equal(text, "");
	assert_return_code(unsetenv("JOURNAL_STREAM"), errno);
}

static int stderr_before;

/* Makes stderr a pipe. Returns the end to read from. */
static int pipe_for_stderr(void)
{
	int ends[2];

	stderr_before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_return_code(pipe(ends), errno);
	assert_return_code(dup2(ends[1], STDERR_FILENO), errno);
	(void)close(ends[1]);
	return ends[0];
}

static unsigned missing; /* the log's count of missing lines */

/* Reads until the pipe is closed. The lines must be in order. Returns the number of lines by log_many. */
static void *read_all(void *arg)
{
	FILE *from = fdopen(*(int *)arg, "r");
	unsigned *lines = mem_new(1, sizeof(*lines));
	char line[256];

	assert_non_null(from);
	while (fgets(line, sizeof(line), from)) {
		const char *at = strstr(line, "line ");
		unsigned n;

		if (strstr(line, "dropped because nobody read them")) {
			assert_int_equal(sscanf(line + 20, " warning %u log lines were dropped", &n), 1);
			missing += n;
		} else {
			assert_non_null(at);
			assert_int_equal(sscanf(at, "line %u", &n), 1);
			assert_int_equal(n, *lines + missing);
			++*lines;
		}
	}
	(void)fclose(from);
	return lines;
}

#define MANY 50000U

static void log_many(void)
{
	for (unsigned i = 0; i < MANY; i++)
		log_info(NULL, "line %u %0100d", i, 0);
}

static void a_pipe_that_nobody_reads_holds_nobody_up_and_the_missing_lines_are_told(void **state)
{
	unsigned *lines;
	pthread_t reader;
	void *result;
	int from;

	(void)state;
	missing = 0;
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	from = pipe_for_stderr();
	log_out_start(log_dropped);
	log_many();
	assert_false(log_out_flush());
	assert_int_equal(pthread_create(&reader, NULL, read_all, &from), 0);
	while (!log_out_flush()) /* a busy machine may read for longer than a stop waits */
		;
	log_out_stop();
	assert_return_code(dup2(stderr_before, STDERR_FILENO), errno);
	assert_int_equal(pthread_join(reader, &result), 0);
	lines = result;
	assert_true(*lines > 1000);
	assert_true(missing > 1000);
	assert_int_equal(*lines + missing, MANY);
	free(lines);
	(void)close(stderr_before);
}

static atomic_bool ended;

static void *log_until_the_end(void *arg)
{
	while (!atomic_load(&ended))
		log_info(NULL, "meanwhile");
	return arg;
}

static void a_pipe_that_nobody_reads_does_not_hold_up_the_end(void **state)
{
	int64_t began_ms = clock_mono_ms();
	struct timespec until;
	pthread_t other;
	char piece[4096];
	int from;

	(void)state;
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
	from = pipe_for_stderr();
	log_out_start(log_dropped);
	log_many();
	assert_int_equal(pthread_create(&other, NULL, log_until_the_end, NULL), 0);
	log_out_stop();
	log_info(NULL, "nor afterwards");
	atomic_store(&ended, true);
	assert_true(clock_mono_ms() - began_ms < 10 * CLOCK_SECOND_MS);
	assert_return_code(dup2(stderr_before, STDERR_FILENO), errno);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += 10;
	assert_int_equal(pthread_timedjoin_np(other, NULL, &until), 0);
	/* The thread that was left behind ends once its line is read. */
	while (read(from, piece, sizeof(piece)) > 0)
		;
	(void)close(from);
	(void)close(stderr_before);
}

static void a_frozen_journal_holds_nobody_up_and_the_missing_lines_are_told(void **state)
{
	unsigned n;

	(void)state;
	log_setup(LOG_FORMAT_JOURNAL, LOG_INFO, false);
	journal_lines = 0;
	freeze(true);
	log_out_start(log_dropped);
	log_many();
	freeze(false);
	while (!log_out_flush())
		;
	log_out_stop();
	assert_in_range(journal_lines, 1000, MANY - 1);
	assert_int_equal(sscanf(journal[0], "MESSAGE=%u log lines were dropped because nobody read them", &n), 1);
	assert_int_equal((unsigned)journal_lines - 1 + n, MANY);
	assert_string_equal(journal[1], "PRIORITY=4");
	log_setup(LOG_FORMAT_TEXT, LOG_INFO, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_time_level_message_and_ids),
		cmocka_unit_test(one_event_is_one_line_whatever_it_says),
		cmocka_unit_test(levels_below_are_silent),
		cmocka_unit_test(json_lines_are_json),
		cmocka_unit_test(a_line_of_the_journal_is_whole_in_its_message_and_in_fields),
		cmocka_unit_test(addresses_are_masked_unless_asked_for),
		cmocka_unit_test(an_address_in_a_conversations_id_is_masked),
		cmocka_unit_test(what_must_not_be_shown_never_is),
		cmocka_unit_test(no_part_of_a_secret_is_left_where_a_message_is_cut),
		cmocka_unit_test(auto_is_text_where_stderr_is_not_the_journal),
		cmocka_unit_test(auto_is_the_journal_where_stderr_is_its_stream),
		cmocka_unit_test(a_pipe_that_nobody_reads_holds_nobody_up_and_the_missing_lines_are_told),
		cmocka_unit_test(a_frozen_journal_holds_nobody_up_and_the_missing_lines_are_told),
		cmocka_unit_test(a_pipe_that_nobody_reads_does_not_hold_up_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
