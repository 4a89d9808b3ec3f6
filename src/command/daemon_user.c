#include <config.h>

#include "command/daemon_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "conf/generation.h"

#define NAMES_MAX 65536 /* bytes of one entry of the databases */
#define GROUPS_MAX 65536
#define SAID_MAX ((size_t)4 * 1024 * 1024)

/* The bits of the child's exit status. */
#define SAYS_WRONG 1
#define SAYS_FOLDER_CLOSED 2
#define SAYS_STORE_CLOSED 4
#define SAYS_NOT_THAT_USER 8
#define SAYS_LISTEN_CLOSED 16
#define SAYS_ADMIN_CLOSED 32

/* ---- who --------------------------------------------------------------------------------------------------------- */

static int find_group(const char *name, gid_t *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = mem_new(NAMES_MAX, 1);
	struct group entry, *found = NULL;

	if (getgrnam_r(name, &entry, text, NAMES_MAX, &found) != 0 || !found)
		return err_set(reterr, -ENOENT, "there is no group %.64s", name);
	*ret = found->gr_gid;
	return 0;
}

/* As systemd does: what the user database says, and SupplementaryGroups= besides. */
static int find_groups(struct daemon_user *u, const struct daemon_unit *unit, struct err *reterr)
{
	int n = 0, r = 0;

	(void)getgrouplist(u->name, u->gid, NULL, &n);
	if (n < 0 || n > GROUPS_MAX)
		n = 0;
	u->groups = mem_new((size_t)n + (unit ? unit->groups.n : 0), sizeof(*u->groups));
	if (getgrouplist(u->name, u->gid, u->groups, &n) < 0)
		n = 0;
	u->groups_n = (size_t)n;
	for (size_t i = 0; unit && i < unit->groups.n && r == 0; i++) {
		r = find_group(unit->groups.items[i], &u->groups[u->groups_n], reterr);
		u->groups_n += r == 0;
	}
	return r;
}

int daemon_user_find(const char *name, const struct daemon_unit *unit, struct daemon_user *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *text = mem_new(NAMES_MAX, 1);
	struct passwd entry, *found = NULL;
	int r = 0;

	if (getpwnam_r(name, &entry, text, NAMES_MAX, &found) != 0 || !found)
		return err_set(reterr, -ENOENT, "there is no user %.64s", name);
	*ret = (struct daemon_user){.name = mem_str(name), .uid = found->pw_uid, .gid = found->pw_gid};
	if (unit && unit->group)
		r = find_group(unit->group, &ret->gid, reterr);
	if (r == 0)
		r = find_groups(ret, unit, reterr);
	if (r < 0)
		daemon_user_done(ret);
	return r;
}

void daemon_user_done(struct daemon_user *u)
{
	free(u->name);
	free(u->groups);
	*u = (struct daemon_user){0};
}

/* ---- as that user ------------------------------------------------------------------------------------------------ */

char *daemon_socket_folder(const char *address)
{
	return strncmp(address, "unix:", 5) == 0 ? path_folder(address + 5) : NULL;
}

bool daemon_socket_is_closed(const char *address)
{
	CLEANUP(mem_freep) char *folder = daemon_socket_folder(address);

	return folder && access(folder, W_OK | X_OK) < 0;
}

/* At the places that the daemon writes to. */
static int look_at_places(const struct config *c)
{
	CLEANUP(mem_freep) char *folder = path_folder(c->store.path);
	int said = 0;

	if (access(folder, F_OK) == 0 && access(folder, W_OK | X_OK) < 0)
		said |= SAYS_FOLDER_CLOSED;
	if (access(c->store.path, F_OK) == 0 && access(c->store.path, R_OK | W_OK) < 0)
		said |= SAYS_STORE_CLOSED;
	if (daemon_socket_is_closed(c->listen.address))
		said |= SAYS_LISTEN_CLOSED;
	if (daemon_socket_is_closed(c->admin.address))
		said |= SAYS_ADMIN_CLOSED;
	return said;
}

/* The child: never returns. */
static void judge_there(const struct daemon_user *u, const char *config_file, int to)
{
	struct problems problems = {0};
	struct generation *g;
	FILE *out = fdopen(to, "w");
	int said;

	if (!out || setgroups(u->groups_n, u->groups) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0)
		_exit(SAYS_NOT_THAT_USER);
	g = generation_load(config_file, &problems);
	problems_print(&problems, out);
	said = g ? look_at_places(g->config) : SAYS_WRONG;
	_exit(fclose(out) == 0 ? said : SAYS_NOT_THAT_USER);
}

int daemon_user_judge(const struct daemon_user *u, const char *config_file, struct daemon_judgement *ret,
		      struct err *reterr)
{
	int ends[2], status = 0;
	pid_t child;
	char *said = NULL;
	size_t len;

	if (pipe(ends) < 0)
		return err_set(reterr, -errno, "no pipe: %s", strerror(errno));
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		judge_there(u, config_file, ends[1]);
	}
	(void)close(ends[1]);
	if (child > 0 && file_read_fd(ends[0], SAID_MAX, CLOCK_NEVER_MS, &said, &len) < 0)
		said = NULL; /* it could not be said, or was more than a load can say */
	(void)close(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || !WIFEXITED(status) || (WEXITSTATUS(status) & SAYS_NOT_THAT_USER)) {
		free(said);
		return err_set(reterr, -EPERM, "this process cannot become the user %.64s", u->name);
	}
	*ret = (struct daemon_judgement){
		.wrong = WEXITSTATUS(status) & SAYS_WRONG,
		.folder_closed = WEXITSTATUS(status) & SAYS_FOLDER_CLOSED,
		.store_closed = WEXITSTATUS(status) & SAYS_STORE_CLOSED,
		.listen_closed = WEXITSTATUS(status) & SAYS_LISTEN_CLOSED,
		.admin_closed = WEXITSTATUS(status) & SAYS_ADMIN_CLOSED,
		.problems = said,
	};
	return 0;
}
