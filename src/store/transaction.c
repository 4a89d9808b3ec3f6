/* SPDX-License-Identifier: MIT */
/*
 * Transactions, savepoints, and changes in several steps.
 *
 * DESIGN
 * ------
 *
 * Three nested scopes, each all or nothing:
 *
 *   transaction  store_begin … store_commit or store_rollback: one turn of the pipeline
 *   savepoint    store_savepoint … store_savepoint_keep or _undo: a part of a turn, as one webhook's pass; not nested
 *   change       change_begin … change_end: one function of store.h that runs several statements
 *
 * A savepoint of a transaction that has changed no row yet is the beginning of the transaction: its undo rolls back and
 * begins again. It needs no savepoint of SQLite, for which SQLite copies each page before its first change. So the
 * common turn, which only inserts webhooks, copies no page.
 *
 * A change has no savepoint of its own, because that would cost two statements for each call. A change that fails after
 * it changed rows sets `half_done`. From then on the savepoint cannot be kept and the transaction cannot be committed:
 * both fail with the change's error, until the savepoint is undone or the transaction rolled back. So a caller that
 * ignores an error cannot commit half a change.
 *
 * SQLite ends the transaction itself when the disk fails. store_failed() notices that and sets `lost`. Later changing
 * statements would run outside the transaction, so they fail, and so does the commit.
 *
 * Hooks. Some state lives in memory next to the rows: counters, notes of repaired rows, unfinished wakes, the last ids,
 * what is known of pending rows, and more. Each part has a struct transaction_hook and follows the transaction, in the
 * order of the table in store.c:
 *
 *   write        before the COMMIT; a failure rolls back
 *   savepoint    after the savepoint is set
 *   undo         when the savepoint is undone
 *   committed    after the COMMIT
 *   rolled_back  after the rollback
 *   others_wrote after the BEGIN, where another connection has changed the file, as a person who repairs it by hand
 *
 * Threads. A store belongs to the thread that uses it, so there is no lock here. The pipeline has the only writer. Each
 * reader has a connection of its own and sees the last commit (WAL).
 *
 * Ordering guarantee. store_begin() writes back a WAL that is due, before the transaction begins: no client waits for
 * this transaction yet. Readers see nothing of a transaction before its COMMIT. The pipeline answers a
 * client after the store_commit() of its webhook returned 0.
 *
 * What survives a crash. Everything for which store_commit() returned 0: SQLite writes the WAL with synchronous=FULL,
 * so COMMIT returns after fsync, and a power cut does not take it back. The same holds for store_commit_async() from
 * the moment at which it calls `synced`; what it committed survives the end of the process before. Everything else
 * leaves no trace: SQLite ignores an unfinished transaction when it reads the WAL at the next start. The state of the
 * hooks is found again: counters are rows, and repairs that were not committed are made again. Wakes start again:
 * store_webhooks_restart() wakes webhooks that waited for a lookup, and the pipeline wakes those that wait for other
 * reasons.
 */
#include <config.h>

#include "store/transaction.h"

#include <errno.h>

#include "store/connection.h"
#include "store/wal_vfs.h"

#define CALL_HOOKS(s, what)                                                                  \
	do {                                                                                 \
		for (const struct transaction_hook *const *hook = (s)->hooks; *hook; hook++) \
			if ((*hook)->what)                                                   \
				(*hook)->what(s);                                            \
	} while (0)

static void transaction_ended(struct store *s)
{
	s->in_transaction = s->in_savepoint = false;
	s->lost = s->half_done = 0;
}

/* Returns 0 where the transaction can be kept, otherwise the error that prevents it. */
static int transaction_is_whole(struct store *s, struct err *reterr)
{
	if (s->lost)
		return transaction_lost(s, reterr);
	if (s->half_done)
		return err_set(reterr, s->half_done, "the store %s: a change that failed half way was not undone",
			       s->path);
	return 0;
}

static unsigned data_version(const struct store *s)
{
	unsigned version = 0;

	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
	return version;
}

void store_knows_others(struct store *s)
{
	s->data_version = data_version(s);
}

int store_begin(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->mode == STORE_WRITE && !s->in_transaction);
	r = sync_again(s, reterr);
	if (r < 0)
		return r;
	wal_begin(s);
	r = query_control(s, "BEGIN IMMEDIATE", reterr);
	if (r == 0) {
		s->in_transaction = true;
		s->rows_at_begin = sqlite3_total_changes(s->db);
		if (data_version(s) != s->data_version)
			CALL_HOOKS(s, others_wrote);
	}
	return r;
}

/* A COMMIT waits for the sync of the one before, because a power cut takes away what follows a lost frame. deferred:
 * the sync may be left to sync_start(). Returns 1 where it was. */
static int commit(struct store *s, bool deferred, struct err *reterr)
{
	sqlite3_file *wal = NULL;
	int r;

	INSIST(s->in_transaction && !s->in_savepoint);
	r = transaction_is_whole(s, reterr);
	for (const struct transaction_hook *const *hook = s->hooks; r == 0 && *hook; hook++)
		if ((*hook)->write)
			r = (*hook)->write(s, reterr);
	if (r == 0 && (deferred || sqlite3_total_changes(s->db) != s->rows_at_begin))
		r = store_sync_wait(s, reterr);
	/* Without a change nothing is written. */
	if (deferred && sqlite3_total_changes(s->db) != s->rows_at_begin)
		wal = wal_of(s);
	deferred = wal && wal_vfs_defer(wal, true);
	if (r == 0)
		r = query_control(s, "COMMIT", reterr);
	if (deferred)
		(void)wal_vfs_defer(wal, false);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	transaction_ended(s);
	s->data_version = data_version(s);
	CALL_HOOKS(s, committed);
	return deferred;
}

