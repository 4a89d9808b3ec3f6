/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/wal_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"

/* The most that one call writes. SQLite's unix VFS keeps only the lower 17 bits of the length of a write. */
#define WRITE_MAX (120 * 1024)
/* The most that is kept for a second try of wal_vfs_sync(). A commit with more is synced by SQLite. */
#define KEPT_MAX (4 * 1024 * 1024)

/*
 * The bytes of the file from `begin` on, since the last sync:
 *
 *   0 … flushed    written, and kept until they are synced
 *   flushed … len  not written yet
 */
struct wal_file {
	sqlite3_file base; /* SQLite's view */
	unsigned char *bytes;
	size_t len, flushed, alloc;
	sqlite3_int64 begin;
	bool is_incomplete;  /* bytes that are not synced are no longer kept */
	bool has_new_header; /* it is written and not synced */
	bool is_deferred;
	int fd; /* for wal_vfs_sync(): SQLite gives no descriptor, and its own calls are for one thread */
	/* The end of what wal_vfs_sync() has to sync. It sets `synced`; the connection's thread then drops these bytes.
	 */
	sqlite3_int64 target;
	atomic_bool synced;
	bool failed; /* the last wal_vfs_sync(), which alone uses this */
		     /* The file of the default VFS follows in memory. */
};

static sqlite3_vfs *vfs_default;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)((struct wal_file *)f + 1);
}

/* ---- the bytes --------------------------------------------------------------------------------------------------- */

/* Forgets the first n bytes. */
static void drop_first(struct wal_file *wal, size_t n)
{
	if (n == 0)
		return;
	memmove(wal->bytes, wal->bytes + n, wal->len - n);
	wal->begin += (sqlite3_int64)n;
	wal->len -= n;
	wal->flushed -= n;
}

static void drop_synced(struct wal_file *wal)
{
	if (!atomic_exchange(&wal->synced, false))
		return;
	if (wal->target > wal->begin && wal->target <= wal->begin + (sqlite3_int64)wal->flushed)
		drop_first(wal, (size_t)(wal->target - wal->begin));
}

static int flush(sqlite3_file *f)
{
	struct wal_file *wal = (struct wal_file *)f;
	sqlite3_file *real = real_of(f);
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && wal->flushed < wal->len) {
		size_t n = wal->len - wal->flushed < WRITE_MAX ? wal->len - wal->flushed : WRITE_MAX;

		rc = real->pMethods->xWrite(real, wal->bytes + wal->flushed, (int)n,
					    wal->begin + (sqlite3_int64)wal->flushed);
		if (rc == SQLITE_OK)
			wal->flushed += n;
	}
	wal->len = wal->flushed;
	/* Frames that SQLite takes for written are lost. It may keep a transaction whose read fails with SQLITE_FULL,
	 * but not after an I/O error. errno still says that the disk is full. */
	return rc == SQLITE_FULL ? SQLITE_IOERR_WRITE : rc;
}

/* Writes what is collected, and continues at another place. */
static int restart(sqlite3_file *f, sqlite3_int64 at)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = flush(f);

	/* At its start SQLite writes only after a checkpoint, which has synced all that was in the file. */
	wal->is_incomplete = at > 0 && (wal->is_incomplete || wal->len > 0);
	wal->begin = wal->target = at;
	wal->len = wal->flushed = 0;
	return rc;
}

static void append(struct wal_file *wal, const void *from, size_t n)
{
	while (wal->len + n > wal->alloc) {
		wal->alloc = wal->alloc > 0 ? 2 * wal->alloc : WRITE_MAX;
		wal->bytes = mem_grow(wal->bytes, wal->alloc, 1);
	}
	memcpy(wal->bytes + wal->len, from, n);
	wal->len += n;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int wal_close(sqlite3_file *f)
{
	struct wal_file *wal = (struct wal_file *)f;
	int flushed = flush(f);
	int rc = real_of(f)->pMethods->xClose(real_of(f));

	(void)close(wal->fd); /* that drops no lock: SQLite locks other files */
	free(wal->bytes);
	return rc == SQLITE_OK ? flushed : rc;
}

static int wal_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	const struct wal_file *wal = (struct wal_file *)f;
	int rc = SQLITE_OK;

	if (at < wal->begin + (sqlite3_int64)wal->len && at + n > wal->begin + (sqlite3_int64)wal->flushed)
		rc = flush(f);
	return rc == SQLITE_OK ? real_of(f)->pMethods->xRead(real_of(f), to, n, at) : rc;
}

