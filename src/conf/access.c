/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "conf/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"

#define NAMES_MAX 16384 /* bytes of one entry of the user database */

static char *replacement_advice; /* instead of a chgrp; NULL: none; set before there are threads */

void access_set_advice(const char *advice)
{
	free(replacement_advice);
	replacement_advice = mem_str(advice);
}

char *access_user(void)
{
	struct passwd *found = NULL;
	char text[NAMES_MAX];
	struct passwd entry;

	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 && found)
		return mem_str(found->pw_name);
	return mem_fmt("%u", (unsigned)geteuid());
}

static char *group_name(void)
{
	struct group *found = NULL;
	char text[NAMES_MAX];
	struct group entry;

	if (getgrgid_r(getegid(), &entry, text, sizeof(text), &found) == 0 && found)
		return mem_str(found->gr_name);
	return mem_fmt("%u", (unsigned)getegid());
}

char *shell_quote(const char *path)
{
	static const char plain[] = TEXT_ALNUM "/._-+@:,=";
	struct buf word;

	if (path[0] != '\0' && path[strspn(path, plain)] == '\0')
		return mem_str(path);
	buf_init(&word, strlen(path) * 4 + 3);
	buf_addc(&word, '\'');
	for (; *path != '\0'; path++)
		if (*path == '\'')
			buf_adds(&word, "'\\''");
		else
			buf_addc(&word, *path);
	buf_addc(&word, '\'');
	return buf_take(&word);
}

/* True for the home folder of its owner, which should not be opened to a daemon. */
static bool is_home(const char *folder)
{
	struct passwd *found = NULL;
	char text[NAMES_MAX];
	struct passwd entry;
	struct stat st, home;

	return stat(folder, &st) == 0 && getpwuid_r(st.st_uid, &entry, text, sizeof(text), &found) == 0 && found &&
	       strcmp(found->pw_dir, "/") != 0 && stat(found->pw_dir, &home) == 0 && st.st_dev == home.st_dev &&
	       st.st_ino == home.st_ino;
}

static void note_closed(void *ctx, const struct path_stop *stop)
{
	char **closed = ctx;

	if (stop->kind == PATH_ABSENT && stop->error == EACCES)
		*closed = mem_str(stop->folder);
}

char *access_advice(const char *path, int error)
{
	CLEANUP(mem_freep) char *closed = NULL;
	CLEANUP(mem_freep) char *user = NULL;
	CLEANUP(mem_freep) char *group = NULL;
	CLEANUP(mem_freep) char *word = NULL;

	if (error != -EACCES)
		return mem_str("");
	user = access_user();
	group = group_name();
	(void)path_walk(path, note_closed, &closed);
	word = shell_quote(closed ? closed : path);
	if (replacement_advice && closed)
		return mem_fmt("; the folder %s is closed to the user %s: %s", word, user, replacement_advice);
	if (replacement_advice)
		return mem_fmt("; the user %s may not read it: %s", user, replacement_advice);
	if (closed && is_home(closed))
		return mem_fmt(
			"; the folder %s is closed to the user %s and is somebody's home: put the file elsewhere", word,
			user);
	if (closed)
		return mem_fmt("; the folder %s is closed to the user %s: chgrp %s %s && chmod 750 %s", word, user,
			       group, word, word);
	return mem_fmt("; the user %s may not read it: chgrp %s %s && chmod 640 %s", user, group, word, word);
}

int access_refused(const char *path, int error, struct err *reterr)
{
	CLEANUP(mem_freep) char *advice = access_advice(path, error);

	if (error == -EMEDIUMTYPE)
		return err_set(reterr, -EINVAL, "%s is not a regular file", path);
	return err_set(reterr, error, "%s cannot be read: %s%s", path, strerror(-error), advice);
}

char *access_group_of(const char *path)
{
	CLEANUP(mem_freep) char *closed = NULL;
	struct group *found = NULL;
	char text[NAMES_MAX];
	struct group entry;
	struct stat st;

	(void)path_walk(path, note_closed, &closed);
	if (stat(closed ? closed : path, &st) < 0 || st.st_gid == 0 || (st.st_mode & (closed ? S_IXGRP : S_IRGRP)) == 0)
		return NULL;
	return getgrgid_r(st.st_gid, &entry, text, sizeof(text), &found) == 0 && found ? mem_str(found->gr_name) : NULL;
}
