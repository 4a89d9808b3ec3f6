/* SPDX-License-Identifier: MIT */
/*
 * The schema and its forward migrations, by PRAGMA user_version. Each migration runs once, in a transaction of its own
 * together with its version. A released migration never changes; a new one is added after it. doc/store.md describes
 * the tables.
 *
 * Names, people and unique_ids are found by the index of keys (keys.c), and not by indexes of SQLite. keys.h creates
 * its tables, because a damaged one is made anew.
 *
 * Rows that change often are narrow; bodies and JSON are in tables of their own. Queries about undone work use indexes
 * that hold undone work only (WHERE state = 0), so that done rows make no turn slower. `ended` is 0 until a row is
 * done: an index on it gives done rows in the order of their ends, and undone rows in the order of their ids.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "store/connection.h"
#include "store/tables.h"
#include "store/transaction.h"

/* "dskb": distinguishes stores of deskbridge from other SQLite files. */
#define APPLICATION_ID 0x64736b62

/* The parts of migration 7. The word in the text of the schema concerns no page of the tables, so they are not copied.
 */
#define OWN_IDS_TABLE                                                                              \
	"CREATE TABLE last_ids ("                                                                  \
	" name TEXT NOT NULL PRIMARY KEY," /* a table whose row with the largest id was deleted */ \
	" id INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
#define OWN_IDS_COPY                                                              \
	"INSERT INTO last_ids SELECT name, max(seq) FROM sqlite_sequence"         \
	" WHERE typeof(name) = 'text' AND typeof(seq) = 'integer' GROUP BY name;" \
	"DELETE FROM sqlite_sequence;"
#define OWN_IDS_TEXT                                                                                \
	"UPDATE sqlite_schema SET sql = replace(sql, ' PRIMARY KEY AUTOINCREMENT', ' PRIMARY KEY')" \
	" WHERE type = 'table' AND name IN ('webhooks', 'events');"                                 \
	"PRAGMA writable_schema = RESET;" /* reads the schema again */

