/* SPDX-License-Identifier: MIT */
/*
 * The size of the store, write-back of the WAL, and the limits for new webhooks. Intake stops before the disk is full,
 * so that undone work can still be processed.
 *
 * The WAL is written back at the start of a turn that finds STORE_WAL_PAGES in it. The clients of the turn before get
 * their answers meanwhile, or have them. SQLite's automatic checkpoint would run inside the commit that clients wait
 * for.
 *
 * The write-back needs disk space, because the database grows by the new pages of the WAL. So the WAL is written back
 * at a third of the free space, if that is less. A WAL file of more than twice its limit is truncated, to free its
 * space: a long read kept it, or the disk filled.
 */
#include <config.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/text.h"
#include "base/clock.h"
#include "store/connection.h"
#include "store/query.h"
#include "store/transaction.h"
#include "store/wal_vfs.h"

/* The floor is the smaller of these. With less free space, new webhooks are refused. */
#define FLOOR_PART 20 /* a twentieth of the file system: 5 % */
#define FLOOR_BYTES (INT64_C(256) << 20)
/* The least floor. On a disk of a few MiB it exceeds 5 %: undone work needs space while it is processed. */
#define LEAST_BYTES (INT64_C(640) << 10)
/* Done rows are deleted early below the floor plus this margin, or plus half the floor if that is less. */
#define MARGIN_BYTES (INT64_C(16) << 20)
/* The disk may have space again by then, or the reader may have ended. */
#define CHECKPOINT_RETRY_US 1000000

/* ---- size and disk ----------------------------------------------------------------------------------------------- */

int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr)
{
	int r;

	QUERY(q, s, sql, reterr);
	r = query_one_int(&q, ret);
	return r < 0 ? r : 0;
}

int64_t store_size(struct store *s)
{
	int64_t pages = 0;
	int64_t spare = 0;
	int64_t page_size = STORE_PAGE_BYTES;
	struct stat wal_stat;

	if (store_pragma(s, "PRAGMA page_count", &pages, NULL) < 0 ||
	    store_pragma(s, "PRAGMA freelist_count", &spare, NULL) < 0 ||
	    store_pragma(s, "PRAGMA page_size", &page_size, NULL) < 0)
		return 0;
	if (stat(s->wal_path, &wal_stat) < 0)
		wal_stat.st_size = 0;
	return (pages - spare) * page_size + (int64_t)wal_stat.st_size;
}

static void check_disk(struct store *s)
{
	struct statvfs fs;

	s->disk_total = 0;
	if (statvfs(s->path, &fs) < 0 || fs.f_blocks == 0)
		return;
	s->disk_left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	s->disk_total = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
}

static int64_t wal_bytes(const struct store *s)
{
	return (int64_t)s->wal_pages * STORE_FRAME_BYTES;
}

/* The most that a commit of this number of pages adds to store_size(): each may be new, and lengthen the WAL. */
static int64_t size_growth(int pages)
{
	return (int64_t)pages * 2 * STORE_FRAME_BYTES;
}

static void size_forget(struct store *s)
{
	s->size_left = -1;
}
const struct transaction_hook size_hook = {.others_wrote = size_forget};

/* True where the store has `least` bytes left of max_size. It is measured only where it may have less, because that
 * takes three statements. */
static bool size_is_left(struct store *s, int64_t least)
{
	if (s->size_left < least)
		s->size_left = s->max_size - store_size(s);
	return s->size_left >= least;
}

/* ---- the WAL ----------------------------------------------------------------------------------------------------- */

/* A store with a small max_size writes back more often, so that the WAL stays a small part of it. */
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
	int in_wal = 0;
	int written = 0;
	struct stat wal_stat;
	int mode, rc;

	/* A WAL of the usual size is kept: SQLite writes over it faster than it extends a new one. */
	mode = stat(s->wal_path, &wal_stat) == 0 && wal_stat.st_size > usual ? SQLITE_CHECKPOINT_TRUNCATE
									     : SQLITE_CHECKPOINT_PASSIVE;

	/* Do not wait for a reader. The next attempt writes the rest. */
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

/* A crash would lose the content of a WAL file that was deleted, so that is written back at once. */
static bool wal_is_due(const struct store *s)
{
	bool low = s->disk_total > 0 && s->disk_left < wal_bytes(s) + 2 * STORE_TURN_BYTES;

	if (s->wal_pages >= wal_limit(s) || (low && s->wal_pages > 0))
		return s->wal_pages >= s->checkpoint_at || clock_mono_us() >= s->checkpoint_us;
	return s->wal_pages > 0 && s->files && store_file_is_lost(s->files, STORE_FILE_WAL);
}

static int wal_committed(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db;
	(void)name;
	s->size_left -= size_growth(pages > s->wal_pages ? pages - s->wal_pages : pages);
	s->wal_pages = pages;
	return SQLITE_OK;
}

