/* SPDX-License-Identifier: MIT */
/* Secrets: their places, their values, and that no output shows them. */
#include <config.h>

#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "conf/yaml.h"
#include "fixtures/config_folder.h"
#include "fixtures/memory_copies.h"

static struct secret *read_secret(const char *text, bool many, bool exposed, struct problems *problems)
{
	struct secret_context place = {.folder = folder.path, .exposed = exposed};
	CLEANUP(node_freep) struct node *n = NULL;

	assert_int_equal(yaml_load("deskbridge.yaml", text, strlen(text), &n, problems), 0);
	return secret_new(n, &place, many, 0, problems);
}

static struct secret *good_secret(const char *text)
{
	struct problems problems = {0};
	struct secret *s = read_secret(text, true, false, &problems);

	problems_print(&problems, stderr);
	assert_non_null(s);
	assert_int_equal(problems.n, 0);
	return s;
}

/* Returns the values of the only secret, joined by "|", or the text of the problem. */
static char *values_of(struct secret *s)
{
	struct problems problems = {0};
	struct secrets *now = secrets_read(&s, 1, NULL, &problems);
	const char *const *values;
	struct buf text;
	size_t n;

	buf_init(&text, 1 << 20);
	values = secret_values(now, s, &n);
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%s%s", i > 0 ? "|" : "", values[i]);
	for (size_t i = 0; i < problems.n; i++)
		buf_addf(&text, "!%s", problems.items[i].text);
	assert_int_equal(problems.warnings, 0);
	problems_done(&problems);
	secrets_free(now);
	return buf_take(&text);
}

static void assert_value(const char *yaml, const char *expected)
{
	struct secret *s = good_secret(yaml);
	CLEANUP(mem_freep) char *found = values_of(s);

	assert_string_equal(found, expected);
	secret_free(s);
}

static void assert_refused(const char *yaml, const char *says)
{
	struct secret *s = good_secret(yaml);
	CLEANUP(mem_freep) char *found = values_of(s);

	if (found[0] != '!' || !strstr(found, says))
		fail_msg("%s: found %s", yaml, found);
	secret_free(s);
}

static void every_form_is_read(void **state)
{
	CLEANUP(mem_freep) char *absolute = mem_fmt("{file: \"%s/absolute\"}", folder.path);

	(void)state;
	folder_write(folder.path, "credentials/key", "from-credential\n");
	folder_write(folder.path, "relative", "from-relative");
	folder_write(folder.path, "absolute", "from-absolute\r\n");
	assert_int_equal(setenv("DESKBRIDGE_TEST_SECRET", "from-env", 1), 0);
	assert_value("plain text", "plain text");
	assert_value("12345", "12345");
	assert_value("{credential: key}", "from-credential");
	assert_value("{file: relative}", "from-relative");
	assert_value(absolute, "from-absolute");
	assert_value("{env: DESKBRIDGE_TEST_SECRET}", "from-env");
	assert_value("[{credential: key}, plain, {env: DESKBRIDGE_TEST_SECRET}]", "from-credential|plain|from-env");
	assert_value("[one]", "one");
	folder_write(folder.path, "marked",
		     "\xef\xbb\xbf"
		     "from-marked\r\n"); /* as editors on Windows write it */
	assert_value("{file: marked}", "from-marked");
}

static void systemds_credential_comes_before_the_file(void **state)
{
	struct problems problems = {0};
	struct secret *s;
	char *found;

	(void)state;
	folder_mkdir(folder.path, "systemd");
	folder_write(folder.path, "systemd/both", "from-systemd\n");
	folder_write(folder.path, "credentials/both", "from-file\n");
	folder_write(folder.path, "credentials/beside", "beside\n");
	{
		CLEANUP(mem_freep) char *path = mem_fmt("%s/systemd", folder.path);

		assert_int_equal(setenv("CREDENTIALS_DIRECTORY", path, 1), 0);
	}
	assert_value("{credential: both}", "from-systemd");
	assert_value("{credential: beside}", "beside");
	s = read_secret("{credential: both}", false, false, &problems);
	assert_non_null(strstr(secret_where(s), "/systemd/both)"));
	assert_string_equal(secret_fix_hint(s), "the credential both, which systemd passes, then restart");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	found = values_of(s); /* the place is decided when the configuration is read */
	assert_string_equal(found, "from-systemd");
	free(found);
	secret_free(s);
	assert_value("{credential: both}", "from-file");
}

