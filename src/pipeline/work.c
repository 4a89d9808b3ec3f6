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

double work_chance(void)
{
	return (double)digest_random_below(1u << 20) / (double)((1u << 20) - 1);
}