int store_commit(struct store *s, struct err *reterr)
{
	return commit(s, false, reterr);
}

int store_commit_async(struct store *s, void (*synced)(void *arg), void *arg, struct err *reterr)
{
	int r = commit(s, true, reterr);

	if (r < 0)
		return r;
	if (r > 0)
		sync_start(s, synced, arg);
	else
		synced(arg);
	return 0;
}

static void roll_back(struct store *s)
{
	sqlite3_file *wal;

	/* On a full or failing disk SQLite may have rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	wal = wal_of(s);
	if (wal)
		wal_vfs_drop(wal);
}

void store_rollback(struct store *s)
{
	if (!s->in_transaction)
		return;
	roll_back(s);
	transaction_ended(s);
	CALL_HOOKS(s, rolled_back);
}

int store_savepoint(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->in_transaction && !s->in_savepoint);
	r = transaction_is_whole(s, reterr);
	s->savepoint_is_begin = sqlite3_total_changes(s->db) == s->rows_at_begin;
	if (r == 0 && !s->savepoint_is_begin)
		r = query_control(s, "SAVEPOINT webhook", reterr);
	if (r == 0) {
		s->in_savepoint = true;
		CALL_HOOKS(s, savepoint);
	}
	return r;
}

int store_savepoint_keep(struct store *s, struct err *reterr)
{
	int r = transaction_is_whole(s, reterr);

	INSIST(s->in_savepoint);
	if (s->half_done)
		store_savepoint_undo(s);
	s->in_savepoint = false;
	return r < 0 || s->savepoint_is_begin ? r : query_control(s, "RELEASE webhook", reterr);
}

void store_savepoint_undo(struct store *s)
{
	int r;

	if (!s->in_savepoint)
		return;
	s->in_savepoint = false;
	s->half_done = 0; /* store_savepoint refuses a half-done transaction */
	CALL_HOOKS(s, undo);
	if (sqlite3_get_autocommit(s->db))
		return; /* SQLite has ended the transaction */
	/* Work that cannot be undone must not be committed, and SQLite must not change rows outside of a transaction.
	 */
	if (!s->savepoint_is_begin) {
		if (sqlite3_exec(s->db, "ROLLBACK TO webhook; RELEASE webhook", NULL, NULL, NULL) != SQLITE_OK)
			s->lost = -EIO;
		return;
	}
	roll_back(s);
	r = query_control(s, "BEGIN IMMEDIATE", NULL);
	if (r < 0)
		s->lost = r;
	else if (data_version(s) != s->data_version)
		CALL_HOOKS(s, others_wrote);
	s->rows_at_begin = sqlite3_total_changes(s->db);
}

void store_advance_now(struct store *s, int64_t now_ms)
{
	if (now_ms > s->now_ms)
		s->now_ms = now_ms;
}

/* ---- a change in steps ------------------------------------------------------------------------------------------- */

struct change change_begin(struct store *s, struct err *reterr)
{
	return (struct change){.store = s, .rows = sqlite3_total_changes(s->db), .reterr = reterr};
}

int change_end(struct change *c)
{
	/* SQLite undoes a statement that failed, and does not count its rows. */
	if (c->status < 0 && c->store->in_transaction && sqlite3_total_changes(c->store->db) != c->rows)
		c->store->half_done = c->status;
	return c->status;
}

struct query change_query(struct change *c, const char *sql)
{
	if (c->status < 0)
		return (struct query){.store = c->store, .status = c->status, .reterr = c->reterr};
	return query_open(c->store, sql, c->reterr);
}

/* Passes on a query's result. A failure becomes the change's, and 0 is returned. */
static int change_answer(struct change *c, int r)
{
	if (r >= 0)
		return r;
	c->status = r;
	return 0;
}

bool change_step(struct change *c, struct query *q)
{
	return change_answer(c, query_step(q)) > 0;
}

int change_run(struct change *c, struct query *q)
{
	return change_answer(c, query_run(q));
}

void change_ids(struct change *c, struct query *q, struct ids *ids)
{
	(void)change_answer(c, query_ids(q, ids));
	query_close(q);
}

void change_id_pairs(struct change *c, struct query *q, struct ids *ids, struct ids *seconds)
{
	(void)change_answer(c, query_id_pairs(q, ids, seconds));
	query_close(q);
}

bool change_one_int(struct change *c, struct query *q, int64_t *ret)
{
	int r = query_one_int(q, ret);

	query_close(q);
	return change_answer(c, r) > 0;
}

int change_by_id(struct change *c, const char *sql, int64_t id)
{
	CHANGE(q, c, sql);
	query_bind_int(&q, id);
	return change_run(c, &q);
}

struct change change_part(const struct change *c, struct err *why_or_null)
{
	return (struct change){.store = c->store, .status = c->status, .reterr = why_or_null ? why_or_null : c->reterr};
}

bool change_part_failed(struct change *c, const struct change *part, int error)
{
	if (c->status < 0 || part->status == 0)
		return false;
	if (part->status == error)
		return true;
	c->status = part->status;
	if (part->reterr != c->reterr)
		(void)err_set(c->reterr, part->status, "%s", part->reterr->text);
	return false;
}
