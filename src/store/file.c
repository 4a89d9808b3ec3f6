/* SPDX-License-Identifier: MIT */
/*
 * The store's file: creates it, locks it, and checks later that it was not deleted or replaced.
 *
 * There is one writer. It holds an flock(2) on "<file>.lock" in the store's directory while the store is open; the lock
 * ends with the process. The lock file contains the process id, for the error of a second writer. It stays when the
 * lock ends, because removing it would race with the next process that locks it.
 *
 * A hard link to the store has a lock file of its own, and would have a WAL of its own. So the store's inode is locked
 * too, by an open-file-description lock on a byte that SQLite does not use. Readers take no lock and are never refused.
 *
 * A daemon that continued with a deleted or replaced file would write webhooks to a file that is lost.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "store/connection.h"

/* ---- created and locked ------------------------------------------------------------------------------------------ */

static int check_directory(const char *path, struct err *reterr)
{
	CLEANUP(mem_freep) char *dir = path_folder(path);
	struct stat st;

	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (errno == EACCES)
		return err_set(reterr, -EACCES, "the store's directory %s cannot be entered by this user", dir);
	return err_set(
		reterr, -ENOENT,
		"there is no directory %s for the store: make it, owned by the user of the daemon (the systemd unit "
		"does that by StateDirectory=deskbridge)",
		dir);
}

/* Creates an empty file that only its owner can read. SQLite creates -wal and -shm with the same mode. */
static int make_file(const char *path, struct err *reterr)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	if (fd >= 0) {
		(void)close(fd);
		return 0;
	}
	if (errno == EEXIST) {
		if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
			return err_set(reterr, -ENOTSUP, "the store %s is not a file: give another one as store.url",
				       path);
		return 0;
	}
	if (errno == ENOSPC || errno == EDQUOT)
		return err_set(reterr, -ENOSPC, "the store %s cannot be made, its disk is full: make room there", path);
	return err_set(reterr, errno == EROFS ? -EROFS : -EACCES,
		       "the store %s cannot be made (%s): its directory must be writable for the user of the daemon",
		       path, strerror(errno));
}

static long lock_holder(int fd)
{
	char text[32] = "";
	uint64_t pid;

	if (pread(fd, text, sizeof(text) - 1, 0) < 0 ||
	    text_digits(text, strspn(text, "0123456789"), INT_MAX, &pid) < 0)
		return 0;
	return (long)pid;
}

static int lock_file(struct store *s, struct err *reterr)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s.lock", s->path);
	CLEANUP(mem_freep) char *sign = mem_fmt("%ld\n", (long)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(
			reterr,
			errno == EROFS    ? -EROFS
			: errno == ENOSPC ? -ENOSPC
					  : -EACCES,
			"the store's lock %s cannot be opened (%s): its directory must be writable for the user of "
			"the daemon",
			path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int cause = errno;
		long pid = cause == EWOULDBLOCK ? lock_holder(fd) : 0;

		(void)close(fd);
		if (cause != EWOULDBLOCK)
			return err_set(reterr, -EACCES, "the store's lock %s cannot be taken: %s", path,
				       strerror(cause));
		if (pid > 0)
			return err_set(
				reterr, -EBUSY,
				"the store %s is in use by process %ld: stop that deskbridge, or give this one another "
				"store.url",
				s->path, pid);
		return err_set(reterr, -EBUSY,
			       "the store %s is in use by another deskbridge: stop that one, or give this one another "
			       "store.url",
			       s->path);
	}
	/* The process id is information only, so a failure (a full disk) is ignored. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, sign, strlen(sign), 0);
	s->lock_fd = fd;
	return 0;
}

/* Far beyond the bytes that SQLite locks, which end 512 bytes after 1 GiB. */
#define INODE_LOCK_BYTE ((off_t)0x40000000 + 65536)

/* Excludes a writer that opened the file by another name: a hard link, or another mount. */
static int lock_inode(struct store *s, struct err *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INODE_LOCK_BYTE, .l_len = 1};
	int fd = open(s->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return 0; /* connection_open() will report the reason */
	/* A file system without such locks supports no WAL either, and SQLite reports that. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES)) {
		(void)close(fd);
		return err_set(reterr, -EBUSY,
			       "the store %s is in use by another deskbridge, by another name of the same file: stop "
			       "that one, or give this one another store.url",
			       s->path);
	}
	s->inode_fd = fd;
	return 0;
}

int store_file_open(struct store *s, struct err *reterr)
{
	int r = check_directory(s->path, reterr);

	if (r == 0)
		r = make_file(s->path, reterr);
	if (r == 0)
		r = lock_file(s, reterr);
	if (r == 0)
		r = lock_inode(s, reterr);
	return r;
}

/* ---- deleted or replaced ----------------------------------------------------------------------------------------- */

static const char *const suffixes[STORE_FILES] = {"", "-wal", "-shm"};

struct file_identity {
	dev_t device;
	ino_t inode;
};

/*
 * Does not ask for the file's times. Linux 6.13 and later give the next write a new time where somebody has read the
 * last one, and otherwise at the next tick of the clock. With a new time a sync also has to write the inode, so that a
 * turn that asked for the WAL's times would sync more slowly.
 */
static int identify(const char *path, struct file_identity *ret)
{
	struct statx st;

	if (statx(AT_FDCWD, path, 0, STATX_INO, &st) < 0)
		return -errno;
	ret->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	ret->inode = (ino_t)st.stx_ino;
	return 0;
}

struct store_files *store_files_new(const struct store *s)
{
	struct store_files *f = mem_new(1, sizeof(*f));

	for (int i = 0; i < STORE_FILES; i++) {
		struct file_identity id;

		f->paths[i] = mem_fmt("%s%s", s->path, suffixes[i]);
		if (identify(f->paths[i], &id) < 0)
			continue;
		f->known[i] = true;
		f->devices[i] = id.device;
		f->inodes[i] = id.inode;
	}
	return f;
}

void store_files_free(struct store_files *f)
{
	for (int i = 0; f && i < STORE_FILES; i++)
		free(f->paths[i]);
	free(f);
}

/* A file counts as present if statx(2) fails for another reason. */
bool store_file_is_lost(const struct store_files *f, enum store_file i)
{
	struct file_identity id;
	int r;

	if (!f->known[i])
		return false;
	r = identify(f->paths[i], &id);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR;
	return id.device != f->devices[i] || id.inode != f->inodes[i];
}

bool store_file_is_replaced(const struct store_files *f, enum store_file i)
{
	return store_file_is_lost(f, i) && access(f->paths[i], F_OK) == 0;
}

int store_files_check(const struct store_files *f, struct err *reterr)
{
	for (int i = 0; i < STORE_FILES; i++)
		if (store_file_is_lost(f, (enum store_file)i))
			return err_set(reterr, -ESTALE,
				       "the store file %s was deleted or replaced while deskbridge had it "
				       "open: " STORE_LOST_ADVICE,
				       f->paths[i]);
	return 0;
}
