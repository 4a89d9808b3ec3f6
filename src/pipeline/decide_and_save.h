/* SPDX-License-Identifier: MIT */
/*
 * decide_and_save: what a signal or an expiry does, decided and written into the store: the conversation as it is
 * afterwards, and its events.
 */
#ifndef PIPELINE_DECIDE_AND_SAVE_H
#define PIPELINE_DECIDE_AND_SAVE_H

#include "decision/decide.h"
#include "pipeline/turn_context.h"

/* Called inside a transaction and a savepoint, which the caller undoes on failure. The caller fills `in` without now_ms
 * and view, which come from tc. *ret begins as zeros; the caller frees it in any case. */
int decide_and_save(struct turn_context *tc, const struct decide_input *in, struct decision *ret,
		    struct err *reterr) MUSTCHECK;

#endif
