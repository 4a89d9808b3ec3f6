#include <config.h>

#include "pipeline/janitor.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/gauges.h"

#define CLEAN_EVERY_MS CLOCK_MINUTE_MS
#define CHECKPOINT_QUIET_MS 1000
#define GAUGES_EVERY_MS 1000
#define GAUGES_WAITING_MS (10 * CLOCK_SECOND_MS) /* while something waits, ages are shown anew this often */
#define NEARLY_FULL_EVERY_MS 100                 /* asked so often at most: it costs system calls */

struct housekeeping {
	struct gauges *gauges;
	/* all of them clock_mono_ms */
	int64_t clean_ms;      /* when the next step is due */
	int64_t checkpoint_ms; /* NEVER: nothing was written since the last */
	int64_t gauges_ms;     /* NEVER: nothing changed since the last */
	int64_t gauges_done_ms;
	int64_t revisions_ms;
	int64_t nearly_full_ms; /* when nearly_full was found out */
	bool nearly_full;
	bool clean_failed; /* told */
};

struct housekeeping *housekeeping_new(int64_t mono_ms)
{
	struct housekeeping *h = mem_new(1, sizeof(*h));

	h->gauges = gauges_new();
	h->clean_ms = h->gauges_ms = h->revisions_ms = mono_ms;
	h->checkpoint_ms = CLOCK_NEVER_MS;
	return h;
}

void housekeeping_free(struct housekeeping *h)
{
	if (!h)
		return;
	gauges_free(h->gauges);
	free(h);
}

static bool is_nearly_full(struct housekeeping *h, struct work *w)
{
	if (w->mono_ms - h->nearly_full_ms >= NEARLY_FULL_EVERY_MS) {
		h->nearly_full_ms = w->mono_ms;
		h->nearly_full = store_is_tight(w->store);
	}
	return h->nearly_full;
}

/* A row that cannot be deleted stays, and stops nothing else: it is tried again the next time. Returns how many rows
 * went. */
static int clean_whole(struct housekeeping *h, struct work *w, size_t max, struct err *reterr)
{
	struct err e = {0};
	int r = work_savepoint(w, reterr), n;

	if (r < 0)
		return r;
	n = store_clean(w->store, w->config->store.retention_ms, w->config->store.remember_ms, w->now_ms, max, &e);
	if (n >= 0) {
		r = work_savepoint_keep(w, reterr);
		return r < 0 ? r : n;
	}
	work_savepoint_undo(w);
	if (work_is_stores(n)) {
		if (reterr)
			*reterr = e;
		return n;
	}
	if (!h->clean_failed)
		log_error(&((struct log_about){.reason = e.text}), "rows past their time cannot be deleted");
	h->clean_failed = true;
	return 0;
}

int housekeeping_clean(struct housekeeping *h, struct work *w, bool idle, unsigned inserted, bool full, size_t rows,
		       struct err *reterr)
{
	bool due = idle && w->mono_ms >= h->clean_ms;
	int r;

	if (rows == 0 || (!due && !full && !(inserted > 0 && is_nearly_full(h, w))))
		return 0;
	r = clean_whole(h, w, rows, reterr);
	if (r < 0)
		return r;
	if (due)
		h->clean_ms = r > 0 ? w->mono_ms : w->mono_ms + CLEAN_EVERY_MS;
	return r;
}

void housekeeping_after(struct housekeeping *h, struct work *w, struct standing *standing, bool changed)
{
	if (changed) {
		/* From the commit's end: a disk that is slow with it is not quiet. */
		h->checkpoint_ms = clock_mono_ms() + CHECKPOINT_QUIET_MS;
		if (h->gauges_ms > h->gauges_done_ms + GAUGES_EVERY_MS)
			h->gauges_ms = h->gauges_done_ms + GAUGES_EVERY_MS;
	}
	if (w->mono_ms >= h->checkpoint_ms) {
		store_checkpoint(w->store);
		h->checkpoint_ms = CLOCK_NEVER_MS;
	}
	if (w->mono_ms >= h->gauges_ms) {
		bool waiting = gauges_refresh(h->gauges, w->store, w->config, standing, w->now_ms);

		h->gauges_done_ms = w->mono_ms;
		h->gauges_ms = waiting ? w->mono_ms + GAUGES_WAITING_MS : CLOCK_NEVER_MS;
	}
	if (w->mono_ms >= h->revisions_ms) {
		gauges_revisions(w->config, w->now_ms);
		h->revisions_ms = w->mono_ms + CLOCK_DAY_MS;
	}
}

void housekeeping_configured(struct housekeeping *h)
{
	h->gauges_ms = h->revisions_ms = h->clean_ms = 0;
}

int64_t housekeeping_next_ms(const struct housekeeping *h)
{
	int64_t next_ms = h->clean_ms;

	if (h->checkpoint_ms < next_ms)
		next_ms = h->checkpoint_ms;
	if (h->gauges_ms < next_ms)
		next_ms = h->gauges_ms;
	return h->revisions_ms < next_ms ? h->revisions_ms : next_ms;
}
