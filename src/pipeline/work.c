#include <config.h>

#include "pipeline/work.h"

#include <errno.h>

#include "base/known_secrets.h"

bool work_is_stores(int r)
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

int work_savepoint(struct work *w, struct err *reterr)
{
	int r = store_savepoint(w->store, reterr);

	if (r == 0)
		tally_savepoint(w->tally);
	return r;
}

int work_savepoint_end(struct work *w, int r, struct err *reterr)
{
	int kept = r < 0 ? r : store_savepoint_keep(w->store, reterr);

	if (kept >= 0)
		return r;
	store_savepoint_undo(w->store);
	tally_undo(w->tally);
	return kept;
}

int work_webhook_dead(struct work *w, const char *source, int64_t id, const char *reason, int level, const char *line,
		      struct err *reterr)
{
	CLEANUP(store_origin_done) struct store_origin origin = {0};
	CLEANUP(mem_freep) char *kept = known_secrets_redact(reason);
	struct log_about about = {.webhook = id, .reason = reason};
	int r = store_webhook_dead(w->store, id, kept, reterr);

	if (r < 0)
		return r;
	tally_add(w->tally, METRIC_WEBHOOK_RESULTS, source ? source : "", WORK_DEAD, NULL);
	store_webhook_origin(w->store, id, &origin);
	about.source = origin.source;
	about.conversation = origin.conversation;
	tally_log(w->tally, level, &about, "%s", line);
	return 0;
}

int64_t work_age_wait_ms(const struct work *w, int64_t limit_ms)
{
	return w->guard ? clock_guard_wait_ms(w->guard, limit_ms, w->mono_ms) : 0;
}

bool work_is_too_old(const struct work *w, int64_t received_ms, int64_t limit_ms)
{
	return limit_ms != CLOCK_NEVER_MS && w->now_ms - received_ms > limit_ms && work_age_wait_ms(w, limit_ms) == 0;
}

int64_t work_mono_at_ms(const struct work *w, int64_t due_ms)
{
	int64_t wait_ms, at_ms;

	if (due_ms == CLOCK_NEVER_MS)
		return due_ms;
	if (due_ms <= w->now_ms)
		return w->mono_ms;
	if (__builtin_sub_overflow(due_ms, w->now_ms, &wait_ms) || __builtin_add_overflow(w->mono_ms, wait_ms, &at_ms))
		return CLOCK_NEVER_MS;
	return at_ms;
}
