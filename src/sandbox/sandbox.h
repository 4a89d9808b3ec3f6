/*
 * sandbox: a stand-in for Klaviyo that keeps Klaviyo's documented rules (DESIGN section 16, klaviyo/KLAVIYO.md).
 *
 * Split: world.h (accounts, profiles, metrics, events: what a Klaviyo account would hold), rules of a request
 * (check.h: shape, limits, key, revision, as documented), faults.h (scripted trouble), serve (routes, quota, feed).
 * The daemon has no special case for it.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

struct sandbox;

struct sandbox_options {
	const char *address;       /* "127.0.0.1:0" */
	const char *const *faults; /* --fault SPEC, in order */
	size_t faults_n;
	bool no_quota; /* --no-quota: counts nothing, throttles nobody */
	bool quiet;    /* no activity feed on stdout */
};

int sandbox_start(const struct sandbox_options *o, struct sandbox **ret, struct err *reterr) MUSTCHECK;
const char *sandbox_address(const struct sandbox *s);
void sandbox_stop(struct sandbox *s);
/* The grammar of SPEC with examples, for --help and for errors. */
const char *sandbox_fault_help(void);

#endif
