/* SPDX-License-Identifier: MIT */
/*
 * backoff: how long to wait before the next try: exponential back-off with full jitter. Pure but for backoff_jitter.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS (5 * 60 * 1000)

/* jitter × min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS × 2^attempts), at least a tenth of a second. attempts: those that
 * failed before the latest. jitter: 0…1. */
int64_t backoff_ms(unsigned attempts, double jitter);
/* 0…1, both included, at random. Any thread. */
double backoff_jitter(void);

#endif
