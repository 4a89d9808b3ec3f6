/* SPDX-License-Identifier: MIT */
/*
 * Migration 8: `marks` and `reached` become columns of `conversations`, and `open_people`.
 *
 * The rows of `conversations` stay where they are, so that a damaged one stays as readable as it was. ALTER TABLE may
 * refuse to add a column for one damaged row, so the text of the schema is changed instead: a row without the last
 * columns has their defaults.
 *
 * Then the conversations are read and updated in the order of their ids, a batch in each transaction. So the WAL stays
 * small, and damage stops one row: after an error of a damaged page SQLite writes nothing more in a transaction, even
 * behind a savepoint. A batch that fails is written again, one conversation in each transaction, and what cannot be
 * read or written is noted and left out.
 *
 * The number of the schema changes last, together with the end of the former tables. Until then nothing reads the new
 * columns and `open_people`, and a version of schema 7 goes on with the former tables. A migration that ended before
 * begins anew.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "store/connection.h"
#include "store/numbers.h"
#include "store/tables.h"

/* Conversations in one transaction. */
#define BATCH 1024
/* Ids that cannot be read one after another, until larger steps are made. */
#define UNREADABLE_IDS 1000

/* ---- the room ---------------------------------------------------------------------------------------------------- */

/* The most that the WAL takes (space.c), twice: before it is written back, and what of it is new in the database. */
#define WAL_BYTES (INT64_C(2) * STORE_WAL_PAGES * STORE_FRAME_BYTES)
/* The least: the pages of a small store that each transaction changes. */
#define WAL_LEAST_BYTES (INT64_C(256) << 10)

/* A table whose pages are damaged counts nothing. */
static int room_part(struct store *s, const char *sql, int64_t *bytes, struct err *reterr)
{
	int64_t part = 0;
	int r = store_pragma(s, sql, &part, reterr);

	*bytes += part;
	return r == -EUCLEAN ? 0 : r;
}

/* Migration 8. Rows become longer, and a page that is divided leaves two that are half full. SQLite of Debian
 * overwrites what is deleted, so that the end of the former tables writes them to the WAL once more. */
static int room_of_people(struct store *s, int64_t *bytes, struct err *reterr)
{
	int r = room_part(s,
			  "SELECT count(*) * 128 + 2 * coalesce(sum(length(source) + length(conversation)"
			  " + length(taken)), 0) FROM conversations",
			  bytes, reterr);

	return r < 0 ? r
		     : room_part(s,
				 "SELECT count(*) * 128 + 6 * coalesce(sum(length(account) + length(email)"
				 " + length(flag)), 0) FROM reached",
				 bytes, reterr);
}

/* Migration 9. Each of the former indexes ends in one transaction, which writes all its pages to the WAL. These are
 * their sizes where half of each page is free. `keys` is shorter than they are, and takes their pages. */
static int room_of_keys(struct store *s, int64_t version, int64_t *bytes, struct err *reterr)
{
	static const char *const indexes[] = {
		"SELECT count(*) * 24 + 2 * coalesce(sum(length(source) + length(conversation)), 0) FROM conversations",
		"SELECT count(*) * 72 + 2 * coalesce(sum(length(account)), 0) FROM events",
		"SELECT count(*) * 24 + 2 * coalesce(sum(length(account) + length(email)), 0) FROM events"
		" WHERE state <> " SQL_DELIVERED,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(indexes) / sizeof(*indexes); i++)
		r = room_part(s, indexes[i], bytes, reterr);
	if (r == 0 && version == 8)
		r = room_part(s, "SELECT count(*) * 24 + 2 * coalesce(sum(length(person)), 0) FROM open_people", bytes,
			      reterr);
	return r;
}

int migration_bytes(struct store *s, int64_t version, int64_t *ret, struct err *reterr)
{
	int64_t bytes = 0;
	int64_t wal;
	int r = version < 8 ? room_of_people(s, &bytes, reterr) : 0;

	/* Migration 6 writes two indexes. */
	if (r == 0 && version < 6)
		r = room_part(s, "SELECT count(*) * 200 FROM events", &bytes, reterr);
	if (r == 0)
		r = room_of_keys(s, version, &bytes, reterr);
	statements_done(s);
	wal = WAL_LEAST_BYTES + 8 * bytes;
	*ret = bytes + (wal < WAL_BYTES ? wal : WAL_BYTES);
	return r;
}

