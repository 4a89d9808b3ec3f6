/* SPDX-License-Identifier: MIT */
/*
 * struct store, for the files of src/store and for its tests.
 *
 * The layers of the folder, from the bottom. Each calls only those below it.
 *   connection   the file and SQLite
 *   query        one use of one statement
 *   transaction  transactions, counters, disk and WAL
 *   tables       webhooks, events, conversations
 *   store        opening and closing
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

#define STORE_PAGE_BYTES 4096
/* The WAL is written back at this number of pages. A larger WAL makes the slowest commits slower. */
#define STORE_WAL_PAGES 4096
/* Bytes that a small turn writes into the WAL: some outcomes, one webhook inserted, one processed, one deleted. */
#define STORE_TURN_BYTES (INT64_C(256) << 10)
#define STORE_FRAME_BYTES (STORE_PAGE_BYTES + 24) /* a page in the WAL */
/* SQLite waits this long for a lock that a reader or a backup holds. */
#define STORE_BUSY_MS 5000
/* The number of recently noted rows that are not noted again when another index names them too. */
#define LOST_ROWS 256

enum ids_of {
	IDS_WEBHOOKS,
	IDS_EVENTS,
	IDS_OF_,
};

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
	int64_t kept; /* n at the savepoint */
};

struct lost_row {
	enum store_loss_kind kind;
	int64_t id; /* 0: none */
};

struct statement {
	const char *sql; /* its address is the key */
	sqlite3_stmt *stmt;
};

/* State in memory that follows the transaction. transaction.c says when each member is called. A member may be NULL. */
struct transaction_hook {
	/* before the COMMIT: writes the state into rows; a failure rolls back */
	int (*write)(struct store *s, struct err *reterr);
	void (*savepoint)(struct store *s);
	void (*undo)(struct store *s);        /* back to the savepoint */
	void (*committed)(struct store *s);   /* after the COMMIT */
	void (*rolled_back)(struct store *s); /* back to the last commit */
	/* after the BEGIN, where another connection has changed the file: forgets what is known of rows */
	void (*others_wrote)(struct store *s);
};

/* Knowledge of pending webhooks that needs no query (pending.c). Zeros: there is none. */
struct pending_known {
	unsigned none;     /* bit w: no webhook waits for w, an enum store_wait */
	int64_t first;     /* none has a smaller id */
	int64_t due_ms;    /* none has an earlier not_before; */
	bool due_is_exact; /* and one has this, or due_ms is CLOCK_NEVER_MS and none has one */
};

/* The receipt of a source's oldest open conversation; CLOCK_NEVER_MS: none is open (oldest.c). */
struct oldest_open {
	char *source;
	int64_t received_ms;
	bool is_known;
};

/* Commits whose sync runs in the background (sync.c). */
struct syncing {
	struct background *thread; /* NULL: a reader */
	sqlite3_file *wal;
	void (*synced)(void *arg);
	void *arg;
	int result; /* of the last sync: 0 or a negative errno; the thread writes it */
};

/* Rows whose bodies could not be deleted (clean.c), since the opening. A full list stands for all rows. */
#define DAMAGED_BODIES 64
struct damaged_bodies {
	int64_t rows[DAMAGED_BODIES];
	size_t n;
};

/* The progress of an opening (connection.c). */
struct store_progress {
	void (*works)(void *ctx, const char *path, const char *part, int percent); /* NULL: nobody asks */
	void *ctx;
	char part[64];
	int64_t done, all; /* of this part, in any unit; all 0: not known */
};

