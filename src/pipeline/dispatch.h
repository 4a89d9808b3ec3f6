/*
 * dispatch: which events are lent to the courier, and how many more it takes: the pipeline's side of the hand-over.
 *
 * An event stays `ready` in the store while it is lent; only its committed result ends that. The store yields only the
 * first event of each person, so what is lent at once is of different persons, and order needs nothing more here.
 *
 * While an account is parked its probes go round: an event that was asked by in vain is lent again only where no other
 * is due that was not. So one person's event cannot keep an account parked that takes the others'. Owned by the
 * pipeline's thread; nothing survives a crash: at start nothing is lent.
 */
#ifndef PIPELINE_DISPATCH_H
#define PIPELINE_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "courier/courier.h"
#include "store/store.h"

struct dispatch;

struct dispatch *dispatch_new(void);
void dispatch_free(struct dispatch *d);

/* How many events the courier holds of this account at most, as it told. */
void dispatch_window(struct dispatch *d, const char *account, unsigned window);
bool dispatch_is_lent(const struct dispatch *d, const char *account, int64_t event);
/* Its result is committed. parked: it was a park outcome. */
void dispatch_returned(struct dispatch *d, const char *account, int64_t event, bool parked);
/* There may be something new to hand over, or at another time: of this account, or (NULL) of all. */
void dispatch_stir(struct dispatch *d, const char *account);

/* After a commit: lends what is due, up to the windows. Returns 0, or what the store failed with. */
int dispatch_hand_over(struct dispatch *d, struct store *s, const struct config *c, struct courier *courier,
		       int64_t now_ms, struct err *reterr) MUSTCHECK;
/* When there will be something to hand over without anything having happened: clock_now_ms time; CLOCK_NEVER_MS. */
int64_t dispatch_next_ms(const struct dispatch *d);

#endif
