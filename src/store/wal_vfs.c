/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/wal_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/lock.h"
#include "base/mem.h"

/* Below 128 KiB: SQLite itself never writes more than a page of 64 KiB, and its unix VFS keeps only the lower 17 bits
 * of the length of a write. */
#define COLLECTED_MAX (120 * 1024)

struct wal_file {
	sqlite3_file base; /* SQLite's view */
	/* Bytes that are not written yet: len of them, for the place `begin`. */
	unsigned char *collected;
	int len;
	sqlite3_int64 begin;
	bool deferred;
	bool has_new_header; /* it is written and not synced */
	int fd;              /* for wal_vfs_sync(): SQLite gives no descriptor, and its own calls are for one thread */
	bool failed;         /* the last wal_vfs_sync(), which alone uses this */
	/* Written and not synced: from … to. `restarts` counts the times at which the range began at another place.
	 * Only the connection's thread changes `to` and `restarts`. */
	struct lock lock;
	sqlite3_int64 from, to;
	unsigned restarts;
	/* The file of the default VFS follows in memory. */
};

static sqlite3_vfs *vfs_default;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)((struct wal_file *)f + 1);
}

/* SQLite starts again at the beginning of the file after a checkpoint, which has synced all before. */
static void note_written(struct wal_file *wal, sqlite3_int64 begin, int n)
{
	lock_acquire(&wal->lock);
	if (begin < wal->from || begin > wal->to) {
		wal->from = wal->to = begin;
		wal->restarts++;
	}
	if (begin + n > wal->to)
		wal->to = begin + n;
	lock_release(&wal->lock);
}

static void note_synced(struct wal_file *wal, sqlite3_int64 to, unsigned restarts)
{
	lock_acquire(&wal->lock);
	if (wal->restarts == restarts)
		wal->from = to;
	lock_release(&wal->lock);
}

static int flush(sqlite3_file *f)
{
	struct wal_file *wal = (struct wal_file *)f;
	sqlite3_file *real = real_of(f);
	int n = wal->len;
	int rc = SQLITE_OK;

	wal->len = 0;
	if (n > 0)
		rc = real->pMethods->xWrite(real, wal->collected, n, wal->begin);
	if (n > 0 && rc == SQLITE_OK)
		note_written(wal, wal->begin, n);
	/* Frames that SQLite takes for written are lost. It may keep a transaction whose read fails with SQLITE_FULL,
	 * but not after an I/O error. errno still says that the disk is full. */
	return rc == SQLITE_FULL ? SQLITE_IOERR_WRITE : rc;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int wal_close(sqlite3_file *f)
{
	int flushed = flush(f);
	struct wal_file *wal = (struct wal_file *)f;
	int rc = real_of(f)->pMethods->xClose(real_of(f));

	(void)close(wal->fd); /* that drops no lock: SQLite locks other files */
	lock_done(&wal->lock);
	free(wal->collected);
	return rc == SQLITE_OK ? flushed : rc;
}

static int wal_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	const struct wal_file *wal = (struct wal_file *)f;
	int rc = SQLITE_OK;

	if (at < wal->begin + wal->len && at + n > wal->begin)
		rc = flush(f);
	return rc == SQLITE_OK ? real_of(f)->pMethods->xRead(real_of(f), to, n, at) : rc;
}

static int wal_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = SQLITE_OK;

	if (at != wal->begin + wal->len || n > COLLECTED_MAX - wal->len)
		rc = flush(f);
	if (rc != SQLITE_OK)
		return rc;
	wal->has_new_header = wal->has_new_header || at == 0;
	if (n > COLLECTED_MAX) {
		rc = real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
		if (rc == SQLITE_OK)
			note_written(wal, at, n);
		return rc;
	}
	if (wal->len == 0)
		wal->begin = at;
	memcpy(wal->collected + wal->len, from, (size_t)n);
	wal->len += n;
	return SQLITE_OK;
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size) : rc;
}

static int wal_sync(sqlite3_file *f, int flags)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = flush(f);

	if (rc != SQLITE_OK || (wal->deferred && !wal->has_new_header))
		return rc;
	rc = real_of(f)->pMethods->xSync(real_of(f), flags);
	if (rc == SQLITE_OK) {
		wal->has_new_header = false;
		note_synced(wal, wal->to, wal->restarts); /* this thread writes both */
	}
	return rc;
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), ret) : rc;
}

