/* SPDX-License-Identifier: MIT */
/*
 * sandbox: a stand-in for Klaviyo that keeps Klaviyo's documented rules: access.h, check.h and world.h say which.
 *
 *   main.c       the program: its words, the helpdesks that it plays, the signals that end it
 *   sandbox.c    the server: begins, answers, delays, cuts
 *   state        what they share
 *   api          the way of a request to /api/…; access (key, scopes, revision, quotas, media type), check (bodies),
 *                readback and query (GET), answer (what goes back)
 *   inspect      /sandbox/…: what it holds; faults while it runs
 *   desk, page   the helpdesks that lookups ask, by their definitions
 *   world        accounts, profiles, metrics, events
 *   faults       scripted trouble; sandbox.c carries it out
 *   feed         the activity feed
 *
 * All but main.c, sandbox.c and feed are pure. The daemon has no special case for the sandbox.
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
	const char *const *faults; /* specifications in order; the grammar: FAULTS_HELP in faults.h */
	size_t faults_n;
	const char *const *customers; /* --customer ID=EMAIL[,EMAIL…]: the helpdesk that lookups ask (desk.h) */
	size_t customers_n;
	const struct definition *const *definitions; /* of the helpdesks to play; borrowed until sandbox_stop */
	size_t definitions_n;
	size_t max_events; /* kept at most, the oldest go first; 0: SANDBOX_EVENTS_DEFAULT */
	bool no_quota;     /* --no-quota: counts nothing, throttles nobody */
	bool quiet;        /* no activity feed */
};

/* -EINVAL for a wrong fault or customer, or what listening gives; the text names the program's option. */
int sandbox_start(const struct sandbox_options *o, struct sandbox **ret, struct err *reterr) MUSTCHECK;
const char *sandbox_address(const struct sandbox *s);
/* Begins to write the activity feed to standard output, with what came so far; nothing where quiet. Once. */
void sandbox_feed(struct sandbox *s);
/* Lets go what waits, with or without its answer, and frees s; NULL allowed. */
void sandbox_stop(struct sandbox *s);

#endif
