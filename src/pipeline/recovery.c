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

/*
 * Counts an attempt of the first ready webhook. A webhook with three counted attempts becomes a dead letter, and the
 * next one is counted. *ret_id: the counted webhook; 0: none. A counted attempt whose transaction failed is not counted
 * again, because it was no crash.
 */
static int count_next(const struct recovery *recovery, struct turn_context *tc, int64_t *ret_id, struct err *reterr)
{
	unsigned tries;
	int64_t id;
	int r;

	*ret_id = 0;
	for (;;) {
		r = store_webhooks_ready(tc->store, &id, 1, reterr);
		if (r <= 0 || !recovery_has(recovery, id))
			return r < 0 ? r : 0;
		if (id == recovery->counted)
			break;
		r = store_webhook_tries(tc->store, id, &tries, reterr);
		if (r == 0 && tries < CRASHES_MAX) {
			r = store_webhook_set_tries(tc->store, id, tries + 1, reterr);
			if (r < 0 && r != -EBADMSG) /* the row cannot be changed: its attempt ends it */
				return r;
			break;
		}
		if (r == -ENOENT) /* one of many lost rows: the turn handles it */
			return 0;
		if (r == 0)
			r = turn_context_webhook_dead(
				tc, NULL, id, "three crashes", LOG_ERR,
				"a webhook became a dead letter: the daemon ended three times while it worked on it",
				reterr);
		if (r < 0)
			return r;
	}
	*ret_id = id;
	return 0;
}

/* One transaction: the attempt of `id` (0: none) and, where `more`, the count of the next. */
static int try_one(struct recovery *recovery, struct turn_context *tc, int64_t id, bool more, int64_t *ret_next,
		   struct err *reterr)
{
	int64_t next = 0;
	int r = store_begin(tc->store, reterr);

	if (r == 0 && id != 0)
		r = pass_run(tc, id, reterr);
	if (r == 0 && id != 0)
		r = store_webhook_set_tries(tc->store, id, 0, reterr);
	if (r == 0 && more)
		r = count_next(recovery, tc, &next, reterr);
	r = commit_end(tc, r, reterr);
	if (r == 0)
		recovery->counted = *ret_next = next;
	return r;
}

int recovery_run(struct recovery *recovery, struct turn_context *tc, const struct disk_budget *budget,
		 int64_t budget_us, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	int64_t id;
	int r = store_webhooks_ready(tc->store, &id, 1, reterr);

	if (r <= 0 || !recovery_has(recovery, id))
		return r < 0 ? r : 0;
	if (disk_budget_passes(budget) == 0)
		return 0;
	tc->changed = true;
	r = try_one(recovery, tc, 0, true, &id, reterr);
	while (r == 0 && id != 0)
		r = try_one(recovery, tc, id, clock_mono_us() - began_us < budget_us && disk_budget_passes(budget) > 0,
			    &id, reterr);
	return r;
}
