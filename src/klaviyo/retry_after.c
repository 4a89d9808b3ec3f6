#include <config.h>

#include "klaviyo/retry_after.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static bool digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 lets a server write. */
static bool date_parse(const char *s, int64_t *ret_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *month;
	char iso[CLOCK_ISO_MAX];
	int len;

	if (strlen(s) != 29 || s[3] != ',' || strcmp(s + 25, " GMT") != 0 || !digits(s + 5, 2) || !digits(s + 12, 4))
		return false;
	for (month = months; *month != '\0' && strncmp(month, s + 8, 3) != 0; month += 3)
		;
	if (*month == '\0')
		return false;
	len = snprintf(iso, sizeof(iso), "%.4s-%02u-%.2sT%.8sZ", s + 12, (unsigned)(month - months) / 3 + 1, s + 5,
		       s + 17);
	return clock_parse(iso, (size_t)len, ret_ms) == 0;
}

static int64_t bounded(int64_t ms)
{
	if (ms < 0)
		return 0;
	return ms < RETRY_AFTER_MAX_MS ? ms : RETRY_AFTER_MAX_MS;
}

int64_t retry_after_ms(const struct pairs *headers)
{
	const char *value = headers ? pairs_get(headers, "Retry-After") : NULL;
	const char *sent = headers ? pairs_get(headers, "Date") : NULL;
	int64_t until_ms, sent_ms, seconds = 0;

	if (!value || value[0] == '\0')
		return -1;
	if (digits(value, strlen(value))) {
		for (; *value != '\0' && seconds < RETRY_AFTER_MAX_MS; value++)
			seconds = seconds * 10 + (*value - '0');
		return bounded(seconds * 1000);
	}
	if (!sent || !date_parse(value, &until_ms) || !date_parse(sent, &sent_ms))
		return -1;
	return bounded(until_ms - sent_ms);
}
