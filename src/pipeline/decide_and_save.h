/* SPDX-License-Identifier: MIT */
/*
 * decide_and_save: decides what a signal or an expiry changes, and writes it to the store: the conversation and its
 * events.
 */
#ifndef PIPELINE_DECIDE_AND_SAVE_H
#define PIPELINE_DECIDE_AND_SAVE_H

#include "decision/decide.h"
#include "pipeline/turn_context.h"

/* The caller holds a transaction and a savepoint, and undoes the savepoint on failure. The caller fills `in` without
 * now_ms and queries, which come from tc. row: as for store_conversation_save(). *ret is zeroed before the call. The
 * caller frees it, also on failure. */
int decide_and_save(struct turn_context *tc, const struct decide_input *in, struct store_conversation *row,
		    struct decision *ret, struct err *reterr) MUSTCHECK;

#endif
