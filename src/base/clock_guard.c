/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/clock_guard.h"

/* If the process is stopped between two readings, they show a jump that did not happen. So they are repeated. */
#define TOGETHER_MS 1000
#define TRIES 3

void clock_both_ms(int64_t *ret_wall_ms, int64_t *ret_mono_ms)
{
	int64_t before_ms = clock_mono_ms();

	for (int i = 0;; i++) {
		int64_t wall_ms = clock_now_ms();
		int64_t after_ms = clock_mono_ms();

		if (after_ms - before_ms <= TOGETHER_MS || i == TRIES) {
			*ret_wall_ms = wall_ms;
			*ret_mono_ms = after_ms;
			return;
		}
		before_ms = after_ms;
	}
}

void clock_guard_init(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms)
{
	*g = (struct clock_guard){.offset_ms = wall_ms - mono_ms, .jumped_ms = mono_ms};
}

int64_t clock_guard_look(struct clock_guard *g, int64_t wall_ms, int64_t mono_ms)
{
	int64_t offset_ms = wall_ms - mono_ms;
	int64_t jump_ms = offset_ms - g->offset_ms;
	int64_t size_ms = jump_ms < 0 ? -jump_ms : jump_ms;

	g->offset_ms = offset_ms;
	if (size_ms <= CLOCK_GUARD_JUMP_MS)
		return 0;
	g->jumped_ms = mono_ms;
	if (size_ms > CLOCK_GUARD_WIDE_MS) {
		g->jumped_wide_ms = mono_ms;
		g->has_wide = true;
	}
	return jump_ms;
}

static int64_t wait_since_ms(int64_t since_ms, int64_t wait_ms, int64_t limit_ms, int64_t mono_ms)
{
	int64_t until_ms = since_ms + (limit_ms < wait_ms ? limit_ms : wait_ms);

	return until_ms > mono_ms ? until_ms - mono_ms : 0;
}

int64_t clock_guard_wait_ms(const struct clock_guard *g, int64_t limit_ms, int64_t mono_ms)
{
	int64_t wait_ms = wait_since_ms(g->jumped_ms, CLOCK_GUARD_WAIT_MS, limit_ms, mono_ms);
	int64_t wide_ms = 0;

	if (g->has_wide)
		wide_ms = wait_since_ms(g->jumped_wide_ms, CLOCK_GUARD_WIDE_WAIT_MS, limit_ms, mono_ms);
	return wide_ms > wait_ms ? wide_ms : wait_ms;
}

static int64_t longest_since_ms(int64_t since_ms, int64_t wait_ms, int64_t mono_ms)
{
	return mono_ms - since_ms >= wait_ms ? CLOCK_NEVER_MS : mono_ms - since_ms;
}

int64_t clock_guard_longest_ms(const struct clock_guard *g, int64_t mono_ms)
{
	int64_t longest_ms = longest_since_ms(g->jumped_ms, CLOCK_GUARD_WAIT_MS, mono_ms);
	int64_t wide_ms = CLOCK_NEVER_MS;

	if (g->has_wide)
		wide_ms = longest_since_ms(g->jumped_wide_ms, CLOCK_GUARD_WIDE_WAIT_MS, mono_ms);
	return wide_ms < longest_ms ? wide_ms : longest_ms;
}

bool clock_is_unset(int64_t wall_ms, int64_t released_ms, int64_t newest_ms)
{
	return wall_ms < released_ms || (newest_ms > 0 && wall_ms < newest_ms - CLOCK_UNSET_BEHIND_MS);
}
