/*
 * What the files of src/store share. Nobody else includes it but the tests of this folder.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <sys/types.h>

#include <sqlite3.h>

#include "store/query.h"
#include "store/store.h"

#define STORE_PAGE_BYTES 4096
/* The WAL is written back when it holds so many pages: larger ones make the slowest commits slower. */
#define STORE_WAL_PAGES 4096
/* Bytes that a small turn writes into the WAL: some outcomes, one webhook in, one worked on, one deleted. */
#define STORE_TURN_BYTES (INT64_C(256) << 10)
#define STORE_FRAME_BYTES (STORE_PAGE_BYTES + 24) /* a page in the WAL */
/* How long SQLite waits for a lock that a reader or a backup holds. */
#define STORE_BUSY_MS 5000
/* How many waiting webhooks one call makes ready: a few milliseconds. */
#define STORE_RELEASE_ROWS 256
#define EVENT_UNIQUE_ID_BYTES (EVENT_UNIQUE_ID_LEN / 2)
/* So many rows that were noted lately are not noted again where another index names them too. */
#define LOST_ROWS 256

enum count_kind {
	COUNT_WEBHOOKS = 1,  /* by source, state, wait */
	COUNT_CONVERSATIONS, /* by source: open ones */
	COUNT_EVENTS,        /* by account, state */
	COUNT_UNADDRESSED,   /* by source: open conversations without an address yet */
};

/* A counter's change since the transaction began. */
struct count {
	enum count_kind kind;
	char *name;
	int state, wait;
	int64_t n;
	int64_t kept; /* n when the savepoint was set */
};

struct lost_row {
	enum store_loss_kind kind;
	int64_t id; /* 0: none */
};

struct statement {
	const char *sql; /* its address is the key */
	sqlite3_stmt *stmt;
};

struct store {
	sqlite3 *db;
	enum store_mode mode;
	char *path;
	char *wal_path;
	int lock_fd; /* -1: a reader */
	/* Open on the database for the lock on its inode. Closing it drops the locks that SQLite holds there: so only
	 * after SQLite has closed the file. -1: a reader */
	int inode_fd;
	struct store_files *files; /* NULL: a reader */
	bool is_new;               /* this opening made it */
	int64_t schema_was;        /* before this opening; 0: none */
	int64_t schema;            /* now */
	bool leave_wal;            /* the close does not write it back */
	int64_t max_size;
	int64_t read_limit_ms;
	int64_t read_until_us; /* monotonic; 0: no read is limited now */

	bool in_transaction;
	bool in_savepoint;
	int lost; /* why SQLite itself ended the transaction; 0: it did not */
	/* The newest time that a caller told in this turn: when what ends in it ended. */
	int64_t told_ms;
	int64_t longest_age_ms; /* longer age limits are not applied now */

	int wal_pages; /* in the WAL after the last commit and not written back */
	/* After an attempt that was cut short, the next one is made at so many wal_pages, or at that time (monotonic).
	 */
	int checkpoint_at;
	int64_t checkpoint_us;
	int64_t disk_left, disk_total; /* bytes, as of store_begin; total 0: not known */
	bool disk_low;                 /* store_may_take refused because of it */
	bool disk_tight;               /* it soon will */

	struct statement *statements; /* open addressing; statements_alloc is a power of two */
	size_t statements_n, statements_alloc;
	struct count *counts;
	size_t counts_n;
	struct release *releases; /* release.c */

	/* losses.c. The first losses_told are committed; losses_kept stood there when the savepoint was set. What is
	 * only counted (losses_more) likewise. */
	struct store_loss *losses;
	size_t losses_n, losses_told, losses_kept;
	size_t losses_more, losses_more_told, losses_more_kept;
	struct lost_row lost_rows[LOST_ROWS]; /* a ring */
	size_t lost_rows_next;
};

enum store_file {
	STORE_FILE_DATABASE,
	STORE_FILE_WAL,
	STORE_FILE_SHM,
	STORE_FILES,
};
struct store_files {
	char *paths[STORE_FILES];
	bool known[STORE_FILES];
	dev_t devices[STORE_FILES];
	ino_t inodes[STORE_FILES];
};
#define STORE_LOST_ADVICE "put it back, or restart deskbridge and lose what was in it"
/* At how many pages the WAL is written back. */
int wal_limit(const struct store *s);
/* After open: writes back what is in the WAL. */
void wal_learn(struct store *s);
/* Whether it was deleted or replaced since it was opened; whether another one stands in its place. */
bool store_file_is_lost(const struct store_files *f, enum store_file i);
bool store_file_is_anothers(const struct store_files *f, enum store_file i);
/* Looks how much the disk has left, for the rest of the turn. */
void store_see_disk(struct store *s);
/* The bytes that the WAL holds and that are not in the database yet. */
int64_t store_wal_holds(const struct store *s);

/* Turns what SQLite said last into an errno and a text that says what to do. */
int store_failed(struct store *s, int rc, struct err *reterr) MUSTCHECK;
/* Runs SQL without parameters or rows: pragmas, transactions, the schema. Not cached. */
int store_exec(struct store *s, const char *sql, struct err *reterr) MUSTCHECK;
/* The answer of "PRAGMA …" with one number. */
int store_pragma(struct store *s, const char *sql, int64_t *ret, struct err *reterr) MUSTCHECK;
int transaction_lost(struct store *s, struct err *reterr) MUSTCHECK;
void store_tell(struct store *s, int64_t now_ms);