/* ---- the new columns and table ----------------------------------------------------------------------------------- */

static const char columns[] = "UPDATE sqlite_schema SET sql = substr(sql, 1, length(sql) - length(') STRICT')) ||"
			      " ', as_of_received INTEGER NOT NULL DEFAULT 0, newest INTEGER NOT NULL DEFAULT 0,"
			      " people BLOB NOT NULL DEFAULT x'''', digests BLOB NOT NULL DEFAULT x'''') STRICT'"
			      " WHERE type = 'table' AND name = 'conversations' AND sql LIKE '%) STRICT'";

static const char open_people[] = "DROP TABLE IF EXISTS open_people;"
				  "CREATE TABLE open_people ("
				  " person BLOB NOT NULL," /* as in conversations.people */
				  " conversation INTEGER NOT NULL,"
				  " PRIMARY KEY (person, conversation)) STRICT, WITHOUT ROWID;";

static int columns_add(struct store *s, struct err *reterr)
{
	int changed;
	int r;

	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	r = store_exec(s, "PRAGMA writable_schema = 1", reterr);
	if (r == 0)
		r = store_exec(s, columns, reterr);
	changed = sqlite3_changes(s->db);
	if (r == 0)
		r = store_exec(s, "PRAGMA writable_schema = RESET", reterr);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (r == 0 && changed != 1)
		return err_set(reterr, -EUCLEAN, "the store %s has no table of conversations as deskbridge makes it",
			       s->path);
	return r;
}

/* A migration that ended before has added the columns. The new table changes the number by which other connections see
 * that the schema is another one. */
static int schema_add(struct store *s, struct err *reterr)
{
	int64_t had = 0;
	int r = store_pragma(s, "SELECT count(*) FROM pragma_table_info('conversations') WHERE name = 'people'", &had,
			     reterr);

	if (r == 0)
		r = store_begin(s, reterr);
	if (r < 0)
		return r;
	r = store_exec(s, open_people, reterr);
	if (r == 0 && had == 0)
		r = columns_add(s, reterr);
	if (r == 0)
		return store_commit(s, reterr);
	store_rollback(s);
	return r;
}

/* ---- one conversation -------------------------------------------------------------------------------------------- */

struct moved {
	int64_t id;
	bool open;
	int64_t as_of_received, newest;
	struct buf people, digests;
};

/* Notes what was damaged, in a transaction of its own. */
static int note(struct store *s, int64_t id, const char *what, struct err *reterr)
{
	int r = store_begin(s, reterr);

	if (r < 0)
		return r;
	loss_note(s, STORE_LOSS_OTHER, id, NULL, what);
	return store_commit(s, reterr);
}

static int marks_read(struct store *s, struct moved *m, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT as_of_received, newest FROM marks WHERE conversation = ?1", reterr);
	query_bind_int(&q, m->id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	m->as_of_received = query_int(&q);
	m->newest = query_int(&q);
	return 0;
}

static int reached_read(struct store *s, struct moved *m, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT r.account, r.flag, r.email, r.digest FROM reached i CROSS JOIN reached r ON r.id = i.id"
	      " WHERE i.conversation = ?1 AND r.conversation = ?1 ORDER BY i.id",
	      reterr);
	query_bind_int(&q, m->id);
	while ((r = query_step(&q)) > 0) {
		CLEANUP(mem_freep) char *account = query_text(&q);
		CLEANUP(mem_freep) char *flag = query_text(&q);
		CLEANUP(mem_freep) char *email = query_text_or_null(&q);
		char hex[2 * DIGEST_DELIVERY_BYTES + 1];
		const void *digest;
		size_t n;

		if (email && !q.bad) {
			people_add(&m->people, email, account, flag);
			continue;
		}
		digest = query_blob(&q, &n);
		if (q.bad || n != DIGEST_DELIVERY_BYTES)
			continue;
		hex_write(digest, n, hex);
		people_add(&m->digests, hex, account, flag);
	}
	return r;
}

