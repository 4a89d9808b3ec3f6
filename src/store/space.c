/*
 * How large the store is and whether new webhooks may still come in: intake ends before the disk does, so that what is
 * undone can still be worked off.
 */
#include <config.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/private.h"

/* Below the smaller of these, nothing new is taken. */
#define FLOOR_PART 20 /* a twentieth of the file system: 5 % */
#define FLOOR_BYTES (INT64_C(256) << 20)

int64_t store_size(struct store *s)
{
	int64_t pages = 0, spare = 0, page_size = STORE_PAGE_BYTES;
	struct stat wal;

	if (store_pragma(s, "PRAGMA page_count", &pages, NULL) < 0 ||
	    store_pragma(s, "PRAGMA freelist_count", &spare, NULL) < 0 ||
	    store_pragma(s, "PRAGMA page_size", &page_size, NULL) < 0)
		return 0;
	if (stat(s->wal_path, &wal) < 0)
		wal.st_size = 0;
	return (pages - spare) * page_size + (int64_t)wal.st_size;
}

static int64_t mib(int64_t bytes)
{
	return bytes >> 20;
}

int store_may_take(struct store *s, struct err *reterr)
{
	struct statvfs fs;

	if (s->max_size > 0) {
		int64_t size = store_size(s);

		if (size > s->max_size)
			return err_set(
				reterr, -ENOSPC,
				"the store %s holds %lld MiB of undone work, more than store.max_size (%lld MiB): see "
				"with `deskbridge status` why it waits, or raise store.max_size",
				s->path, (long long)mib(size), (long long)mib(s->max_size));
	}
	if (statvfs(s->path, &fs) == 0 && fs.f_blocks > 0) {
		int64_t left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
		int64_t floor = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize / FLOOR_PART;

		if (floor > FLOOR_BYTES)
			floor = FLOOR_BYTES;
		if (left < floor)
			return err_set(
				reterr, -ENOSPC,
				"the disk of the store %s has %lld MiB left, %lld MiB are kept free: make room there",
				s->path, (long long)mib(left), (long long)mib(floor));
	}
	return 0;
}
