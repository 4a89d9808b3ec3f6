/*
 * tally: the metrics of one turn, and the lines of the log that tell what it did, kept back until it is committed: a
 * turn that is rolled back and done again counts once and tells once. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_TALLY_H
#define PIPELINE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "helpdesk/expr/customer.h"

struct tally_count {
	enum metric metric;
	char *labels[3];
	double n;
	double kept; /* n when the savepoint was set */
};
struct tally_line {
	int level;
	struct log_about about; /* its texts are the line's own */
	char *text;
	bool rare;
};
struct tally_rare {
	char *source, *reason;
	struct ratelimit limit; /* of clock_mono_ms */
};
struct tally {
	struct tally_count *counts;
	size_t counts_n, counts_alloc;
	struct tally_observation {
		enum metric metric;
		double seconds;
	} * observations;
	size_t observations_n, observations_alloc, observations_kept;
	struct tally_line *lines;
	size_t lines_n, lines_alloc, lines_kept;
	struct tally_rare *rare; /* outlives the turn */
	size_t rare_n;
};

/* Counts n, or 1, more of a series. */
void tally_add_many(struct tally *t, enum metric m, const char *label1, const char *label2, const char *label3,
		    size_t n);
static inline void tally_add(struct tally *t, enum metric m, const char *label1, const char *label2, const char *label3)
{
	tally_add_many(t, m, label1, label2, label3, 1);
}
void tally_observe(struct tally *t, enum metric m, double seconds);
/* Logs as log_write does, after the commit. about is copied; not NULL. rare: for a line that may come with every
 * webhook. Then one in TALLY_RARE_MS is logged for each source and reason, and tells how many came before it, " (and 3
 * more before it)"; both are not NULL, and reason is one of a few codes. */
void tally_line(struct tally *t, int level, const struct log_about *about, bool rare, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define tally_log(t, level, about, ...) tally_line(t, level, about, false, __VA_ARGS__)
#define TALLY_RARE_MS CLOCK_MINUTE_MS
/* Counts and logs what stood where a customer's address should stand and is none, and the addresses beyond the most
 * that count: a line in TALLY_RARE_MS for each source and reason. about: the source, and the webhook and conversation
 * where there is one; its reason is not looked at. */
void tally_refused(struct tally *t, const struct log_about *about, const struct addresses *a);
void tally_savepoint(struct tally *t);
void tally_undo(struct tally *t);                     /* back to the savepoint */
void tally_publish(struct tally *t, int64_t mono_ms); /* after the commit; empty afterwards */
void tally_drop(struct tally *t);                     /* after a rollback; empty afterwards */
void tally_done(struct tally *t);

#endif
