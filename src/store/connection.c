/* SPDX-License-Identifier: MIT */
/*
 * The connection to SQLite: opens it, runs SQL without parameters, limits reads, tells how far an opening is, and turns
 * SQLite's errors into an errno and a text that says what to do.
 */
#include <config.h>

#include "store/connection.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/wal_vfs.h"

/* SQLite checks the time limit of a read once in this number of its instructions, which take well under 1 ms. */
#define READ_LIMIT_STEPS 2000
/* While the opening works, the caller is told once in this number of instructions, which take some 10 ms. */
#define PROGRESS_STEPS 100000

/* ---- SQLite's errors --------------------------------------------------------------------------------------------- */

static int failed_full(struct store *s, struct err *reterr)
{
	return err_set(reterr, -ENOSPC, "the store %s cannot grow, its disk (or quota) is full: make room there",
		       s->path);
}

int store_failed_io(struct store *s, int extended, int cause, struct err *reterr)
{
	if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG)
		return failed_full(s, reterr);
	if (cause == EROFS)
		return err_set(reterr, -EROFS, "the store %s is on a file system that is read-only: mount it writable",
			       s->path);
	return err_set(reterr, -EIO, "the store %s: the disk fails (%s, SQLite code %d): see the kernel's log", s->path,
		       cause > 0 ? strerror(cause) : "no cause given", extended);
}

static int failed_cannot_open(struct store *s, int cause, struct err *reterr)
{
	if (cause == ENOSPC || cause == EDQUOT)
		return failed_full(s, reterr);
	if (cause == EROFS)
		return store_failed_io(s, SQLITE_CANTOPEN, cause, reterr);
	if (cause == ENOENT && s->mode == STORE_READ &&
	    access(s->path, F_OK) < 0) /* the writer creates it before it opens it */
		return err_set(reterr, -ENOENT,
			       "the store file %s is not there, it was deleted or replaced: " STORE_LOST_ADVICE,
			       s->path);
	return err_set(
		reterr, cause == ENOENT ? -ENOENT : -EACCES,
		"the store %s cannot be opened (%s): the file, those beside it (-wal, -shm) and their directory must "
		"be this user's",
		s->path, cause > 0 ? strerror(cause) : "no cause given");
}

int store_failed(struct store *s, int rc, struct err *reterr)
{
	/* SQLite keeps the errno of an open. That of a write is still in errno, which callers clear before. */
	int cause = errno ? errno : sqlite3_system_errno(s->db);
	int extended = s->db ? sqlite3_extended_errcode(s->db) : rc;
	int r;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		r = failed_full(s, reterr);
		break;
	case SQLITE_IOERR:
		r = store_failed_io(s, extended, cause, reterr);
		break;
	case SQLITE_CANTOPEN:
		r = failed_cannot_open(s, cause, reterr);
		break;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		r = err_set(
			reterr, -EROFS,
			"the store %s cannot be written: the file, those beside it (-wal, -shm) and their directory "
			"must be writable for this user",
			s->path);
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		r = err_set(reterr, -EBUSY, "the store %s is locked by another program: end that one", s->path);
		break;
	case SQLITE_INTERRUPT:
		r = err_set(reterr, -EINTR, "reading the store took longer than %lld ms: ask for less",
			    (long long)s->read_limit_ms);
		break;
	case SQLITE_NOTADB:
		r = err_set(reterr, -ENOTSUP,
			    "the store %s is not a database: give another file as store.url, or move this one away",
			    s->path);
		break;
	case SQLITE_CORRUPT:
		r = err_set(reterr, -EUCLEAN, "the store %s is damaged (%s): restore a backup", s->path,
			    sqlite3_errmsg(s->db));
		break;
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		/* The message names table and column, but no value. */
		r = err_set(reterr, -EBADMSG, "the store %s refuses a row: %s (SQLite code %d)", s->path,
			    sqlite3_errmsg(s->db), extended);
		break;
	case SQLITE_NOMEM:
		r = err_set(reterr, -ENOMEM, "the store %s: not enough memory", s->path);
		break;
	default:
		r = err_set(reterr, -EIO, "the store %s: %s (SQLite code %d)", s->path, sqlite3_errstr(rc), extended);
		break;
	}
	if (s->in_transaction && sqlite3_get_autocommit(s->db) && !s->lost)
		s->lost = r;
	return r;
}

