/*
 * Transactions and the savepoint of one webhook's work.
 */
#include <config.h>

#include "store/transaction.h"

#include <errno.h>

#include "store/connection.h"
#include "store/query.h"

/* Once a webhook: prepared like other statements. They write nothing themselves. */
static int savepoint_run(struct store *s, const char *sql, struct err *reterr)
{
	QUERY(q, s, sql, reterr);
	return query_step(&q);
}

/* What belongs to the transaction follows it. */
#define TELL_HOOKS(s, what)                                                          \
	for (const struct transaction_hook *const *hook = (s)->hooks; *hook; hook++) \
		if ((*hook)->what)                                                   \
	(*hook)->what(s)

static void transaction_ended(struct store *s)
{
	s->in_transaction = s->in_savepoint = false;
	s->lost = 0;
}

int store_begin(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->mode == STORE_WRITE && !s->in_transaction);
	wal_begin(s);
	r = store_exec(s, "BEGIN IMMEDIATE", reterr);
	if (r == 0)
		s->in_transaction = true;
	return r;
}

static int hooks_write(struct store *s, struct err *reterr)
{
	int r = 0;

	for (const struct transaction_hook *const *hook = s->hooks; r == 0 && *hook; hook++)
		if ((*hook)->write)
			r = (*hook)->write(s, reterr);
	return r;
}

int store_commit(struct store *s, struct err *reterr)
{
	int r;

	INSIST(s->in_transaction && !s->in_savepoint);
	r = s->lost ? transaction_lost(s, reterr) : hooks_write(s, reterr);
	if (r == 0)
		r = store_exec(s, "COMMIT", reterr);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	transaction_ended(s);
	TELL_HOOKS(s, committed);
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
	TELL_HOOKS(s, rolled_back);
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
		TELL_HOOKS(s, savepoint);
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
	TELL_HOOKS(s, undo);
	if (!sqlite3_get_autocommit(s->db) &&
	    sqlite3_exec(s->db, "ROLLBACK TO webhook; RELEASE webhook", NULL, NULL, NULL) != SQLITE_OK)
		/* What cannot be undone alone must not be committed with the rest. */
		s->lost = -EIO;
}
