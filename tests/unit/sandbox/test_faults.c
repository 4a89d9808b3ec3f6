/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "sandbox/faults.h"

#define NOW_MS INT64_C(1795276800000)

static void add(struct faults *f, const char *spec)
{
	struct err err;

	if (faults_add(f, spec, NOW_MS, &err) < 0)
		fail_msg("%s", err.text);
}

/* Returns the effect of the faults on n requests in a row, a letter each: "." none, "s" status, "r" reset, "d" die. */
static void meet(struct faults *f, const struct fault_subject *subject, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		struct fault_verdict v = faults_judge(f, subject);

		out[i] = v.status != 0 ? 's' : v.cut == FAULT_CUT_RESET ? 'r' : v.cut == FAULT_CUT_DIE ? 'd' : '.';
	}
	out[n] = '\0';
}

static void faults_fire_when_they_say(void **state)
{
	static const struct {
		const char *specs[3];
		const char *met; /* the effects on ten requests */
	} table[] = {
		{{"status=503"}, "ssssssssss"},
		{{"status=503,every=3"}, "..s..s..s."},
		{{"status=503,first=2"}, "ss........"},
		{{"status=503,after=8"}, "........ss"},
		{{"status=503,after=2,first=3"}, "..sss....."},
		{{"status=503,after=1,every=2,first=2"}, "..s.s....."},
		{{"reset,every=5"}, "....r....r"},
		{{"die,first=1", "reset,every=2"}, "dr.r.r.r.r"},
		{{"status=500,every=2", "reset,every=3"}, ".srs.s.srs"},
		{{"delay=1s"}, ".........."},
		{{"status=503,for=0s"}, ".........."},
	};
	const struct fault_subject subject = {"POST", "/api/events", "default", NULL, NOW_MS};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct faults f = {0};
		char met[11];

		for (size_t k = 0; k < 3 && table[i].specs[k]; k++)
			add(&f, table[i].specs[k]);
		meet(&f, &subject, 10, met);
		if (strcmp(met, table[i].met) != 0)
			fail_msg("%s: %s", table[i].specs[0], met);
		faults_clear(&f);
	}
}

static void faults_ask_who_and_where(void **state)
{
	static const char body[] = "{\"data\":{\"attributes\":{\"profile\":{\"data\":{\"attributes\":"
				   "{\"email\":\"jo@example.com\"}}}}}}";
	struct fault_subject subject = {"POST", "/api/events", "eu", NULL, NOW_MS};
	static const struct {
		const char *spec;
		bool fires;
	} table[] = {
		{"reset,path=events", true},      {"reset,path=bulk", false},
		{"reset,path=/api/events", true}, {"reset,method=post", true},
		{"reset,method=GET", false},      {"reset,account=eu", true},
		{"reset,account=us", false},      {"reset,email=JO@example.com", true},
		{"reset,email=a@b.de", false},    {"reset,path=events,email=a@b.de", false},
		{" reset , path=events ", true},
	};

	(void)state;
	assert_int_equal(json_read(body, strlen(body), &subject.body, NULL), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct faults f = {0};

		add(&f, table[i].spec);
		if ((faults_judge(&f, &subject).cut == FAULT_CUT_RESET) != table[i].fires)
			fail_msg("%s", table[i].spec);
		faults_clear(&f);
	}
	json_object_put(subject.body);
}

static void requests_that_do_not_match_are_not_counted(void **state)
{
	struct fault_subject post = {"POST", "/api/events", "", NULL, NOW_MS};
	struct fault_subject get = post;
	struct faults f = {0};

	(void)state;
	get.method = "GET";
	add(&f, "status=500,method=POST,every=2");
	assert_int_equal(faults_judge(&f, &post).status, 0);
	assert_int_equal(faults_judge(&f, &get).status, 0);
	assert_int_equal(faults_judge(&f, &post).status, 500);
	faults_clear(&f);
}

