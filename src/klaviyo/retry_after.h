/* SPDX-License-Identifier: MIT */
/*
 * retry_after: the wait that an answer asks for. Pure.
 */
#ifndef KLAVIYO_RETRY_AFTER_H
#define KLAVIYO_RETRY_AFTER_H

#include <stdint.h>

#include "base/text.h"

#define RETRY_AFTER_MAX_MS (60 * 60 * 1000) /* the limit: a server's mistake must not stop us for days */

/*
 * Returns the Retry-After header in ms: whole seconds, or an HTTP date, which is compared with the answer's own Date,
 * so that our clock does not matter. -1: absent, unreadable, or a date without the header Date.
 */
int64_t retry_after_ms(const struct pairs *headers);

#endif
