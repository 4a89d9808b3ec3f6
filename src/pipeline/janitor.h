/*
 * housekeeping: what is done at quiet times: deleting what is past its time, writing the WAL back, showing the gauges.
 */
#ifndef PIPELINE_JANITOR_H
#define PIPELINE_JANITOR_H

#include "pipeline/health.h"
#include "pipeline/work.h"

struct housekeeping;

struct housekeeping *housekeeping_new(int64_t mono_ms);
void housekeeping_free(struct housekeeping *h);

/* Inside the turn's transaction. idle: no webhook is ready; inserted: how many came in; full: none could. Deletes at
 * most `rows` where it is time, and more than come in where the store is nearly full. Returns how many, or an error. */
int housekeeping_clean(struct housekeeping *h, struct work *w, bool idle, unsigned inserted, bool full, size_t rows,
		       struct err *reterr) MUSTCHECK;
/* Outside of it. changed: this turn wrote something. */
void housekeeping_after(struct housekeeping *h, struct work *w, struct standing *standing, bool changed);
void housekeeping_configured(struct housekeeping *h);       /* by another generation; and after a jump of the clock */
int64_t housekeeping_next_ms(const struct housekeeping *h); /* clock_mono_ms time */

#endif
