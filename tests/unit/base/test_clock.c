/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"

struct parse_result {
	const char *text;
	int64_t ms;
};

static void every_form_of_a_time_is_read(void **state)
{
	static const struct parse_result cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2019-07-03T04:30:12.07Z", 1562128212070},        /* Gladly: two digits */
		{"2023-01-05T11:22:33.123456789Z", 1672917753123}, /* Zendesk: nanoseconds, cut off */
		{"2017-12-14 20:09:19 +0530", 1513262359000},      /* Groove */
		{"2017-12-14 14:39:19 UTC", 1513262359000},
		{"1513262359.1230000000000000000000000000000000000009", 1513262359123}, /* 40 digits, cut off */
		{"2021-03-01T10:00:00.123456+00:00", 1614592800123},                    /* Gorgias */
		{"2021-03-01T10:00:00-08:00", 1614621600000},
		{"2021-03-01T10:00:00-0800", 1614621600000},
		{"2021-03-01T10:00:00+14", 1614542400000},
		{"2021-03-01T10:00:00 +05:30", 1614573000000},
		{"2021-03-01T10:00:00", 1614592800000}, /* no offset: UTC */
		{"2021-03-01T10:00Z", 1614592800000},
		{"2021-03-01t10:00:00z", 1614592800000},
		{"2021-03-01T10:00:00,5Z", 1614592800500},
		{" 2021-03-01T10:00:00Z ", 1614592800000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"1969-12-31T23:59:59.500Z", -500},
		{"1511370613", 1511370613000},
		{"1511370613.123", 1511370613123}, /* Front */
		{"1511370613.1", 1511370613100},
		{"1511370613.1239999", 1511370613123},
		{"1511370613123", 1511370613123},
		{"1511370613123.9", 1511370613123},
		{"99999999999", 99999999999000}, /* the largest number that counts as seconds */
		{"100000000000", 100000000000},
		{"0", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = -1;

		if (clock_parse(cases[i].text, strlen(cases[i].text), &ms) != 0 || ms != cases[i].ms)
			fail_msg("\"%s\" gave %lld", cases[i].text, (long long)ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"yesterday",
		"2021-03-01",
		"2021-03-01T",
		"2021-13-01T10:00:00Z",
		"2021-00-01T10:00:00Z",
		"2021-02-29T10:00:00Z",
		"1900-02-29T10:00:00Z",
		"2021-04-31T10:00:00Z",
		"2021-03-01T24:00:00Z",
		"2021-03-01T10:60:00Z",
		"2021-03-01T10:00:61Z",
		"2021-03-01T10:00:00.Z",
		"2021-03-01T10:00:00.1234567890Z",
		"2021-03-01T10:00:00Zx",
		"2021-03-01T10:00:00+5",
		"2021-03-01T10:00:00+05:3",
		"2021-03-01T10:00:00+05:30:00",
		"2021-03-01T10:00:00  +0530",
		"2021-3-1T10:00:00Z",
		"21-03-01T10:00:00Z",
		"-5",
		"+1511370613",
		"1511370613.",
		".5",
		"1.5e9",
		"1511370613s",
		"1234567890123456",
		"0x10",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 42;

		if (clock_parse(cases[i], strlen(cases[i]), &ms) != -EINVAL || ms != 42)
			fail_msg("\"%s\" was taken for a time", cases[i]);
	}
}

static void only_len_bytes_are_read(void **state)
{
	int64_t ms;

	(void)state;
	assert_int_equal(clock_parse("1511370613999", 10, &ms), 0);
	assert_int_equal(ms, 1511370613000);
	assert_int_equal(clock_parse("15\0", 3, &ms), -EINVAL);
}

static void times_are_written_in_utc_whole_seconds(void **state)
{
	char out[CLOCK_ISO_MAX];

	(void)state;
	clock_iso(1795276800999, out);
	assert_string_equal(out, "2026-11-21T16:00:00Z");
	clock_iso(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59Z");
	clock_iso(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	clock_iso(INT64_MAX, out);
	assert_in_range(strlen(out), 20, CLOCK_ISO_MAX - 1);
}

static void what_is_written_reads_back(void **state)
{
	char out[CLOCK_ISO_MAX];
	int64_t back;

	(void)state;
	for (int64_t ms = 0; ms < INT64_C(5000000000000); ms += INT64_C(98765432000)) {
		clock_iso(ms, out);
		assert_int_equal(clock_parse(out, strlen(out), &back), 0);
		assert_int_equal(back, ms);
	}
}

static void ages_are_for_people(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{-5, "0 s"},           {999, "0 s"},          {3500, "3 s"},        {119999, "119 s"},
		{120000, "2 min"},     {7199999, "119 min"},  {4 * 3600000, "4 h"}, {47 * 3600000, "47 h"},
		{48 * 3600000, "2 d"}, {9 * 86400000, "9 d"},
	};
	char out[CLOCK_ISO_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_age(cases[i].ms, out);
		assert_string_equal(out, cases[i].text);
	}
}

/* The test replaces the system's clock and sets it. */
static struct timespec wall, mono;
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	*ret = id == CLOCK_REALTIME ? wall : mono;
	return 0;
}

static void now_is_the_wall_clock_as_it_is_now(void **state)
{
	(void)state;
	wall = (struct timespec){1795276800, 123456789};
	assert_int_equal(clock_now_ms(), INT64_C(1795276800123));
	wall.tv_sec += 3 * 3600; /* the clock is set after a suspension */
	assert_int_equal(clock_now_ms(), INT64_C(1795287600123));
	wall = (struct timespec){12, 0}; /* the clock is not set yet */
	assert_int_equal(clock_now_ms(), 12000);
}

static void the_monotonic_clock_does_not_follow_the_wall_clock(void **state)
{
	(void)state;
	mono = (struct timespec){100, 2000000};
	assert_int_equal(clock_mono_ms(), 100002);
	assert_int_equal(clock_mono_us(), 100002000);
	wall.tv_sec += 86400;
	assert_int_equal(clock_mono_ms(), 100002);
	mono.tv_sec++;
	assert_int_equal(clock_mono_ms(), 101002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_time_is_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(only_len_bytes_are_read),
		cmocka_unit_test(times_are_written_in_utc_whole_seconds),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(ages_are_for_people),
		cmocka_unit_test(now_is_the_wall_clock_as_it_is_now),
		cmocka_unit_test(the_monotonic_clock_does_not_follow_the_wall_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
