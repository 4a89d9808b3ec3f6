/* SPDX-License-Identifier: MIT */
/*
 * retry_after: how long an answer asks us to stay away. Pure.
 */
#ifndef KLAVIYO_RETRY_AFTER_H
#define KLAVIYO_RETRY_AFTER_H

#include <stdint.h>

#include "base/text.h"

#define RETRY_AFTER_MAX_MS (60 * 60 * 1000) /* what is longer is cut: a slip over there must not stop us for days */

/*
 * The Retry-After header in ms: whole seconds, or an HTTP date, which counts from the answer's own Date, so that no
 * clock of ours comes in. -1: not there, not readable, or a date without a Date beside it.
 */
int64_t retry_after_ms(const struct pairs *headers);

#endif
