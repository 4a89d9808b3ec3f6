#include <config.h>

#include "lookup/gate.h"

#include "base/clock.h"

void gate_init(struct gate *g)
{
	*g = (struct gate){.state = GATE_OPEN, .probe_wait_ms = GATE_PROBE_FIRST_MS};
}

void gate_renew(struct gate *g)
{
	g->epoch++;
	g->probe_wait_ms = GATE_PROBE_FIRST_MS;
	if (g->state == GATE_PARKED)
		g->state = GATE_PROBING;
}

unsigned gate_window(const struct gate *g, unsigned open, int64_t now_ms)
{
	if (g->state == GATE_PARKED || now_ms < g->pause_until_ms)
		return 0;
	return g->state == GATE_PROBING ? 1 : open;
}

int64_t gate_tick(struct gate *g, int64_t now_ms)
{
	if (g->state == GATE_PARKED) {
		if (now_ms < g->probe_at_ms)
			return g->probe_at_ms;
		g->state = GATE_PROBING;
	}
	return now_ms < g->pause_until_ms ? g->pause_until_ms : CLOCK_NEVER_MS;
}

static void gate_park(struct gate *g, int64_t now_ms)
{
	g->state = GATE_PARKED;
	g->probe_at_ms = now_ms + g->probe_wait_ms;
	g->probe_wait_ms *= 2;
	if (g->probe_wait_ms > GATE_PROBE_LAST_MS)
		g->probe_wait_ms = GATE_PROBE_LAST_MS;
	g->epoch++;
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
	if (now_ms + wait_ms > g->pause_until_ms)
		g->pause_until_ms = now_ms + wait_ms;
}

void gate_returned(struct gate *g, unsigned epoch, enum gate_word word, int64_t retry_after_ms, int64_t now_ms)
{
	if (word == GATE_THROTTLED)
		gate_pause(g, retry_after_ms, now_ms);
	if (epoch != g->epoch)
		return;
	if (word == GATE_REFUSED)
		gate_park(g, now_ms);
	if (word != GATE_USEFUL)
		return;
	g->state = GATE_OPEN;
	g->probe_wait_ms = GATE_PROBE_FIRST_MS;
	g->pauses = 0;
}
