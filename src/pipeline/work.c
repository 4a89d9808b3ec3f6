#include <config.h>

#include "pipeline/work.h"

#include <errno.h>

#include "base/digest.h"

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

int work_savepoint_keep(struct work *w, struct err *reterr)
{
	return store_savepoint_keep(w->store, reterr);
}

void work_savepoint_undo(struct work *w)
{
	store_savepoint_undo(w->store);
	tally_undo(w->tally);
}

double work_chance(void)
{
	return (double)digest_random_below(1u << 20) / (double)((1u << 20) - 1);
}
