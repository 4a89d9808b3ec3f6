/*
 * What SQLite says, as an errno and a text for a person: what it means for this store and what to do.
 */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/private.h"

static int failed_full(struct store *s, struct err *reterr)
{
	return err_set(reterr, -ENOSPC, "the store %s cannot grow, its disk (or quota) is full: make room there",
		       s->path);
}

static int failed_io(struct store *s, int extended, int cause, struct err *reterr)
{
	if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG)
		return failed_full(s, reterr);
	if (cause == EROFS)
		return err_set(reterr, -EROFS, "the store %s is on a file system that is read-only: mount it writable",
			       s->path);
	return err_set(reterr, -EIO, "the store %s: the disk fails (%s, SQLite code %d): see the kernel's log", s->path,
		       cause > 0 ? strerror(cause) : "no cause told", extended);
}

static int failed_cannot_open(struct store *s, int cause, struct err *reterr)
{
	if (cause == ENOSPC || cause == EDQUOT)
		return failed_full(s, reterr);
	if (cause == EROFS)
		return failed_io(s, SQLITE_CANTOPEN, cause, reterr);
	if (cause == ENOENT && s->mode == STORE_READ &&
	    access(s->path, F_OK) < 0) /* the writer makes it before it opens it */
		return err_set(reterr, -ENOENT,
			       "the store file %s is not there, it was deleted or replaced: " STORE_LOST_ADVICE,
			       s->path);
	return err_set(
		reterr, cause == ENOENT ? -ENOENT : -EACCES,
		"the store %s cannot be opened (%s): the file, those beside it (-wal, -shm) and their directory must "
		"be this user's",
		s->path, cause > 0 ? strerror(cause) : "no cause told");
}

int store_failed(struct store *s, int rc, struct err *reterr)
{
	/* SQLite keeps the errno of an open only; that of a write is what errno was left at. */
	int cause = errno ? errno : sqlite3_system_errno(s->db);
	int extended = s->db ? sqlite3_extended_errcode(s->db) : rc;
	int r;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		r = failed_full(s, reterr);
		break;
	case SQLITE_IOERR:
		r = failed_io(s, extended, cause, reterr);
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
		/* The message names table and column, and never a value. */
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