/* Overwrites bytes that are kept: SQLite changes frames of a transaction that were too many for its cache, and uses the
 * place of those that were rolled back. */
static int write_kept(sqlite3_file *f, const void *from, size_t n, size_t offset)
{
	struct wal_file *wal = (struct wal_file *)f;

	memcpy(wal->bytes + offset, from, n);
	if (offset >= wal->flushed)
		return SQLITE_OK;
	return real_of(f)->pMethods->xWrite(real_of(f), from, (int)n, wal->begin + (sqlite3_int64)offset);
}

static int wal_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = SQLITE_OK;

	drop_synced(wal);
	wal->has_new_header = wal->has_new_header || at == 0;
	if (at >= wal->begin && at + n <= wal->begin + (sqlite3_int64)wal->len)
		return write_kept(f, from, (size_t)n, (size_t)(at - wal->begin));
	if (at != wal->begin + (sqlite3_int64)wal->len || wal->len + (size_t)n > KEPT_MAX)
		rc = restart(f, at);
	if (rc == SQLITE_OK)
		append(wal, from, (size_t)n);
	return rc;
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = flush(f);

	if (rc == SQLITE_OK)
		rc = real_of(f)->pMethods->xTruncate(real_of(f), size);
	if (rc == SQLITE_OK && wal->begin + (sqlite3_int64)wal->len > size)
		wal->len = wal->flushed = size > wal->begin ? (size_t)(size - wal->begin) : 0;
	return rc;
}

static int wal_sync(sqlite3_file *f, int flags)
{
	struct wal_file *wal = (struct wal_file *)f;
	int rc = flush(f);

	wal->target = wal->begin + (sqlite3_int64)wal->flushed;
	if (rc != SQLITE_OK || (wal->is_deferred && !wal->has_new_header && !wal->is_incomplete))
		return rc;
	rc = real_of(f)->pMethods->xSync(real_of(f), flags);
	if (rc == SQLITE_OK) {
		drop_first(wal, wal->flushed);
		wal->has_new_header = wal->is_incomplete = false;
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
	struct wal_file *wal = (struct wal_file *)f;

	if (f->pMethods == &wal_methods)
		wal->len = wal->flushed;
}

/* ---- the sync by another thread ---------------------------------------------------------------------------------- */

bool wal_vfs_defer(sqlite3_file *f, bool defer)
{
	if (f->pMethods != &wal_methods)
		return false;
	((struct wal_file *)f)->is_deferred = defer;
	return true;
}

static int write_again(const struct wal_file *wal)
{
	size_t end = wal->target > wal->begin ? (size_t)(wal->target - wal->begin) : 0;

	if (end > wal->flushed)
		end = wal->flushed;
	for (size_t at = 0; at < end;) {
		ssize_t n = pwrite(wal->fd, wal->bytes + at, end - at, wal->begin + (sqlite3_int64)at);

		if (n <= 0)
			return n == 0 ? -EIO : -errno;
		at += (size_t)n;
	}
	return 0;
}

int wal_vfs_sync(sqlite3_file *f)
{
	struct wal_file *wal = (struct wal_file *)f;
	int r = 0;

	INSIST(f->pMethods == &wal_methods);
	if (wal->failed)
		r = write_again(wal);
	if (r == 0 && fdatasync(wal->fd) < 0)
		r = -errno;
	wal->failed = r < 0;
	if (r == 0)
		atomic_store(&wal->synced, true);
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
