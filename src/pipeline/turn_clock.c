/*
 * The system's clock. At start it may not be set yet: a machine without a battery begins in 1970, or where it was shut
 * down. Until it is set nothing is done at all: no webhook is taken, and nothing pending is worked on or sent, because
 * every time that would be stored or judged would be wrong. Ten minutes are waited at most, since a clock that is wrong
 * for good is better than no bridge. Later the clock may jump: the guard tells what must not happen for a while.
 */
#include <config.h>

#include "pipeline/turn_parts.h"

#include <errno.h>
#include <string.h>

#include "base/backoff.h"
#include "base/log.h"
#include "klaviyo/retry_after.h"
#include "pipeline/dispatch.h"
#include "pipeline/janitor.h"

#define NEAR_BATCH 256 /* due times a turn */

_Static_assert(RETRY_AFTER_MAX_MS >= BACKOFF_LAST_MS, "the longest of what retries wait");

static int64_t released_ms(void)
{
	static const char midnight[] = RELEASE_DATE "T00:00:00Z";
	int64_t ms;

	INSIST(clock_parse(midnight, strlen(midnight), &ms) == 0);
	return ms;
}

/* The clock is behind what was noted by it. A Retry-After cannot be told from a back-off then: it is cut too, once. */
static void clock_stepped_back(struct turn *t)
{
	t->held_again = t->retried_again = true;
	t->near_next = 0;
	t->near_retry_ms = BACKOFF_LAST_MS;
}

/* From here on the clock counts: at start, or once it is set, which is no jump. */
static void clock_is_taken(struct turn *t, int64_t now_ms, int64_t mono_ms)
{
	t->clock_unset = false;
	clock_guard_init(&t->guard, now_ms, mono_ms);
	t->near_next = 0;
	t->near_retry_ms = RETRY_AFTER_MAX_MS;
	if (store_newest_ms(t->store) > now_ms + CLOCK_GUARD_JUMP_MS)
		clock_stepped_back(t);
}

void turn_clock_start(struct turn *t)
{
	char now[CLOCK_ISO_MAX], newest[CLOCK_ISO_MAX];
	int64_t now_ms, mono_ms, newest_ms = store_newest_ms(t->store);
	struct err why = {0};

	clock_both_ms(&now_ms, &mono_ms);
	clock_is_taken(t, now_ms, mono_ms);
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
	health_set(t->health, HEALTH_CLOCK, &why);
	log_warning(NULL,
		    "%s. Until it is set webhooks are refused with 503 and nothing is sent, for %d minutes at most",
		    why.text, (int)(CLOCK_UNSET_WAIT_MS / CLOCK_MINUTE_MS));
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
	clock_is_taken(t, w->now_ms, w->mono_ms);
	health_set(t->health, HEALTH_CLOCK, NULL);
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
	/* Both noted due times by the former time. */
	dispatch_stir(t->dispatch, NULL);
	janitor_configured(t->janitor);
	if (jump_ms < 0)
		clock_stepped_back(t);
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

/* ---- due times ----------------------------------------------------------------------------------------------------
 */

static int64_t max_ms(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The longest that a webhook of this configuration waits for a time. */
static int64_t longest_of_webhooks_ms(const struct config *c)
{
	int64_t longest_ms = RETRY_AFTER_MAX_MS;

	for (size_t i = 0; i < c->sources_n; i++) {
		const struct source_policy *s = &c->sources[i].policy;

		longest_ms = max_ms(longest_ms, max_ms(s->settle_open_ms, s->settle_close_ms));
	}
	return longest_ms;
}

static int bring_near(struct turn *t, struct work *w, struct err *reterr)
{
	const struct account *a;
	int r;

	if (t->near_next == 0)
		return store_webhooks_bring_near(t->store, w->now_ms + longest_of_webhooks_ms(w->config), NEAR_BATCH,
						 reterr);
	a = &w->config->accounts[t->near_next - 1];
	r = store_events_bring_near(t->store, a->name, w->now_ms + max_ms(t->near_retry_ms, a->person_gap_ms),
				    w->now_ms, NEAR_BATCH, reterr);
	if (r > 0)
		dispatch_stir(t->dispatch, a->name);
	return r;
}

static int look_again(struct work *w, bool *wanted, enum store_wait why, struct err *reterr)
{
	int r;

	if (!*wanted)
		return 0;
	r = store_webhooks_look_again(w->store, why, reterr);
	if (r < 0)
		return r;
	*wanted = false; /* should the turn fail, the store goes on with it all the same */
	w->changed = true;
	return 0;
}

int turn_bring_near(struct turn *t, struct work *w, struct err *reterr)
{
	int r;

	r = look_again(w, &t->held_again, STORE_WAIT_TIME, reterr);
	if (r == 0)
		r = look_again(w, &t->retried_again, STORE_WAIT_RETRY, reterr);
	if (r < 0)
		return r;
	if (t->near_next > w->config->accounts_n) {
		t->near_retry_ms = RETRY_AFTER_MAX_MS;
		return 0;
	}
	r = bring_near(t, w, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		t->near_next++;
	else
		w->changed = true;
	w->more = true;
	return 0;
}
