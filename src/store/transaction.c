/*
 * Transactions, and when the WAL is written back.
 *
 * The WAL goes back into the file at the start of a turn that finds STORE_WAL_PAGES in it: the clients of the turn
 * before have their answers by then, whereas SQLite's own automatic checkpoint runs inside the commit that they wait
 * for. A WAL file that grew far beyond (a long reader kept it) is cut.
 *
 * To be written back the WAL needs room: the database grows by what is new in it. So it is written back at a third of
 * what the disk has left, where that is less, and cut then, so that the disk gets its room back.
 */
#include <config.h>

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/private.h"

/* A full disk, or a reader, may be out of the way by then. */
#define CHECKPOINT_RETRY_US 1000000

/* ---- the WAL ----------------------------------------------------------------------------------------------------- */

/* A small store writes back more often, so that the WAL stays a small part of max_size. */
int wal_limit(const struct store *s)
{
	int64_t pages = s->max_size > 0 ? s->max_size / STORE_PAGE_BYTES / 16 : STORE_WAL_PAGES;

	if (s->disk_total > 0 && s->disk_left / 3 / STORE_PAGE_BYTES < pages)
		pages = s->disk_left / 3 / STORE_PAGE_BYTES;
	return pages < STORE_WAL_PAGES ? (int)pages + 1 : STORE_WAL_PAGES;
}

static void wal_write_back(struct store *s)
{
	int64_t usual = 2 * (int64_t)wal_limit(s) * STORE_PAGE_BYTES;
	int in_wal = 0, written = 0, mode, rc;
	struct stat wal;

	/* Else the file keeps its size: writing over it is faster than letting it grow anew. */
	mode = stat(s->wal_path, &wal) == 0 && wal.st_size > usual ? SQLITE_CHECKPOINT_TRUNCATE
								   : SQLITE_CHECKPOINT_PASSIVE;

	/* A reader in its way is not waited for: the rest goes the next time. */
	(void)sqlite3_busy_timeout(s->db, 0);
	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &in_wal, &written);
	(void)sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	if (rc == SQLITE_OK && in_wal == written) {
		s->wal_pages = s->checkpoint_at = 0;
		s->checkpoint_us = 0;
	} else {
		s->checkpoint_at = s->wal_pages + wal_limit(s) / 4 + 1;
		s->checkpoint_us = clock_mono_us() + CHECKPOINT_RETRY_US;
	}
}

/* A WAL file that was deleted holds what a crash would lose: then at once. */
static bool wal_is_due(const struct store *s)
{
	bool low = s->disk_total > 0 && s->disk_left < store_wal_holds(s) + 2 * STORE_TURN_BYTES;

	if (s->wal_pages >= wal_limit(s) || (low && s->wal_pages > 0))
		return s->wal_pages >= s->checkpoint_at || clock_mono_us() >= s->checkpoint_us;
	return s->wal_pages > 0 && s->files && store_file_is_lost(s->files, STORE_FILE_WAL);
}

/* How much a WAL holds that an earlier process left is not told by SQLite until it is written back. */
void wal_learn(struct store *s)
{
	struct stat wal;

	if (stat(s->wal_path, &wal) == 0)
		s->wal_pages = (int)(wal.st_size / STORE_FRAME_BYTES);
	if (s->wal_pages > 0)
		wal_write_back(s);
}

void store_checkpoint(struct store *s)
{
	if (!s->in_transaction && s->mode == STORE_WRITE && s->wal_pages > 0)
		wal_write_back(s);
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

/* SQLite ended it by itself: nothing that is done after that may count as part of it. */
int transaction_lost(struct store *s, struct err *reterr)
{
	return err_set(reterr, s->lost ? s->lost : -EIO, "the store %s: the transaction was lost when the disk failed",
		       s->path);
}

/* Once a webhook: prepared like other statements. They write nothing themselves. */
static int savepoint_run(struct store *s, const char *sql, struct err *reterr)
{
	QUERY(q, s, sql, reterr);
	return query_step(&q);
}

static void transaction_ended(struct store *s)
{
	s->in_transaction = s->in_savepoint = false;
	s->lost = 0;
	counts_forget(s);
	losses_forget(s);
}

int store_begin(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->mode == STORE_WRITE && !s->in_transaction);
	store_see_disk(s);
	if (wal_is_due(s)) {
		wal_write_back(s);
		store_see_disk(s);
	}
	r = store_exec(s, "BEGIN IMMEDIATE", reterr);
	if (r == 0)
		s->in_transaction = true;
	return r;
}

int store_commit(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->in_transaction && !s->in_savepoint);
	r = s->lost ? transaction_lost(s, reterr) : counts_write(s, reterr);
	if (r == 0)
		r = store_exec(s, "COMMIT", reterr);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	losses_committed(s);
	transaction_ended(s);
	releases_committed(s);
	return 0;
}

void store_rollback(struct store *s)
{
	if (!s->in_transaction)
		return;
	/* On a full or failing disk SQLite has rolled back by itself already. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	transaction_ended(s);
	releases_undone(s);
}

int store_savepoint(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->in_transaction && !s->in_savepoint);
	if (s->lost)
		return transaction_lost(s, reterr);
	r = savepoint_run(s, "SAVEPOINT webhook", reterr);
	if (r == 0) {
		s->in_savepoint = true;
		counts_savepoint(s);
		losses_savepoint(s);
	}
	return r;
}

int store_savepoint_keep(struct store *s, struct err *reterr)
{
	INSIST(s->in_savepoint);
	s->in_savepoint = false;
	return s->lost ? transaction_lost(s, reterr) : savepoint_run(s, "RELEASE webhook", reterr);
}

void store_savepoint_undo(struct store *s)
{
	if (!s->in_savepoint)
		return;
	s->in_savepoint = false;
	counts_undo(s);
	losses_undo(s);
	releases_undone(s);
	if (!sqlite3_get_autocommit(s->db) &&
	    sqlite3_exec(s->db, "ROLLBACK TO webhook; RELEASE webhook", NULL, NULL, NULL) != SQLITE_OK)
		/* What cannot be undone alone must not be committed with the rest. */
		s->lost = -EIO;
}
