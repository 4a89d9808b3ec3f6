/* SPDX-License-Identifier: MIT */
/*
 * Copies the store while it runs: one snapshot, in one step. A writer continues during the copy, and its commits stay
 * in the WAL until the copy ends. The new file gets its name when it is complete and on the disk.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "store/store_internal.h"

static int backup_failed(sqlite3 *to, const char *file, int rc, struct err *reterr)
{
	int cause = to ? sqlite3_system_errno(to) : 0;

	if ((rc & 0xff) == SQLITE_FULL || cause == ENOSPC || cause == EDQUOT || cause == EFBIG)
		return err_set(reterr, -ENOSPC, "the backup %s does not fit on its disk: make room there", file);
	return err_set(reterr, -EIO, "the backup %s cannot be written: %s", file,
		       cause > 0 ? strerror(cause) : sqlite3_errstr(rc));
}

static int backup_write(struct store *s, const char *file, struct err *reterr)
{
	sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(file, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int r;

	if (rc == SQLITE_OK) {
		sqlite3_backup *b = sqlite3_backup_init(to, "main", s->db, "main");

		rc = b ? sqlite3_backup_step(b, -1) : sqlite3_extended_errcode(to);
		(void)sqlite3_backup_finish(b); /* NULL allowed */
	}
	r = rc == SQLITE_DONE ? 0 : backup_failed(to, file, rc, reterr);
	rc = sqlite3_close(to);
	if (r == 0 && rc != SQLITE_OK)
		r = backup_failed(NULL, file, rc, reterr);
	return r;
}

int store_backup(struct store *s, const char *file, struct err *reterr)
{
	CLEANUP(mem_freep) char *part = mem_fmt("%s.part", file);
	int fd, r;

	if (access(file, F_OK) == 0)
		return err_set(reterr, -EEXIST, "%s is there already: give the name of a new file", file);
	(void)unlink(part);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(reterr, -errno, "the backup %s cannot be made: %s", file, strerror(errno));
	(void)close(fd);
	r = backup_write(s, part, reterr);
	/* link and not rename, because rename would replace a file that was created meanwhile. */
	if (r == 0 && link(part, file) < 0)
		r = err_set(reterr, -errno, "the backup %s cannot be given its name: %s", file, strerror(errno));
	(void)unlink(part);
	if (r < 0)
		return r;
	r = path_sync_folder(file);
	if (r < 0)
		return err_set(reterr, -EIO, "the directory of the backup %s cannot be synced: %s", file, strerror(-r));
	return 0;
}
