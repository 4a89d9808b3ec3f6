/* SPDX-License-Identifier: MIT */
/* Generations: loaded as a whole or not at all, shared by threads, replaced by the next. */
#include <config.h>

#include "conf/generation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"
#include "fixtures/certificate.h"
#include "fixtures/config_folder.h"

#define SOURCES "sources:\n  bear: {preset: bearer, authenticate: {secret: {credential: bear-webhook}}}\n"
#define GOOD "version: 1\nklaviyo: {api_key: {credential: klaviyo-api-key}}\n" SOURCES

static void write_good(void)
{
	folder_write(folder.path, "deskbridge.yaml", GOOD);
	folder_write(folder.path, "credentials/klaviyo-api-key", "pk_one\n");
	folder_write(folder.path, "credentials/bear-webhook", "hush\n");
}

static struct generation *load_good(void)
{
	struct problems problems = {0};
	struct generation *g = generation_load(folder.file, &problems);

	problems_print(&problems, stderr);
	assert_non_null(g);
	assert_int_equal(problems.n, 0);
	return g;
}

static const char *key_of(const struct generation *g)
{
	return secret_value(g->secrets, g->config->accounts[0].api_key);
}

static void a_generation_has_configuration_and_secrets(void **state)
{
	struct generation *first, *second;

	(void)state;
	write_good();
	first = load_good();
	second = load_good();
	assert_string_equal(key_of(first), "pk_one");
	assert_true(first->number >= 1);
	assert_int_equal(second->number, first->number + 1);
	generation_unref(first);
	generation_unref(second);
	generation_unref(NULL);
}

static void missing_secrets_and_wrong_settings_are_told_together(void **state)
{
	CLEANUP(mem_freep) char *key = mem_fmt("%s/credentials/klaviyo-api-key", folder.path);
	struct problems problems = {0};

	(void)state;
	write_good();
	folder_write(folder.path, "deskbridge.yaml", GOOD "listen: nowhere\n");
	assert_int_equal(unlink(key), 0);
	assert_null(generation_load(folder.file, &problems));
	assert_int_equal(problems.errors, 2);
	assert_int_equal(problems.items[0].line, 2);
	assert_int_equal(problems.items[0].column, 20);
	assert_string_equal(problems.items[0].path, "klaviyo.api_key");
	assert_non_null(strstr(problems.items[0].text, key));
	assert_int_equal(problems.items[1].line, 5);
	problems_done(&problems);
}

static void a_key_that_is_none_is_warned_of_and_not_shown(void **state)
{
	struct problems problems = {0};
	struct generation *g;

	(void)state;
	write_good();
	folder_write(folder.path, "credentials/klaviyo-api-key", "AbCdEf\n");
	g = generation_load(folder.file, &problems);
	assert_non_null(g);
	assert_int_equal(problems.warnings, 1);
	assert_int_equal(problems.items[0].line, 2);
	assert_non_null(strstr(problems.items[0].text, "pk_"));
	assert_null(strstr(problems.items[0].text, "AbCdEf"));
	generation_unref(g);
	problems_done(&problems);
}

static void a_refresh_is_nothing_until_a_secret_changes(void **state)
{
	CLEANUP(mem_freep) char *key = mem_fmt("%s/credentials/klaviyo-api-key", folder.path);
	struct problems problems = {0};
	struct generation *g, *next;

	(void)state;
	write_good();
	g = load_good();
	assert_null(generation_refresh(g, &problems));
	assert_int_equal(problems.n, 0);

	folder_write(folder.path, "credentials/klaviyo-api-key", "pk_two\n");
	next = generation_refresh(g, &problems);
	assert_non_null(next);
	assert_ptr_equal(next->config, g->config);
	assert_true(next->number > g->number);
	assert_string_equal(key_of(g), "pk_one");
	assert_string_equal(key_of(next), "pk_two");

	/* The configuration outlives its first generation. */
	generation_unref(g);
	assert_string_equal(next->config->accounts[0].name, "default");

	assert_int_equal(unlink(key), 0);
	assert_null(generation_refresh(next, &problems));
	assert_int_equal(problems.errors, 0);
	assert_int_equal(problems.warnings, 1);
	generation_unref(next);
	problems_done(&problems);
}

/* ---- secrets of signatures --------------------------------------------------------------------------------------- */

#define SIGNED(secret)                                                                       \
	"version: 1\nklaviyo: {api_key: {credential: klaviyo-api-key}}\nsources:\n  bear:\n" \
	"    preset: bearer\n    authenticate: {method: hmac, header: X-S, key: hex, secret: " secret "}\n"

