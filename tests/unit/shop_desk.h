/* SPDX-License-Identifier: MIT */
/*
 * shop_desk: the account "shop" and the source "desk" of the courier's tests: their configuration, and the events and
 * questions that go to the courier for them. Test code, over scripted.h.
 */
#ifndef TESTS_SHOP_DESK_H
#define TESTS_SHOP_DESK_H

#include "courier/courier.h"
#include "scripted.h"

/* In what a configuration differs from others. Each but the name is YAML behind its key. */
struct shop_desk {
	const char *klaviyo;
	const char *source;  /* its name; NULL: "desk" */
	const char *account; /* of the source; NULL: the only one there is */
	const char *lookup;  /* of the source; NULL: none is asked, /emails has the addresses */
	const char *steps;   /* of the definition's lookup; NULL: one that finds addresses */
};

/* Writes FOLDER/deskbridge.yaml and loads it; fails the test where that has errors. The test writes the secrets. */
struct generation *shop_desk_load(const char *folder, const struct shop_desk *s);
/* Writes the file of a secret anew and returns the generation with it. Gives back the caller's reference of g. */
struct generation *shop_desk_secret(struct generation *g, const char *folder, const char *file, const char *text);

/* An event for p<person>@example.com, of a minute ago. The caller's. */
struct event *shop_desk_event(int64_t id, unsigned person, const char *url);
/* A question about a customer, with the webhook of an opening. The caller's. */
struct lookup_request *shop_desk_question(const char *customer, bool is_new);

#endif