static int moved_read(struct store *s, struct moved *m, struct err *reterr)
{
	int r = marks_read(s, m, reterr);

	if (r == -EUCLEAN)
		r = note(s, m->id, "a conversation's newest times could not be read and were left out", reterr);
	if (r == 0)
		r = reached_read(s, m, reterr);
	if (r == -EUCLEAN)
		r = note(s, m->id, "whom a conversation reached could not be read and was left out", reterr);
	return r;
}

/* A migration that begins anew, or a program of schema 7, finds them by the new id. */
static void former_rows_move(struct change *c, int64_t from, int64_t to)
{
	CHANGE(marks, c, "UPDATE OR REPLACE marks SET conversation = ?2 WHERE conversation = ?1");
	query_bind_int(&marks, from);
	query_bind_int(&marks, to);
	(void)change_run(c, &marks);
	CHANGE(reached, c, "UPDATE reached SET conversation = ?2 WHERE conversation = ?1");
	query_bind_int(&reached, from);
	query_bind_int(&reached, to);
	(void)change_run(c, &reached);
}

static void open_people_insert(struct change *c, int64_t conversation, struct people people)
{
	struct person p;

	while (people_next(&people, &p) > 0) {
		CHANGE(q, c, "INSERT OR IGNORE INTO open_people (person, conversation) VALUES (?1, ?2)");
		query_bind_blob(&q, p.bytes, p.n);
		query_bind_int(&q, conversation);
		(void)change_run(c, &q);
	}
}

/* to: its new id. */
static void moved_write(struct change *c, const struct moved *m, int64_t to)
{
	struct query q;

	q = change_query(c, to == m->id ? "UPDATE conversations SET as_of_received = ?2, newest = ?3, people = ?4,"
					  " digests = ?5 WHERE id = ?1"
					: "UPDATE conversations SET as_of_received = ?2, newest = ?3, people = ?4,"
					  " digests = ?5, id = ?6 WHERE id = ?1");
	query_bind_int(&q, m->id);
	query_bind_int(&q, m->as_of_received);
	query_bind_int(&q, m->newest);
	query_bind_blob(&q, m->people.data, m->people.len);
	query_bind_blob(&q, m->digests.data, m->digests.len);
	if (to != m->id)
		query_bind_int(&q, to);
	(void)change_run(c, &q);
	query_close(&q);
	if (to != m->id)
		former_rows_move(c, m->id, to);
	if (m->open)
		open_people_insert(c, to, (struct people){m->people.data, m->people.len});
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct batch {
	struct moved items[BATCH];
	size_t n;
	int64_t from;        /* the next id to read */
	int64_t last;        /* the largest id that a row had at the start */
	unsigned unreadable; /* ids before `from`, one after another */
	int64_t bad;         /* the last of these */
	bool is_last;
};

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		buf_done(&b->items[i].people);
		buf_done(&b->items[i].digests);
	}
	b->n = 0;
}

static bool is_damage(int r)
{
	return r == -EUCLEAN || r == -EBADMSG;
}

/* Writes some conversations in one transaction. to: the new id of a single one; 0: the ids stay. */
static int moved_save(struct store *s, const struct moved *items, size_t n, int64_t to, struct err *reterr)
{
	struct change c = change_begin(s, reterr);

	c.status = store_begin(s, reterr);
	for (size_t i = 0; i < n; i++)
		moved_write(&c, &items[i], to > 0 ? to : items[i].id);
	if (c.status == 0)
		return store_commit(s, reterr);
	store_rollback(s);
	return c.status;
}

/* A row that grows changes the pages beside its own, too. Where one of these is damaged, it is moved to the end. */
static int moved_save_one(struct store *s, const struct moved *m, struct err *reterr)
{
	int64_t max = 0;
	int r = moved_save(s, m, 1, 0, reterr);

	if (r != -EUCLEAN)
		return r;
	r = store_pragma(s, "SELECT max(id) FROM conversations", &max, reterr);
	if (r == 0 && max == INT64_MAX)
		r = -EUCLEAN;
	return r < 0 ? r : moved_save(s, m, 1, max + 1, reterr);
}

