/*
 * outlet: one account as the courier sees it: what it was handed and has not sent, what is under way, its pace,
 * and the window it told. Everything on the courier's thread. now_ms is clock_mono_ms().
 */
#ifndef COURIER_OUTLET_H
#define COURIER_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/courier.h"
#include "http/client.h"

/* What all outlets of a courier share; must outlive them and their transfers. */
struct outlet_shared {
	struct http_client *client;
	struct courier_sink sink;
	struct courier_options options;
	unsigned in_flight; /* of all of them */
};

struct outlet;
struct outlet *outlet_new(struct outlet_shared *shared, const char *name, int64_t now_ms);
void outlet_free(struct outlet *o); /* with an empty tray and nothing in flight; wipes the key */
const char *outlet_name(const struct outlet *o);

/* The account as it is configured now; NULL: no longer. Takes copies. Tells the window anew in any case. A key, URL,
 * revision or quota that changed un-parks at once; events that may no longer go are returned. reloaded: the operator
 * asked for it: one request goes alone first, at once also where the account is parked (who mended what stands between
 * here and Klaviyo changed nothing that we see); it counts as parked until that request says otherwise. */
void outlet_configure(struct outlet *o, const struct account *a, const struct secrets *secrets, bool reloaded);
bool outlet_is_configured(const struct outlet *o);
/* Takes over e: into the tray, or returned at once where it may not go. */
void outlet_take(struct outlet *o, struct event *e);
/* Opens for a probe, sends what may go where `sending`; returns when to call again (CLOCK_NEVER_MS: when something
 * returns). */
int64_t outlet_run(struct outlet *o, bool sending, int64_t now_ms);
/* Returns all that was not sent, and whatever comes later. */
void outlet_close(struct outlet *o);
unsigned outlet_in_flight(const struct outlet *o);

/* What became of e, which the delivery takes over; v NULL: it was not sent. */
struct delivery *delivery_new(struct event *e, const struct outcome_verdict *v);

#endif
