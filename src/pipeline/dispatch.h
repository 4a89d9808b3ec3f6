/* SPDX-License-Identifier: MIT */
/*
 * dispatch: the pipeline's side of delivery. It sends due events to the courier and writes their results to the store.
 *
 * An event in flight (owned by the courier) stays `ready` in the store until its result is committed. The store returns
 * only the first event of each person, so events in flight are of different persons, and order needs nothing more here.
 *
 * While an account is parked, probes take turns: an event whose probe failed is sent again only when no other event is
 * due. So one person's bad event cannot keep an account parked. Owned by the pipeline's thread. Nothing here survives a
 * crash: at start no event is in flight.
 */
#ifndef PIPELINE_DISPATCH_H
#define PIPELINE_DISPATCH_H

#include <stdint.h>

#include "courier/courier.h"
#include "pipeline/turn_context.h"

struct dispatch;
struct message_list;

struct dispatch *dispatch_new(void);
void dispatch_free(struct dispatch *d);

/* Sets the courier's window: the most events of this account that may be in flight. */
void dispatch_window(struct dispatch *d, const char *account, unsigned window);
/* Marks the account (NULL: all) dirty: the next dispatch_send() looks for due events. */
void dispatch_mark_dirty(struct dispatch *d, const char *account);
/* Reports a new generation: all accounts are dirty, and their URLs may differ. */
void dispatch_configured(struct dispatch *d);

/* Inside the turn's transaction. Writes the results of a list of delivery messages: delivered, retry later, or dead
 * letter. Returns 0 or the store's error (store_error_ends_turn). Ignores a result for an event that is not in flight
 * or no longer exists. A result that cannot be kept makes its event a dead letter and leaves the others. */
int dispatch_save_results(struct turn_context *tc, const struct message_list *deliveries, struct err *reterr) MUSTCHECK;
/* After the commit of its result: removes the event from those in flight. */
void dispatch_returned(struct dispatch *d, const struct delivery *delivery);
/* Inside the turn's transaction. Turns a few events that were queued for another URL into dead letters, so that a
 * sandbox's events never reach production. */
int dispatch_set_aside_other_urls(struct dispatch *d, struct turn_context *tc, struct err *reterr) MUSTCHECK;

/* After a commit. Sends due events to the courier, up to each window. Returns 0 or the store's error. */
int dispatch_send(struct dispatch *d, struct turn_context *tc, struct err *reterr) MUSTCHECK;
/* Returns the next time (clock_now_ms) at which an event becomes due; CLOCK_NEVER_MS: none. */
int64_t dispatch_next_ms(const struct dispatch *d);

#endif
