#include <config.h>

#include "courier/gate.h"

#include "base/clock.h"

void gate_init(struct gate *g)
{
	*g = (struct gate){.state = GATE_OPEN, .probe_wait_ms = GATE_PROBE_FIRST_MS};
}

static void gate_turn(struct gate *g, enum gate_state state)
{
	g->state = state;
	g->period++;
	g->odd_n = 0;
}

void gate_renew(struct gate *g)
{
	g->epoch++;
	g->probe_wait_ms = GATE_PROBE_FIRST_MS;
	g->pause_until_ms = 0;
	g->pauses = 0;
	gate_turn(g, GATE_OPEN);
}

struct gate_stamp gate_stamp(const struct gate *g)
{
	return (struct gate_stamp){.epoch = g->epoch, .period = g->period};
}

unsigned gate_window(const struct gate *g, unsigned open, int64_t now_ms)
{
	if (now_ms < g->pause_until_ms)
		return 0;
	return g->state == GATE_OPEN ? open : 1;
}

bool gate_is_for_new(const struct gate *g)
{
	return g->state == GATE_PARKED;
}

int64_t gate_tick(struct gate *g, int64_t now_ms)
{
	if (g->state == GATE_PARKED) {
		if (now_ms < g->probe_at_ms)
			return now_ms < g->pause_until_ms && g->pause_until_ms < g->probe_at_ms ? g->pause_until_ms
												: g->probe_at_ms;
		gate_turn(g, GATE_PROBING);
	}
	return now_ms < g->pause_until_ms ? g->pause_until_ms : CLOCK_NEVER_MS;
}

static void gate_park(struct gate *g, int64_t now_ms)
{
	gate_turn(g, GATE_PARKED);
	g->probe_at_ms = now_ms + g->probe_wait_ms;
	g->probe_wait_ms *= 2;
	if (g->probe_wait_ms > GATE_PROBE_LAST_MS)
		g->probe_wait_ms = GATE_PROBE_LAST_MS;
}

static void gate_pause(struct gate *g, int64_t retry_after_ms, int64_t now_ms)
{
	int64_t wait_ms = retry_after_ms;

	if (retry_after_ms <= 0) {
		/* Those of one burst come back together and count once. */
		if (now_ms < g->pause_until_ms)
			return;
		wait_ms = (int64_t)GATE_PAUSE_FIRST_MS << (g->pauses < 6 ? g->pauses : 6);
		if (wait_ms > GATE_PAUSE_LAST_MS)
			wait_ms = GATE_PAUSE_LAST_MS;
		g->pauses++;
	}
	if (wait_ms < GATE_PAUSE_FIRST_MS)
		wait_ms = GATE_PAUSE_FIRST_MS;
	if (wait_ms > GATE_PAUSE_MAX_MS)
		wait_ms = GATE_PAUSE_MAX_MS;
	if (now_ms + wait_ms > g->pause_until_ms)
		g->pause_until_ms = now_ms + wait_ms;
}

/* Whether by now so many customers had odd answers that it is not the customers. */
static bool odd_parks(struct gate *g, uint64_t customer)
{
	for (unsigned i = 0; i < g->odd_n; i++)
		if (g->odd[i] == customer)
			return false;
	g->odd[g->odd_n++] = customer;
	return g->odd_n == GATE_ODD_CUSTOMERS;
}

static void gate_refused(struct gate *g, struct gate_stamp asked, enum gate_word word, uint64_t customer,
			 int64_t now_ms)
{
	/* An answer tells of the period in which it was asked for; while PARKED it tells nothing new. */
	if (asked.period != g->period || g->state == GATE_PARKED)
		return;
	if (word == GATE_REFUSED || g->state == GATE_PROBING || odd_parks(g, customer))
		gate_park(g, now_ms);
}

void gate_returned(struct gate *g, struct gate_stamp asked, enum gate_word word, uint64_t customer,
		   int64_t retry_after_ms, int64_t now_ms)
{
	if (word == GATE_THROTTLED)
		gate_pause(g, retry_after_ms, now_ms);
	if (asked.epoch != g->epoch)
		return;
	if (word == GATE_ODD || word == GATE_REFUSED)
		gate_refused(g, asked, word, customer, now_ms);
	if (word != GATE_USEFUL)
		return;
	if (g->state != GATE_OPEN)
		gate_turn(g, GATE_OPEN);
	g->odd_n = 0;
	g->probe_wait_ms = GATE_PROBE_FIRST_MS;
	g->pauses = 0;
}
