/*
 * results: what came of a delivery, written into the store: delivered, later again, or a dead letter.
 */
#ifndef PIPELINE_RESULTS_H
#define PIPELINE_RESULTS_H

#include "courier/courier.h"
#include "pipeline/work.h"

/* Inside the turn's transaction. 0, or what the store failed with (work_is_stores). A result of an event that is not
 * lent or no longer there is nothing. The caller returns the event (dispatch_returned) after the commit. */
int results_apply(struct work *w, const struct delivery *d, struct err *reterr) MUSTCHECK;

#endif
