/* SPDX-License-Identifier: MIT */
/*
 * sender: one account as the courier sees it: what it was handed and has not sent, what is in flight, its pace. A
 * route.
 *
 * A key, URL, revision or quota that changed un-parks at once; events that may no longer go are given back. After a
 * reload one request goes alone first, at once also where the account is parked (what was mended between here and
 * Klaviyo changes nothing that is seen here); it counts as parked until that request says otherwise.
 */
#ifndef COURIER_SENDER_H
#define COURIER_SENDER_H

#include "courier/destination.h"

struct destination *sender_new(struct destination_shared *shared, const char *account, int64_t now_ms);
/* Takes over e (heap): into the queue, or given back at once where it may not go. */
void sender_take(struct destination *d, struct event *e);

/* What became of e, which the delivery takes over; v NULL: it was not sent. */
struct delivery *delivery_new(struct event *e, const struct outcome_verdict *v);

#endif
