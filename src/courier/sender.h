/* SPDX-License-Identifier: MIT */
/*
 * sender: the sender of one account: queued events, transfers in flight, pace. A destination.
 *
 * A changed key, URL, revision or quota un-parks the account at once. Events that must not be sent any more are
 * returned. After a reload one request is sent alone, also by a parked account, because a fault outside of the
 * configuration may be fixed. The account stays parked until that request succeeds.
 */
#ifndef COURIER_SENDER_H
#define COURIER_SENDER_H

#include "courier/destination.h"

struct destination *sender_new(struct destination_shared *shared, const char *account, int64_t now_ms);
/* Takes ownership of e (heap). Queues it, or returns it if it must not be sent. */
void sender_take(struct destination *d, struct event *e);

/* Makes the result of e, which takes ownership of e. v NULL: not sent. The caller owns it. */
struct delivery *delivery_new(struct event *e, const struct outcome_verdict *v);

#endif
