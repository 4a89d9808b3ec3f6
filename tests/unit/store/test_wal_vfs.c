/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/wal_vfs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "fixtures/folder.h"

#define SIZE_MAX_OF_FILE (1024 * 1024)

struct file {
	char *folder;
	char *path;
	sqlite3_file *f;
};

static int register_once(void **state)
{
	(void)state;
	return sqlite3_initialize() != SQLITE_OK || wal_vfs_register() != SQLITE_OK;
}

static int setup(void **state)
{
	struct file *file = mem_new(1, sizeof(*file));
	sqlite3_vfs *vfs;
	int flags;

	vfs = sqlite3_vfs_find(WAL_VFS_NAME);
	file->folder = folder_new();
	folder_write(file->folder, "a", ""); /* the database, whose mode the WAL gets */
	/* A name for SQLite is followed by another NUL. */
	file->path = mem_new(1, strlen(file->folder) + 16);
	(void)sprintf(file->path, "%s/a-wal", file->folder);
	file->f = mem_new(1, (size_t)vfs->szOsFile);
	flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	assert_int_equal(vfs->xOpen(vfs, file->path, file->f, flags, &flags), SQLITE_OK);
	*state = file;
	return 0;
}

static int teardown(void **state)
{
	struct file *file = *state;

	(void)file->f->pMethods->xClose(file->f);
	folder_remove(file->folder);
	free(file->path);
	free(file->f);
	free(file);
	return 0;
}

/* What the disk holds, as another process sees it. */
static size_t on_disk(const struct file *file, unsigned char *to)
{
	FILE *f = fopen(file->path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, SIZE_MAX_OF_FILE, f);
	(void)fclose(f);
	return n;
}

static void assert_size(struct file *file, sqlite3_int64 size)
{
	sqlite3_int64 now;

	assert_int_equal(file->f->pMethods->xFileSize(file->f, &now), SQLITE_OK);
	assert_int_equal(now, size);
}

/* Random writes, mostly behind each other, as SQLite makes them, against a copy in memory. */
static void every_read_and_sync_sees_all_writes(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;
	unsigned char *model = mem_new(1, SIZE_MAX_OF_FILE);
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);
	sqlite3_int64 size = 0;
	sqlite3_int64 at = 0;
	unsigned seed = 12;

	for (unsigned i = 0; i < 3000; i++) {
		int what = rand_r(&seed) % 100;
		bool defers = rand_r(&seed) % 2 == 0;
		int n = what < 40 ? 24 : what < 80 ? 4096 : what < 82 ? 65536 : 125000;

		if (what < 83) {
			if (rand_r(&seed) % 16 == 0 || at + n > SIZE_MAX_OF_FILE)
				at = size > 0 ? rand_r(&seed) % size : 0;
			if (at + n > SIZE_MAX_OF_FILE)
				at = 0;
			for (int b = 0; b < n; b++)
				model[at + b] = (unsigned char)rand_r(&seed);
			assert_int_equal(m->xWrite(file->f, model + at, n, at), SQLITE_OK);
			at += n;
			size = at > size ? at : size;
		} else if (what < 93 && size >= 4096) {
			sqlite3_int64 from = rand_r(&seed) % (size - 4095);

			assert_int_equal(m->xRead(file->f, seen, 4096, from), SQLITE_OK);
			assert_memory_equal(seen, model + from, 4096);
		} else if (what < 98) {
			wal_vfs_defer(file->f, defers);
			assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
			if (defers)
				assert_int_equal(wal_vfs_sync(file->f), 0);
			assert_int_equal(on_disk(file, seen), size);
			assert_memory_equal(seen, model, (size_t)size);
		} else if (what == 98) {
			assert_size(file, size);
		} else {
			size = size / 2;
			at = size;
			assert_int_equal(m->xTruncate(file->f, size), SQLITE_OK);
			assert_size(file, size);
		}
	}
	free(model);
	free(seen);
}

static void small_writes_reach_the_disk_together(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);
	char page[4096] = "page";

	for (int i = 0; i < 8; i++)
		assert_int_equal(m->xWrite(file->f, page, sizeof(page), i * (sqlite3_int64)sizeof(page)), SQLITE_OK);
	assert_int_equal(on_disk(file, seen), 0);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_int_equal(on_disk(file, seen), 8 * sizeof(page));
	free(seen);
}

/* The sync reports the failure, and the next transaction writes the same place again. */
static void a_write_that_fails_is_reported_by_the_sync_and_dropped(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);
	struct rlimit before, limit;
	char page[4096] = "page";

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = sizeof(page);
	assert_int_equal(m->xWrite(file->f, page, sizeof(page), 0), SQLITE_OK);
	assert_int_equal(m->xWrite(file->f, page, sizeof(page), sizeof(page)), SQLITE_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL) & 0xff, SQLITE_IOERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_true(on_disk(file, seen) <= sizeof(page));
	assert_int_equal(m->xWrite(file->f, page, sizeof(page), sizeof(page)), SQLITE_OK);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_int_equal(on_disk(file, seen), 2 * sizeof(page));
	free(seen);
}

