/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/wall_clock.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static enum wall_clock_change trust(struct wall_clock *wall, int64_t now_ms, int64_t mono_ms)
{
	wall->unset = false;
	clock_guard_init(&wall->guard, now_ms, mono_ms);
	return store_newest_ms(wall->store) > now_ms + CLOCK_GUARD_JUMP_MS ? WALL_CLOCK_SET_BEHIND : WALL_CLOCK_SET;
}

enum wall_clock_change wall_clock_start(struct wall_clock *wall, struct store *s, struct health *h)
{
	static const char released[] = RELEASE_DATE "T00:00:00Z";
	int64_t newest_ms = store_newest_ms(s);
	struct err why = {0};
	char now[CLOCK_ISO_MAX], newest[CLOCK_ISO_MAX];
	int64_t now_ms, mono_ms, released_ms;
	enum wall_clock_change change;

	*wall = (struct wall_clock){.store = s, .health = h};
	clock_both_ms(&now_ms, &mono_ms);
	change = trust(wall, now_ms, mono_ms);
	INSIST(clock_parse(released, strlen(released), &released_ms) == 0);
	if (!clock_is_unset(now_ms, released_ms, newest_ms))
		return change;
	wall->unset = true;
	wall->unset_until_ms = mono_ms + CLOCK_UNSET_WAIT_MS;
	wall->least_ms = released_ms;
	if (newest_ms - CLOCK_UNSET_BEHIND_MS > wall->least_ms)
		wall->least_ms = newest_ms - CLOCK_UNSET_BEHIND_MS;
	clock_iso(now_ms, now);
	clock_iso(newest_ms, newest);
	if (now_ms < released_ms)
		(void)err_set(&why, -EAGAIN, "the system's clock is not set yet: it says %s, and this version is of %s",
			      now, RELEASE_DATE);
	else
		(void)err_set(&why, -EAGAIN,
			      "the system's clock is not set yet: it says %s, and the store has an entry of %s", now,
			      newest);
	health_set(h, HEALTH_CLOCK, &why);
	log_warning(NULL,
		    "%s. Until it is set webhooks are refused with 503 and nothing is sent, for %d minutes at most",
		    why.text, (int)(CLOCK_UNSET_WAIT_MS / CLOCK_MINUTE_MS));
	return change;
}

static bool is_set_by_now(struct wall_clock *wall, const struct turn_context *tc)
{
	char now[CLOCK_ISO_MAX];

	clock_iso(tc->now_ms, now);
	if (tc->now_ms >= wall->least_ms) {
		log_notice(NULL, "the system's clock is set: it says %s", now);
		return true;
	}
	if (tc->mono_ms < wall->unset_until_ms)
		return false;
	log_warning(NULL,
		    "the system's clock was not set within %d minutes and is taken as it is: it says %s. Times of "
		    "events and ages may be wrong until it is set",
		    (int)(CLOCK_UNSET_WAIT_MS / CLOCK_MINUTE_MS), now);
	return true;
}

bool wall_clock_check(struct wall_clock *wall, const struct turn_context *tc, enum wall_clock_change *ret)
{
	char now[CLOCK_ISO_MAX], size[CLOCK_ISO_MAX];
	int64_t jump_ms, size_ms;

	*ret = WALL_CLOCK_SAME;
	if (wall->unset) {
		if (!is_set_by_now(wall, tc))
			return false;
		health_set(wall->health, HEALTH_CLOCK, NULL);
		*ret = trust(wall, tc->now_ms, tc->mono_ms);
	}
	jump_ms = clock_guard_look(&wall->guard, tc->now_ms, tc->mono_ms);
	if (jump_ms != 0) {
		size_ms = jump_ms < 0 ? -jump_ms : jump_ms;
		clock_iso(tc->now_ms, now);
		/* Rounded, so that a moment less than three hours is three hours. */
		clock_age(size_ms + CLOCK_MINUTE_MS / 2, size);
		log_warning(NULL,
			    "the system's clock jumped %s %s, to %s: it was set, or the machine was paused. For %s "
			    "nothing expires, is deleted or becomes a dead letter because of its age",
			    size, jump_ms < 0 ? "back" : "ahead", now,
			    size_ms > CLOCK_GUARD_WIDE_MS ? "a day" : "an hour");
		*ret = jump_ms < 0 ? WALL_CLOCK_BACK : WALL_CLOCK_AHEAD;
	}
	store_set_longest_age(wall->store, clock_guard_longest_ms(&wall->guard, tc->mono_ms));
	return true;
}

int64_t wall_clock_next_ms(const struct wall_clock *wall, const struct turn_context *tc)
{
	int64_t set_ms = turn_context_mono_at_ms(tc, wall->least_ms);

	return set_ms < wall->unset_until_ms ? set_ms : wall->unset_until_ms;
}
