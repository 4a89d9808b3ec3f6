/* SPDX-License-Identifier: MIT */
/*
 * struct store, for the files of src/store and for its tests.
 *
 * The layers of the folder, from the bottom: connection (the file, SQLite), query (one use of one statement),
 * transaction (with counters, disk and WAL), tables (a webhook, an event, a conversation), and store (opening). Each
 * calls those below it only.
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

#define STORE_PAGE_BYTES 4096
/* The WAL is written back when it holds so many pages: larger ones make the slowest commits slower. */
#define STORE_WAL_PAGES 4096
/* Bytes that a small turn writes into the WAL: some outcomes, one webhook in, one worked on, one deleted. */
#define STORE_TURN_BYTES (INT64_C(256) << 10)
#define STORE_FRAME_BYTES (STORE_PAGE_BYTES + 24) /* a page in the WAL */
/* How long SQLite waits for a lock that a reader or a backup holds. */
#define STORE_BUSY_MS 5000
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

/* What belongs to a transaction beside its rows. store_open names all of them; a member may be NULL. */
struct transaction_hook {
	/* Before the COMMIT: writes what was kept in memory. A failure rolls back. */
	int (*write)(struct store *s, struct err *reterr);
	void (*savepoint)(struct store *s);
	void (*undo)(struct store *s);        /* back to the savepoint */
	void (*committed)(struct store *s);   /* after the COMMIT */
	void (*rolled_back)(struct store *s); /* back to the last commit */
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

	const struct transaction_hook *const *hooks; /* NULL behind the last one */
	bool in_transaction;
	bool in_savepoint;
	int lost; /* why SQLite itself ended the transaction; 0: it did not */
	/* Why a change failed after it had changed rows, and nobody has undone it yet; 0: none did. */
	int half_done;
	/* The newest time that a caller told in this turn: when what ends in it ended. */
	int64_t now_ms;
	int64_t longest_age_ms; /* longer age limits are not applied now */

	int wal_pages; /* in the WAL after the last commit and not written back */
	/* After an attempt that was cut short, the next one is made at so many wal_pages, or at that time (monotonic).
	 */
	int checkpoint_at;
	int64_t checkpoint_us;
	int64_t disk_left, disk_total; /* bytes, as of store_begin; total 0: not known */
	bool disk_low;                 /* store_can_accept refused because of it */
	bool disk_nearly_full;         /* it soon will */

	struct statement *statements; /* open addressing; statements_alloc is a power of two */
	size_t statements_n, statements_alloc;
	struct count *counts;
	size_t counts_n;
	struct wake_scan *wake_scans; /* wake.c */

	/* losses.c. The first losses_committed_n are committed; losses_kept stood there when the savepoint was set.
	 * What is only counted (losses_more) likewise. */
	struct store_loss *losses;
	size_t losses_n, losses_committed_n, losses_kept;
	size_t losses_more, losses_more_committed, losses_more_kept;
	struct lost_row lost_rows[LOST_ROWS]; /* a ring */
	size_t lost_rows_next;
};

/* ---- query.c ----------------------------------------------------------------------------------------------------- */

void statements_done(struct store *s);
/* Calls fn with the text of every statement prepared so far. For tests, which ask for their plans. */
void store_each_statement(struct store *s, void (*fn)(void *ctx, const char *sql), void *ctx);

/* ---- losses.c ---------------------------------------------------------------------------------------------------- */

/* Notes what was mended or set aside, for the log of the caller (store_losses); once a row (id 0: whatever it is). In
 * memory only. name: its source or account. */
void loss_note(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null, const char *reason);
extern const struct transaction_hook losses_hook;
void losses_done(struct store *s);

#endif
