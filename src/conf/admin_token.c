/* SPDX-License-Identifier: MIT */
/*
 * admin_token: the file is written under another name, and then linked to its own: link(2) fails where a file exists,
 * and a reader finds the whole content.
 */
#include <config.h>

#include "conf/admin_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/hex.h"
#include "base/file.h"
#include "base/path.h"
#include "conf/access.h"
#include "conf/secret.h"

#define TOKEN_BYTES 32 /* of random data; the file holds them in hexadecimal */
#define TOKEN_MODE 0640
#define OTHERS (S_IRWXO)

char *admin_token_path(const char *store_path)
{
	CLEANUP(mem_freep) char *folder = path_folder(store_path);

	return path_join(folder, "admin-token");
}

/* ---- making the file --------------------------------------------------------------------------------------------- */

static int write_whole(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Writes a new token into the open file, with owner, group and mode, and syncs it to the disk. */
static int write_token(int fd)
{
	mode_t mode = TOKEN_MODE;
	unsigned char random[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 2];
	struct stat st;
	int r;

	digest_random(random, sizeof(random));
	hex_write(random, sizeof(random), text);
	text[2 * TOKEN_BYTES] = '\n';
	r = write_whole(fd, text, 2 * TOKEN_BYTES + 1);
	explicit_bzero(random, sizeof(random));
	explicit_bzero(text, sizeof(text));
	if (r < 0)
		return r;
	/* In a folder with the set-group-ID bit the file gets the folder's group, and the unit's filter of system
	 * calls may forbid changing it. Then no group reads the file. */
	if ((fstat(fd, &st) < 0 || st.st_gid != getegid()) && fchown(fd, (uid_t)-1, getegid()) < 0)
		mode &= ~(mode_t)S_IRWXG;
	/* open(2) applied the umask. */
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* Gives the file its name. -EEXIST where the name is taken. */
static int publish(const char *from, const char *to)
{
	if (link(from, to) == 0)
		return 0;
	/* The file system has no hard links. */
	if ((errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK) &&
	    renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	return -errno;
}

/* Makes the file. -EEXIST where another process made it meanwhile. */
static int create(const char *path)
{
	CLEANUP(mem_freep) char *folder = path_folder(path);
	CLEANUP(mem_freep)
	char *draft = mem_fmt("%s/.admin-token.%016llx", folder, (unsigned long long)digest_random_below(UINT64_MAX));
	int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_token(fd);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = publish(draft, path);
	(void)unlink(draft);
	return r == 0 ? path_sync_folder(path) : r;
}

/* ---- checking an existing file ----------------------------------------------------------------------------------- */

/* The target of a link may belong to another user, or need to be readable: its mode is not changed. */
static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* True for a file whose owner is neither root, this process's user nor the folder's owner. Root and the folder's
 * owner can replace the file anyway. */
static bool is_foreign(const char *path, const struct stat *st)
{
	CLEANUP(mem_freep) char *folder = path_folder(path);
	struct stat around;

	return st->st_uid != 0 && st->st_uid != geteuid() && (stat(folder, &around) < 0 || around.st_uid != st->st_uid);
}

/* Removes the rights of others. A token that they have read stays known to them, which the caller reports. */
static int close_to_others(const char *path, int fd, const struct stat *st, bool *ret_was_open, struct err *reterr)
{
	CLEANUP(mem_freep) char *word = shell_quote(path);
	int error = is_link(path) ? -ELOOP : fchmod(fd, st->st_mode & TOKEN_MODE) < 0 ? -errno : 0;

	*ret_was_open = true;
	if (error == 0)
		return 0;
	return err_set(reterr, error, "every account of this machine can read %s (%s): chmod 640 %s", path,
		       error == -ELOOP ? "it is a link, behind which no mode is changed" : strerror(-error), word);
}

/* Checks the file's content, then its owner and mode. */
static int check_existing(const char *path, struct admin_token_found *ret, struct err *reterr)
{
	char *value = NULL;
	int r = secret_file_read(path, &value, reterr);
	int fd;
	struct stat st;

	if (r == -EINVAL) {
		CLEANUP(mem_freep) char *reason = mem_str(reterr ? reterr->text : "");
		return err_set(reterr, r, "%s: delete it, and the daemon makes a new one", reason);
	}
	if (r < 0)
		return r;
	mem_wipe_str(value);
	fd = file_open(path, FILE_REGULAR);
	if (fd < 0)
		return access_refused(path, fd, reterr);
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (is_foreign(path, &st))
		r = err_set(reterr, -EPERM,
			    "%s belongs to another account (user %u), which may ask the daemon with it: delete it, "
			    "and the daemon makes a new one",
			    path, (unsigned)st.st_uid);
	else if ((st.st_mode & OTHERS) != 0)
		r = close_to_others(path, fd, &st, &ret->was_open, reterr);
	(void)close(fd);
	return r;
}

int admin_token_ensure(const char *path, struct admin_token_found *ret, struct err *reterr)
{
	struct err error = {0};
	int r;

	*ret = (struct admin_token_found){0};
	/* The second round checks a file that another process made meanwhile. */
	for (int look = 0; look < 2; look++) {
		r = check_existing(path, ret, &error);
		if (r != -ENOENT)
			return r < 0 ? err_set(reterr, r, "%s", error.text) : r;
		r = create(path);
		if (r == 0) {
			ret->generated = true;
			return 0;
		}
		if (r != -EEXIST)
			break;
	}
	if (r == -EEXIST && is_link(path))
		return err_set(reterr, r,
			       "the admin token %s is a link to nothing: delete it, and the daemon makes one", path);
	return err_set(reterr, r, "the admin token %s cannot be made: %s", path, strerror(-r));
}
