/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "fixtures/store.h"

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int open_as(const char *path, enum store_mode mode, struct err *e)
{
	struct store_options o = {.path = path};
	struct store *s = NULL;
	int r;

	*e = (struct err){0};
	r = store_open(&o, mode, &s, e);
	if (r == 0)
		store_close(s);
	else
		assert_null(s);
	return r;
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	assert_int_equal(fwrite(text, 1, n, to), n);
	assert_int_equal(fclose(to), 0);
}

static void the_files_are_their_owners_only(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct fixture *f = *state;

	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) > 0);
	fixture_commit(f);
	for (int i = 0; i < 4; i++) {
		char path[512];
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void every_commit_reaches_the_disk(void **state)
{
	struct fixture *f = *state;
	int64_t n = 0;

	MUST(store_pragma(f->s, "PRAGMA synchronous", &n, err));
	assert_int_equal(n, 2); /* FULL */
	MUST(store_pragma(f->s, "PRAGMA wal_autocheckpoint", &n, err));
	assert_int_equal(n, 0);
	assert_int_equal(access(f->s->wal_path, F_OK), 0);
}

static void a_store_of_a_newer_version_is_refused_with_what_to_do(void **state)
{
	struct fixture *f = *state;
	struct err e;

	store_close(f->s);
	f->s = NULL;
	fixture_sql(f, "PRAGMA user_version = 4711");
	assert_int_equal(open_as(f->path, STORE_WRITE, &e), -EPROTO);
	assert_non_null(strstr(e.text, "made by a newer deskbridge (schema 4711, this one knows 9)"));
	assert_non_null(strstr(e.text, "install that version or restore a backup"));
	assert_int_equal(open_as(f->path, STORE_READ, &e), -EPROTO);
	assert_int_equal(fixture_sql(f, "PRAGMA user_version"), 4711);
	/* A refused opening leaves no lock. */
	fixture_sql(f, "PRAGMA user_version = 9");
	assert_int_equal(open_as(f->path, STORE_WRITE, &e), 0);
}

static void what_is_not_a_store_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct fixture other = {.s = NULL};
	struct err e;
	char text[4096];
	FILE *back;

	snprintf(other.path, sizeof(other.path), "%s/other", f->dir);
	memset(text, 'x', sizeof(text));
	write_file(other.path, text, sizeof(text));
	assert_int_equal(open_as(other.path, STORE_WRITE, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "is not a database"));
	assert_non_null(strstr(e.text, "store.url"));
	back = fopen(other.path, "r");
	assert_non_null(back);
	assert_int_equal(fgetc(back), 'x');
	assert_int_equal(fclose(back), 0);
	/* A database of another program. */
	assert_int_equal(unlink(other.path), 0);
	fixture_sql(&other, "CREATE TABLE t (a); PRAGMA user_version = 1");
	assert_int_equal(open_as(other.path, STORE_WRITE, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "another program"));
	fixture_sql(&other, "PRAGMA user_version = 0");
	assert_int_equal(open_as(other.path, STORE_WRITE, &e), -ENOTSUP);
	assert_int_equal(fixture_sql(&other, "SELECT count(*) FROM sqlite_schema"), 1);
	/* Its journal mode is unchanged: byte 18 of a file in WAL mode is 2. */
	back = fopen(other.path, "r");
	assert_non_null(back);
	assert_int_equal(fseek(back, 18, SEEK_SET), 0);
	assert_int_equal(fgetc(back), 1);
	assert_int_equal(fclose(back), 0);
	/* A directory. */
	assert_int_equal(open_as(f->dir, STORE_WRITE, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "is not a file"));
	snprintf(text, sizeof(text), "%s.lock", f->dir);
	assert_int_equal(access(text, F_OK), -1);
}