static void what_is_dropped_is_never_written(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);
	char page[4096] = "page";

	assert_int_equal(m->xWrite(file->f, page, sizeof(page), 0), SQLITE_OK);
	wal_vfs_drop(file->f);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_int_equal(on_disk(file, seen), 0);
	free(seen);
}

/* ---- a sync by wal_vfs_sync() ------------------------------------------------------------------------------------ */

/* The calls of the project's own code. SQLite's are not seen. */
static unsigned syncs;
static int sync_fails; /* an errno, for the next call */
static sqlite3_int64 written_from, written_to;
static size_t writes;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	syncs++;
	if (sync_fails == 0)
		return __real_fdatasync(fd);
	errno = sync_fails;
	sync_fails = 0;
	return -1;
}
ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at)
{
	if (writes++ == 0)
		written_from = at;
	written_to = at + (sqlite3_int64)n;
	return __real_pwrite(fd, from, n, at);
}

static void write_pages(struct file *file, int from, int to)
{
	char page[4096];

	for (int i = from; i < to; i++) {
		memset(page, i + 1, sizeof(page));
		assert_int_equal(file->f->pMethods->xWrite(file->f, page, sizeof(page), i * 4096L), SQLITE_OK);
	}
}

static void a_deferred_sync_only_writes(void **state)
{
	struct file *file = *state;
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);

	syncs = 0;
	wal_vfs_defer(file->f, true);
	write_pages(file, 0, 3);
	assert_int_equal(file->f->pMethods->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	assert_int_equal(on_disk(file, seen), 3 * 4096);
	assert_int_equal(syncs, 0);
	assert_int_equal(wal_vfs_sync(file->f), 0);
	assert_int_equal(syncs, 1);
	free(seen);
}

/* After a failure the pages of the file count as written, so they must be written again. */
static void what_a_sync_did_not_keep_is_written_again_by_the_next(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;
	unsigned char *seen = mem_new(1, SIZE_MAX_OF_FILE);

	syncs = writes = 0;
	write_pages(file, 0, 2);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	wal_vfs_defer(file->f, true);
	write_pages(file, 2, 100);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	sync_fails = EIO;
	assert_int_equal(wal_vfs_sync(file->f), -EIO);
	assert_int_equal(writes, 0);
	sync_fails = ENOSPC;
	assert_int_equal(wal_vfs_sync(file->f), -ENOSPC);
	assert_int_equal(written_from, 2 * 4096);
	assert_int_equal(written_to, 100 * 4096);
	writes = 0;
	assert_int_equal(wal_vfs_sync(file->f), 0);
	assert_int_equal(written_from, 2 * 4096);
	assert_int_equal(written_to, 100 * 4096);
	assert_int_equal(on_disk(file, seen), 100 * 4096);
	for (int i = 0; i < 100; i++)
		assert_int_equal(seen[i * 4096 + 4095], i + 1);
	/* All is kept now, so a later failure concerns only what is written later. */
	write_pages(file, 100, 101);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	sync_fails = EIO;
	assert_int_equal(wal_vfs_sync(file->f), -EIO);
	writes = 0;
	assert_int_equal(wal_vfs_sync(file->f), 0);
	assert_int_equal(written_from, 100 * 4096);
	assert_int_equal(written_to, 101 * 4096);
	free(seen);
}

/* More than the copy may hold: SQLite's own sync keeps it. */
static void a_commit_of_many_pages_is_synced_at_once(void **state)
{
	struct file *file = *state;

	wal_vfs_defer(file->f, true);
	write_pages(file, 0, 1);
	assert_int_equal(file->f->pMethods->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK); /* the header's */
	write_pages(file, 1, 1500);
	assert_int_equal(file->f->pMethods->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	sync_fails = EIO;
	assert_int_equal(wal_vfs_sync(file->f), -EIO);
	writes = 0;
	assert_int_equal(wal_vfs_sync(file->f), 0);
	assert_int_equal(writes, 0);
}

/* SQLite begins again at the start of the file, after a checkpoint has synced what was there. */
static void a_new_beginning_replaces_what_was_not_synced(void **state)
{
	struct file *file = *state;
	const sqlite3_io_methods *m = file->f->pMethods;

	write_pages(file, 0, 1);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	wal_vfs_defer(file->f, true);
	write_pages(file, 1, 9);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	write_pages(file, 0, 2);
	sync_fails = EIO;
	assert_int_equal(wal_vfs_sync(file->f), -EIO);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK); /* of the header: SQLite's own */
	write_pages(file, 2, 4);
	assert_int_equal(m->xSync(file->f, SQLITE_SYNC_NORMAL), SQLITE_OK);
	writes = 0;
	assert_int_equal(wal_vfs_sync(file->f), 0);
	assert_int_equal(written_from, 2 * 4096);
	assert_int_equal(written_to, 4 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_read_and_sync_sees_all_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(small_writes_reach_the_disk_together, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_dropped_is_never_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deferred_sync_only_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_sync_did_not_keep_is_written_again_by_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_of_many_pages_is_synced_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_beginning_replaces_what_was_not_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_fails_is_reported_by_the_sync_and_dropped, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, register_once, NULL);
}
