#include <config.h>

#include "courier/scheduler.h"

#include <string.h>

#include "base/clock.h"

void scheduler_init(struct scheduler *s, const struct quota_limits *limits, int64_t now_ms)
{
	*s = (struct scheduler){.state = SCHEDULER_OPEN, .probe_wait_ms = SCHEDULER_PROBE_FIRST_MS};
	quota_init(&s->quota, limits, now_ms);
}

/* ---- odd answers ------------------------------------------------------------------------------------------------- */

static void odd_forget(struct scheduler *s)
{
	s->odd_people_n = 0;
	memset(s->odd, 0, sizeof(s->odd));
}

/* Notes the person of an odd answer. True where that person had one already, since the last 2xx, park or renewal. */
static bool odd_person(struct scheduler *s, uint64_t person)
{
	for (unsigned i = 0; i < s->odd_people_n; i++)
		if (s->odd_people[i] == person)
			return true;
	INSIST(s->odd_people_n < SCHEDULER_ODD_PEOPLE);
	s->odd_people[s->odd_people_n++] = person;
	return false;
}

static struct scheduler_odd *odd_slot(struct scheduler *s, int64_t event)
{
	return &s->odd[(uint64_t)event % SCHEDULER_ODD_SLOTS];
}

/* Counts one odd try of an event; returns how many of its own there are. */
static unsigned odd_count(struct scheduler *s, const struct scheduler_request *r, int64_t now_ms)
{
	struct scheduler_odd *odd = odd_slot(s, r->event);

	if (odd->event != r->event) {
		if (odd->event != 0 && now_ms - odd->at_ms < SCHEDULER_ODD_STALE_MS)
			return 1;
		*odd = (struct scheduler_odd){.event = r->event, .since = r->since};
	}
	if (odd->fresh_of != s->taken)
		odd->fresh = 0;
	odd->fresh_of = s->taken;
	odd->at_ms = now_ms;
	if (odd->tries == 0 || s->taken > odd->since) {
		odd->tries++;
		odd->fresh++;
	}
	return odd->tries;
}

static void odd_end(struct scheduler *s, int64_t event)
{
	struct scheduler_odd *odd = odd_slot(s, event);

	if (odd->event == event)
		*odd = (struct scheduler_odd){0};
}