static const char *const *secrets_of(const struct generation *g, size_t *n)
{
	return secret_values(g->secrets, g->config->sources[0].auth_secret, n);
}

static void a_secret_that_its_method_cannot_use_is_an_error_and_not_shown(void **state)
{
	static const char *const cases[][2] = {
		{SIGNED("{credential: bear-webhook}"), "credential bear-webhook"},
		{SIGNED("hush"), "written in "},
		{SIGNED("[{credential: good}, hush]"), "written in "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct problems problems = {0};

		write_good();
		folder_write(folder.path, "credentials/good", "00ff\n");
		folder_write(folder.path, "deskbridge.yaml", cases[i][0]);
		assert_null(generation_load(folder.file, &problems));
		assert_int_equal(problems.n, 1);
		assert_int_equal(problems.errors, 1);
		assert_int_equal(problems.items[0].line, 6);
		assert_string_equal(problems.items[0].path, "sources.bear.authenticate.secret");
		assert_non_null(strstr(problems.items[0].text, cases[i][1]));
		assert_non_null(strstr(problems.items[0].text, "is not hexadecimal"));
		assert_null(strstr(problems.items[0].text, "hush"));
		problems_done(&problems);
	}
}

static void the_former_secret_stays_until_the_new_one_can_be_used(void **state)
{
	struct problems problems = {0};
	struct generation *g, *next;
	const char *const *values;
	size_t n;

	(void)state;
	write_good();
	folder_write(folder.path, "credentials/bear-webhook", "00ff\n");
	folder_write(folder.path, "credentials/new", "0102\n");
	folder_write(folder.path, "deskbridge.yaml", SIGNED("[{credential: bear-webhook}, {credential: new}]"));
	g = load_good();

	folder_write(folder.path, "credentials/bear-webhook", "half a s");
	assert_null(generation_refresh(g, &problems));
	assert_int_equal(problems.errors, 0);
	assert_int_equal(problems.warnings, 1);
	assert_non_null(strstr(problems.items[0].text, "credential bear-webhook"));
	assert_non_null(strstr(problems.items[0].text, "the former secret stays"));
	assert_null(strstr(problems.items[0].text, "half a s"));

	/* The other secret is used all the same. */
	folder_write(folder.path, "credentials/new", "0304\n");
	next = generation_refresh(g, &problems);
	assert_non_null(next);
	values = secrets_of(next, &n);
	assert_int_equal(n, 2);
	assert_string_equal(values[0], "00ff");
	assert_string_equal(values[1], "0304");
	generation_unref(g);

	folder_write(folder.path, "credentials/bear-webhook", "aa\n");
	g = generation_refresh(next, &problems);
	assert_non_null(g);
	assert_string_equal(secrets_of(g, &n)[0], "aa");
	generation_unref(g);
	generation_unref(next);
	assert_int_equal(problems.warnings, 1); /* a lasting fault is reported once */
	problems_done(&problems);
}

struct follower {
	const char *from, *to;
	const char *says; /* NULL: may follow */
};

static const struct follower followers[] = {
	{"", "", NULL},
	{"", "log: {level: debug}\n", NULL},
	{"", "listen: 127.0.0.1:8085\nadmin: 127.0.0.1:8086\n", NULL},
	{"", "listen: 127.0.0.1:9\n", "listen.address: restart needed"},
	{"", "listen: {max_body: 2MiB}\n", "listen.max_body: restart needed"},
	{"", "listen: {max_memory: 128MiB, max_body: 2MiB}\n", "listen.max_body, listen.max_memory: restart needed"},
	{"", "listen: {trusted_proxies: [10.0.0.1]}\n", "listen.trusted_proxies: restart needed"},
	{"", "admin: 127.0.0.1:9\n", "admin.address: restart needed"},
	{"", "admin: {token: {env: HOME}}\n", "admin.token: restart needed"},
	{"admin: {token: {env: HOME}}\n", "admin: {token: {env: PATH}}\n", "admin.token: restart needed"},
	{"admin: {token: {env: HOME}}\n", "admin: {token: {env: HOME}}\n", NULL},
	{"", "store: {retention: 8d}\n", "store.retention: restart needed"},
	{"store: sqlite:/a\n", "store: sqlite:/b\n", "store.url: restart needed"},
};

static struct generation *load_with(const char *more)
{
	CLEANUP(mem_freep) char *text = mem_fmt("%s%s", GOOD, more);

	folder_write(folder.path, "deskbridge.yaml", text);
	return load_good();
}

static void what_needs_a_restart_may_not_follow(void **state)
{
	(void)state;
	write_good();
	for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++) {
		struct generation *old = load_with(followers[i].from);
		struct generation *next = load_with(followers[i].to);
		struct err err = {0};
		int r = generation_may_follow(old, next, &err);

		assert_int_equal(r, followers[i].says ? -EINVAL : 0);
		if (followers[i].says)
			assert_string_equal(err.text, followers[i].says);
		generation_unref(old);
		generation_unref(next);
	}
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static atomic_bool stop;

static void *look(void *arg)
{
	unsigned *seen = arg;

	while (!atomic_load(&stop)) {
		struct generation *g = generation_current();
		const char *key = key_of(g);

		if (!text_is(key, "pk_one") && !text_is(key, "pk_two"))
			abort();
		(*seen)++;
		generation_unref(g);
	}
	return NULL;
}

static void threads_see_one_generation_or_the_next(void **state)
{
	struct problems problems = {0};
	pthread_t threads[3];
	unsigned seen[3] = {0};

	(void)state;
	write_good();
	assert_null(generation_current());
	generation_make_current(load_good());
	for (size_t i = 0; i < 3; i++)
		thread_start(&threads[i], "look", look, &seen[i]);
	for (unsigned i = 0; i < 200; i++) {
		struct generation *g = generation_current();
		struct generation *next;

		folder_write(folder.path, "credentials/klaviyo-api-key", i % 2 ? "pk_one" : "pk_two");
		next = i % 10 == 0 ? generation_load(folder.file, &problems) : generation_refresh(g, &problems);
		assert_non_null(next);
		generation_unref(g);
		generation_make_current(next);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 3; i++)
		thread_join(threads[i]);
	generation_make_current(NULL);
	assert_null(generation_current());
	problems_done(&problems);
}

/* ---- the installed sample ---------------------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = mem_new(1, 1 << 16);
	size_t n;

	if (!f)
		fail_msg("%s is not there", path);
	n = fread(text, 1, (1 << 16) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

/* Settings that are commented out are written "#key: value", without a blank after the #. */
static void uncomment(char *text)
{
	char *to = text;
	bool begin = true;

	for (const char *from = text; *from != '\0'; from++) {
		if (begin && from[0] == '#' && from[1] >= 'a' && from[1] <= 'z')
			continue;
		begin = *from == '\n' || (begin && *from == ' ');
		*to++ = *from;
	}
	*to = '\0';
}

static void the_sample_configuration_loads_as_it_ships_and_with_all_its_settings(void **state)
{
	const char *tests = getenv("TEST_SRCDIR");
	CLEANUP(mem_freep) char *sample = mem_fmt("%s/../etc/deskbridge.yaml", tests ? tests : "tests");
	CLEANUP(mem_freep) char *presets = mem_fmt("%s/../etc/helpdesks", tests ? tests : "tests");
	CLEANUP(mem_freep) char *text = read_text(sample);
	struct generation *plain, *full;

	(void)state;
	assert_int_equal(setenv("DESKBRIDGE_PRESETS", presets, 1), 0);
	folder_write(folder.path, "credentials/klaviyo-api-key", "pk_one\n");
	folder_write(folder.path, "credentials/gladly-webhook", "hush\n");
	folder_write(folder.path, "credentials/gladly-api-token", "hush\n");
	folder_write(folder.path, "credentials/admin-token", "hush\n");
	folder_write(folder.path, "desk-ca.pem", certificate);
	folder_write(folder.path, "deskbridge.yaml", text);
	plain = load_good();
	uncomment(text);
	folder_write(folder.path, "deskbridge.yaml", text);
	full = load_good();
	assert_string_equal(full->config->sources[0].policy.label, plain->config->sources[0].policy.label);
	assert_int_equal(full->config->accounts[0].person_gap_ms, plain->config->accounts[0].person_gap_ms);
	assert_non_null(full->config->admin.token);
	assert_string_equal(full->config->sources[0].lookup_ca, certificate);
	generation_unref(plain);
	generation_unref(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_generation_has_configuration_and_secrets),
		cmocka_unit_test(missing_secrets_and_wrong_settings_are_told_together),
		cmocka_unit_test(a_key_that_is_none_is_warned_of_and_not_shown),
		cmocka_unit_test(a_refresh_is_nothing_until_a_secret_changes),
		cmocka_unit_test(a_secret_that_its_method_cannot_use_is_an_error_and_not_shown),
		cmocka_unit_test(the_former_secret_stays_until_the_new_one_can_be_used),
		cmocka_unit_test(what_needs_a_restart_may_not_follow),
		cmocka_unit_test(threads_see_one_generation_or_the_next),
		cmocka_unit_test(the_sample_configuration_loads_as_it_ships_and_with_all_its_settings),
	};

	return cmocka_run_group_tests(tests, config_folder_setup, config_folder_teardown);
}
