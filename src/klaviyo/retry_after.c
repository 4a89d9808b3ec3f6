/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "klaviyo/retry_after.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Reads "Sun, 06 Nov 1994 08:49:37 GMT", the only form that RFC 9110 allows a server to write. */
static bool date_parse(const char *s, int64_t *ret_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t day, year;
	const char *month;
	char iso[CLOCK_ISO_MAX];
	int len;

	if (strlen(s) != 29 || s[3] != ',' || strcmp(s + 25, " GMT") != 0 || text_digits(s + 5, 2, 31, &day) < 0 ||
	    text_digits(s + 12, 4, 9999, &year) < 0)
		return false;
	for (month = months; *month != '\0' && strncmp(month, s + 8, 3) != 0; month += 3)
		;
	if (*month == '\0')
		return false;
	len = snprintf(iso, sizeof(iso), "%04u-%02u-%02uT%.8sZ", (unsigned)year, (unsigned)(month - months) / 3 + 1,
		       (unsigned)day, s + 17);
	return clock_parse(iso, (size_t)len, ret_ms) == 0;
}

int64_t retry_after_ms(const struct pairs *headers)
{
	const char *value = headers ? pairs_get(headers, "Retry-After") : NULL;
	const char *sent = headers ? pairs_get(headers, "Date") : NULL;
	int64_t until_ms, sent_ms;
	uint64_t seconds;
	int r;

	if (!value)
		return -1;
	r = text_digits(value, strlen(value), RETRY_AFTER_MAX_MS / 1000, &seconds);
	if (r == 0)
		return (int64_t)seconds * 1000;
	if (r == -ERANGE)
		return RETRY_AFTER_MAX_MS;
	if (!sent || !date_parse(value, &until_ms) || !date_parse(sent, &sent_ms))
		return -1;
	if (until_ms < sent_ms)
		return 0;
	return until_ms - sent_ms < RETRY_AFTER_MAX_MS ? until_ms - sent_ms : RETRY_AFTER_MAX_MS;
}
