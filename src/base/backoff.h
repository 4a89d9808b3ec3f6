/* SPDX-License-Identifier: MIT */
/*
 * backoff: the wait before the next try: exponential back-off with full jitter. backoff_ms() is pure.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS (5 * 60 * 1000)

/* Returns jitter × min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS × 2^attempts), but at least 100 ms. attempts: the number of
 * failures before the latest one. jitter: 0…1. */
int64_t backoff_ms(unsigned attempts, double jitter);
/* Returns a random number from 0 to 1, both included. Any thread. */
double backoff_jitter(void);

#endif
