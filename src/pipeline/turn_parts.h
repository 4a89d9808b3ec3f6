/*
 * turn_parts: what the turn's files share; for them only.
 *
 * turn.c is the transaction and what becomes of it, turn_intake.c what senders brought, turn_back.c what came back from
 * the helpdesks, turn_release.c what a free slot lets go.
 */
#ifndef PIPELINE_TURN_PARTS_H
#define PIPELINE_TURN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "pipeline/recovery.h"
#include "pipeline/room.h"
#include "pipeline/tally.h"
#include "pipeline/turn.h"
#include "pipeline/wall.h"
#include "pipeline/work.h"

#define PENDING_US 5000       /* of pending webhooks a turn where nobody waits for its commit; */
#define PENDING_LEAST_US 1000 /* where somebody does, a fifth of the turn, but not less than this */

struct turn {
	struct store *store;
	struct courier *courier;
	struct health *health;
	struct generation *generation;
	struct lookups *lookups;
	struct readings *readings;
	struct dispatch *dispatch;
	struct janitor *janitor;
	struct tally tally;
	struct recovery recovery;
	struct room room;
	struct wall wall;
	struct mails submissions, deliveries, answers;

	int64_t retry_ms; /* after a failure: not before (clock_mono_ms); 0: the last turn was good */
	int64_t retry_wait_ms;
	bool stopping;
	int64_t commit_us; /* how long the last commit took that wrote something */
};

/* ---- turn_intake.c ---- */

/* Puts in what was submitted; refuses all of it where there is no room. */
int turn_insert_submissions(struct turn *t, struct work *w, struct err *reterr) MUSTCHECK;
/* After the commit, or refused after its failure. */
void turn_answer_submissions(struct turn *t, bool refused);

/* ---- turn_back.c ---- */

int turn_apply_answers(struct turn *t, struct work *w, struct err *reterr) MUSTCHECK;

/* ---- turn_release.c ---- */

/* Webhooks that wait for one of a source's free slots: as many as there are. */
int turn_release_slots(struct turn *t, struct work *w, struct err *reterr) MUSTCHECK;
bool turn_slots_are_wanted(const struct turn *t, const struct config *c);

#endif
