/*
 * ratelimit: how often lines of one kind are logged: one in a while, and how many were left out before it. Pure; where
 * several threads log, under the caller's lock.
 */
#ifndef BASE_RATELIMIT_H
#define BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RATELIMIT_MORE_MAX 48

struct ratelimit { /* {0}: none was logged yet */
	bool begun;
	int64_t logged_ms;
	unsigned left_out; /* since then */
};

/* Whether the line that comes now is logged: the first one is, then one every every_ms. *ret_left_out, for one that is:
 * how many before it were not. now_ms: of any clock, but always the same one. */
bool ratelimit_passes(struct ratelimit *l, int64_t now_ms, int64_t every_ms, unsigned *ret_left_out);
/* " (and 3 more before it)", or "" for 0. Returns out. */
const char *ratelimit_more(unsigned left_out, char out[RATELIMIT_MORE_MAX]);

#endif
