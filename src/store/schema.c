/* SPDX-License-Identifier: MIT */
/*
 * The schema and its forward migrations, by PRAGMA user_version. Each step runs once, in a transaction of its own with
 * the version that it makes; a step that has been released is never changed, a new one is put behind it.
 *
 * What the tables are laid out for: the rows that change often are narrow, and texts that only travel (bodies, JSON)
 * stand in a table beside them; all that is asked of the work that is undone goes by an index that holds undone work
 * only (WHERE state = 0), so that no amount of done rows makes a turn slower. `ended` is 0 until a row is done: by it
 * done rows leave in the order in which they ended, and undone ones stand in the order of their ids.
 */
#include <config.h>

#include <errno.h>

#include "store/connection.h"
#include "store/tables.h"
#include "store/transaction.h"

/* "dskb": tells this program's stores from other SQLite files. */
#define APPLICATION_ID 0x64736b62

static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE webhooks ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" source TEXT NOT NULL,"
	" state INTEGER NOT NULL,"      /* enum store_webhook_state */
	" wait INTEGER NOT NULL,"       /* enum store_wait */
	" not_before INTEGER NOT NULL," /* 0: none */
	" ended INTEGER NOT NULL,"      /* done: when */
	" received INTEGER NOT NULL,"
	" tries INTEGER NOT NULL DEFAULT 0,"
	" lookups INTEGER NOT NULL DEFAULT 0,"
	" read INTEGER NOT NULL,"
	" transition INTEGER NOT NULL,"
	" conversation TEXT,"
	" customer TEXT,"
	" result TEXT) STRICT;" /* done: what came of it; dead: why */
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
	/* The id is the webhook's: so the oldest stand first. */
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
	" taken BLOB NOT NULL,"            /* 9 bytes each: kind, time with the low byte first */
	" changed INTEGER NOT NULL,"       /* when it was saved: retention and remember run from here */
	" clear INTEGER NOT NULL) STRICT;" /* 1: addresses of it stand in `reached` in the clear */
	"CREATE UNIQUE INDEX conversations_name ON conversations (source, conversation);"
	"CREATE INDEX conversations_open ON conversations (source, opened_received) WHERE state = 1;"
	"CREATE INDEX conversations_age ON conversations (opened) WHERE state = 1;"
	"CREATE INDEX conversations_changed ON conversations (clear, changed) WHERE state <> 1;"
	"CREATE TABLE reached ("
	" id INTEGER PRIMARY KEY,"
	" conversation INTEGER NOT NULL,"
	" account TEXT NOT NULL,"
	" email TEXT," /* NULL: past retention, only the digest is left */
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
	" head INTEGER NOT NULL,"  /* 1: the one of its person's ready events that goes out next */
	" due INTEGER NOT NULL,"
	" ended INTEGER NOT NULL DEFAULT 0," /* delivered: when */
	" attempts INTEGER NOT NULL DEFAULT 0,"
	" later INTEGER NOT NULL DEFAULT 0," /* dead: 1: a later one of its person was delivered since */
	" gap INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" unique_id BLOB NOT NULL," /* 16 bytes */
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

	/* 2: what `as_of` held counts as the desk's; a conversation without a row here has no mark of ours. No column
	 * is added to `conversations`: SQLite may refuse that because of one damaged row. */
	"CREATE TABLE marks ("
	" conversation INTEGER PRIMARY KEY,"
	" as_of_received INTEGER NOT NULL,"
	" newest INTEGER NOT NULL) STRICT;" /* the newest webhook taken */
	/* A pending webhook's lookups that had an answer, but not the customer; none is added to `webhooks`, as above.
	 */
	"CREATE TABLE lookup_answers ("
	" id INTEGER PRIMARY KEY,"     /* the webhook's */
	" gone INTEGER NOT NULL,"      /* how many said that there is no such customer */
	" odd INTEGER NOT NULL,"       /* how many were of no use */
	" odd_since INTEGER NOT NULL)" /* when the first of those came; 0: none */
	" STRICT;"
	"CREATE TABLE lookups_worked ("
	" source TEXT NOT NULL PRIMARY KEY,"
	" mark BLOB NOT NULL) STRICT, WITHOUT ROWID;", /* 16 bytes: a digest of where and as whom it worked */

	/* 3: when a pending webhook of a source that settles happened, as its first reading told. No column is added to
	 * `webhooks`, as above. Without a row it is read from the body. */
	"CREATE TABLE webhook_times ("
	" id INTEGER PRIMARY KEY," /* the webhook's */
	" time INTEGER NOT NULL,"
	" undated INTEGER NOT NULL) STRICT;", /* 1: the desk gave no time, and `time` is the receipt */
};

#define SCHEMA_NEWEST ((int64_t)(sizeof(migrations) / sizeof(*migrations)))

int schema_check(struct store *s, int64_t *ret_version, struct err *reterr)
{
	int64_t version = 0, application = 0, tables = 0;
	int r = store_pragma(s, "PRAGMA user_version", &version, reterr);

	if (r == 0)
		r = store_pragma(s, "PRAGMA application_id", &application, reterr);
	if (r == 0 && application != APPLICATION_ID)
		r = store_pragma(s, "SELECT count(*) FROM sqlite_schema", &tables, reterr);
	if (r < 0)
		return r;
	/* A file without our mark is taken only where it is empty. */
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

int schema_migrate(struct store *s, int64_t version, struct err *reterr)
{
	char pragma[64];
	int r = 0;

	if (version == 0) {
		(void)sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA application_id = %d", APPLICATION_ID);
		r = store_exec(s, pragma, reterr);
	}
	for (; r == 0 && version < SCHEMA_NEWEST; version++) {
		(void)sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA user_version = %lld", (long long)version + 1);
		r = store_begin(s, reterr);
		if (r == 0)
			r = store_exec(s, migrations[version], reterr);
		if (r == 0)
			r = store_exec(s, pragma, reterr);
		if (r == 0)
			r = store_commit(s, reterr);
		else
			store_rollback(s);
	}
	s->schema = version;
	return r;
}