static void an_empty_file_becomes_a_store(void **state)
{
	struct fixture *f = *state;
	char path[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/empty.db", f->dir);
	write_file(path, "", 0);
	assert_int_equal(open_as(path, STORE_WRITE, &e), 0);
	assert_int_equal(open_as(path, STORE_READ, &e), 0);
}

static void a_missing_directory_is_named(void **state)
{
	struct fixture *f = *state;
	char path[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/none/deskbridge.db", f->dir);
	assert_int_equal(open_as(path, STORE_WRITE, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/none for the store: make it"));
	assert_non_null(strstr(e.text, "StateDirectory="));
	snprintf(path, sizeof(path), "%s/none.db", f->dir);
	assert_int_equal(open_as(path, STORE_READ, &e), -ENOENT);
}

static void a_directory_that_cannot_be_written_is_told(void **state)
{
	struct fixture *f = *state;
	bool root = geteuid() == 0;
	struct err e;
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/new.db", f->dir);
	assert_int_equal(chmod(f->dir, 0555), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	r = open_as(path, STORE_WRITE, &e);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(f->dir, 0700), 0);
	assert_int_equal(r, -EACCES);
	assert_non_null(strstr(e.text, "must be writable for the user of the daemon"));
}

static void a_second_writer_is_refused_and_told_who_has_it(void **state)
{
	struct fixture *f = *state;
	struct err e;
	char pid[32], other[512];

	assert_int_equal(open_as(f->path, STORE_WRITE, &e), -EBUSY);
	snprintf(pid, sizeof(pid), "process %ld:", (long)getpid());
	assert_non_null(strstr(e.text, f->path));
	assert_non_null(strstr(e.text, pid));
	/* A symbolic link is the same store. */
	snprintf(other, sizeof(other), "%s/link.db", f->dir);
	assert_int_equal(symlink("deskbridge.db", other), 0);
	assert_int_equal(open_as(other, STORE_WRITE, &e), -EBUSY);
	/* Readers are not refused, and the writer continues. */
	assert_int_equal(open_as(f->path, STORE_READ, &e), 0);
	fixture_begin(f);
	assert_true(fixture_queue(f, "a@example.com", 1, NOW) > 0);
	fixture_commit(f);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(open_as(f->path, STORE_WRITE, &e), 0);
}

static void the_lock_goes_with_its_process(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	store_close(f->s);
	f->s = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store_options o = {.path = f->path};
		struct store *s;

		if (store_open(&o, STORE_WRITE, &s, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	fixture_open(f);
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

static void a_reader_sees_what_is_committed_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path};
	struct event e = {0};
	struct store *reader;

	MUST(store_open(&o, STORE_READ, &reader, err));
	fixture_begin(f);
	assert_int_equal(fixture_queue(f, "a@example.com", 1, NOW), 1);
	assert_int_equal(store_event_load(reader, 1, &e, NULL), -ENOENT);
	fixture_commit(f);
	MUST(store_event_load(reader, 1, &e, err));
	event_done(&e);
	store_close(reader);
}

static int count_event(void *ctx, const struct event *e)
{
	(void)e;
	(*(int *)ctx)++;
	return 0;
}

static void a_reader_ends_when_its_time_is_up(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path, .read_limit_ms = 20};
	struct err e = {0};
	int n = 0;
	struct store *reader;
	int64_t started;
	int r;

	/* Many rows that a page of other rows must skip. */
	fixture_sql(
		f,
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) INSERT INTO events "
		"(account,"
		" email, state, head, due, gap, created, unique_id, url) SELECT 'a', 'e', 0, 0, 0, 0, 0,"
		" CAST(printf('%016d', i) AS BLOB), '' FROM n");
	MUST(store_open(&o, STORE_READ, &reader, err));
	reader->read_limit_ms = 1;
	started = clock_mono_us();
	r = store_events_page(reader, EVENT_DELIVERED, 0, 500, count_event, &n, &e);
	assert_int_equal(r, -EINTR);
	assert_non_null(strstr(e.text, "longer than 1 ms"));
	assert_true(clock_mono_us() - started < 1000000);
	/* The next read has a limit of its own. */
	reader->read_limit_ms = 5000;
	assert_int_equal(store_events_page(reader, EVENT_READY, 0, 500, count_event, &n, &e), 500);
	assert_int_equal(n, 500);
	store_close(reader);
}

/* ---- full and failing disks -------------------------------------------------------------------------------------- */

static void a_full_disk_refuses_the_turn_and_keeps_what_was_committed(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {
		.source = mem_str("gladly"), .received_ms = NOW, .body = mem_new(1, 200001), .body_len = 200000};
	struct err e = {0};
	int64_t pages = 0;
	int r = 0;

	assert_int_equal(fixture_put(f, "gladly", "c", "p", 1, NOW), 1);
	MUST(store_pragma(f->s, "PRAGMA page_count", &pages, err));
	MUST(store_exec(f->s, "PRAGMA max_page_count = 100", err));
	memset(w.body, 'x', w.body_len);
	fixture_begin(f);
	for (int i = 0; r == 0 && i < 100; i++)
		r = fixture_insert(f->s, &w, NULL, NULL, &e);
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(e.text, "full: make room there"));
	store_rollback(f->s);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 1);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts"), 1);
	/* With free space again the store continues. */
	MUST(store_exec(f->s, "PRAGMA max_page_count = 100000", err));
	fixture_begin(f);
	MUST(fixture_insert(f->s, &w, NULL, NULL, err));
	fixture_commit(f);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts"), 2);
	webhook_done(&w);
}

/* Runs in a process of its own, with a limit on the size of files: as on a disk that fills while the WAL is written. */
static int fill_until_refused(const char *path)
{
	struct rlimit limit = {.rlim_cur = 400 * 1024, .rlim_max = RLIM_INFINITY};
	struct store_options o = {.path = path};
	struct fixture f = {.s = NULL};
	struct webhook w = {
		.source = mem_str("gladly"), .received_ms = NOW, .body = mem_new(1, 20001), .body_len = 20000};
	int committed = 0;
	int r = 0;
	struct err e = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (store_open(&o, STORE_WRITE, &f.s, NULL) < 0)
		return -1;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -2;
	for (int i = 0; r == 0 && i < 200; i++) {
		r = store_begin(f.s, &e);
		if (r == 0)
			r = fixture_insert(f.s, &w, NULL, NULL, &e);
		if (r == 0)
			r = store_commit(f.s, &e);
		else
			store_rollback(f.s);
		committed += r == 0;
	}
	if (r != -ENOSPC)
		return -3;
	/* With free space again the same connection continues. */
	limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -4;
	r = store_begin(f.s, &e);
	if (r == 0)
		r = fixture_insert(f.s, &w, NULL, NULL, &e);
	if (r == 0)
		r = store_commit(f.s, &e);
	return r < 0 ? -5 : committed + 1;
}

static void a_commit_that_does_not_fit_is_refused_and_the_store_goes_on(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	store_close(f->s);
	f->s = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit((unsigned char)fill_until_refused(f->path));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 2, 200);
	fixture_open(f);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), WEXITSTATUS(status));
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts"), WEXITSTATUS(status));
}