struct store {
	sqlite3 *db;
	enum store_mode mode;
	char *path;
	char *wal_path;
	int lock_fd; /* -1: a reader */
	/* A descriptor of the database that holds the lock on its inode. It is closed after SQLite has closed the file,
	 * because close() drops SQLite's locks too. -1: a reader */
	int inode_fd;
	struct store_files *files; /* NULL: a reader */
	bool is_new;               /* this opening created it */
	int64_t schema_was;        /* before this opening; 0: none */
	int64_t schema;            /* now */
	void (*migrates)(const char *path, int64_t from, int64_t to, int64_t bytes);
	struct store_progress progress;
	bool leave_wal; /* store_close does not write it back */
	int64_t max_size;
	int64_t read_limit_ms;
	int64_t read_until_us; /* monotonic; 0: no limited read runs */

	const struct transaction_hook *const *hooks; /* NULL after the last one */
	bool in_transaction;
	bool in_savepoint;
	bool savepoint_is_begin; /* nothing was changed before it: its undo rolls back and begins again */
	unsigned data_version; /* SQLite's, after the last commit; it differs if another connection changed the file */
	int rows_at_begin;     /* the connection's number of changed rows when the transaction began */
	int lost;              /* the error with which SQLite ended the transaction; 0: it did not */
	/* The error of a change that failed after it changed rows and that is not undone yet; 0: there is none. */
	int half_done;
	struct syncing syncing;
	/* The newest time that was passed in this turn: the end time of rows that end in it. */
	int64_t now_ms;
	int64_t longest_age_ms;    /* store_clean skips longer age limits */
	int64_t last_ids[IDS_OF_]; /* the last ids that were given (ids.c); 0: not known */
	unsigned ids_unsure;       /* bit of: a row may have a larger one */
	int64_t last_conversation;
	struct pending_known pending;
	struct oldest_open *oldest;
	size_t oldest_n;

	int64_t size_left; /* the store may grow by this up to max_size, at least; below 0: it is larger, or not
			      measured */
	int wal_pages;     /* pages of the WAL after the last commit that are not written back */
	/* After an incomplete checkpoint the next one comes at checkpoint_at pages, or at checkpoint_us (monotonic). */
	int checkpoint_at;
	int64_t checkpoint_us;
	int64_t disk_left, disk_total; /* bytes, as of store_begin; total 0: not known */
	bool disk_low;                 /* store_can_accept refused because of it */
	bool disk_nearly_full;         /* store_can_accept is close to refusing */

	struct statement *statements; /* open addressing; statements_alloc is a power of two */
	size_t statements_n, statements_alloc;
	struct count *counts;
	size_t counts_n;
	bool no_old_keys;      /* events.c: no event is left that an older schema wrote */
	bool old_keys_damaged; /* events.c: the row that says so stands on a damaged page */
	struct damaged_bodies damaged_bodies;
	struct wake_scan *wake_scans;  /* wake.c */
	struct deliveries *deliveries; /* deliveries.c; NULL: a reader */
	struct recent_events *recent;  /* recent_events.c; NULL: none yet */
	struct keys *keys;             /* keys.c; of a reader NULL until keys_read() */

	/* losses.c. The first losses_committed_n are committed; losses_kept is the number at the savepoint. losses_more
	 * counts further losses that are not in the list, with the same two members. */
	struct store_loss *losses;
	size_t losses_n, losses_committed_n, losses_kept;
	size_t losses_more, losses_more_committed, losses_more_kept;
	struct lost_row lost_rows[LOST_ROWS]; /* a ring */
	size_t lost_rows_next;
};

/* ---- query.c ----------------------------------------------------------------------------------------------------- */

void statements_done(struct store *s);
/* Calls fn with the text of every statement prepared so far. For tests that check query plans. */
void store_each_statement(struct store *s, void (*fn)(void *ctx, const char *sql), void *ctx);

/* ---- losses.c ---------------------------------------------------------------------------------------------------- */

/* Notes a row that was repaired or set aside, for store_losses; once for each row (id 0: each time). In memory only.
 * name: the row's source or account. */
void loss_note(struct store *s, enum store_loss_kind kind, int64_t id, const char *name_or_null, const char *reason);
extern const struct transaction_hook losses_hook;
void losses_done(struct store *s);

#endif