static void bad_values_are_refused_with_their_place_and_never_shown(void **state)
{
	char *marked;
	struct buf b;

	(void)state;
	folder_write(folder.path, "empty", "\n\n");
	folder_write(folder.path, "two-lines", "hush-hush\nhush\n");
	folder_write(folder.path, "tab", "hush\thush");
	folder_write(folder.path, "before", "\thush\n");
	folder_write(folder.path, "behind", "hush hush \n");
	folder_write(folder.path, "mark", "\xef\xbb\xbf\n");
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < SECRET_SIZE_MAX; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "\n");
	folder_write(folder.path, "longest", b.data);
	b.data[b.len - 1] = 'x';
	folder_write(folder.path, "too-long", b.data);
	folder_write(folder.path, "marked-longest", marked = mem_fmt("\xef\xbb\xbf%.*s\r\n", SECRET_SIZE_MAX, b.data));
	free(marked);
	folder_write(folder.path, "marked-too-long", marked = mem_fmt("\xef\xbb\xbf%s", b.data));
	free(marked);
	buf_done(&b);
	assert_int_equal(setenv("DESKBRIDGE_TEST_SECRET", "", 1), 0);
	assert_refused("{file: empty}", "/empty is empty: put the secret into it, as one line of text");
	assert_refused("{file: mark}", "/mark is empty");
	assert_refused("{file: two-lines}", "/two-lines holds a line break");
	assert_refused("{file: tab}", "a secret is one line of text");
	assert_refused("{file: before}", "/before has a blank before or behind it");
	assert_refused("{file: behind}", "/behind has a blank before or behind it");
	assert_refused("{file: too-long}", "/too-long is longer than 64 KiB, which no secret is");
	assert_refused("{file: marked-too-long}", "/marked-too-long is longer than 64 KiB, which no secret is");
	assert_refused("{file: nothing-there}", "nothing-there is not there: put the secret into it");
	assert_refused("{credential: none}", "/credentials/none is not there: put the secret into it");
	assert_refused("{file: /}", "is not a regular file");
	assert_refused("{file: /dev/null}", "is not a regular file");
	assert_refused("{env: DESKBRIDGE_TEST_SECRET}",
		       "the environment variable DESKBRIDGE_TEST_SECRET is empty: set it for the daemon");
	assert_refused("{env: DESKBRIDGE_TEST_NONE}", "is not set: set it for the daemon");
	{
		struct secret *s = good_secret("{file: two-lines}");
		CLEANUP(mem_freep) char *found = values_of(s);

		assert_null(strstr(found, "hush"));
		secret_free(s);
		s = good_secret("[{file: longest}, {file: marked-longest}]");
		free(TAKE(found));
		found = values_of(s);
		assert_int_equal(strlen(found), 2 * SECRET_SIZE_MAX + 1);
		secret_free(s);
	}
}

struct wrong {
	const char *yaml;
	bool many;
	unsigned column;
	const char *says;
};

