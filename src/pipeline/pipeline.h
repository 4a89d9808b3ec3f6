/* SPDX-License-Identifier: MIT */
/*
 * pipeline: the thread that owns the store's only writer and the ledger. It works in turns of one transaction each.
 *
 * A turn: inserts the new webhooks; takes results of deliveries and lookups and the operator's commands; takes pending
 * webhooks in order of receipt for a few milliseconds (at least a fifth of the turn under load), each in a savepoint of
 * its own; commits; and only then answers the suspended connections and hands events and questions to the courier. THE
 * ACCEPTANCE RULE: a helpdesk gets its 200 only after the commit that holds its webhook.
 *
 * A commit that fails is rolled back whole: new webhooks are answered 503, results are kept and committed again, the
 * courier is stalled meanwhile.
 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/generation.h"
#include "pipeline/submission.h"
#include "store/store.h"

struct pipeline;

/* Opens the store (writer), starts the thread and the courier. g: takes its own reference. */
int pipeline_start(struct generation *g, struct pipeline **ret, struct err *reterr) MUSTCHECK;

/* False while the pipeline is so far behind that it would drop most of the trees that webhooks are submitted with: then
 * the submitter frees them, on the thread that made them, which is cheaper. Any thread. */
bool pipeline_caches_parsed(const struct pipeline *p);

/* Any thread; posts and returns at once. */
void pipeline_submit(struct pipeline *p, struct submission *s);
void pipeline_generation(struct pipeline *p, struct generation *g); /* takes its own reference; tells the courier too */
void pipeline_recheck(
	struct pipeline *p); /* the clock was set, or the store's files changed: it looks what that means */
/* Asks the pipeline and, through it, the courier whether they make progress; both answer by storing token where
 * pipeline_alive reads it. A disk call in progress counts as alive for 60 s. */
void pipeline_ping(struct pipeline *p, uint64_t token);
bool pipeline_alive(struct pipeline *p, uint64_t token);
/* Whether intake can commit: the last commit succeeded and the store may take. For /readyz and an early 503. */
bool pipeline_is_ready(const struct pipeline *p);
/* The same, and looks whether the store's files are still there: a turn sees that only when there is something to do.
 * ret: why not. Some system calls. */
bool pipeline_readiness(struct pipeline *p, struct err *ret) MUSTCHECK;

/* What is parked now, for status and metrics. Any thread; calls fn with a lock held. kind: "account" or "lookups". */
void pipeline_parked(struct pipeline *p, void (*fn)(void *ctx, const char *kind, const char *name, const char *reason),
		     void *ctx);

/* Readable since readiness or what is parked changed, until pipeline_read_news: for one reader. */
int pipeline_news_fd(const struct pipeline *p);
void pipeline_read_news(struct pipeline *p);

/* Commits and answers what was submitted, stops the courier (its transfers get until deadline_ms, clock_mono_ms),
 * commits the results, closes the store, ends the thread. Blocks. Nothing may be submitted from now on. p still answers
 * questions (ready, alive, parked, caches_parsed) until pipeline_free: so that admin can be up to the end. */
void pipeline_stop(struct pipeline *p, int64_t deadline_ms);
void pipeline_free(struct pipeline *p); /* after pipeline_stop; NULL allowed */

#endif
