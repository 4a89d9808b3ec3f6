/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/backoff.h"

#include "base/digest.h"

int64_t backoff_ms(unsigned attempts, double jitter)
{
	int64_t most_ms = BACKOFF_LAST_MS;
	int64_t wait_ms;

	if (attempts < 16 && ((int64_t)BACKOFF_FIRST_MS << attempts) < most_ms)
		most_ms = (int64_t)BACKOFF_FIRST_MS << attempts;
	wait_ms = (int64_t)((double)most_ms * jitter);
	return wait_ms > 100 ? wait_ms : 100;
}

double backoff_jitter(void)
{
	return (double)digest_random_below(1u << 20) / (double)((1u << 20) - 1);
}
