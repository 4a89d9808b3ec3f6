/* SPDX-License-Identifier: MIT */
/*
 * pending_metrics: holds a turn's metrics and log lines back until the commit, so that a turn that is repeated after a
 * rollback counts once and logs once. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_PENDING_METRICS_H
#define PIPELINE_PENDING_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "helpdesk/expr/customer.h"

struct pending_count {
	enum metric metric;
	char *labels[3];
	double n;
	double kept; /* n when the savepoint was set */
};
struct pending_line {
	int level;
	struct log_about about; /* the line owns its texts */
	char *text;
	bool rare;
};
struct pending_rare_line {
	char *source, *reason;
	struct ratelimit limit; /* by clock_mono_ms */
};
struct pending_metrics {
	struct pending_count *counts; /* may outlive the turn, at 0 */
	size_t counts_n, counts_alloc;
	struct pending_observation {
		enum metric metric;
		double seconds;
	} * observations;
	size_t observations_n, observations_alloc, observations_kept;
	struct pending_line *lines;
	size_t lines_n, lines_alloc, lines_kept;
	struct pending_rare_line *rare; /* outlives the turn */
	size_t rare_n;
};

/* Add n, or 1, to a series. */
void pending_metrics_add_many(struct pending_metrics *p, enum metric m, const char *label1, const char *label2,
			      const char *label3, size_t n);
static inline void pending_metrics_add(struct pending_metrics *p, enum metric m, const char *label1, const char *label2,
				       const char *label3)
{
	pending_metrics_add_many(p, m, label1, label2, label3, 1);
}
void pending_metrics_observe(struct pending_metrics *p, enum metric m, double seconds);
/* Logs as log_write() does, after the commit. about is copied; not NULL. rare: for a line that may come with every
 * webhook. One such line in PENDING_RARE_MS is logged for each source and reason. It ends with the number of omitted
 * lines, " (and 3 more before it)". Source and reason are not NULL then, and reason is one of a few codes. */
void pending_log_line(struct pending_metrics *p, int level, const struct log_about *about, bool rare, const char *fmt,
		      ...) __attribute__((format(printf, 5, 6)));
#define pending_log(p, level, about, ...) pending_log_line(p, level, about, false, __VA_ARGS__)
#define PENDING_RARE_MS CLOCK_MINUTE_MS
/* Counts and logs texts that are no address, and addresses beyond the limit. Logs one line in PENDING_RARE_MS for each
 * source and reason. about: the source, and the webhook and conversation if known. Its reason is ignored. */
void pending_log_refused(struct pending_metrics *p, const struct log_about *about, const struct addresses *a);
void pending_metrics_savepoint(struct pending_metrics *p);
void pending_metrics_undo(struct pending_metrics *p);                     /* back to the savepoint */
void pending_metrics_publish(struct pending_metrics *p, int64_t mono_ms); /* after the commit; empties p */
void pending_metrics_drop(struct pending_metrics *p);                     /* after a rollback; empties p */
void pending_metrics_done(struct pending_metrics *p);

#endif