static const struct wrong wrongs[] = {
	{"{credental: x}", true, 2, "did you mean credential?"},
	{"{password: x}", true, 2, "expected {credential: NAME}, {file: PATH} or {env: NAME}"},
	{"{file: x, env: y}", true, 1, "several of them"},
	{"{}", true, 1, "found {}"},
	{"~", true, 1, "found nothing"},
	{"''", true, 1, "the secret is empty: write {credential: NAME}"},
	{"\"a\\nb\"", true, 1, "one line of text"},
	{"' a'", true, 1, "the secret has a blank before or behind it"},
	{"[a, \"b\\t\"]", true, 5, "the secret has a blank before or behind it"},
	{"{file: ''}", true, 8, "found nothing"},
	{"{file: [x]}", true, 8, "found a list"},
	{"{credential: a/b}", true, 14, "a file's name without folder"},
	{"{credential: ..}", true, 14, "a file's name without folder"},
	{"{credential: .hidden}", true, 14, "a file's name without folder"},
	{"[]", true, 1, "expected 1 to 4 secrets, found 0"},
	{"[a, b, c, d, e]", true, 1, "found 5"},
	{"[[a]]", true, 2, "found a list"},
	{"[a, {fil: x}]", true, 6, "did you mean file?"},
	{"[a, b]", false, 1, "expected one secret"},
};

static void wrong_forms_are_told_with_place_and_advice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct problems problems = {0};
		struct secret *s = read_secret(wrongs[i].yaml, wrongs[i].many, false, &problems);

		if (s || problems.n != 1 || problems.items[0].column != wrongs[i].column ||
		    !strstr(problems.items[0].text, wrongs[i].says)) {
			problems_print(&problems, stderr);
			fail_msg("%s", wrongs[i].yaml);
		}
		problems_done(&problems);
	}
}

static void where_names_the_place_and_never_the_value(void **state)
{
	struct secret *s = good_secret("[hush, {credential: key}, {file: /k}, {env: K}]");
	CLEANUP(mem_freep)
	char *expected = mem_fmt("written in deskbridge.yaml or credential key (%s/credentials/key) or file /k or "
				 "environment variable K",
				 folder.path);
	CLEANUP(mem_freep)
	char *hint =
		mem_fmt("the configuration deskbridge.yaml, then reload; or in the credential key "
			"(%s/credentials/key), which is read again as soon as it changes; or in the file /k, which is "
			"read again as soon as it changes; or in the environment variable K, then restart",
			folder.path);

	(void)state;
	assert_string_equal(secret_where(s), expected);
	assert_string_equal(secret_fix_hint(s), hint);
	secret_free(s);
}

static void a_plain_secret_in_an_open_file_is_a_warning(void **state)
{
	struct problems problems = {0};
	struct secret *s = read_secret("hush", false, true, &problems);

	(void)state;
	assert_non_null(s);
	assert_int_equal(problems.warnings, 1);
	assert_int_equal(problems.errors, 0);
	assert_null(strstr(problems.items[0].text, "hush"));
	secret_free(s);
	problems_done(&problems);
	s = read_secret("{env: X}", false, true, &problems);
	assert_int_equal(problems.n, 0);
	secret_free(s);
}

static void a_refresh_takes_what_changed_and_keeps_what_is_gone(void **state)
{
	struct secret *s = good_secret("[{file: a}, {file: b}]");
	struct problems problems = {0};
	CLEANUP(mem_freep) char *a = mem_fmt("%s/a", folder.path);
	struct secrets *first, *second;
	const char *const *values;
	size_t n;

	(void)state;
	folder_write(folder.path, "a", "a1\n");
	folder_write(folder.path, "b", "b1\n");
	first = secrets_read(&s, 1, NULL, &problems);
	second = secrets_read(&s, 1, first, &problems);
	assert_true(secrets_same(first, second));
	secrets_free(second);
	assert_int_equal(problems.n, 0);

	assert_int_equal(unlink(a), 0);
	folder_write(folder.path, "b", "b2\n");
	second = secrets_read(&s, 1, first, &problems);
	assert_false(secrets_same(first, second));
	values = secret_values(second, s, &n);
	assert_int_equal(n, 2);
	assert_string_equal(values[0], "a1");
	assert_string_equal(values[1], "b2");
	assert_string_equal(secret_value(first, s), "a1");
	assert_int_equal(problems.errors, 0);
	assert_int_equal(problems.warnings, 1);
	assert_non_null(strstr(problems.items[0].text, "the former secret stays in use"));
	problems_done(&problems);
	secrets_free(first);

	/* A half-written file counts as missing. */
	folder_write(folder.path, "b", "");
	first = secrets_read(&s, 1, second, &problems);
	assert_true(secrets_same(first, second));
	assert_int_equal(problems.warnings, 1); /* a is missing as before, which was reported */
	assert_non_null(strstr(problems.items[0].text, "/b is empty"));
	problems_done(&problems);
	secrets_free(first);
	secrets_free(second);
	secret_free(s);
}