static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE webhooks ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" source TEXT NOT NULL,"
	" state INTEGER NOT NULL,"      /* enum store_webhook_state */
	" wait INTEGER NOT NULL,"       /* enum store_wait */
	" not_before INTEGER NOT NULL," /* 0: none */
	" ended INTEGER NOT NULL,"      /* done: its end time; else 0 */
	" received INTEGER NOT NULL,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" lookups INTEGER NOT NULL DEFAULT 0,"
	" read INTEGER NOT NULL,"
	" transition INTEGER NOT NULL,"
	" conversation TEXT,"
	" customer TEXT,"
	" result TEXT) STRICT;" /* done: the result; dead: the reason; pending: the last lookup's */
	"CREATE INDEX webhooks_state ON webhooks (state, wait, ended);"
	"CREATE INDEX webhooks_conversation ON webhooks (source, conversation, wait)"
	" WHERE state = 0 AND conversation IS NOT NULL;"
	"CREATE INDEX webhooks_customer ON webhooks (source, customer, wait) WHERE state = 0 AND customer IS NOT NULL;"
	"CREATE INDEX webhooks_wait ON webhooks (wait, source) WHERE state = 0 AND wait > 0;"
	"CREATE INDEX webhooks_due ON webhooks (not_before) WHERE state = 0 AND not_before > 0;"
	"CREATE TABLE webhook_bodies ("
	" id INTEGER PRIMARY KEY,"
	" path TEXT NOT NULL,"
	" query TEXT NOT NULL,"
	" headers BLOB NOT NULL,"  /* name NUL value NUL … */
	" delivery BLOB NOT NULL," /* 16 bytes, or none */
	" body BLOB NOT NULL) STRICT;"
	/* The id is the webhook's, so the oldest digests come first. */
	"CREATE TABLE deliveries ("
	" id INTEGER PRIMARY KEY,"
	" source TEXT NOT NULL,"
	" digest BLOB NOT NULL,"
	" received INTEGER NOT NULL) STRICT;"
	"CREATE UNIQUE INDEX deliveries_digest ON deliveries (source, digest);"

	"CREATE TABLE conversations ("
	" id INTEGER PRIMARY KEY,"
	" source TEXT NOT NULL,"
	" conversation TEXT NOT NULL,"
	" state INTEGER NOT NULL," /* enum ledger_state */
	" as_of INTEGER NOT NULL,"
	" first_opened INTEGER NOT NULL,"
	" opened INTEGER NOT NULL,"
	" opened_received INTEGER NOT NULL,"
	" closed INTEGER NOT NULL,"
	" reopen_count INTEGER NOT NULL,"
	" addressed INTEGER NOT NULL,"
	" taken BLOB NOT NULL,"            /* the last signals, 9 bytes each: kind, time with the low byte first */
	" changed INTEGER NOT NULL,"       /* its last save: retention and remember count from here */
	" clear INTEGER NOT NULL) STRICT;" /* 1: `reached` holds addresses of it */
	"CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);"
	"CREATE INDEX conversations_open ON conversations (source, opened_received) WHERE state = 1;"
	"CREATE INDEX conversations_age ON conversations (opened) WHERE state = 1;"
	"CREATE INDEX conversations_changed ON conversations (clear, changed) WHERE state <> 1;"
	"CREATE TABLE reached ("
	" id INTEGER PRIMARY KEY,"
	" conversation INTEGER NOT NULL,"
	" account TEXT NOT NULL,"
	" email TEXT," /* NULL: past retention, with the digest only */
	" digest BLOB,"
	" flag TEXT NOT NULL,"
	" open INTEGER NOT NULL) STRICT;" /* 1: its conversation is open */
	"CREATE INDEX reached_conversation ON reached (conversation);"
	"CREATE INDEX reached_open ON reached (email, account, flag) WHERE open = 1;"

	"CREATE TABLE customers ("
	" source TEXT NOT NULL,"
	" customer TEXT NOT NULL,"
	" saved INTEGER NOT NULL,"
	" text TEXT NOT NULL,"
	" PRIMARY KEY (source, customer)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX customers_saved ON customers (saved);"

	"CREATE TABLE events ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" account TEXT NOT NULL,"
	" email TEXT NOT NULL,"
	" state INTEGER NOT NULL," /* enum event_state */
	" head INTEGER NOT NULL,"  /* 1: its person's next event */
	" due INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0," /* delivered: the time of its 2xx; else 0 */
	" attempts INTEGER NOT NULL DEFAULT 0,"
	" later INTEGER NOT NULL DEFAULT 0," /* dead: 1: a later event of its person was delivered since */
	" gap INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" unique_id BLOB NOT NULL," /* 24 bytes: time, unique_id; of schema 3 and older 16: unique_id */
	" url TEXT NOT NULL,"
	" reason TEXT) STRICT;"
	"CREATE UNIQUE INDEX events_unique ON events (account, unique_id);"
	"CREATE INDEX events_person ON events (account, email, state, ended);"
	"CREATE INDEX events_state ON events (state, ended);"
	"CREATE INDEX events_due ON events (account, due) WHERE state = 0 AND head = 1;"
	"CREATE INDEX events_url ON events (account, url) WHERE state = 0;"
	"CREATE TABLE event_bodies ("
	" id INTEGER PRIMARY KEY,"
	" metric TEXT NOT NULL,"
	" source TEXT NOT NULL,"
	" conversation TEXT,"
	" webhook INTEGER NOT NULL,"
	" transition INTEGER NOT NULL,"
	" time INTEGER NOT NULL,"
	" received INTEGER NOT NULL,"
	" late INTEGER NOT NULL,"
	" backfill INTEGER NOT NULL,"
	" value REAL,"
	" profile TEXT NOT NULL,"
	" properties TEXT NOT NULL) STRICT;"

	"CREATE TABLE counts ("
	" kind INTEGER NOT NULL," /* enum count_kind */
	" name TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" wait INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" PRIMARY KEY (kind, name, state, wait)) STRICT, WITHOUT ROWID;",

	/* 2: `as_of` counts as the helpdesk's time; a conversation without a row here has no time of ours. No column is
	 * added to `conversations`, because SQLite may refuse that for one damaged row. */
	"CREATE TABLE marks ("
	" conversation INTEGER PRIMARY KEY,"
	" as_of_received INTEGER NOT NULL,"
	" newest INTEGER NOT NULL) STRICT;" /* the newest webhook taken */
	/* The answers to a pending webhook's lookups that did not hold the customer. */
	"CREATE TABLE lookup_answers ("
	" id INTEGER PRIMARY KEY,"     /* the webhook's */
	" gone INTEGER NOT NULL,"      /* the number of answers that there is no such customer */
	" odd INTEGER NOT NULL,"       /* the number of unusable answers */
	" odd_since INTEGER NOT NULL)" /* the time of the first of these; 0: none */
	" STRICT;"
	"CREATE TABLE lookups_worked ("
	" source TEXT NOT NULL PRIMARY KEY,"
	" mark BLOB NOT NULL) STRICT, WITHOUT ROWID;", /* 16 bytes: a digest of base URL, parameters, credentials */

	/* 3: the time of a pending webhook's signal, as first parsed, where its source has `settle`. Without a row the
	 * body is parsed. */
	"CREATE TABLE webhook_times ("
	" id INTEGER PRIMARY KEY," /* the webhook's */
	" time INTEGER NOT NULL,"
	" undated INTEGER NOT NULL) STRICT;", /* 1: the helpdesk gave no time; `time` is the receipt */

	/* 4: new events have their time before their unique_id in that column. Versions that do not know this would
	 * queue an event twice, so the number of the schema keeps them out. Ready events leave the index of states: an
	 * event that is queued changes one index less, and so does its end. */
	"DROP INDEX events_state;"
	"CREATE INDEX events_state ON events (state, ended) WHERE state > 0;",
	/* 5: digests of deliveries that are not in `deliveries`, which takes none any more (deliveries.c). */
	"CREATE TABLE delivery_tail ("
	" id INTEGER PRIMARY KEY," /* the webhook's */
	" digest BLOB NOT NULL,"
	" source TEXT NOT NULL) STRICT;"
	"CREATE TABLE delivery_index ("
	" generation INTEGER NOT NULL,"
	" digest BLOB NOT NULL,"
	" source TEXT NOT NULL,"
	" PRIMARY KEY (generation, digest, source)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE delivery_generations ("
	" generation INTEGER PRIMARY KEY,"
	" age INTEGER NOT NULL,"           /* the time during which it took entries */
	" seen INTEGER NOT NULL) STRICT;", /* the time at which the age was stored */
	/* 6: delivered events leave the index of people, which then is as short as the queue. Only those that a later
	 * event of their person may have to wait for have an index of their own. */
	"DROP INDEX events_person;"
	"CREATE INDEX events_person ON events (account, email, state) WHERE state <> 1;"
	"CREATE INDEX events_last ON events (account, email, ended) WHERE state = 1 AND gap > 0;",
	/* 7: ids are given by ids.c. */
	OWN_IDS_TABLE OWN_IDS_COPY OWN_IDS_TEXT,

	/* 8: the columns as_of_received, newest, people and digests of `conversations`, and the table open_people,
	 * instead of these. migrate.c adds and fills them before. */
	"DROP INDEX conversations_age;"
	"DROP TABLE marks;"
	"DROP TABLE reached;",

	/* 9: keys.c finds rows, instead of the indexes of `former`. */
	SQL_KEYS_TABLES,
};