static void a_fault_ends_with_its_time(void **state)
{
	struct fault_subject subject = {"GET", "/api/events", "", NULL, NOW_MS + 9999};
	struct faults f = {0};

	(void)state;
	add(&f, "status=500,for=10s");
	assert_int_equal(faults_judge(&f, &subject).status, 500);
	subject.now_ms++;
	assert_int_equal(faults_judge(&f, &subject).status, 0);
	faults_clear(&f);
}

static void delays_add_up_and_the_first_verdict_counts(void **state)
{
	const struct fault_subject subject = {"GET", "/api/events", "", NULL, NOW_MS};
	struct faults f = {0};
	struct fault_verdict v;

	(void)state;
	add(&f, "delay=500ms");
	add(&f, "status=429,retry-after=7,delay=1s");
	add(&f, "challenge");
	v = faults_judge(&f, &subject);
	assert_int_equal(v.delay_ms, 1500);
	assert_int_equal(v.status, 429);
	assert_int_equal(v.retry_after_s, 7);
	assert_int_equal(v.form, FAULT_FORM_OWN);
	faults_clear(&f);
	add(&f, "challenge");
	v = faults_judge(&f, &subject);
	assert_int_equal(v.status, 403);
	assert_true(v.form == FAULT_FORM_HTML && v.challenge);
	assert_int_equal(v.retry_after_s, -1);
	faults_clear(&f);
}

static void wrong_specifications_are_told_and_change_nothing(void **state)
{
	static const struct {
		const char *spec, *words;
	} table[] = {
		{"", "unknown word \"\""},
		{"status", "unknown word \"status\""},
		{"stats=500", "did you mean status?"},
		{"status=", "whole number from 200 to 599"},
		{"status=600", "whole number from 200 to 599"},
		{"status=-500", "whole number"},
		{"status=99999999999999999999999", "whole number"},
		{"status=500,every=0", "from 1"},
		{"status=500,for=ever", "duration"},
		{"delay=2d", "at most a day"},
		{"delay=-1s", "duration"},
		{"every=2", "nothing goes wrong"},
		{"status=500,die", "exclude each other"},
		{"reset,html", "need a status"},
		{"delay=1s,empty", "need a status"},
		{"reset,path=there", "expected events, bulk"},
		{"reset,,die", "unknown word \"\""},
	};
	struct faults f = {0};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(faults_add(&f, table[i].spec, NOW_MS, &err), -EINVAL);
		if (!strstr(err.text, table[i].words))
			fail_msg("%s", err.text);
	}
	assert_int_equal(f.n, 0);
	for (size_t i = 0; i < FAULTS_MAX; i++)
		add(&f, "reset");
	assert_int_equal(faults_add(&f, "reset", NOW_MS, &err), -ENOSPC);
	faults_clear(&f);
}

/* Each example in the text of --help must be a valid specification. */
static void the_examples_of_the_help_are_right(void **state)
{
	CLEANUP(mem_freep) char *help = mem_str(strstr(FAULTS_HELP, "Examples:\n") + strlen("Examples:\n"));
	char *rest = help;
	struct faults f = {0};
	char *line;

	(void)state;
	while ((line = strsep(&rest, "\n")))
		if (*line != '\0')
			add(&f, line + strspn(line, " "));
	assert_true(f.n >= 6);
	faults_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_fire_when_they_say),
		cmocka_unit_test(faults_ask_who_and_where),
		cmocka_unit_test(requests_that_do_not_match_are_not_counted),
		cmocka_unit_test(a_fault_ends_with_its_time),
		cmocka_unit_test(delays_add_up_and_the_first_verdict_counts),
		cmocka_unit_test(wrong_specifications_are_told_and_change_nothing),
		cmocka_unit_test(the_examples_of_the_help_are_right),
	};

	return cmocka_run_group_tests_name("sandbox faults", tests, NULL, NULL);
}
