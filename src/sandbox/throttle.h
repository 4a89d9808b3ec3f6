/*
 * throttle: Klaviyo's two fixed windows of an endpoint: a burst of one second and a steady minute. Pure.
 *
 * A window begins at a whole second or minute of the clock; a time that goes back begins new ones. Requests that were
 * throttled do not count.
 */
#ifndef SANDBOX_THROTTLE_H
#define SANDBOX_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
	int64_t second, minute; /* the windows' numbers */
	unsigned in_second, in_minute;
};

struct throttle_answer {
	bool taken;
	unsigned remaining; /* of the steady window */
	unsigned reset_s;   /* until the steady window ends, at least 1 */
	unsigned retry_s;   /* where not taken */
};

struct throttle_answer throttle_take(struct throttle *t, unsigned burst, unsigned steady, int64_t now_ms);

#endif
