/* SPDX-License-Identifier: MIT */
/*
 * faults: scripted faults of requests. A fault says what goes wrong, for which requests, and when. Pure. FAULTS_HELP is
 * the grammar.
 */
#ifndef SANDBOX_FAULTS_H
#define SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define FAULTS_MAX 64 /* at a time */

struct fault;
struct faults {
	struct fault *items;
	size_t n;
};

enum fault_cut {
	FAULT_CUT_NONE,
	FAULT_CUT_RESET, /* resets the connection; the request is not processed */
	FAULT_CUT_DIE,   /* processes the request, then closes the connection without an answer */
};

/* The body of a scripted answer. */
enum fault_form {
	FAULT_FORM_OWN,   /* Klaviyo's for that status: JSON errors; none below 300 */
	FAULT_FORM_HTML,  /* an HTML page, as Cloudflare's */
	FAULT_FORM_JSON,  /* JSON in another form than Klaviyo's, as a gateway's */
	FAULT_FORM_TEXT,  /* plain text */
	FAULT_FORM_EMPTY, /* no body and no Content-Type */
};

/* The effect of the faults on a request. */
struct fault_verdict {
	int64_t delay_ms; /* the answer is delayed by this much */
	enum fault_cut cut;
	unsigned status;    /* 0: the real answer */
	long retry_after_s; /* -1: no Retry-After */
	enum fault_form form;
	bool challenge; /* adds the header cf-mitigated: challenge */
};

/* The parts of a request that faults match. */
struct fault_subject {
	const char *method, *path;
	const char *account;      /* "" where the key is not known */
	struct json_object *body; /* NULL where there is none or it is not JSON */
	int64_t now_ms;           /* of the clock that faults_add() got */
};

/* Adds a fault. now_ms: the time now, from which `for` counts. -EINVAL where the specification is wrong, -ENOSPC. */
int faults_add(struct faults *f, const char *spec, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* Counts the request in every fault that matches it, and returns the effect of those that fire. retry_after_s is -1
 * where no fault sets it. */
struct fault_verdict faults_judge(struct faults *f, const struct fault_subject *s);
void faults_clear(struct faults *f);
/* Returns all faults in order: [{"spec": …, "matched": N, "fired": N}, …]. The caller owns it. */
struct json_object *faults_json(const struct faults *f) MUSTCHECK;

/* The grammar with examples. It is a literal, so that help texts can include it. */
#define FAULTS_HELP                                                                                              \
	"A fault is a list of words with commas between them: what goes wrong, for which requests, and when.\n"  \
	"\n"                                                                                                     \
	"what (at least one; a delay goes with any other):\n"                                                    \
	"  status=N         answers N, and processes nothing; the body is Klaviyo's for that status\n"           \
	"  retry-after=N    with status: the header Retry-After, seconds\n"                                      \
	"  html             with status: the body is an HTML page, as Cloudflare in front of Klaviyo sends it\n" \
	"  json             with status: the body is JSON, but not Klaviyo's\n"                                  \
	"  text             with status: the body is plain text\n"                                               \
	"  empty            with status: there is no body\n"                                                     \
	"  challenge        a 403 in HTML with cf-mitigated: challenge\n"                                        \
	"  reset            cuts the connection by a reset; nothing is processed\n"                              \
	"  die              reads and processes the request, then cuts the connection without an answer\n"       \
	"  delay=DURATION   processes the request at once, and answers after DURATION (500ms, 10s, 2m)\n"        \
	"which (all must hold; by default every request to /api/…):\n"                                         \
	"  path=NAME        events, bulk, metrics, profiles, accounts, or a path\n"                              \
	"  method=NAME      POST, GET\n"                                                                         \
	"  email=ADDRESS    requests with an event for this address\n"                                           \
	"  account=NAME     requests with a key of this account\n"                                               \
	"when (of the requests that match; by default always):\n"                                                \
	"  after=N          not the first N\n"                                                                   \
	"  first=N          only N of them (behind after=)\n"                                                    \
	"  every=N          each N-th (behind after=)\n"                                                         \
	"  for=DURATION     only for DURATION, from when the fault was set\n"                                    \
	"\n"                                                                                                     \
	"Several faults: the first that fires decides; delays add up. Examples:\n"                               \
	"  status=503,every=3\n"                                                                                 \
	"  status=429,retry-after=2,for=10s\n"                                                                   \
	"  delay=500ms,path=bulk\n"                                                                              \
	"  reset,every=5\n"                                                                                      \
	"  die,method=POST,every=7\n"                                                                            \
	"  status=400,email=jo@example.com\n"                                                                    \
	"  status=402,html,email=jo@example.com\n"

#endif
