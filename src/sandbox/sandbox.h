/* SPDX-License-Identifier: MIT */
/*
 * sandbox: a stand-in for Klaviyo that enforces Klaviyo's documented rules. access.h, check.h and world.h list them.
 *
 *   main.c       the program: its options, the helpdesks' definitions, the signals that end it
 *   sandbox.c    the server: starts, answers, delays answers, cuts connections
 *   state        the state that requests share
 *   api          requests to /api/…, with access (key, scopes, revision, quotas, media type), check (bodies),
 *                readback and query (GET), answer (the answer, complaints)
 *   inspect      requests to /sandbox/…: reads and clears what the sandbox holds, sets faults while it runs
 *   desk, page   the helpdesks' APIs that lookups ask, by their definitions
 *   world        accounts, profiles, metrics, events
 *   faults       scripted faults, which sandbox.c carries out
 *   feed         the activity feed
 *
 * Everything except main.c, sandbox.c and feed is pure. The daemon has no special case for the sandbox.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "helpdesk/definition/definition.h"

#define SANDBOX_EVENTS_DEFAULT 1000000

struct sandbox;

struct sandbox_options {
	const char *address;       /* "127.0.0.1:0" */
	const char *const *faults; /* specifications by the grammar FAULTS_HELP (faults.h), in order */
	size_t faults_n;
	const char *const *customers; /* --customer ID=EMAIL[,EMAIL…]: customers of the helpdesks (desk.h) */
	size_t customers_n;
	const struct definition *const *definitions; /* of the helpdesks to imitate; borrowed until sandbox_stop */
	size_t definitions_n;
	size_t max_events; /* events held at most, after which the oldest are dropped; 0: SANDBOX_EVENTS_DEFAULT */
	bool no_quota;     /* --no-quota: no rate limits */
	bool quiet;        /* no activity feed */
};

/* -EINVAL for a wrong fault or customer, or the error of listening. The text names the program's option. */
int sandbox_start(const struct sandbox_options *o, struct sandbox **ret, struct err *reterr) MUSTCHECK;
const char *sandbox_address(const struct sandbox *s);
/* Starts to write the activity feed to standard output, with the events that came before. Does nothing where quiet.
 * Call it once. */
void sandbox_feed(struct sandbox *s);
/* Answers or cuts the delayed requests at once, ends the server and frees s. s may be NULL. */
void sandbox_stop(struct sandbox *s);

#endif
