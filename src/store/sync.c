/* SPDX-License-Identifier: MIT */
/*
 * The sync of a commit in the background: the WAL is synced on a thread of its own while the owner of the store works
 * on its next transaction. At most one commit waits for its sync. The next COMMIT that writes waits for it
 * (transaction.c).
 *
 * A sync that fails cannot take the commit back: its rows are visible, and the transaction that runs may have read
 * them. So that one cannot be committed, `synced` is not called, and no further transaction begins until the same bytes
 * are synced (sync_again). Linux reports an error once for each descriptor, so SQLite's next sync may fail, too.
 */
#include <config.h>

#include "base/background.h"
#include "store/connection.h"
#include "store/transaction.h"
#include "store/wal_vfs.h"

sqlite3_file *wal_of(struct store *s)
{
	sqlite3_file *wal = NULL;

	return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) == SQLITE_OK ? wal : NULL;
}

/* On the background thread. */
static void sync_job(void *arg)
{
	struct store *s = arg;
	struct syncing *syncing = &s->syncing;

	syncing->result = wal_vfs_sync(syncing->wal);
	if (syncing->result == 0)
		syncing->synced(syncing->arg);
}

void sync_open(struct store *s)
{
	s->syncing.thread = background_new("sync");
}

void sync_start(struct store *s, void (*synced)(void *arg), void *arg)
{
	s->syncing.wal = wal_of(s);
	s->syncing.synced = synced;
	s->syncing.arg = arg;
	background_start(s->syncing.thread, sync_job, s);
}

int store_sync_wait(struct store *s, struct err *reterr)
{
	if (!s->syncing.thread)
		return 0;
	background_wait(s->syncing.thread);
	return s->syncing.result < 0 ? store_failed_io(s, SQLITE_IOERR_FSYNC, -s->syncing.result, reterr) : 0;
}

int sync_again(struct store *s, struct err *reterr)
{
	if (!s->syncing.thread || background_is_busy(s->syncing.thread) || s->syncing.result == 0)
		return 0;
	s->syncing.result = wal_vfs_sync(s->syncing.wal);
	return s->syncing.result < 0 ? store_failed_io(s, SQLITE_IOERR_FSYNC, -s->syncing.result, reterr) : 0;
}

void sync_done(struct store *s)
{
	background_free(s->syncing.thread);
}