int transaction_lost(struct store *s, struct err *reterr)
{
	return err_set(reterr, s->lost ? s->lost : -EIO, "the store %s: the transaction was lost when the disk failed",
		       s->path);
}

/* ---- statements without parameters ------------------------------------------------------------------------------- */

int store_exec(struct store *s, const char *sql, struct err *reterr)
{
	int rc;

	errno = 0; /* store_failed reads it */
	rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_failed(s, rc, reterr);
}

/* With WRITABLE_SCHEMA, SQLite changes a row although an index lacks its entry, and inserts the new entry. */
int step_leniently(struct store *s, sqlite3_stmt *stmt)
{
	int rc;

	(void)sqlite3_reset(stmt);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	rc = sqlite3_step(stmt);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return rc;
}

/* ---- limited reads ----------------------------------------------------------------------------------------------- */

static int read_limit_progress(void *arg)
{
	const struct store *s = arg;

	return s->read_until_us > 0 && clock_mono_us() > s->read_until_us;
}

void read_limit_start(struct store *s)
{
	if (s->read_limit_ms > 0)
		s->read_until_us = clock_mono_us() + s->read_limit_ms * 1000;
}

int read_limit_check(struct store *s, struct err *reterr)
{
	return read_limit_progress(s) ? store_failed(s, SQLITE_INTERRUPT, reterr) : 0;
}

void read_limit_end(struct store *s)
{
	s->read_until_us = 0;
}

/* ---- the progress of an opening ---------------------------------------------------------------------------------- */

static int progress_tell(void *arg)
{
	const struct store *s = arg;
	const struct store_progress *p = &s->progress;
	int kept = errno; /* store_failed() takes it for the disk's */
	double part = p->all > 0 ? (double)p->done / (double)p->all : -1;

	p->works(p->ctx, s->path, p->part, p->all == 0 ? -1 : part < 0 ? 0 : part > 1 ? 100 : (int)(part * 100));
	errno = kept;
	return 0;
}

void progress_part(struct store *s, int64_t all, const char *fmt, ...)
{
	va_list ap;

	if (!s->progress.works)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(s->progress.part, sizeof(s->progress.part), fmt, ap);
	va_end(ap);
	s->progress.done = 0;
	s->progress.all = all;
	sqlite3_progress_handler(s->db, PROGRESS_STEPS, progress_tell, s);
	(void)progress_tell(s);
}

void progress_done(struct store *s, int64_t done)
{
	s->progress.done = done;
}

void progress_end(struct store *s)
{
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* Switches off SQLite's memory statistics, which are not used and take a lock for each allocation. Registers the VFS of
 * the writer. */
static void library_setup(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	INSIST(wal_vfs_register() == SQLITE_OK);
}

int connection_open(struct store *s, struct err *reterr)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (s->mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int rc;

	INSIST(pthread_once(&library_once, library_setup) == 0);
	errno = 0; /* store_failed reads it */
	rc = sqlite3_open_v2(s->path, &s->db, flags, s->mode == STORE_WRITE ? WAL_VFS_NAME : NULL);
	if (rc != SQLITE_OK)
		return store_failed(s, rc, reterr);
	(void)sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	/* The schema of a damaged file must run no functions, and SQL must not corrupt the file. */
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (s->mode == STORE_READ) {
		sqlite3_progress_handler(s->db, READ_LIMIT_STEPS, read_limit_progress, s);
		return store_exec(s, "PRAGMA query_only = 1", reterr);
	}
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return store_failed(s, SQLITE_READONLY, reterr);
	return 0;
}
