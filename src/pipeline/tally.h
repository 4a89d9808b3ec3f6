/*
 * tally: the metrics of one turn, kept back until it is committed, so that a turn that is rolled back and done again
 * counts once. Owned by the pipeline's thread.
 */
#ifndef PIPELINE_TALLY_H
#define PIPELINE_TALLY_H

#include <stddef.h>

#include "base/metrics.h"

struct tally_count {
	enum metric metric;
	char *labels[3];
	double n;
	double kept; /* n when the savepoint was set */
};
struct tally {
	struct tally_count *counts;
	size_t counts_n, counts_alloc;
	struct tally_observation {
		enum metric metric;
		double seconds;
	} * observations;
	size_t observations_n, observations_alloc, observations_kept;
};

void tally_add(struct tally *t, enum metric m, const char *label1, const char *label2, const char *label3);
void tally_observe(struct tally *t, enum metric m, double seconds);
void tally_savepoint(struct tally *t);
void tally_undo(struct tally *t);    /* back to the savepoint */
void tally_publish(struct tally *t); /* after the commit; empty afterwards */
void tally_drop(struct tally *t);    /* after a rollback; empty afterwards */
void tally_done(struct tally *t);

#endif
