/*
 * The system's clock. At start it may not be set yet: a machine without a battery begins in 1970, or where it was shut
 * down. Until it is set nothing is done at all: no webhook is taken, and nothing pending is worked on or sent, because
 * every time that would be stored or judged were wrong. Ten minutes are waited at most, since a clock that is wrong for
 * good is better than no bridge. Later the clock may jump: the guard tells what must not happen for a while.
 */
#include <config.h>

#include "pipeline/turn_parts.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "delivery/scheduler.h"
#include "klaviyo/retry_after.h"
#include "pipeline/dispatch.h"
#include "pipeline/housekeeping.h"

static int64_t released_ms(void)
{
	static const char midnight[] = RELEASE_DATE "T00:00:00Z";
	int64_t ms;

	INSIST(clock_parse(midnight, strlen(midnight), &ms) == 0);
	return ms;
}

void turn_clock_start(struct turn *t)
{
	char now[CLOCK_ISO_MAX], newest[CLOCK_ISO_MAX];
	int64_t now_ms, mono_ms, newest_ms = store_newest_ms(t->store);
	struct err why = {0};

	clock_both_ms(&now_ms, &mono_ms);
	clock_guard_init(&t->guard, now_ms, mono_ms);
	if (!clock_is_unset(now_ms, released_ms(), newest_ms))
		return;
	t->clock_unset = true;
	t->clock_unset_until = mono_ms + CLOCK_UNSET_WAIT_MS;
	t->clock_least_ms = released_ms();
	if (newest_ms - CLOCK_UNSET_BEHIND_MS > t->clock_least_ms)
		t->clock_least_ms = newest_ms - CLOCK_UNSET_BEHIND_MS;
	clock_iso(now_ms, now);
	clock_iso(newest_ms, newest);
	if (now_ms < released_ms())
		(void)err_set(&why, -EAGAIN, "the system's clock is not set yet: it says %s, and this version is of %s",
			      now, RELEASE_DATE);
	else
		(void)err_set(&why, -EAGAIN,
			      "the system's clock is not set yet: it says %s, and the store has an entry of %s", now,
			      newest);
	(void)standing_set_ready(t->standing, &why);
	log_warning(NULL,
		    "%s. Until it is set webhooks are refused with 503 and nothing is sent, for %d minutes at most",
		    why.text, (int)(CLOCK_UNSET_WAIT_MS / CLOCK_MINUTE_MS));
}

/* The clock counts from here on, as at start: a set clock has not jumped. */
static void clock_is_taken(struct turn *t, const struct work *w)
{
	t->clock_unset = false;
	clock_guard_init(&t->guard, w->now_ms, w->mono_ms);
	if (!t->full && t->retry_ms == 0)
		(void)standing_set_ready(t->standing, NULL);
}

static bool clock_is_still_unset(struct turn *t, const struct work *w)
{
	char now[CLOCK_ISO_MAX];

	clock_iso(w->now_ms, now);
	if (w->now_ms >= t->clock_least_ms) {
		log_notice(NULL, "the system's clock is set: it says %s", now);
	} else if (w->mono_ms >= t->clock_unset_until) {
		log_warning(
			NULL,
			"the system's clock was not set within %d minutes and is taken as it is: it says %s. Times of "
			"events and ages may be wrong until it is set",
			(int)(CLOCK_UNSET_WAIT_MS / CLOCK_MINUTE_MS), now);
	} else {
		return true;
	}
	clock_is_taken(t, w);
	return false;
}

static void clock_jumped(struct turn *t, const struct work *w, int64_t jump_ms)
{
	int64_t size_ms = jump_ms < 0 ? -jump_ms : jump_ms;
	char now[CLOCK_ISO_MAX], size[CLOCK_ISO_MAX];

	clock_iso(w->now_ms, now);
	clock_age(size_ms + CLOCK_MINUTE_MS / 2, size); /* three hours less a moment are three hours */
	log_warning(NULL,
		    "the system's clock jumped %s %s, to %s: it was set, or the machine was paused. For %s nothing "
		    "expires, is deleted or becomes a dead letter because of its age",
		    size, jump_ms < 0 ? "back" : "ahead", now, size_ms > CLOCK_GUARD_WIDE_MS ? "a day" : "an hour");
	/* What was noted as due by the former time. */
	dispatch_stir(t->dispatch, NULL);
	housekeeping_configured(t->housekeeping);
}

bool turn_clock_look(struct turn *t, const struct work *w)
{
	int64_t jump_ms;

	if (t->clock_unset && clock_is_still_unset(t, w))
		return false;
	jump_ms = clock_guard_look(&t->guard, w->now_ms, w->mono_ms);
	if (jump_ms != 0)
		clock_jumped(t, w, jump_ms);
	store_set_longest_age(t->store, clock_guard_longest_ms(&t->guard, w->mono_ms));
	return true;
}

int64_t turn_clock_next_ms(const struct turn *t, const struct work *w)
{
	int64_t set_ms = work_mono_at_ms(w, t->clock_least_ms);

	return set_ms < t->clock_unset_until ? set_ms : t->clock_unset_until;
}

int64_t turn_clock_longest_wait_ms(const struct config *c)
{
	int64_t longest_ms = RETRY_AFTER_MAX_MS;

	_Static_assert(RETRY_AFTER_MAX_MS >= SCHEDULER_BACKOFF_LAST_MS, "the longest of what retries wait");
	for (size_t i = 0; i < c->accounts_n; i++)
		if (c->accounts[i].person_gap_ms > longest_ms)
			longest_ms = c->accounts[i].person_gap_ms;
	for (size_t i = 0; i < c->sources_n; i++) {
		if (c->sources[i].settle_open_ms > longest_ms)
			longest_ms = c->sources[i].settle_open_ms;
		if (c->sources[i].settle_close_ms > longest_ms)
			longest_ms = c->sources[i].settle_close_ms;
	}
	return longest_ms;
}
