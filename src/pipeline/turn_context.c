/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/turn_context.h"

#include <errno.h>

#include "base/known_secrets.h"

bool store_error_ends_turn(int r)
{
	switch (r) {
	case -ENOSPC:
	case -EIO:
	case -EROFS:
	case -EBUSY:
	case -EACCES:
	case -ENOMEM:
	case -EINTR:
		return true;
	default:
		return false;
	}
}

int turn_context_savepoint(struct turn_context *tc, struct err *reterr)
{
	int r = store_savepoint(tc->store, reterr);

	if (r == 0)
		pending_metrics_savepoint(tc->pending);
	return r;
}

int turn_context_savepoint_end(struct turn_context *tc, int r, struct err *reterr)
{
	int kept = r < 0 ? r : store_savepoint_keep(tc->store, reterr);

	if (kept >= 0)
		return r;
	store_savepoint_undo(tc->store);
	pending_metrics_undo(tc->pending);
	return kept;
}

int turn_context_webhook_dead(struct turn_context *tc, const char *source, int64_t id, const char *reason, int level,
			      const char *line, struct err *reterr)
{
	CLEANUP(store_origin_done) struct store_origin origin = {0};
	CLEANUP(mem_freep) char *kept = known_secrets_redact(reason);
	struct log_about about = {.webhook = id, .reason = reason};
	int r = store_webhook_dead(tc->store, id, kept, reterr);

	if (r < 0)
		return r;
	pending_metrics_add(tc->pending, METRIC_WEBHOOK_RESULTS, source ? source : "", WEBHOOK_RESULT_DEAD, NULL);
	store_webhook_origin(tc->store, id, &origin);
	about.source = origin.source;
	about.conversation = origin.conversation;
	pending_log(tc->pending, level, &about, "%s", line);
	return 0;
}

int64_t turn_context_age_wait_ms(const struct turn_context *tc, int64_t limit_ms)
{
	return tc->guard ? clock_guard_wait_ms(tc->guard, limit_ms, tc->mono_ms) : 0;
}

bool turn_context_is_too_old(const struct turn_context *tc, int64_t received_ms, int64_t limit_ms)
{
	return limit_ms != CLOCK_NEVER_MS && tc->now_ms - received_ms > limit_ms &&
	       turn_context_age_wait_ms(tc, limit_ms) == 0;
}

int64_t turn_context_mono_at_ms(const struct turn_context *tc, int64_t due_ms)
{
	int64_t wait_ms, at_ms;

	if (due_ms == CLOCK_NEVER_MS)
		return due_ms;
	if (due_ms <= tc->now_ms)
		return tc->mono_ms;
	if (__builtin_sub_overflow(due_ms, tc->now_ms, &wait_ms) ||
	    __builtin_add_overflow(tc->mono_ms, wait_ms, &at_ms))
		return CLOCK_NEVER_MS;
	return at_ms;
}
