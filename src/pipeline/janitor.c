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

struct janitor {
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

struct janitor *janitor_new(int64_t mono_ms)
{
	struct janitor *j = mem_new(1, sizeof(*j));

	j->gauges = gauges_new();
	j->clean_ms = j->gauges_ms = j->revisions_ms = mono_ms;
	j->checkpoint_ms = CLOCK_NEVER_MS;
	return j;
}

void janitor_free(struct janitor *j)
{
	if (!j)
		return;
	gauges_free(j->gauges);
	free(j);
}

static bool is_nearly_full(struct janitor *j, struct work *w)
{
	if (w->mono_ms - j->nearly_full_ms >= NEARLY_FULL_EVERY_MS) {
		j->nearly_full_ms = w->mono_ms;
		j->nearly_full = store_is_tight(w->store);
	}
	return j->nearly_full;
}

/* A row that cannot be deleted stays, and stops nothing else: it is tried again the next time. Returns how many rows
 * went. */
static int clean_whole(struct janitor *j, struct work *w, size_t max, struct err *reterr)
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
	if (!j->clean_failed)
		log_error(&((struct log_about){.reason = e.text}), "rows past their time cannot be deleted");
	j->clean_failed = true;
	return 0;
}

int janitor_clean(struct janitor *j, struct work *w, bool idle, unsigned inserted, bool full, size_t rows,
		  struct err *reterr)
{
	bool due = idle && w->mono_ms >= j->clean_ms;
	int r;

	if (rows == 0 || (!due && !full && !(inserted > 0 && is_nearly_full(j, w))))
		return 0;
	r = clean_whole(j, w, rows, reterr);
	if (r < 0)
		return r;
	if (due)
		j->clean_ms = r > 0 ? w->mono_ms : w->mono_ms + CLEAN_EVERY_MS;
	return r;
}

void janitor_after(struct janitor *j, struct work *w, struct health *health, bool changed)
{
	if (changed) {
		/* From the commit's end: a disk that is slow with it is not quiet. */
		j->checkpoint_ms = clock_mono_ms() + CHECKPOINT_QUIET_MS;
		if (j->gauges_ms > j->gauges_done_ms + GAUGES_EVERY_MS)
			j->gauges_ms = j->gauges_done_ms + GAUGES_EVERY_MS;
	}
	if (w->mono_ms >= j->checkpoint_ms) {
		store_checkpoint(w->store);
		j->checkpoint_ms = CLOCK_NEVER_MS;
	}
	if (w->mono_ms >= j->gauges_ms) {
		bool waiting = gauges_refresh(j->gauges, w->store, w->config, health, w->now_ms);

		j->gauges_done_ms = w->mono_ms;
		j->gauges_ms = waiting ? w->mono_ms + GAUGES_WAITING_MS : CLOCK_NEVER_MS;
	}
	if (w->mono_ms >= j->revisions_ms) {
		gauges_revisions(w->config, w->now_ms);
		j->revisions_ms = w->mono_ms + CLOCK_DAY_MS;
	}
}

void janitor_configured(struct janitor *j)
{
	j->gauges_ms = j->revisions_ms = j->clean_ms = 0;
}

int64_t janitor_next_ms(const struct janitor *j)
{
	int64_t next_ms = j->clean_ms;

	if (j->checkpoint_ms < next_ms)
		next_ms = j->checkpoint_ms;
	if (j->gauges_ms < next_ms)
		next_ms = j->gauges_ms;
	return j->revisions_ms < next_ms ? j->revisions_ms : next_ms;
}