/* Schema 9 needs these no more. They go after the migration, each in a transaction of its own. */
static const struct {
	const char *type, *name;
} former[] = {{"index", "conversations_name"},
	      {"index", "events_unique"},
	      {"index", "events_person"},
	      {"table", "open_people"}};

/* The steps that only replace indexes of events. */
#define SCHEMA_STATES_PARTIAL 4
#define SCHEMA_PEOPLE_PARTIAL 6
#define SCHEMA_OWN_IDS 7 /* the step that changes the text of the schema */
/* The step before which migrate.c moves whom conversations reached. */
#define SCHEMA_OPEN_PEOPLE 8
#define SCHEMA_NEWEST ((int64_t)(sizeof(migrations) / sizeof(*migrations)))

int schema_check(struct store *s, int64_t *ret_version, struct err *reterr)
{
	int64_t version = 0;
	int64_t application = 0;
	int64_t tables = 0;
	int r = store_pragma(s, "PRAGMA user_version", &version, reterr);

	if (r == 0)
		r = store_pragma(s, "PRAGMA application_id", &application, reterr);
	if (r == 0 && application != APPLICATION_ID)
		r = store_pragma(s, "SELECT count(*) FROM sqlite_schema", &tables, reterr);
	if (r < 0)
		return r;
	/* A file without our application id is used only if it is empty. */
	if (application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0))
		return err_set(
			reterr, -ENOTSUP,
			"the store %s is a database of another program: give another file as store.url, or move this "
			"one away",
			s->path);
	if (version > SCHEMA_NEWEST)
		return err_set(
			reterr, -EPROTO,
			"the store %s was made by a newer deskbridge (schema %lld, this one knows %lld): install that "
			"version or restore a backup",
			s->path, (long long)version, (long long)SCHEMA_NEWEST);
	if (s->mode == STORE_READ && version < SCHEMA_NEWEST)
		return err_set(reterr, -EPROTO,
			       "the store %s has schema %lld, this deskbridge reads %lld: start the daemon once, it "
			       "brings the "
			       "store forward",
			       s->path, (long long)version, (long long)SCHEMA_NEWEST);
	*ret_version = version;
	return 0;
}

