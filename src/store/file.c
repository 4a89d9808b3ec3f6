/* SPDX-License-Identifier: MIT */
/*
 * The store's file: made, locked, and whether it is still the one that stands at its name.
 *
 * One writer: an flock(2) on "<file>.lock" beside the store, held while the store is open and gone with the process,
 * however it ends. The file holds the process id for whoever is refused; it stays when the lock goes, since removing it
 * would race with the next one that takes it. A hard link to the store has a lock file of its own (and would have a WAL
 * of its own): so the store's inode is locked too, by an open-file-description lock on one byte that SQLite does not
 * use. Readers take no lock and are never refused.
 *
 * A daemon that goes on with a deleted file takes webhooks into nothing, one whose file was replaced works beside the
 * new one.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "store/connection.h"

/* ---- made and locked --------------------------------------------------------------------------------------------- */

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

/* Makes an empty file that only its owner may read; SQLite gives the files beside it the same mode. */
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
	/* Only for people: a full disk must not keep the daemon from starting. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, sign, strlen(sign), 0);
	s->lock_fd = fd;
	return 0;
}

/* Far behind the bytes that SQLite locks, which end 512 behind 1 GiB. */
#define INODE_LOCK_BYTE ((off_t)0x40000000 + 65536)

/* By another name: a hard link, or the file mounted elsewhere. */
static int lock_inode(struct store *s, struct err *reterr)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INODE_LOCK_BYTE, .l_len = 1};
	int fd = open(s->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return 0; /* SQLite says why in a moment */
	/* File systems without such locks have no WAL either: SQLite says so. */
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

/* ---- whether it is still there ----------------------------------------------------------------------------------- */

static const char *const suffixes[STORE_FILES] = {"", "-wal", "-shm"};

struct store_files *store_files_new(const struct store *s)
{
	struct store_files *f = mem_new(1, sizeof(*f));

	for (int i = 0; i < STORE_FILES; i++) {
		struct stat st;

		f->paths[i] = mem_fmt("%s%s", s->path, suffixes[i]);
		if (stat(f->paths[i], &st) < 0)
			continue;
		f->known[i] = true;
		f->devices[i] = st.st_dev;
		f->inodes[i] = st.st_ino;
	}
	return f;
}

void store_files_free(struct store_files *f)
{
	for (int i = 0; f && i < STORE_FILES; i++)
		free(f->paths[i]);
	free(f);
}

/* A file that cannot be looked at for another reason counts as there. */
bool store_file_is_lost(const struct store_files *f, enum store_file i)
{
	struct stat st;

	if (!f->known[i])
		return false;
	if (stat(f->paths[i], &st) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return st.st_dev != f->devices[i] || st.st_ino != f->inodes[i];
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
