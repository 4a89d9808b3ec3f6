/* SPDX-License-Identifier: MIT */
/* The file of `lookup.ca`: certificates, or the reason why it is refused. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "fixtures/certificate.h"
#include "fixtures/folder.h"
#include "conf/conf_internal.h"

static char *folder, *path;

static void put(const char *text, size_t times)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	for (size_t i = 0; i < times; i++)
		assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int made(void **state)
{
	(void)state;
	folder = folder_new();
	path = mem_fmt("%s/ca.pem", folder);
	return 0;
}

static int unmade(void **state)
{
	(void)state;
	folder_remove(folder);
	free(path);
	return 0;
}

static void certificates_are_taken_as_they_stand(void **state)
{
	char *text = NULL;
	struct err e;

	(void)state;
	put(certificate, 1);
	assert_int_equal(authority_read(path, &text, &e), 0);
	assert_string_equal(text, certificate);
	free(text);
	put(certificate, 100);
	assert_int_equal(authority_read(path, &text, &e), 0);
	assert_int_equal(strlen(text), 100 * strlen(certificate));
	free(text);
}

static void refused(const char *says)
{
	char *text = NULL;
	struct err e;

	assert_true(authority_read(path, &text, &e) < 0);
	assert_non_null(strstr(e.text, path));
	if (!strstr(e.text, says))
		fail_msg("%s: %s", says, e.text);
}

static void a_file_without_a_certificate_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"hello\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		put(texts[i], 1);
		refused("holds no certificate");
	}
	put(certificate, AUTHORITY_SIZE_MAX / strlen(certificate) + 1);
	refused("longer than");
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	(void)unlink(path);
	refused("cannot be read: No such file");
	assert_return_code(mkfifo(path, 0600), errno);
	refused("is not a regular file");
	assert_return_code(unlink(path), errno);
	assert_return_code(mkdir(path, 0700), errno);
	refused("is not a regular file");
	assert_return_code(rmdir(path), errno);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_taken_as_they_stand),
		cmocka_unit_test(a_file_without_a_certificate_is_refused),
		cmocka_unit_test(what_is_no_file_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, made, unmade);
}