static int batch_save(struct store *s, const struct batch *b, struct err *reterr)
{
	int r = moved_save(s, b->items, b->n, 0, reterr);

	if (!is_damage(r))
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < b->n; i++) {
		r = moved_save_one(s, &b->items[i], reterr);
		if (is_damage(r))
			r = note(s, b->items[i].id, "a conversation could not be changed; whom it reached was left out",
				 reterr);
	}
	return r;
}

/* Finds the conversation with the least id from *id on. -EUCLEAN: the place where it would be is damaged. */
static int conversation_from(struct store *s, int64_t *id, bool *ret_open, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT id, state FROM conversations WHERE id >= ?1 ORDER BY id LIMIT 1", reterr);
	query_bind_int(&q, *id);
	r = query_step(&q);
	if (r > 0) {
		*id = query_int(&q);
		*ret_open = query_int(&q) == LEDGER_OPEN;
	}
	return r;
}

/* Moves on behind an id. After many ids that cannot be read the steps become larger, so that no damage takes long. */
static void batch_advance(struct batch *b)
{
	unsigned far = b->unreadable > UNREADABLE_IDS ? b->unreadable - UNREADABLE_IDS : 0;

	b->bad = b->from;
	b->is_last = far > 62 || __builtin_add_overflow(b->from, INT64_C(1) << far, &b->from);
}

/* Goes back to the first id behind the damage where large steps have passed it. */
static int batch_step_back(struct store *s, struct batch *b, struct err *reterr)
{
	int r = 0;

	while (r == 0 && b->unreadable > UNREADABLE_IDS && b->from - b->bad > 1) {
		int64_t middle = b->bad + (b->from - b->bad) / 2;
		int64_t id = middle;
		bool open;

		r = conversation_from(s, &id, &open, reterr);
		if (r == -EUCLEAN)
			b->bad = middle;
		else if (r >= 0)
			b->from = middle;
		if (r == -EUCLEAN || r > 0)
			r = 0;
	}
	return r;
}

static int batch_read(struct store *s, struct batch *b, struct err *reterr)
{
	int r = 0;

	while (r == 0 && b->n < BATCH && !b->is_last) {
		struct moved *m = &b->items[b->n];
		bool open = false;

		r = conversation_from(s, &b->from, &open, reterr);
		if (r >= 0 && b->unreadable > UNREADABLE_IDS) {
			r = batch_step_back(s, b, reterr);
			b->unreadable = 0;
			if (r == 0)
				r = conversation_from(s, &b->from, &open, reterr);
		}
		if (r == 0 || (r > 0 && b->from > b->last)) {
			b->is_last = true;
			r = 0;
		} else if (r > 0) {
			*m = (struct moved){.id = b->from, .open = open};
			people_init(&m->people);
			people_init(&m->digests);
			b->n++;
			b->unreadable = 0;
			r = moved_read(s, m, reterr);
			batch_advance(b);
		} else if (r == -EUCLEAN) {
			r = b->unreadable++ > 0 ? 0
						: note(s, b->from,
						       "conversations could not be read; whom they reached was left "
						       "out",
						       reterr);
			batch_advance(b);
		}
	}
	return r;
}

int people_move(struct store *s, struct err *reterr)
{
	struct batch *b = mem_new(1, sizeof(*b));
	int r = schema_add(s, reterr);

	if (r == 0) {
		r = store_pragma(s, "SELECT max(id) FROM conversations", &b->last, reterr);
		if (r == -EUCLEAN) {
			b->last = INT64_MAX;
			r = 0;
		}
	}
	progress_part(s, b->last < INT64_MAX ? b->last : 0, "the conversations are changed for schema 8");
	while (r == 0 && !b->is_last) {
		progress_done(s, b->from);
		r = batch_read(s, b, reterr);
		if (r == 0)
			r = batch_save(s, b, reterr);
		batch_clear(b);
	}
	batch_clear(b);
	free(b);
	statements_done(s); /* those of the former tables */
	return r;
}