/* SQLite does not say how much an earlier process left in the WAL, so the file's size is taken. It may have been killed
 * before it synced that; a repeat of a webhook is answered with 200 only on what is synced. */
int wal_open(struct store *s, struct err *reterr)
{
	struct stat wal_stat;
	int r;

	(void)sqlite3_wal_hook(s->db, wal_committed, s);
	check_disk(s);
	if (stat(s->wal_path, &wal_stat) == 0)
		s->wal_pages = (int)(wal_stat.st_size / STORE_FRAME_BYTES);
	if (s->wal_pages == 0)
		return 0;
	r = wal_of(s) ? wal_vfs_sync(wal_of(s)) : 0;
	if (r < 0)
		return store_failed_io(s, SQLITE_IOERR_FSYNC, -r, reterr);
	wal_write_back(s);
	return 0;
}

void wal_begin(struct store *s)
{
	check_disk(s);
	if (wal_is_due(s)) {
		wal_write_back(s);
		check_disk(s);
	}
}

void store_checkpoint(struct store *s)
{
	if (!s->in_transaction && s->mode == STORE_WRITE && s->wal_pages > 0)
		wal_write_back(s);
}

/* ---- free space -------------------------------------------------------------------------------------------------- */

/* Half of the free space after a write-back: each byte is written to the WAL and then to the database. */
int64_t store_free_bytes(const struct store *s)
{
	int64_t bytes = s->disk_left - wal_bytes(s);

	if (s->disk_total == 0)
		return INT64_MAX;
	return bytes > 0 ? bytes / 2 : 0;
}

static int64_t spare_bytes(struct store *s)
{
	int64_t spare = 0;

	return store_pragma(s, "PRAGMA freelist_count", &spare, NULL) < 0 ? 0 : spare * STORE_PAGE_BYTES;
}

/* Free pages of the database count as free space for the floor, because new rows fill them first. They do not help
 * where the WAL cannot be written. After a refusal the floor is raised by half the margin, because intake would else
 * open and close with every row. */
static int disk_can_accept(struct store *s, struct err *reterr)
{
	int64_t floor = s->disk_total / FLOOR_PART;
	int64_t wal = wal_bytes(s);
	int64_t left = s->disk_left;
	bool was_low = s->disk_low;
	int64_t margin;
	char has[AMOUNT_MAX], needs[AMOUNT_MAX];

	s->disk_low = s->disk_nearly_full = false;
	if (s->disk_total == 0)
		return 0;
	/* On a disk of a few MiB the floor is the space that undone work may need. */
	if (floor > FLOOR_BYTES)
		floor = FLOOR_BYTES;
	else if (floor < LEAST_BYTES)
		floor = LEAST_BYTES;
	margin = floor / 2 < MARGIN_BYTES ? floor / 2 : MARGIN_BYTES;
	if (left < floor + margin)
		left += spare_bytes(s);
	s->disk_nearly_full = left < floor + margin;
	s->disk_low = left < floor + (was_low ? margin / 2 : 0) || s->disk_left < wal + STORE_TURN_BYTES;
	if (!s->disk_low)
		return 0;
	if (s->disk_left < wal + STORE_TURN_BYTES)
		return err_set(reterr, -ENOSPC,
			       "the disk of the store %s has %s left, and what is in the store's WAL needs up to %s: "
			       "make room there",
			       s->path, amount_size(has, s->disk_left), amount_size(needs, wal + STORE_TURN_BYTES));
	return err_set(reterr, -ENOSPC, "the disk of the store %s has %s left, where %s are kept free: make room there",
		       s->path, amount_size(has, s->disk_left), amount_size(needs, floor));
}

/* Events must leave the space that delivery and the deletion of done rows need. */
bool store_can_process(struct store *s)
{
	int64_t left = s->disk_left - wal_bytes(s);

	if (s->disk_total == 0 || left >= STORE_TURN_BYTES + STORE_TURN_BYTES / 2)
		return true;
	return left >= STORE_TURN_BYTES && spare_bytes(s) >= STORE_TURN_BYTES / 2;
}

bool store_is_nearly_full(struct store *s)
{
	return s->disk_low || s->disk_nearly_full || (s->max_size > 0 && !size_is_left(s, s->max_size / 5));
}

int store_can_accept(struct store *s, struct err *reterr)
{
	int r = s->files ? store_files_check(s->files, reterr) : 0;

	if (r < 0)
		return r;
	if (s->max_size > 0 && !size_is_left(s, 0)) {
		char holds[AMOUNT_MAX], most[AMOUNT_MAX];

		return err_set(reterr, -ENOSPC,
			       "the store %s holds %s of undone work, more than store.max_size (%s): see with "
			       "`deskbridge status` why it waits, or raise store.max_size and restart",
			       s->path, amount_size(holds, s->max_size - s->size_left), amount_size(most, s->max_size));
	}
	if (!s->in_transaction)
		check_disk(s);
	return disk_can_accept(s, reterr);
}
