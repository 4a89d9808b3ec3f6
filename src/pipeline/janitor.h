/*
 * janitor: what is done at quiet times: deleting what is past its time, writing the WAL back, showing the gauges.
 */
#ifndef PIPELINE_JANITOR_H
#define PIPELINE_JANITOR_H

#include "pipeline/health.h"
#include "pipeline/work.h"

struct janitor;

struct janitor *janitor_new(int64_t mono_ms);
void janitor_free(struct janitor *j);

/* Inside the turn's transaction. idle: no webhook is ready; inserted: how many came in; full: none could. Deletes at
 * most `rows` where it is time, and more than come in where the store is nearly full. Returns how many, or an error. */
int janitor_clean(struct janitor *j, struct work *w, bool idle, unsigned inserted, bool full, size_t rows,
		  struct err *reterr) MUSTCHECK;
/* Outside of it. changed: this turn wrote something. */
void janitor_after(struct janitor *j, struct work *w, struct health *health, bool changed);
void janitor_configured(struct janitor *j);       /* by another generation; and after a jump of the clock */
int64_t janitor_next_ms(const struct janitor *j); /* clock_mono_ms time */

#endif
