#include <config.h>

#include "delivery/scheduler.h"

#include "base/clock.h"

void scheduler_init(struct scheduler *s, const struct quota_limits *limits, int64_t now_ms)
{
	*s = (struct scheduler){.state = SCHEDULER_OPEN, .probe_wait_ms = SCHEDULER_PROBE_FIRST_MS};
	quota_init(&s->quota, limits, now_ms);
}

static void scheduler_probe(struct scheduler *s)
{
	s->state = SCHEDULER_PROBING;
	quota_alone(&s->quota);
}

void scheduler_renew(struct scheduler *s, const struct quota_limits *limits)
{
	quota_limits(&s->quota, limits);
	quota_alone(&s->quota);
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

unsigned scheduler_sent(struct scheduler *s, int64_t now_ms)
{
	s->in_flight++;
	quota_take(&s->quota, now_ms);
	return s->epoch;
}

static void scheduler_park(struct scheduler *s, int64_t now_ms)
{
	s->state = SCHEDULER_PARKED;
	s->probe_at_ms = now_ms + s->probe_wait_ms;
	s->probe_wait_ms *= 2;
	if (s->probe_wait_ms > SCHEDULER_PROBE_LAST_MS)
		s->probe_wait_ms = SCHEDULER_PROBE_LAST_MS;
	s->epoch++;
}

bool scheduler_returned(struct scheduler *s, unsigned epoch, const struct outcome_verdict *v, double jitter,
			int64_t now_ms)
{
	INSIST(s->in_flight > 0);
	s->in_flight--;
	/* Budget and throttling belong to the account, whichever key asked. */
	quota_told(&s->quota, v->remaining, v->reset_s, now_ms);
	if (v->throttled)
		quota_throttled(&s->quota, v->retry_after_ms, jitter, now_ms);
	if (epoch != s->epoch)
		return false;
	if (v->outcome == OUTCOME_PARK) {
		scheduler_park(s, now_ms);
		return true;
	}
	if (v->outcome != OUTCOME_DELIVERED)
		return false;
	quota_success(&s->quota);
	s->probe_wait_ms = SCHEDULER_PROBE_FIRST_MS;
	if (s->state == SCHEDULER_OPEN)
		return false;
	s->state = SCHEDULER_OPEN;
	return true;
}

int64_t scheduler_backoff_ms(unsigned attempts, double chance)
{
	int64_t most_ms = SCHEDULER_BACKOFF_LAST_MS, wait_ms;

	if (attempts < 16 && ((int64_t)SCHEDULER_BACKOFF_FIRST_MS << attempts) < most_ms)
		most_ms = (int64_t)SCHEDULER_BACKOFF_FIRST_MS << attempts;
	wait_ms = (int64_t)((double)most_ms * chance);
	return wait_ms > 100 ? wait_ms : 100;
}
