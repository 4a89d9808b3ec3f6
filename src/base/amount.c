#include <config.h>

#include "base/amount.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

const char *amount_of(char out[AMOUNT_MAX], long long n, const char *thing)
{
	(void)snprintf(out, AMOUNT_MAX, "%lld %s%s", n, thing, n == 1 ? "" : "s");
	return out;
}

const char *amount_size(char out[AMOUNT_MAX], int64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	int64_t part;

	if (bytes < 1024)
		return amount_of(out, bytes, "byte");
	while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes >> (10 * (unit + 2)) > 0)
		unit++;
	part = (bytes >> (10 * unit)) % 1024 * 10 / 1024; /* tenths of the unit */
	bytes >>= 10 * (unit + 1);
	if (part > 0)
		(void)snprintf(out, AMOUNT_MAX, "%" PRId64 ".%" PRId64 " %s", bytes, part, units[unit]);
	else
		(void)snprintf(out, AMOUNT_MAX, "%" PRId64 " %s", bytes, units[unit]);
	return out;
}
