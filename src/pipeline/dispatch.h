/* SPDX-License-Identifier: MIT */
/*
 * dispatch: events on their way out and their results on the way back: the pipeline's side of the hand-over.
 *
 * An event stays `ready` in the store while it is in flight, that is with the courier; only its committed result ends
 * that. The store yields only the first event of each person, so events in flight are of different persons, and order
 * needs nothing more here.
 *
 * While an account is parked its probes go round: an event that was asked by in vain goes out again only where no other
 * is due that was not. So one person's event cannot keep an account parked that takes the others'. Owned by the
 * pipeline's thread; nothing survives a crash: at start nothing is in flight.
 */
#ifndef PIPELINE_DISPATCH_H
#define PIPELINE_DISPATCH_H

#include <stdint.h>

#include "courier/courier.h"
#include "pipeline/turn_context.h"

struct dispatch;

struct dispatch *dispatch_new(void);
void dispatch_free(struct dispatch *d);

/* The courier told that it holds at most so many events of this account. */
void dispatch_window(struct dispatch *d, const char *account, unsigned window);
/* Events of this account, or (NULL) of all, may have come or be due at another time: the next hand-over looks. */
void dispatch_mark_dirty(struct dispatch *d, const char *account);
/* Another generation is used from now on: the next hand-over looks at all, and accounts may have another url. */
void dispatch_configured(struct dispatch *d);

/* Inside the turn's transaction: writes what came of an event into the store: delivered, later again, or a dead letter.
 * 0, or what the store failed with (store_error_ends_turn). A result of an event that is not in flight or no longer
 * there is nothing. */
int dispatch_save_result(struct turn_context *tc, const struct delivery *d, struct err *reterr) MUSTCHECK;
/* After its commit: the event is not in flight any more. */
void dispatch_returned(struct dispatch *d, const struct delivery *delivery);
/* Inside the turn's transaction: a few events that were queued for another url become dead letters: a sandbox's never
 * reach production. */
int dispatch_set_aside_other_urls(struct dispatch *d, struct turn_context *tc, struct err *reterr) MUSTCHECK;

/* After a commit: hands what is due to the courier, up to the windows. Returns 0, or what the store failed with. */
int dispatch_send(struct dispatch *d, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* When there will be something to hand over without anything having happened: clock_now_ms time; CLOCK_NEVER_MS. */
int64_t dispatch_next_ms(const struct dispatch *d);

#endif
