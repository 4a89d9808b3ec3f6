/* SPDX-License-Identifier: MIT */
/*
 * The write-back of the WAL in the background, by a thread with a connection of its own, while the owner of the store
 * goes on committing. The thread syncs what it reads from the WAL before it writes it to the database, and then the
 * database, as every checkpoint of SQLite does.
 *
 * Commits that come meanwhile stay in the WAL, and SQLite begins again at the start of the file only when all of it is
 * written back. So the owner writes the rest itself, between two transactions, when it is small: after at most
 * ROUNDS write-backs in the background.
 */
#include <config.h>

#include "base/background.h"
#include "store/connection.h"
#include "store/transaction.h"

#define ROUNDS 3
#define SMALL_REST (STORE_WAL_PAGES / 16) /* pages; writing them takes about a millisecond */

/* On the background thread. */
static void checkpoint_job(void *arg)
{
	struct checkpointing *c = arg;

	c->rc = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &c->written);
}

static bool start(struct store *s)
{
	struct checkpointing *c = &s->checkpointing;

	if (!c->thread) {
		if (sqlite3_open_v2(s->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
			(void)sqlite3_close(TAKE(c->db));
			return false;
		}
		c->thread = background_new("checkpoint");
	}
	c->ran = true;
	c->rounds++;
	background_start(c->thread, checkpoint_job, c);
	return true;
}

enum checkpoint_step checkpoint_step(struct store *s)
{
	struct checkpointing *c = &s->checkpointing;

	if (c->thread && background_is_busy(c->thread)) {
		if (s->wal_pages < 2 * STORE_WAL_PAGES)
			return CHECKPOINT_RUNS;
		background_wait(c->thread); /* the disk is slower than the commits: these wait for it */
	}
	if (c->ran) {
		c->ran = false;
		if (c->rc != SQLITE_OK || s->wal_pages - c->written <= SMALL_REST || c->rounds >= ROUNDS)
			return CHECKPOINT_REST;
	}
	return start(s) ? CHECKPOINT_RUNS : CHECKPOINT_REST;
}

void checkpoint_ended(struct store *s)
{
	s->checkpointing.rounds = 0;
}

void checkpoint_wait(struct store *s)
{
	if (s->checkpointing.thread)
		background_wait(s->checkpointing.thread);
	s->checkpointing.ran = false;
}

void checkpoint_done(struct store *s)
{
	background_free(s->checkpointing.thread);
	(void)sqlite3_close(s->checkpointing.db);
}
