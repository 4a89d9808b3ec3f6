#include <config.h>

#include "base/ratelimit.h"

#include <stdio.h>

bool ratelimit_passes(struct ratelimit *l, int64_t now_ms, int64_t every_ms, unsigned *ret_left_out)
{
	if (l->begun && now_ms - l->logged_ms < every_ms) {
		l->left_out++;
		return false;
	}
	*ret_left_out = l->left_out;
	*l = (struct ratelimit){.begun = true, .logged_ms = now_ms};
	return true;
}

const char *ratelimit_more(unsigned left_out, char out[RATELIMIT_MORE_MAX])
{
	out[0] = '\0';
	if (left_out > 0)
		(void)snprintf(out, RATELIMIT_MORE_MAX, " (and %u more before it)", left_out);
	return out;
}
