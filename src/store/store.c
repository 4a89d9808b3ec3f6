/* SPDX-License-Identifier: MIT */
/*
 * Opens and closes a store: the file, the connection, the schema, in this order.
 */
#include <config.h>

#include "store/store.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/connection.h"
#include "store/tables.h"
#include "store/transaction.h"

/* The schema is checked first, so that a file of another program or version stays unchanged. */
static int store_prepare_file(struct store *s, struct err *reterr)
{
	int64_t version;
	int r = schema_check(s, &version, reterr);

	if (r < 0 || s->mode == STORE_READ)
		return r;
	/* The WAL is written back between turns (space.c), not by SQLite inside a commit. */
	r = store_exec(s,
		       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
		       "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384",
		       reterr);
	if (r < 0)
		return r;
	r = wal_open(s, reterr); /* after wal_autocheckpoint, which replaces the WAL hook */
	if (r == 0)
		r = schema_migrate(s, version, reterr);
	s->is_new = version == 0;
	s->schema_was = version;
	if (r == 0)
		r = deliveries_open(s, reterr);
	if (r == 0)
		r = keys_open(s, reterr);
	progress_end(s);
	s->progress = (struct store_progress){0}; /* a later building is not the opening's */
	store_knows_others(s);
	if (r == 0) {
		s->files = store_files_new(s);
		sync_open(s);
	}
	return r;
}

static const struct transaction_hook *const hooks[] = {
	&counts_hook,    &losses_hook, &wake_scans_hook, &ids_hook,        &conversation_ids_hook, &pending_hook,
	&oldest_hook,    &size_hook,   &old_keys_hook,   &deliveries_hook, &recent_events_hook,    &keys_hook,
	&keys_rows_hook, NULL};

int store_open(const struct store_options *o, enum store_mode mode, struct store **ret, struct err *reterr)
{
	struct store *s = mem_new(1, sizeof(*s));
	char *resolved = realpath(o->path, NULL);
	int r;

	/* A symbolic link is resolved, because the lock and the WAL are in the directory of the file itself. */
	s->path = resolved ? resolved : mem_str(o->path);
	s->wal_path = mem_fmt("%s-wal", s->path);
	s->mode = mode;
	s->hooks = hooks;
	if (mode == STORE_WRITE) {
		deliveries_new(s);
		keys_new(s);
	}
	s->lock_fd = s->inode_fd = -1;
	s->max_size = o->max_size;
	s->size_left = -1;
	s->migrates = o->migrates;
	s->progress = (struct store_progress){.works = o->works, .ctx = o->works_ctx};
	s->longest_age_ms = CLOCK_NEVER_MS;
	s->read_limit_ms = mode == STORE_READ ? o->read_limit_ms : 0;
	r = mode == STORE_WRITE ? store_file_open(s, reterr) : 0;
	if (r == 0)
		r = connection_open(s, reterr);
	if (r == 0)
		r = store_prepare_file(s, reterr);
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
	sync_done(s);
	statements_done(s);
	/* SQLite deletes the WAL at the close. A WAL that belongs to another database now must stay. */
	if (s->db && s->files && store_file_is_lost(s->files, STORE_FILE_DATABASE) &&
	    store_file_is_replaced(s->files, STORE_FILE_WAL))
		s->leave_wal = true;
	if (s->db && s->leave_wal)
		(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* The last connection writes the WAL back, so the locks are held until it is closed. */
	INSIST(sqlite3_close(s->db) == SQLITE_OK);
	if (s->inode_fd >= 0)
		(void)close(s->inode_fd);
	store_files_free(s->files);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	counts_done(s);
	losses_done(s);
	wake_scans_done(s);
	oldest_done(s);
	deliveries_done(s);
	keys_done(s);
	recent_events_done(s);
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

bool store_was_migrated(const struct store *s, int64_t *ret_from, int64_t *ret_to)
{
	*ret_from = s->schema_was;
	*ret_to = s->schema;
	return s->schema_was > 0 && s->schema > s->schema_was;
}

void store_set_longest_age(struct store *s, int64_t ms)
{
	s->longest_age_ms = ms;
}