/* SQLite ends a transaction when the disk fails. The turn's later statements must not be committed one by one. */
static void a_turn_that_sqlite_gave_up_takes_nothing_more(void **state)
{
	struct fixture *f = *state;
	struct webhook w = {.source = mem_str("gladly"), .received_ms = NOW, .body = mem_str("{}"), .body_len = 2};
	struct err e = {0};

	fixture_begin(f);
	MUST(fixture_insert(f->s, &w, NULL, NULL, err));
	MUST(store_savepoint(f->s, err));
	assert_int_equal(sqlite3_exec(f->s->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fixture_insert(f->s, &w, NULL, NULL, &e), -EIO);
	assert_non_null(strstr(e.text, "the transaction was lost"));
	store_savepoint_undo(f->s);
	assert_int_equal(fixture_insert(f->s, &w, NULL, NULL, &e), -EIO);
	assert_int_equal(store_commit(f->s, &e), -EIO);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM counts"), 0);
	/* The next turn succeeds. */
	assert_true(fixture_put(f, "gladly", "c", "p", 1, NOW) > 0);
	assert_int_equal(fixture_sql(f, "SELECT sum(n) FROM counts"), 1);
	webhook_done(&w);
}

/* ---- files that are deleted, and other names --------------------------------------------------------------------- */

static void a_file_that_is_deleted_or_replaced_is_seen(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		struct err e = {0};
		char path[512], away[512];

		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		snprintf(away, sizeof(away), "%s.away", f->path);
		MUST(store_can_accept(f->s, err));
		assert_int_equal(rename(path, away), 0);
		assert_int_equal(store_can_accept(f->s, &e), -ESTALE);
		assert_non_null(strstr(e.text, path));
		assert_non_null(strstr(e.text, "was deleted or replaced"));
		write_file(path, "", 0);
		assert_int_equal(store_can_accept(f->s, &e), -ESTALE);
		assert_int_equal(rename(away, path), 0);
		MUST(store_can_accept(f->s, err));
	}
}

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Writes a byte of a file over itself. */
static void touch_byte(int fd)
{
	char byte;

	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
}

