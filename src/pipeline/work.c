#include <config.h>

#include "pipeline/work.h"

#include <errno.h>

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

int64_t work_age_wait_ms(const struct work *w, int64_t limit_ms)
{
	return w->guard ? clock_guard_wait_ms(w->guard, limit_ms, w->mono_ms) : 0;
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
