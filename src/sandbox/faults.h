/* SPDX-License-Identifier: MIT */
/*
 * faults: scripted trouble: what is to go wrong, for which requests, when. Pure; the grammar is FAULTS_HELP.
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
	FAULT_CUT_RESET, /* before it is processed: a reset */
	FAULT_CUT_DIE,   /* read and processed, then the connection ends without an answer */
};

/* The body of an answer with a status. */
enum fault_form {
	FAULT_FORM_OWN,   /* Klaviyo's for that status: errors in JSON; nothing below 300 */
	FAULT_FORM_HTML,  /* a page, as from Cloudflare */
	FAULT_FORM_JSON,  /* JSON that is not Klaviyo's, as from a gateway */
	FAULT_FORM_TEXT,  /* plain text */
	FAULT_FORM_EMPTY, /* nothing, and no type */
};

/* What happens to a request: nothing where all is 0. */
struct fault_verdict {
	int64_t delay_ms; /* the answer waits so long */
	enum fault_cut cut;
	unsigned status;    /* 0: the real answer */
	long retry_after_s; /* -1: no such header */
	enum fault_form form;
	bool challenge; /* with cf-mitigated: challenge */
};

/* What a fault may ask of a request. */
struct fault_subject {
	const char *method, *path;
	const char *account;      /* "" where the key is not known */
	struct json_object *body; /* NULL where there is none, or no JSON */
	int64_t now_ms;           /* of the clock by which the faults were added */
};

/* Adds one fault, from now on. -EINVAL with what is wrong in the specification, -ENOSPC. */
int faults_add(struct faults *f, const char *spec, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* Counts the request with every fault that it matches, and tells what is to happen to it. */
struct fault_verdict faults_judge(struct faults *f, const struct fault_subject *s);
void faults_clear(struct faults *f);
/* The specifications that are in force, in order: [{"spec": …, "matched": N, "fired": N}, …]. The caller owns it. */
struct json_object *faults_json(const struct faults *f) MUSTCHECK;

/* The grammar with examples: a literal, so that help texts can hold it. */
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
	"  delay=DURATION   processes the request at once, and answers so much later (500ms, 10s, 2m)\n"         \
	"which (all must hold; by default every request to /api/…):\n"                                         \
	"  path=NAME        events, bulk, metrics, profiles, accounts, or a path\n"                              \
	"  method=NAME      POST, GET\n"                                                                         \
	"  email=ADDRESS    requests with an event for this address\n"                                           \
	"  account=NAME     requests with a key of this account\n"                                               \
	"when (of the requests that match; by default always):\n"                                                \
	"  after=N          not the first N\n"                                                                   \
	"  first=N          only N of them (behind after=)\n"                                                    \
	"  every=N          each N-th (behind after=)\n"                                                         \
	"  for=DURATION     only so long, from when the fault was set\n"                                         \
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
