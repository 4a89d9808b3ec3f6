/*
 * Opening, locking, closing.
 *
 * One writer: an flock(2) on "<file>.lock" beside the store, held while the store is open and gone with the process,
 * however it ends. The file holds the process id for whoever is refused; it stays when the lock goes, since removing it
 * would race with the next one that takes it. A hard link to the store has a lock file of its own (and would have a WAL
 * of its own): so the store's inode is locked too, by an open-file-description lock on one byte that SQLite does not
 * use. Readers take no lock and are never refused.
 */
#include <config.h>

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "store/private.h"

/* How often SQLite asks whether a limited read is to end: every so many steps of its machine, well under 1 ms. */
#define READ_LIMIT_STEPS 2000

/* ---- statements without parameters ------------------------------------------------------------------------------- */

int store_exec(struct store *s, const char *sql, struct err *reterr)
{
	int rc;

	errno = 0; /* store_failed asks for it */
	rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_failed(s, rc, reterr);
}

int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr)
{
	int r;

	QUERY(q, s, sql, reterr);
	r = query_one_int(&q, ret);
	return r < 0 ? r : 0;
}

void store_tell(struct store *s, int64_t now_ms)
{
	if (now_ms > s->told_ms)
		s->told_ms = now_ms;
}

void store_set_longest_age(struct store *s, int64_t ms)
{
	s->longest_age_ms = ms;
}

/* ---- reads that end ---------------------------------------------------------------------------------------------- */

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

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int store_check_directory(const char *path, struct err *reterr)
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
static int store_make_file(const char *path, struct err *reterr)
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
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = 0;

	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9' && pid < INT_MAX / 10; i++)
		pid = pid * 10 + (text[i] - '0');
	return pid;
}

static bool lock_sign(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

static int store_lock(struct store *s, struct err *reterr)
{
	CLEANUP(mem_freep) char *path = mem_fmt("%s.lock", s->path);
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
	(void)lock_sign(fd);
	s->lock_fd = fd;
	return 0;
}

/* Far behind the bytes that SQLite locks, which end 512 behind 1 GiB. */
#define INODE_LOCK_BYTE ((off_t)0x40000000 + 65536)

/* By another name: a hard link, or the file mounted elsewhere. */
static int store_lock_inode(struct store *s, struct err *reterr)
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

/* ---- the library ------------------------------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* Nobody asks SQLite how much memory it has; counting it takes a lock with each allocation. */
static void library_setup(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int store_committed(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

static int store_connect(struct store *s, struct err *reterr)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
		    (s->mode == STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	int rc;

	errno = 0; /* store_failed asks for it */
	rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
	if (rc != SQLITE_OK)
		return store_failed(s, rc, reterr);
	(void)sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
	/* The schema is not trusted to run functions, and defensive mode keeps SQL off the bytes of the file. */
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

/* What is not ours, or not known yet, is found out before anything is changed. */
static int store_prepare_file(struct store *s, struct err *reterr)
{
	int64_t version;
	int r = schema_check(s, &version, reterr);

	if (r < 0 || s->mode == STORE_READ)
		return r;
	/* The WAL is written back between turns (transaction.c), not by SQLite inside a commit. */
	r = store_exec(s,
		       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
		       "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384",
		       reterr);
	/* After that pragma, which takes the hook's place. */
	(void)sqlite3_wal_hook(s->db, store_committed, s);
	if (r < 0)
		return r;
	store_see_disk(s);
	wal_learn(s);
	r = schema_forward(s, version, reterr);
	s->is_new = version == 0;
	s->schema_was = version;
	if (r == 0)
		s->files = store_files_new(s);
	return r;
}

static int store_open_steps(struct store *s, struct err *reterr)
{
	int r;

	if (s->mode == STORE_WRITE) {
		r = store_check_directory(s->path, reterr);
		if (r == 0)
			r = store_make_file(s->path, reterr);
		if (r == 0)
			r = store_lock(s, reterr);
		if (r == 0)
			r = store_lock_inode(s, reterr);
		if (r < 0)
			return r;
	}
	r = store_connect(s, reterr);
	return r < 0 ? r : store_prepare_file(s, reterr);
}

int store_open(const struct store_options *o, enum store_mode mode, struct store **ret, struct err *reterr)
{
	struct store *s = mem_new(1, sizeof(*s));
	char *resolved = realpath(o->path, NULL);
	int r;

	INSIST(pthread_once(&library_once, library_setup) == 0);
	/* The same file by another name is the same store: the lock and the WAL stand beside the file itself. */
	s->path = resolved ? resolved : mem_str(o->path);
	s->wal_path = mem_fmt("%s-wal", s->path);
	s->mode = mode;
	s->lock_fd = s->inode_fd = -1;
	s->max_size = o->max_size;
	s->longest_age_ms = CLOCK_NEVER_MS;
	s->read_limit_ms = mode == STORE_READ ? o->read_limit_ms : 0;
	r = store_open_steps(s, reterr);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_rollback(s);
	statements_done(s);
	/* SQLite deletes the WAL when it closes. One that belongs to another database by now stays. */
	if (s->db && s->files && store_file_is_lost(s->files, STORE_FILE_DATABASE) &&
	    store_file_is_anothers(s->files, STORE_FILE_WAL))
		s->leave_wal = true;
	if (s->db && s->leave_wal)
		(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* The last connection writes the WAL back; the locks are held until that is over. */
	INSIST(sqlite3_close(s->db) == SQLITE_OK);
	if (s->inode_fd >= 0)
		(void)close(s->inode_fd);
	store_files_free(s->files);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	counts_done(s);
	losses_done(s);
	releases_done(s);
	free(s->path);
	free(s->wal_path);
	free(s);
}

void store_leave_wal(struct store *s)
{
	s->leave_wal = true;
}

bool store_is_new(const struct store *s)
{
	return s->is_new;
}

bool store_came_forward(const struct store *s, int64_t *ret_from, int64_t *ret_to)
{
	*ret_from = s->schema_was;
	*ret_to = s->schema;
	return s->schema_was > 0 && s->schema > s->schema_was;
}

void store_set_max_size(struct store *s, int64_t bytes)
{
	s->max_size = bytes;
}
