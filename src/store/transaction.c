/*
 * Transactions, and when the WAL is written back.
 *
 * The WAL goes back into the file at the start of a turn that finds more than STORE_WAL_PAGES in it: the clients of the
 * turn before have their answers by then, whereas SQLite's own automatic checkpoint runs inside the commit that they
 * wait for. A WAL file that grew far beyond (a long reader kept it) is cut.
 */
#include <config.h>

#include <errno.h>
#include <sys/stat.h>

#include "store/private.h"

/* ---- the WAL ----------------------------------------------------------------------------------------------------- */

/* A small store writes back more often, so that the WAL stays a small part of max_size. */
static int wal_limit(const struct store *s)
{
	int64_t pages = s->max_size > 0 ? s->max_size / STORE_PAGE_BYTES / 16 : STORE_WAL_PAGES;

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
	} else {
		s->checkpoint_at = s->wal_pages + wal_limit(s) / 4 + 1;
	}
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
	if (s->wal_pages >= wal_limit(s) && s->wal_pages >= s->checkpoint_at)
		wal_write_back(s);
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
