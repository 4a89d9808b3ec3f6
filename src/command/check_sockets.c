#include <config.h>

#include "command/check_sockets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/out.h"
#include "base/path.h"
#include "conf/access.h"

/* NULL: this is no unix socket. The caller owns it. */
static char *folder_of(const char *address)
{
	return strncmp(address, "unix:", 5) == 0 ? path_folder(address + 5) : NULL;
}

bool check_socket_is_closed(const char *address)
{
	CLEANUP(mem_freep) char *folder = folder_of(address);

	return folder && access(folder, W_OK | X_OK) < 0;
}

static void warn_of(const char *key, const char *address, bool closed, const struct check_judge *judge)
{
	CLEANUP(mem_freep) char *folder = folder_of(address), *word = folder ? access_word(folder) : NULL;

	if (!folder || (judge->for_unit && daemon_unit_makes(&judge->unit, folder)))
		return;
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		out_print("%s: warning: %s is not there: mkdir -p %s; serve will not start (under systemd, write "
			  "unix:/run/deskbridge/NAME.sock: the unit makes that folder)\n",
			  key, folder, word);
	else if (judge->user && closed)
		out_print("%s: warning: the user %s cannot make a socket in %s; serve will not start: give the socket "
			  "a folder of that user (under systemd unix:/run/deskbridge/NAME.sock)\n",
			  key, judge->user, folder);
	else if (!judge->user && check_socket_is_closed(address))
		out_print("%s: warning: the user who runs this check cannot make a socket in %s; the user who runs "
			  "serve must be able to\n",
			  key, folder);
}

void check_sockets(const struct config *c, const struct check_judge *judge)
{
	warn_of("listen", c->listen.address, judge->said.listen_closed, judge);
	warn_of("admin", c->admin.address, judge->said.admin_closed, judge);
}