/*
 * Linux 6.13 and later give a write a new time if somebody has read the time since the write before, and at the next
 * tick of the clock otherwise. After a new time a sync has to write the inode, too. So the checks of a turn must not
 * read the WAL's time.
 */
static void the_checks_of_a_turn_do_not_read_the_time_of_the_wal(void **state)
{
	struct fixture *f = *state;
	bool has_new_time = true;
	char path[512];
	int fd;

	assert_true(fixture_put(f, "gladly", "c", "p", 1, NOW) > 0);
	snprintf(path, sizeof(path), "%s-wal", f->path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	/* More than once, because a tick may come between the writes. */
	for (int i = 0; i < 1000 && has_new_time; i++) {
		struct timespec between;
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		touch_byte(fd);
		assert_int_equal(clock_gettime(CLOCK_REALTIME, &between), 0);
		MUST(store_begin(f->s, err));
		MUST(store_can_accept(f->s, err));
		store_rollback(f->s);
		touch_byte(fd);
		assert_int_equal(fstat(fd, &st), 0);
		has_new_time = ns_of(st.st_mtim) > ns_of(between);
	}
	assert_false(has_new_time);
	assert_int_equal(close(fd), 0);
}

/* Runs in a process of its own, because a process's own locks never refuse it. */
static int open_by(const char *path)
{
	struct store_options o = {.path = path};
	struct err e = {0};
	struct store *s;
	int r = store_open(&o, STORE_WRITE, &s, &e);

	return r == -EBUSY && strstr(e.text, "by another name") ? 7 : r == 0 ? 1 : 2;
}

static void a_hard_link_is_the_same_store(void **state)
{
	struct fixture *f = *state;
	char other[512];
	sqlite3 *db;
	int status;

	snprintf(other, sizeof(other), "%s/other.db", f->dir);
	assert_int_equal(link(f->path, other), 0);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(open_by(other));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), i == 0 ? 7 : 1);
		if (i == 1)
			break;
		/* SQLite's locks are still held, so another process cannot remove the WAL. */
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			if (sqlite3_open(f->path, &db) != SQLITE_OK)
				_exit(3);
			_exit(sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_BUSY ? 5
														: 4);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WEXITSTATUS(status), 5);
		store_close(f->s);
		f->s = NULL;
	}
}

/* ---- the disk ---------------------------------------------------------------------------------------------------- */

static void the_wal_is_written_back_at_a_third_of_what_is_left(void **state)
{
	struct fixture *f = *state;

	f->s->disk_total = 6 << 20;
	f->s->disk_left = 3 * 50 * STORE_PAGE_BYTES;
	assert_int_equal(wal_limit(f->s), 51);
	f->s->disk_left = INT64_C(1) << 40;
	f->s->disk_total = INT64_C(1) << 41;
	assert_int_equal(wal_limit(f->s), 4096);
	f->s->disk_left = 0;
	assert_int_equal(wal_limit(f->s), 1);
}

static void intake_ends_before_the_wal_cannot_be_written_back(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	fixture_begin(f);
	f->s->disk_total = 64 << 20;
	f->s->disk_left = 32 << 20;
	f->s->wal_pages = 0;
	MUST(store_can_accept(f->s, err));
	f->s->wal_pages = (32 << 20) / STORE_PAGE_BYTES;
	assert_int_equal(store_can_accept(f->s, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "WAL"));
	assert_true(store_is_nearly_full(f->s));
	assert_int_equal(store_free_bytes(f->s), 0);
	assert_false(store_can_process(f->s));
	f->s->wal_pages = 0;
	MUST(store_can_accept(f->s, err));
	assert_true(store_can_process(f->s));
	f->s->disk_left = 3 << 20; /* 5 % is 3.2 MiB */
	assert_int_equal(store_can_accept(f->s, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "kept free: make room there"));
	f->s->disk_left = 3500 << 10; /* after a refusal, little more than the floor is not enough */
	assert_int_equal(store_can_accept(f->s, &e), -ENOSPC);
	f->s->disk_left = 5 << 20;
	MUST(store_can_accept(f->s, err));
	store_rollback(f->s);
}