static int migrate_step(struct store *s, const char *sql, const char *pragma, struct err *reterr)
{
	int r = store_begin(s, reterr);

	if (r == 0)
		r = store_exec(s, sql, reterr);
	if (r == 0)
		r = store_exec(s, pragma, reterr);
	if (r == 0)
		return store_commit(s, reterr);
	store_rollback(s);
	return r;
}

static bool only_replaces_indexes(int64_t step)
{
	return step == SCHEMA_STATES_PARTIAL || step == SCHEMA_PEOPLE_PARTIAL;
}

/* As migrate_step. SQLite sorts a new index in a temporary file, so that the sort takes little memory. Where no such
 * file can be made or grow, it sorts in memory. */
static int migrate_indexes(struct store *s, const char *sql, const char *pragma, struct err *reterr)
{
	int r = store_exec(s, "PRAGMA temp_store = FILE", reterr);
	int back;

	if (r == 0)
		r = migrate_step(s, sql, pragma, reterr);
	back = store_exec(s, "PRAGMA temp_store = MEMORY", NULL);
	if (back == 0 && r < 0 && r != -EUCLEAN)
		r = migrate_step(s, sql, pragma, reterr);
	/* A damaged page of the table or of an index stops the step. The former indexes serve, too. */
	return r == -EUCLEAN ? migrate_step(s, "", pragma, reterr) : r;
}

/* As migrate_step. SQLite's manual (ALTER TABLE, 7) describes how the text of a table's schema is changed. */
static int migrate_text(struct store *s, const char *sql, const char *pragma, struct err *reterr)
{
	int r;

	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	r = migrate_step(s, sql, pragma, reterr);
	if (r == -EUCLEAN) /* a damaged page of SQLite's own table: the largest row counts */
		r = migrate_step(s, OWN_IDS_TABLE OWN_IDS_TEXT, pragma, reterr);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return r;
}

static void forgotten_note(struct store *s, const char *type, const char *name)
{
	CLEANUP(mem_freep)
	char *why = mem_fmt("the %s %s is damaged and stays in the file%s", type, name,
			    strcmp(name, "open_people") == 0 ? ", with the addresses of people" : "");

	loss_note(s, STORE_LOSS_OTHER, 0, NULL, why);
}

/* Forgets a table or an index that cannot be dropped, because a page of it is damaged. Its pages stay in the file. */
static int schema_forget(struct store *s, const char *type, const char *name, struct err *reterr)
{
	char sql[160];
	int64_t version = 0;
	int r = store_pragma(s, "PRAGMA schema_version", &version, reterr);

	if (r < 0)
		return r;
	/* Other connections see by the version that the schema is another one. */
	(void)sqlite3_snprintf(
		sizeof(sql), sql,
		"DELETE FROM sqlite_schema WHERE type = '%s' AND name = '%s'; PRAGMA schema_version = %lld;"
		"PRAGMA writable_schema = RESET",
		type, name, (long long)version + 1);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	r = migrate_step(s, sql, "", reterr);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (r == 0)
		forgotten_note(s, type, name);
	return r;
}

