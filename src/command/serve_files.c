#include <config.h>

#include "command/serve_files.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"

#define OTHERS 256 /* administration, deliveries, lookups, the store, what is watched */

void serve_files_allow(unsigned max_connections)
{
	const rlim_t needed = (rlim_t)max_connections + OTHERS;
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		const struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
		else
			log_warning(NULL, "the limit of open files cannot be raised: %s", strerror(errno));
	}
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed)
		log_warning(NULL,
			    "the daemon may have %llu files open, and listen.max_connections with all else needs %llu: "
			    "raise "
			    "LimitNOFILE= of the unit (ulimit -Hn in a shell), or lower listen.max_connections",
			    (unsigned long long)limit.rlim_cur, (unsigned long long)needed);
}