/* SQLite locks the database's file and the WAL's index, never the WAL. */
static int wal_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int wal_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int wal_check_lock(sqlite3_file *f, int *ret)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int wal_control(sqlite3_file *f, int what, void *arg)
{
	int rc = flush(f);

	return rc == SQLITE_OK ? real_of(f)->pMethods->xFileControl(real_of(f), what, arg) : rc;
}

static int wal_sector_size(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int wal_characteristics(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static const sqlite3_io_methods wal_methods = {
	.iVersion = 1,
	.xClose = wal_close,
	.xRead = wal_read,
	.xWrite = wal_write,
	.xTruncate = wal_truncate,
	.xSync = wal_sync,
	.xFileSize = wal_size,
	.xLock = wal_lock,
	.xUnlock = wal_unlock,
	.xCheckReservedLock = wal_check_lock,
	.xFileControl = wal_control,
	.xSectorSize = wal_sector_size,
	.xDeviceCharacteristics = wal_characteristics,
};

void wal_vfs_drop(sqlite3_file *f)
{
	if (f->pMethods == &wal_methods)
		((struct wal_file *)f)->len = 0;
}

/* ---- the sync by another thread ---------------------------------------------------------------------------------- */

void wal_vfs_defer(sqlite3_file *f, bool defer)
{
	if (f->pMethods == &wal_methods)
		((struct wal_file *)f)->deferred = defer;
}

/* The bytes come from the page cache, which keeps them although the disk did not take them. */
static int write_again(int fd, sqlite3_int64 from, sqlite3_int64 to)
{
	CLEANUP(mem_freep) char *part = mem_new(1, COLLECTED_MAX);

	for (ssize_t n; from < to; from += n) {
		size_t left = to - from < COLLECTED_MAX ? (size_t)(to - from) : COLLECTED_MAX;

		n = pread(fd, part, left, from);
		if (n > 0)
			n = pwrite(fd, part, (size_t)n, from);
		if (n <= 0)
			return n == 0 ? -EIO : -errno;
	}
	return 0;
}

int wal_vfs_sync(sqlite3_file *f)
{
	struct wal_file *wal = (struct wal_file *)f;
	sqlite3_int64 from, to;
	unsigned restarts;
	int r = 0;

	INSIST(f->pMethods == &wal_methods);
	lock_acquire(&wal->lock);
	from = wal->from;
	to = wal->to;
	restarts = wal->restarts;
	lock_release(&wal->lock);
	if (wal->failed)
		r = write_again(wal->fd, from, to);
	if (r == 0 && fdatasync(wal->fd) < 0)
		r = -errno;
	wal->failed = r < 0;
	if (r == 0)
		note_synced(wal, to, restarts);
	return r;
}

/* ---- the VFS ----------------------------------------------------------------------------------------------------- */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc;

	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return vfs_default->xOpen(vfs_default, name, f, flags, ret_flags);
	*wal = (struct wal_file){0};
	rc = vfs_default->xOpen(vfs_default, name, real_of(f), flags, ret_flags);
	if (rc != SQLITE_OK) {
		if (real_of(f)->pMethods)
			(void)real_of(f)->pMethods->xClose(real_of(f));
		return rc;
	}
	wal->fd = open(name, O_RDWR | O_CLOEXEC);
	if (wal->fd < 0) {
		(void)real_of(f)->pMethods->xClose(real_of(f));
		return SQLITE_CANTOPEN;
	}
	wal->base.pMethods = &wal_methods;
	wal->collected = mem_new(1, COLLECTED_MAX);
	lock_init(&wal->lock);
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	return vfs_default->xDelete(vfs_default, name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs;
	return vfs_default->xAccess(vfs_default, name, flags, ret);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int n, char *to)
{
	(void)vfs;
	return vfs_default->xFullPathname(vfs_default, name, n, to);
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *to)
{
	(void)vfs;
	return vfs_default->xRandomness(vfs_default, n, to);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return vfs_default->xSleep(vfs_default, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	return vfs_default->xCurrentTime(vfs_default, ret);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *to)
{
	(void)vfs;
	return vfs_default->xGetLastError(vfs_default, n, to);
}

int wal_vfs_register(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.zName = WAL_VFS_NAME,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};

	vfs_default = sqlite3_vfs_find(NULL);
	if (!vfs_default)
		return SQLITE_ERROR;
	vfs.szOsFile = (int)sizeof(struct wal_file) + vfs_default->szOsFile;
	vfs.mxPathname = vfs_default->mxPathname;
	return sqlite3_vfs_register(&vfs, 0);
}