void statements_done(struct store *s);
/* Calls fn with the text of every statement prepared so far: the tests ask for their plans. */
void store_each_statement(struct store *s, void (*fn)(void *ctx, const char *sql), void *ctx);

/* Whether this is a store that this version knows; changes nothing. -EPROTO, -ENOTSUP. */
int schema_check(struct store *s, int64_t *ret_version, struct err *reterr) MUSTCHECK;
/* Makes the schema, or brings an older one forward; s->schema is the newest then. */
int schema_forward(struct store *s, int64_t version, struct err *reterr) MUSTCHECK;

void counts_add(struct store *s, enum count_kind kind, const char *name, int state, int wait, int64_t n);
int counts_write(struct store *s, struct err *reterr) MUSTCHECK; /* to the tables, before the commit */
void counts_savepoint(struct store *s);
void counts_undo(struct store *s);
void counts_forget(struct store *s);
void counts_done(struct store *s);

/* Notes what was mended or set aside; once a row (id 0: whatever it is). name: its source or account. */
void loss_note(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null, const char *reason);
void losses_savepoint(struct store *s);
void losses_undo(struct store *s);   /* back to the savepoint */
void losses_forget(struct store *s); /* back to the last commit */
void losses_committed(struct store *s);
void losses_done(struct store *s);

/* Limits the reading that follows; read_limit_check: -EINTR once the time is up. */
void read_limit_start(struct store *s);
int read_limit_check(struct store *s, struct err *reterr) MUSTCHECK;
void read_limit_end(struct store *s);

/* What a change of a webhook needs to know of it. source is never NULL, conversation and customer may be. */
struct webhook_place {
	int64_t id;
	enum store_webhook_state state;
	enum store_wait wait;
	int64_t received_ms;
	char *source, *conversation, *customer;
};
void webhook_place_done(struct webhook_place *p);
int webhook_place_load(struct store *s, int64_t id, struct webhook_place *ret, struct err *reterr) MUSTCHECK;
/* Changes state and wait and counts it; p follows. */
int webhook_move(struct store *s, struct webhook_place *p, enum store_webhook_state state, enum store_wait wait,
		 int64_t not_before_ms, struct err *reterr) MUSTCHECK;
/* Lets go on who waits BEHIND p, which has ended or is only held by `settle`. */
int webhook_let_go(struct store *s, const struct webhook_place *p, struct err *reterr) MUSTCHECK;

/* What an index says of an undone webhook. source, conversation and customer are NULL, and not_before_ms 0, where that
 * index does not hold them. */
struct webhook_claim {
	int64_t id;
	enum store_wait wait;
	int64_t not_before_ms;
	const char *source, *conversation, *customer;
};
/* Takes out an index entry whose row is not there or is not as the entry says. Where it is not there it becomes a dead
 * letter, and those behind it go on. */
int webhook_mend(struct store *s, const struct webhook_claim *c, struct err *reterr) MUSTCHECK;
/* Makes it ready, or mends it. */
int webhook_make_ready(struct store *s, const struct webhook_claim *claim, struct err *reterr) MUSTCHECK;
/* ids are what an index names; claim tells what it says of each of them. */
int webhooks_make_ready(struct store *s, const struct ids *ids, const struct webhook_claim *claim,
			struct err *reterr) MUSTCHECK;
/* SQLite refuses each change of a row that holds a value of another type than its column's: makes them what they are to
 * be, for a row that comes to its end. */
int webhook_retype(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;
int event_retype(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;
/* Steps a changing statement again that failed because an index has no entry for the row. */
int step_leniently(struct store *s, sqlite3_stmt *stmt);

void releases_committed(struct store *s);
void releases_undone(struct store *s); /* back to the last commit */
void releases_done(struct store *s);

/* Reads an event. lenient: for people; what does not read is left empty. */
int event_row_load(struct store *s, int64_t id, bool lenient, struct event *ret, struct err *reterr) MUSTCHECK;
/* An event that events_due names: where its row is not there, or not due, the entry is taken out. One that is not there
 * becomes a dead letter, and its person goes on. */
int event_mend_due(struct store *s, const char *account, int64_t id, int64_t due_ms, int64_t now_ms,
		   struct err *reterr) MUSTCHECK;
/* 1: the index named an event with that unique_id, whose row is not there; it names none any more. */
int event_mend_unique(struct store *s, const char *account, const unsigned char *unique_id,
		      struct err *reterr) MUSTCHECK;
/* An event is lost whose address is not known: the people whom its conversation reached go on. */
int event_wake_people(struct store *s, int64_t id, const char *account, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* 1: the index named a conversation whose row is not there; it names none any more. */
int conversation_mend(struct store *s, const char *source, const char *conversation, struct err *reterr) MUSTCHECK;
/* An open conversation that conversations_open names: where its row is not there, or is another, the entry is taken
 * out. */
int conversation_mend_open(struct store *s, const char *source, int64_t id, int64_t received_ms,
			   struct err *reterr) MUSTCHECK;
/* An open conversation that the index of names does not hold: its name is put in, or, where another conversation has
 * that name by now, a name that nobody has. */
int conversation_mend_name(struct store *s, const char *source, int64_t id, const char *conversation,
			   struct err *reterr) MUSTCHECK;
/* Makes a ready event a dead letter; see store_event_dead. */
int event_set_aside(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr) MUSTCHECK;

#endif
