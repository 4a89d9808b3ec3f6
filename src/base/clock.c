/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

static int64_t clock_read_us(clockid_t id)
{
	struct timespec ts;

	INSIST(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
	return clock_read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

static void put_two(char *to, int n)
{
	to[0] = (char)('0' + n / 10);
	to[1] = (char)('0' + n % 10);
}

void clock_iso(int64_t ms, char out[CLOCK_ISO_MAX])
{
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0 ? 1 : 0)); /* rounded down */
	struct tm tm;

	INSIST(gmtime_r(&seconds, &tm));
	if (tm.tm_year < -1900 || tm.tm_year >= 10000 - 1900) {
		(void)snprintf(out, CLOCK_ISO_MAX, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)tm.tm_year + 1900,
			       (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
			       (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
		return;
	}
	/* Digit by digit, because each event has several times and snprintf() costs ten times as much. */
	memcpy(out, "0000-00-00T00:00:00Z", sizeof("0000-00-00T00:00:00Z"));
	put_two(out, (tm.tm_year + 1900) / 100);
	put_two(out + 2, (tm.tm_year + 1900) % 100);
	put_two(out + 5, tm.tm_mon + 1);
	put_two(out + 8, tm.tm_mday);
	put_two(out + 11, tm.tm_hour);
	put_two(out + 14, tm.tm_min);
	put_two(out + 17, tm.tm_sec);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct scan {
	const char *at, *end;
};

static bool scan_is(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool scan_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* Reads exactly `digits` digits; the value must be from min to max. */
static bool scan_number(struct scan *s, unsigned digits, int min, int max, int *ret)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!scan_digit(s))
			return false;
		value = value * 10 + (*s->at++ - '0');
	}
	if (value < min || value > max)
		return false;
	*ret = value;
	return true;
}

/* Reads the digits after the decimal point as whole milliseconds, rounded down: at least one digit, at most max. */
static bool scan_fraction(struct scan *s, unsigned max, int *ret_ms)
{
	int unit = 100;
	int ms = 0;
	unsigned n;

	for (n = 0; scan_digit(s); n++) {
		ms += (*s->at++ - '0') * unit;
		unit /= 10;
	}
	if (n == 0 || n > max)
		return false;
	*ret_ms = ms;
	return true;
}

/* Reads the offset: Z, UTC, ±hh:mm, ±hhmm or ±hh, with or without a blank before it. No offset means UTC. */
static bool scan_offset(struct scan *s, int *ret_minutes)
{
	int minutes = 0;
	int sign, hours;

	*ret_minutes = 0;
	if (s->at == s->end)
		return true;
	(void)scan_is(s, ' ');
	if (scan_is(s, 'Z') || scan_is(s, 'z'))
		return s->at == s->end;
	if (s->end - s->at == 3 && memcmp(s->at, "UTC", 3) == 0)
		return true;
	if (scan_is(s, '+'))
		sign = 1;
	else if (scan_is(s, '-'))
		sign = -1;
	else
		return false;
	if (!scan_number(s, 2, 0, 23, &hours))
		return false;
	if (s->at < s->end) {
		(void)scan_is(s, ':');
		if (!scan_number(s, 2, 0, 59, &minutes))
			return false;
	}
	*ret_minutes = sign * (hours * 60 + minutes);
	return s->at == s->end;
}

static bool scan_iso(struct scan s, int64_t *ret_ms)
{
	static const int month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int second = 0;
	int ms = 0;
	struct tm tm = {0};
	int year, month, day, hour, minute, offset;
	bool leap;

	if (!scan_number(&s, 4, 1, 9999, &year) || !scan_is(&s, '-') || !scan_number(&s, 2, 1, 12, &month) ||
	    !scan_is(&s, '-') || !scan_number(&s, 2, 1, 31, &day))
		return false;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > month_days[month - 1] || (month == 2 && day == 29 && !leap))
		return false;
	if (!scan_is(&s, 'T') && !scan_is(&s, 't') && !scan_is(&s, ' '))
		return false;
	if (!scan_number(&s, 2, 0, 23, &hour) || !scan_is(&s, ':') || !scan_number(&s, 2, 0, 59, &minute))
		return false;
	if (scan_is(&s, ':')) {
		if (!scan_number(&s, 2, 0, 60, &second)) /* 60, a leap second, is the next minute's first second */
			return false;
		if ((scan_is(&s, '.') || scan_is(&s, ',')) && !scan_fraction(&s, 9, &ms))
			return false;
	}
	if (!scan_offset(&s, &offset))
		return false;

	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	*ret_ms = ((int64_t)timegm(&tm) - offset * 60) * 1000 + ms;
	return true;
}

/* Reads epoch seconds or milliseconds. 15 digits reach the year 33658 in milliseconds; more digits are not a time. */
static bool scan_epoch(struct scan s, int64_t *ret_ms)
{
	int64_t value = 0;
	int ms = 0;
	unsigned digits;

	for (digits = 0; scan_digit(&s); digits++) {
		if (digits == 15)
			return false;
		value = value * 10 + (*s.at++ - '0');
	}
	if (digits == 0 || (scan_is(&s, '.') && !scan_fraction(&s, 400, &ms)) || s.at != s.end)
		return false;
	*ret_ms = value >= INT64_C(100000000000) ? value : value * 1000 + ms;
	return true;
}

int clock_parse(const char *text, size_t len, int64_t *ret_ms)
{
	struct scan s = {text, text + len};
	int64_t ms;

	while (s.at < s.end && *s.at == ' ')
		s.at++;
	while (s.end > s.at && s.end[-1] == ' ')
		s.end--;
	if (!scan_iso(s, &ms) && !scan_epoch(s, &ms))
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

void clock_age(int64_t duration_ms, char out[CLOCK_ISO_MAX])
{
	static const struct {
		int64_t from_ms, unit_ms;
		const char *unit;
	} steps[] = {
		{2 * CLOCK_DAY_MS, CLOCK_DAY_MS, "d"},
		{2 * CLOCK_HOUR_MS, CLOCK_HOUR_MS, "h"},
		{2 * CLOCK_MINUTE_MS, CLOCK_MINUTE_MS, "min"},
		{0, CLOCK_SECOND_MS, "s"},
	};
	size_t i = 0;

	if (duration_ms < 0)
		duration_ms = 0;
	while (duration_ms < steps[i].from_ms)
		i++;
	(void)snprintf(out, CLOCK_ISO_MAX, "%lld %s", (long long)(duration_ms / steps[i].unit_ms), steps[i].unit);
}