static void collect(void *ctx, const char *path, bool fixed)
{
	buf_addf(ctx, "%s%s ", path + strlen(folder.path), fixed ? " fixed" : "");
}

static void every_file_is_told_once_gone_or_not(void **state)
{
	CLEANUP(mem_freep) char *systemd = mem_fmt("%s/provided", folder.path);
	struct problems problems = {0};
	struct secret *all[3];
	struct secrets *now;
	struct buf files;

	(void)state;
	folder_mkdir(folder.path, "provided");
	folder_write(folder.path, "provided/one", "1");
	folder_write(folder.path, "x", "1");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", systemd, 1), 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const texts[] = {"[{file: x}, {credential: one}, plain, {env: HOME}]", "{file: x}",
						    "{credential: gone}"};
		struct secret_context place = {.folder = folder.path};
		CLEANUP(node_freep) struct node *n = NULL;

		assert_int_equal(yaml_load("f", texts[i], strlen(texts[i]), &n, &problems), 0);
		all[i] = secret_new(n, &place, true, i, &problems);
	}
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	now = secrets_read(all, 3, NULL, &problems);
	assert_int_equal(problems.errors, 1);
	buf_init(&files, 4096);
	secrets_files(now, collect, &files);
	assert_string_equal(files.data, "/x /provided/one fixed /credentials/gone ");
	buf_done(&files);
	secrets_free(now);
	for (size_t i = 0; i < 3; i++)
		secret_free(all[i]);
	problems_done(&problems);
}

/* Neither next to a value that is read, nor after a value that is refused. */
static void no_copy_of_a_value_stays(void **state)
{
	static const char *const ends[] = {"\n", "\nand a second line\n"};
	CLEANUP(mem_freep) char *path = mem_fmt("%s/wiped", folder.path);
	char value[] = "hush of a length that no memory manager writes over";
	char *found = NULL;
	char hidden[sizeof(value)];

	(void)state;
	if (!memory_can_be_searched())
		return;
	memcpy(hidden, value, sizeof(value));
	memory_turn(hidden, sizeof(value) - 1);
	explicit_bzero(value, sizeof(value));
	for (size_t i = 0; i < 2; i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		memcpy(value, hidden, sizeof(value));
		memory_turn(value, sizeof(value) - 1);
		for (int k = 0; k < 700; k++) /* longer than the first buffer */
			assert_int_equal(write(fd, value, sizeof(value) - 1), sizeof(value) - 1);
		assert_int_equal(write(fd, ends[i], strlen(ends[i])), strlen(ends[i]));
		assert_int_equal(close(fd), 0);
		explicit_bzero(value, sizeof(value));

		assert_int_equal(secret_file_read(path, &found, NULL), i == 0 ? 0 : -EINVAL);
		assert_int_equal(memory_copies(hidden), i == 0 ? 700 : 0);
		mem_wipe_str(TAKE(found));
		assert_int_equal(memory_copies(hidden), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(systemds_credential_comes_before_the_file),
		cmocka_unit_test(bad_values_are_refused_with_their_place_and_never_shown),
		cmocka_unit_test(no_copy_of_a_value_stays),
		cmocka_unit_test(wrong_forms_are_told_with_place_and_advice),
		cmocka_unit_test(where_names_the_place_and_never_the_value),
		cmocka_unit_test(a_plain_secret_in_an_open_file_is_a_warning),
		cmocka_unit_test(a_refresh_takes_what_changed_and_keeps_what_is_gone),
		cmocka_unit_test(every_file_is_told_once_gone_or_not),
	};

	return cmocka_run_group_tests(tests, config_folder_setup, config_folder_teardown);
}