/* ---- power cuts -------------------------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to, off_t cut)
{
	char command[1024];
	struct stat st;

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
	assert_int_equal(stat(to, &st), 0);
	if (cut > 0)
		assert_int_equal(truncate(to, st.st_size - cut), 0);
}

static int64_t webhooks_after_cut(struct fixture *f, off_t cut)
{
	struct fixture copy = {.s = NULL};
	char wal[512], copy_wal[512];
	int64_t n;

	snprintf(copy.path, sizeof(copy.path), "%s/copy.db", f->dir);
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	snprintf(copy_wal, sizeof(copy_wal), "%s-wal", copy.path);
	copy_file(f->path, copy.path, 0);
	copy_file(wal, copy_wal, cut);
	fixture_open(&copy);
	n = fixture_sql(&copy, "SELECT count(*) FROM webhooks");
	assert_int_equal(fixture_sql(&copy, "SELECT coalesce(sum(n), 0) FROM counts"), n);
	/* The store works: another webhook can be inserted. */
	assert_true(fixture_put(&copy, "gladly", "c", "p", 0, NOW) > 0);
	store_close(copy.s);
	assert_int_equal(unlink(copy.path), 0);
	return n;
}

static void a_power_cut_loses_nothing_that_was_committed(void **state)
{
	struct fixture *f = *state;

	/* With a small cache, a part of the open transaction is in the WAL already. */
	MUST(store_exec(f->s, "PRAGMA cache_size = 10", err));
	for (int i = 0; i < 20; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	fixture_begin(f);
	for (int i = 0; i < 500; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	assert_int_equal(webhooks_after_cut(f, 0), 20);
	fixture_commit(f);
	assert_int_equal(webhooks_after_cut(f, 0), 520);
	/* The WAL ends in the last frame, so the last transaction is incomplete. */
	assert_int_equal(webhooks_after_cut(f, 100), 20);
}

/* ---- the WAL, the size, copies ----------------------------------------------------------------------------------- */

static void the_wal_is_written_back_at_the_start_of_a_turn(void **state)
{
	struct fixture *f = *state;

	f->s->max_size = 16 * 64 * STORE_PAGE_BYTES; /* so the WAL's limit is 64 pages */
	for (int i = 0; i < 100; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	assert_in_range(f->s->wal_pages, 1, 90);
	store_checkpoint(f->s);
	assert_int_equal(f->s->wal_pages, 0);
	assert_int_equal(fixture_sql(f, "SELECT count(*) FROM webhooks"), 100);
}

static void a_wal_that_a_reader_kept_is_cut_afterwards(void **state)
{
	struct fixture *f = *state;
	struct store_options o = {.path = f->path};
	struct store *reader;
	sqlite3_stmt *stmt;
	struct stat st;

	f->s->max_size = 16 * 64 * STORE_PAGE_BYTES;
	fixture_put(f, "gladly", "c", "p", 0, NOW);
	MUST(store_open(&o, STORE_READ, &reader, err));
	assert_int_equal(sqlite3_prepare_v2(reader->db, "SELECT id FROM webhooks", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	for (int i = 0; i < 100; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	assert_true(f->s->wal_pages > 300);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	store_checkpoint(f->s);
	assert_int_equal(f->s->wal_pages, 0);
	assert_int_equal(stat(f->s->wal_path, &st), 0);
	assert_int_equal(st.st_size, 0);
	store_close(reader);
}

static void nothing_new_is_taken_beyond_max_size(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	int64_t size = store_size(f->s);

	MUST(store_can_accept(f->s, err));
	f->s->max_size = size + 50000;
	MUST(store_can_accept(f->s, err));
	fixture_begin(f);
	for (int i = 0; i < 3000; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	fixture_commit(f);
	assert_true(store_size(f->s) > size + 50000);
	assert_int_equal(store_can_accept(f->s, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "store.max_size"));
	f->s->max_size = 0;
	MUST(store_can_accept(f->s, err));
}

static void the_size_is_pages_in_use_and_the_wal(void **state)
{
	struct fixture *f = *state;
	int64_t empty, full;
	struct stat st;

	store_checkpoint(f->s);
	empty = store_size(f->s);
	fixture_begin(f);
	for (int i = 0; i < 1000; i++)
		fixture_put(f, "gladly", "c", "p", 0, NOW);
	fixture_commit(f);
	assert_int_equal(stat(f->s->wal_path, &st), 0);
	full = store_size(f->s);
	assert_true(full > empty + 100000);
	fixture_sql(f, "DELETE FROM webhooks; DELETE FROM webhook_bodies; PRAGMA wal_checkpoint(TRUNCATE)");
	assert_int_equal(stat(f->s->wal_path, &st), 0);
	assert_int_equal(st.st_size, 0);
	/* The file did not shrink, but its free pages do not count. */
	assert_true(store_size(f->s) < full / 2);
}

static void a_backup_is_a_whole_store_and_never_replaces_a_file(void **state)
{
	struct fixture *f = *state;
	struct fixture copy = {.s = NULL};
	struct store_options o = {.path = f->path};
	struct err e = {0};
	struct store *reader;
	struct stat st;
	char part[512];

	fixture_put(f, "gladly", "c", "p", 7, NOW);
	snprintf(copy.path, sizeof(copy.path), "%s/backup.db", f->dir);
	MUST(store_open(&o, STORE_READ, &reader, err));
	fixture_begin(f);
	fixture_put(f, "gladly", "d", "p", 8, NOW);
	MUST(store_backup(reader, copy.path, err));
	fixture_commit(f);
	assert_int_equal(store_backup(reader, copy.path, &e), -EEXIST);
	snprintf(part, sizeof(part), "%s/none/backup.db", f->dir);
	assert_int_equal(store_backup(reader, part, &e), -ENOENT);
	store_close(reader);
	snprintf(part, sizeof(part), "%s.part", copy.path);
	assert_int_equal(access(part, F_OK), -1);
	assert_int_equal(stat(copy.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fixture_open(&copy);
	assert_int_equal(fixture_sql(&copy, "SELECT count(*) FROM webhooks"), 1);
	assert_int_equal(fixture_put(&copy, "gladly", "c", "p", 7, NOW), 0);
	store_close(copy.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		TEST(the_files_are_their_owners_only),
		TEST(every_commit_reaches_the_disk),
		TEST(a_store_of_a_newer_version_is_refused_with_what_to_do),
		TEST(what_is_not_a_store_is_refused_and_left_alone),
		TEST(an_empty_file_becomes_a_store),
		TEST(a_missing_directory_is_named),
		TEST(a_directory_that_cannot_be_written_is_told),
		TEST(a_second_writer_is_refused_and_told_who_has_it),
		TEST(the_lock_goes_with_its_process),
		TEST(a_reader_sees_what_is_committed_and_nothing_else),
		TEST(a_reader_ends_when_its_time_is_up),
		TEST(a_full_disk_refuses_the_turn_and_keeps_what_was_committed),
		TEST(a_commit_that_does_not_fit_is_refused_and_the_store_goes_on),
		TEST(a_turn_that_sqlite_gave_up_takes_nothing_more),
		TEST(a_file_that_is_deleted_or_replaced_is_seen),
		TEST(the_checks_of_a_turn_do_not_read_the_time_of_the_wal),
		TEST(a_hard_link_is_the_same_store),
		TEST(the_wal_is_written_back_at_a_third_of_what_is_left),
		TEST(intake_ends_before_the_wal_cannot_be_written_back),
		TEST(a_power_cut_loses_nothing_that_was_committed),
		TEST(the_wal_is_written_back_at_the_start_of_a_turn),
		TEST(a_wal_that_a_reader_kept_is_cut_afterwards),
		TEST(nothing_new_is_taken_beyond_max_size),
		TEST(the_size_is_pages_in_use_and_the_wal),
		TEST(a_backup_is_a_whole_store_and_never_replaces_a_file),
	};

	return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