int schema_drop(struct store *s, const char *type, const char *name, struct err *reterr)
{
	char sql[96];
	int r;

	(void)sqlite3_snprintf(sizeof(sql), sql, "DROP %s IF EXISTS %s", type, name);
	r = migrate_step(s, sql, "", reterr);
	return r == -EUCLEAN ? schema_forget(s, type, name, reterr) : r;
}

static int former_drop(struct store *s, struct err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(former) / sizeof(*former); i++) {
		int64_t there = 0;

		QUERY(q, s, "SELECT count(*) FROM sqlite_schema WHERE name = ?1", reterr);
		query_bind_text(&q, former[i].name);
		r = query_one_int(&q, &there);
		query_close(&q);
		if (r < 0)
			return r;
		r = 0;
		if (there > 0) {
			progress_part(s, 0, "the %s %s is deleted", former[i].type, former[i].name);
			r = schema_drop(s, former[i].type, former[i].name, reterr);
		}
	}
	return r;
}

static int migrate_people(struct store *s, const char *sql, const char *pragma, struct err *reterr)
{
	/* A damaged table cannot be dropped and stays in the file. `reached` has addresses, so it goes where it can.
	 * The index would be updated for nothing. */
	const char *const ends[] = {sql, "DROP INDEX conversations_age; DROP TABLE reached;", "DROP TABLE reached;",
				    "DROP INDEX conversations_age", ""};
	int r = people_move(s, reterr);

	if (r < 0)
		return r;
	r = -EUCLEAN;
	for (size_t i = 0; r == -EUCLEAN && i < sizeof(ends) / sizeof(*ends); i++) {
		r = migrate_step(s, ends[i], pragma, reterr);
		if (r == 0 && !strstr(ends[i], "DROP TABLE reached;"))
			loss_note(s, STORE_LOSS_OTHER, 0, NULL,
				  "the former table of people is damaged and stays in the file, with their addresses");
	}
	return r;
}

/* Tells the caller what the migration may need, and refuses it where the disk has less. */
static int migration_check(struct store *s, int64_t version, struct err *reterr)
{
	char needs[AMOUNT_MAX], has[AMOUNT_MAX];
	int64_t bytes = 0;
	int r = migration_bytes(s, version, &bytes, reterr);

	if (r < 0)
		return r;
	if (s->disk_total > 0 && s->disk_left < bytes)
		return err_set(reterr, -ENOSPC,
			       "the store %s has schema %lld, and bringing it to schema %lld may need %s of its disk, "
			       "which has %s left: make room there; nothing was changed",
			       s->path, (long long)version, (long long)SCHEMA_NEWEST, amount_size(needs, bytes),
			       amount_size(has, s->disk_left));
	if (s->migrates)
		s->migrates(s->path, version, SCHEMA_NEWEST, bytes);
	return 0;
}

int schema_migrate(struct store *s, int64_t version, struct err *reterr)
{
	char pragma[64];
	int r = 0;

	if (version == 0) {
		s->progress.works = NULL; /* a new store takes no time */
		(void)sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA application_id = %d", APPLICATION_ID);
		r = store_exec(s, pragma, reterr);
	} else if (version < SCHEMA_NEWEST) {
		r = migration_check(s, version, reterr);
	}
	for (; r == 0 && version < SCHEMA_NEWEST; version++) {
		int64_t next = version + 1;

		progress_part(s, 0, "schema %lld is made", (long long)next);
		(void)sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA user_version = %lld", (long long)next);
		if (only_replaces_indexes(next))
			r = migrate_indexes(s, migrations[version], pragma, reterr);
		else if (next == SCHEMA_OWN_IDS)
			r = migrate_text(s, migrations[version], pragma, reterr);
		else if (next == SCHEMA_OPEN_PEOPLE)
			r = migrate_people(s, migrations[version], pragma, reterr);
		else
			r = migrate_step(s, migrations[version], pragma, reterr);
	}
	if (r == 0)
		r = former_drop(s, reterr);
	s->schema = version;
	return r;
}
