/*
 * apply: what a signal or an expiry does, decided and written into the store: the conversation as it is afterwards, and
 * its events.
 */
#ifndef PIPELINE_APPLY_H
#define PIPELINE_APPLY_H

#include "decision/decide.h"
#include "pipeline/work.h"

/* Inside a transaction, and a savepoint of the caller's that undoes all where it fails. in: but for now_ms and view,
 * which are w's. *ret begins as zeros; the caller frees it in any case. */
int apply_decide(struct work *w, const struct decide_input *in, struct decision *ret, struct err *reterr) MUSTCHECK;

#endif