/* The account parks: what the last odd answers said concerned it and not their events. */
static void odd_take_back(struct scheduler *s)
{
	for (size_t i = 0; i < SCHEDULER_ODD_SLOTS; i++) {
		struct scheduler_odd *odd = &s->odd[i];

		if (odd->event == 0 || odd->fresh_of != s->taken)
			continue;
		odd->tries -= odd->fresh;
		odd->fresh = 0;
		if (odd->tries == 0)
			*odd = (struct scheduler_odd){0};
	}
	s->odd_people_n = 0;
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

static void scheduler_probe(struct scheduler *s)
{
	s->state = SCHEDULER_PROBING;
	quota_alone(&s->quota);
}

void scheduler_renew(struct scheduler *s, const struct quota_limits *limits)
{
	quota_limits(&s->quota, limits);
	quota_alone(&s->quota);
	quota_forget_pauses(&s->quota);
	odd_forget(s);
	s->doubted = false;
	s->probe_wait_ms = SCHEDULER_PROBE_FIRST_MS;
	s->epoch++;
	if (s->state == SCHEDULER_PARKED)
		scheduler_probe(s);
}

unsigned scheduler_window(const struct scheduler *s)
{
	switch (s->state) {
	case SCHEDULER_PARKED:
		return 0;
	case SCHEDULER_PROBING:
		return 1;
	case SCHEDULER_OPEN:
		break;
	}
	return SCHEDULER_WINDOW;
}

bool scheduler_tick(struct scheduler *s, int64_t now_ms)
{
	if (s->state != SCHEDULER_PARKED || now_ms < s->probe_at_ms)
		return false;
	scheduler_probe(s);
	return true;
}

int64_t scheduler_next_ms(struct scheduler *s, int64_t now_ms)
{
	if (s->state == SCHEDULER_PARKED)
		return s->probe_at_ms;
	if (s->in_flight >= SCHEDULER_IN_FLIGHT_SINGLE)
		return CLOCK_NEVER_MS;
	return quota_next_ms(&s->quota, s->in_flight, now_ms);
}

void scheduler_handed(const struct scheduler *s, struct scheduler_request *r)
{
	r->since = s->taken;
}

void scheduler_sent(struct scheduler *s, struct scheduler_request *r, int64_t now_ms)
{
	s->in_flight++;
	quota_take(&s->quota, now_ms);
	r->epoch = s->epoch;
}

int64_t scheduler_pause_ms(const struct scheduler *s, int64_t now_ms, enum quota_pause *ret_why)
{
	return quota_pause_ms(&s->quota, now_ms, ret_why);
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

static void scheduler_park(struct scheduler *s, bool doubted, int64_t now_ms)
{
	odd_take_back(s);
	s->state = SCHEDULER_PARKED;
	s->doubted = doubted;
	s->probe_at_ms = now_ms + s->probe_wait_ms;
	s->probe_wait_ms *= 2;
	if (s->probe_wait_ms > SCHEDULER_PROBE_LAST_MS)
		s->probe_wait_ms = SCHEDULER_PROBE_LAST_MS;
	s->epoch++;
}

/* An event of an account that is open: how its own tries end. */
static enum outcome odd_own(struct scheduler *s, const struct scheduler_request *r, int64_t now_ms)
{
	if (odd_count(s, r, now_ms) < SCHEDULER_ODD_TRIES || s->odd_people_n > 1)
		return OUTCOME_RETRY;
	odd_end(s, r->event);
	return OUTCOME_REJECT;
}

/* Returns true where that parks the account. */
static bool scheduler_odd(struct scheduler *s, const struct scheduler_request *r, int64_t now_ms, enum outcome *ret)
{
	bool again = odd_person(s, r->person), parks = s->odd_people_n == SCHEDULER_ODD_PEOPLE;

	if (s->state == SCHEDULER_PROBING)
		parks = parks || again || s->doubted;
	*ret = parks || s->state == SCHEDULER_PROBING ? OUTCOME_PARK : odd_own(s, r, now_ms);
	if (parks)
		scheduler_park(s, true, now_ms);
	return parks;
}

/* Returns true where that opens the account. */
static bool scheduler_taken(struct scheduler *s)
{
	quota_success(&s->quota);
	s->taken++;
	s->odd_people_n = 0;
	s->probe_wait_ms = SCHEDULER_PROBE_FIRST_MS;
	if (s->state == SCHEDULER_OPEN)
		return false;
	s->state = SCHEDULER_OPEN;
	s->doubted = false;
	return true;
}

/* One of before the last park or renewal. */
static bool scheduler_stranger(struct scheduler *s, const struct scheduler_request *r, const struct outcome_verdict *v,
			       enum outcome *ret)
{
	/* Without a count, without age, and tried anew as soon as the account takes events. */
	if (v->odd)
		*ret = OUTCOME_PARK;
	if (v->outcome == OUTCOME_DELIVERED && s->doubted && s->state != SCHEDULER_OPEN && r->epoch + 1 == s->epoch)
		return scheduler_taken(s);
	return false;
}

bool scheduler_returned(struct scheduler *s, const struct scheduler_request *r, const struct outcome_verdict *v,
			double jitter, int64_t now_ms, enum outcome *ret)
{
	INSIST(s->in_flight > 0);
	s->in_flight--;
	*ret = v->outcome;
	/* Budget and throttling belong to the account, whichever key asked. */
	quota_told(&s->quota, v->remaining, v->reset_s, now_ms);
	if (v->throttled)
		quota_throttled(&s->quota, v->retry_after_ms, jitter, now_ms);
	if (v->outcome == OUTCOME_DELIVERED || v->outcome == OUTCOME_REJECT)
		odd_end(s, r->event);
	if (r->epoch != s->epoch)
		return scheduler_stranger(s, r, v, ret);
	if (v->odd)
		return scheduler_odd(s, r, now_ms, ret);
	if (v->outcome == OUTCOME_PARK) {
		scheduler_park(s, false, now_ms);
		return true;
	}
	return v->outcome == OUTCOME_DELIVERED && scheduler_taken(s);
}
