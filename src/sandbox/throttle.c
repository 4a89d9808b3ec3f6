#include <config.h>

#include "sandbox/throttle.h"

#include "base/clock.h"

struct throttle_answer throttle_take(struct throttle *t, unsigned burst, unsigned steady, int64_t now_ms)
{
	int64_t second = now_ms / CLOCK_SECOND_MS, minute = now_ms / CLOCK_MINUTE_MS;
	struct throttle_answer a = {0};

	if (t->second != second) {
		t->second = second;
		t->in_second = 0;
	}
	if (t->minute != minute) {
		t->minute = minute;
		t->in_minute = 0;
	}
	a.reset_s = (unsigned)(60 - second % 60);
	if (t->in_minute >= steady) {
		a.retry_s = a.reset_s;
	} else if (t->in_second >= burst) {
		a.retry_s = 1;
	} else {
		t->in_second++;
		t->in_minute++;
		a.taken = true;
	}
	a.remaining = steady - t->in_minute;
	return a;
}
