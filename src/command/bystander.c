#include <config.h>

#include "command/bystander.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "command/daemon_unit.h"
#include "conf/access.h"

void bystander_note(const char *command)
{
	struct daemon_unit unit;
	bool has_unit = daemon_unit_read(&unit);
	const char *user = has_unit ? unit.user : DAEMON_USER_DEFAULT;
	const struct passwd *entry = user ? getpwnam(user) : NULL;

	if (geteuid() != 0 && (!entry || entry->pw_uid != geteuid())) {
		CLEANUP(mem_freep) char *how = NULL;

		if (entry && entry->pw_uid != 0)
			how = mem_fmt(" (sudo -u %s deskbridge %s)", user, command);
		CLEANUP(mem_freep)
		char *advice = mem_fmt("run it as root or as the daemon's user%s", how ? how : "");
		access_set_instead(advice);
	}
	if (has_unit)
		daemon_unit_done(&unit);
}
