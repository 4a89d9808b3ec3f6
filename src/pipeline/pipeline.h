/* SPDX-License-Identifier: MIT */
/*
 * pipeline: the thread that owns the store's only writer and the ledger. It works in turns of one transaction each;
 * turn.c describes a turn and its guarantees. Callers rely on THE ACCEPTANCE RULE: a helpdesk gets its 200 only after
 * the commit that holds its webhook is on the disk.
 *
 * If a commit fails, the turn is rolled back, new webhooks get 503, results are committed by a later turn, and the
 * courier is stalled meanwhile. A commit whose sync fails is not rolled back, but synced again (flight.h).
 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "pipeline/submission.h"
#include "store/store.h"

struct pipeline;

/* Opens the store (writer), starts the thread and the courier. Takes a reference to g. works: called now and then while
 * the opening changes much of the store, with what it does. */
int pipeline_start(struct generation *g, void (*works)(const char *what), struct pipeline **ret,
		   struct err *reterr) MUSTCHECK;

/* False while the pipeline is so far behind that it would drop most trees of submitted webhooks. The submitter then
 * frees them, on the thread that made them, which is cheaper. Any thread. */
bool pipeline_caches_parsed(const struct pipeline *p);

/* These functions post a message and return at once. Any thread. */
void pipeline_submit(struct pipeline *p, struct submission *s);
void pipeline_generation(struct pipeline *p, struct generation *g); /* takes a reference; passed on to the courier */
void pipeline_recheck(struct pipeline *p); /* the clock was set, or the store's files changed: checks both */
/* Pings the pipeline and the courier. Each answers by storing token, which pipeline_alive() reads. A disk call counts
 * as alive for 60 s. */
void pipeline_ping(struct pipeline *p, uint64_t token);
bool pipeline_alive(struct pipeline *p, uint64_t token);
/* True while webhooks can be committed: the clock is set, the last commit succeeded, and the store has room. False once
 * the pipeline stops. For an early 503. */
bool pipeline_is_ready(const struct pipeline *p);
/* As pipeline_is_ready(), and also checks that the store's files still exist, because an idle pipeline has no turn that
 * would notice. ret: the reason. Costs some system calls. For /readyz. */
bool pipeline_readiness(struct pipeline *p, struct err *ret) MUSTCHECK;

/* Calls fn for each parked account and source, with a lock held. kind: "account" or "lookups". Any thread. */
void pipeline_parked(struct pipeline *p, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx);

/* As health_news_fd() and health_read_news(). */
int pipeline_news_fd(const struct pipeline *p);
void pipeline_read_news(struct pipeline *p);

/* Commits and answers the submissions, stops the courier (its deliveries get until deadline_ms, clock_mono_ms), commits
 * their results, ends the thread, closes the store. Blocks. The caller submits nothing afterwards. pipeline_is_ready,
 * _readiness, _alive, _parked and _caches_parsed work until pipeline_free(), for admin and intake. */
void pipeline_stop(struct pipeline *p, int64_t deadline_ms);
void pipeline_free(struct pipeline *p); /* after pipeline_stop(); NULL allowed */

#endif
