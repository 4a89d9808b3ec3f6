/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/recovery.h"

#include <errno.h>

#include "base/clock.h"
#include "pipeline/commit.h"
#include "pipeline/pass.h"

#define CRASHES_MAX 3

int recovery_restart(struct store *s, struct err *reterr)
{
	int r = store_begin(s, reterr);

	if (r == 0)
		r = store_webhooks_restart(s, reterr);
	if (r == 0)
		return store_commit(s, reterr);
	store_rollback(s);
	return r;
}

bool recovery_has(const struct recovery *recovery, int64_t webhook)
{
	return webhook <= recovery->until;
}

static bool is_counted(const struct recovery *recovery, int64_t id)
{
	for (size_t i = 0; i < recovery->counted_n; i++)
		if (recovery->counted[i] == id)
			return true;
	return false;
}

/* The webhook is tried now. If it becomes ready again, its next attempt is counted again. */
static void not_counted_any_more(struct recovery *recovery, int64_t id)
{
	for (size_t i = 0; i < recovery->counted_n; i++)
		if (recovery->counted[i] == id)
			recovery->counted[i] = recovery->counted[--recovery->counted_n];
}

/*
 * Counts an attempt of one ready webhook and adds it to the batch, or makes it a dead letter after three attempts. An
 * attempt that is counted already, because its transaction failed, is not counted again, because it was no crash.
 * Returns 1; 0: the webhook must wait until the batch has ended, or the turn handles it.
 */
static int count_one(const struct recovery *recovery, struct turn_context *tc, int64_t id, struct recovery *batch,
		     struct err *reterr)
{
	bool was_counted = is_counted(recovery, id);
	unsigned tries = 0;
	bool is_alone;
	int r = store_webhook_tries(tc->store, id, &tries, reterr);

	if (r == -ENOENT) /* one of many lost rows: the turn handles it */
		return 0;
	if (r < 0)
		return r;
	if (was_counted && tries > 0)
		tries--;
	if (tries >= CRASHES_MAX && !was_counted) {
		r = turn_context_webhook_dead(
			tc, NULL, id, "three crashes", LOG_ERR,
			"a webhook became a dead letter: the daemon ended three times while it worked on it", reterr);
		return r < 0 ? r : 1;
	}
	is_alone = tries > 0;
	if (is_alone && batch->counted_n > 0)
		return 0;
	if (!was_counted)
		r = store_webhook_set_tries(tc->store, id, tries + 1, reterr);
	if (r < 0 && r != -EBADMSG) /* the row cannot be changed: its attempt ends it */
		return r;
	batch->counted[batch->counted_n++] = id;
	return is_alone ? 0 : 1;
}

/* Counts an attempt of the next webhooks, at most max, all of which have no count yet, or of one that has. Writes them
 * to *batch. */
static int count_batch(const struct recovery *recovery, struct turn_context *tc, size_t max, struct recovery *batch,
		       struct err *reterr)
{
	int64_t ids[RECOVERY_BATCH];
	int r = 1;

	batch->counted_n = 0;
	while (r > 0 && batch->counted_n == 0) {
		int n = store_webhooks_ready(tc->store, ids, max, reterr);

		r = n;
		for (int i = 0; r > 0 && i < n; i++)
			r = recovery_has(recovery, ids[i]) ? count_one(recovery, tc, ids[i], batch, reterr) : 0;
	}
	return r < 0 ? r : 0;
}

/* Tries counted webhooks in order of receipt, at most max, up to one that was not counted and is ready before them: a
 * webhook that was woken. */
static int try_batch(struct recovery *batch, struct turn_context *tc, size_t max, struct err *reterr)
{
	int64_t id;
	int r = 0;

	while (max-- > 0 && (r = store_webhooks_ready(tc->store, &id, 1, reterr)) > 0 && is_counted(batch, id)) {
		r = pass_run(tc, id, reterr);
		if (r == 0)
			r = store_webhook_set_tries(tc->store, id, 0, reterr);
		if (r < 0)
			return r;
		not_counted_any_more(batch, id);
	}
	return r < 0 ? r : 0;
}

/* Takes back the counts of webhooks that were not tried and are not in the next batch: nothing crashed in their tries.
 * Webhooks that another one's pass has ended keep theirs, which nobody reads. */
static int count_back(const struct recovery *left, const struct recovery *next, struct turn_context *tc,
		      struct err *reterr)
{
	for (size_t i = 0; i < left->counted_n; i++) {
		int64_t id = left->counted[i];
		unsigned tries = 0;
		int r = is_counted(next, id) ? 0 : store_webhook_tries(tc->store, id, &tries, reterr);

		if (r == 0 && tries > 0)
			r = store_webhook_set_tries(tc->store, id, tries - 1, reterr);
		if (r < 0 && r != -ENOENT && r != -EBADMSG)
			return r;
	}
	return 0;
}

/* One transaction: the attempts that are counted, at most max, and, where `more`, the counts of the next ones. */
static int recover(struct recovery *recovery, struct turn_context *tc, size_t max, bool more, struct err *reterr)
{
	struct recovery tried = *recovery;
	struct recovery next = {.until = recovery->until};
	int r = store_begin(tc->store, reterr);

	if (r == 0)
		r = try_batch(&tried, tc, max, reterr);
	if (r == 0 && more)
		r = count_batch(&tried, tc, max, &next, reterr);
	if (r == 0 && more)
		r = count_back(&tried, &next, tc, reterr);
	r = commit_end(tc, r, reterr);
	if (r == 0)
		*recovery = more ? next : tried;
	return r;
}

/* The number of webhooks that fit on the disk; at least one, so that a batch that did not fit becomes smaller. */
static size_t batch_max(const struct disk_budget *budget)
{
	size_t max = disk_budget_passes(budget);

	if (max < 1)
		return 1;
	return max < RECOVERY_BATCH ? max : RECOVERY_BATCH;
}

int recovery_run(struct recovery *recovery, struct turn_context *tc, const struct disk_budget *budget,
		 int64_t budget_us, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	bool more = true;
	int64_t id;
	int r;

	if (!store_webhooks_may_wait(tc->store, STORE_WAIT_NONE))
		return 0;
	r = store_webhooks_ready(tc->store, &id, 1, reterr);
	if (r <= 0 || !recovery_has(recovery, id))
		return r < 0 ? r : 0;
	if (disk_budget_passes(budget) == 0)
		return 0;
	tc->changed = true;
	/* A count is committed just before its attempt, so the last transaction of a turn counts none, and the first
	 * one of the next turn only counts. */
	do {
		r = recover(recovery, tc, batch_max(budget), more, reterr);
		if (!more)
			break;
		more = clock_mono_us() - began_us < budget_us && disk_budget_passes(budget) > 0;
	} while (r == 0 && recovery->counted_n > 0);
	return r;
}
