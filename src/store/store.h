/* SPDX-License-Identifier: MIT */
/*
 * store: all data that outlives the process: webhooks, digests of deliveries, conversations and the people they
 * reached, looked-up customers, events. It makes no decision. Only this folder holds SQL.
 * doc/store.md describes the tables, transaction.c the transactions.
 *
 * Durability: SQLite in WAL mode, synchronous=FULL. A commit for which store_commit returned 0 survives a crash and a
 * power cut. A transaction that was not committed leaves no trace. All writes are between store_begin and the commit.
 *
 * Threads: a store belongs to the thread that uses it. The pipeline owns the only writer, which has a thread for syncs.
 * Any thread may open a reader (STORE_READ), which sees committed states only; the last one may not be synced yet.
 *
 * Errors, in addition to those that a function documents:
 *   of the whole store: -ENOSPC (full), -EROFS, -EIO, -EBUSY, -EACCES, -ENOMEM, -EINTR (a reader's time limit)
 *   of one row: -EBADMSG (unreadable, or refused by SQLite: constraint, too big, mismatch),
 *     -EUCLEAN (on a damaged page)
 *
 * After an error of one row the caller makes the row a dead letter by store_webhook_dead or store_event_dead, which
 * need only the id.
 *
 * A change that fails may be half done, except with an error that its function documents. The caller undoes the
 * savepoint or rolls back. Otherwise store_savepoint_keep undoes the savepoint, store_commit rolls back, and both fail
 * with the change's error. A disk failure ends SQLite's transaction: later changes fail, and so does the commit.
 *
 * Cost: O(log n) in the size of the store unless a function says otherwise. Opening reads the newest digests of
 * deliveries, and the newest rows, whose keys are not on the disk: a bounded number of each. It scans the store only to
 * bring an older schema forward, and to build a damaged index of keys anew (store_options.works).
 *
 * Damage: a row that an index names but that is missing (a damaged or hand-edited file) is never an error, because the
 * row decides and not the index. A missing undone row becomes a dead letter. A missing conversation starts again. An
 * index that lacks a row's entry is repaired when the row changes. store_losses reports each repair once. A damaged
 * page fails the transaction that meets it (-EUCLEAN). If it is one of the index of keys, that index is built anew at
 * the end of the transaction, which takes some seconds for a million rows.
 *
 * Callbacks: rows are collected before the first call, so a callback may change the rows that it gets. Its arguments
 * are valid until it returns.
 *
 * Rows store the numbers of the enums here, of transitions and of states. Never change a number.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "helpdesk/expr/customer.h"
#include "helpdesk/expr/webhook.h"
#include "decision/event.h"
#include "decision/ledger.h"

struct store;

enum store_mode {
	STORE_WRITE, /* creates, migrates and locks the file; a second writer gets -EBUSY */
	STORE_READ,
};

/* A row that the store set aside or repaired. */
enum store_loss_kind {
	STORE_LOSS_WEBHOOK = 1,  /* the webhook is a dead letter now */
	STORE_LOSS_EVENT,        /* the event is a dead letter now */
	STORE_LOSS_CONVERSATION, /* the conversation's ledger entry is lost */
	STORE_LOSS_OTHER,
};
struct store_loss {
	enum store_loss_kind kind;
	int64_t id;
	char *name; /* the source or account; NULL: unknown */
	char *reason;
};

struct store_options {
	const char *path;
	int64_t max_size;      /* bytes; 0: no limit */
	int64_t read_limit_ms; /* STORE_READ: a longer read ends with -EINTR; 0: no limit */
	/* Called before a store of an older schema is changed. bytes: the free disk that this may need. NULL allowed.
	 */
	void (*migrates)(const char *path, int64_t from, int64_t to, int64_t bytes);
	/* Called now and then while the opening changes much of the store. part: what is done now; percent: how far
	 * that is, -1: not known. NULL allowed. */
	void (*works)(void *ctx, const char *path, const char *part, int percent);
	void *works_ctx;
};

/* Opens a store. -EPROTO: the schema is newer than this version, or older than a reader needs. -ENOTSUP: the file is
 * no store of deskbridge. -ENOSPC: also where the disk has less space than bringing an older schema forward may need.
 * Also -ENOENT (no directory; for a reader: no file), -EACCES, -EROFS and -EBUSY. Each text says what to do. */
int store_open(const struct store_options *o, enum store_mode mode, struct store **ret, struct err *reterr) MUSTCHECK;
void store_close(struct store *s); /* NULL allowed; rolls back an open transaction */
/* Makes store_close leave the WAL to the next opening. For a slow disk. */
void store_leave_wal(struct store *s);

/* After a clock jump: store_clean skips age limits that are longer than ms. CLOCK_NEVER_MS (as after open): none. */
void store_set_longest_age(struct store *s, int64_t ms);
/* Returns the time of the newest webhook or event; 0: there is none. */
int64_t store_newest_ms(struct store *s);

/* The identity of the store's files as they were opened, for threads that do not own the store. Any thread. */
struct store_files;
struct store_files *store_files_new(const struct store *s);
void store_files_free(struct store_files *f); /* NULL allowed */
/* -ESTALE: a file was deleted or replaced; the text says what to do. */
int store_files_check(const struct store_files *f, struct err *reterr) MUSTCHECK;

/* ---- transactions ------------------------------------------------------------------------------------------------ */

int store_begin(struct store *s, struct err *reterr) MUSTCHECK;
/* On failure the transaction is rolled back. Waits for a running sync of store_commit_async() first, unless the
 * transaction changed no row; its failure is then this commit's. */
int store_commit(struct store *s, struct err *reterr) MUSTCHECK;
/* As store_commit(), but returns before what was committed can survive a power cut. When it can, synced(arg) is called:
 * on another thread, or at once if nothing was left to sync. If the sync fails, it is never called; store_sync_wait()
 * and each commit return the error then, until a store_begin() has synced again what was committed. */
int store_commit_async(struct store *s, void (*synced)(void *arg), void *arg, struct err *reterr) MUSTCHECK;
/* Waits until the sync of the last store_commit_async() has ended, and its `synced` has returned. Returns 0 where all
 * that was committed can survive a power cut, otherwise the sync's error. */
int store_sync_wait(struct store *s, struct err *reterr) MUSTCHECK;
void store_rollback(struct store *s);
/* Calls fn for each committed repair since the last call, so that the caller can log it. */
void store_losses(struct store *s, void (*fn)(void *ctx, const struct store_loss *l), void *ctx);
/* A savepoint for a part of the turn's work, such as one webhook's pass: all of it or none. Savepoints do not nest. */
int store_savepoint(struct store *s, struct err *reterr) MUSTCHECK;
int store_savepoint_keep(struct store *s, struct err *reterr) MUSTCHECK;
void store_savepoint_undo(struct store *s);

/* Returns 0 where new webhooks may be inserted. -ENOSPC: the store exceeds max_size, the disk is below its floor, or it
 * has too little space to write the WAL back. -ESTALE: the store's file was deleted or replaced. After a refusal more
 * space than the floor is needed. Makes some system calls: call it once a turn. */
int store_can_accept(struct store *s, struct err *reterr) MUSTCHECK;
/* Returns the number of bytes that the transaction may write so that the WAL can still be written back, as of
 * store_begin; INT64_MAX: unknown. */
int64_t store_free_bytes(const struct store *s);
/* True where pending webhooks may be processed: the disk has space for their events and for the delivery of these. */
bool store_can_process(struct store *s);
/* True where done rows are deleted early: the store exceeds 80 % of max_size, or the disk was nearly full at the last
 * store_can_accept. */
bool store_is_nearly_full(struct store *s);
bool store_is_new(const struct store *s); /* true where store_open created it, or found an empty file */
/* True where store_open migrated the schema. Older versions refuse the file then. STORE_WRITE only. */
bool store_was_migrated(const struct store *s, int64_t *ret_from, int64_t *ret_to);
int64_t store_size(struct store *s); /* (pages − free pages) × page size + WAL, in bytes */

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

/* Why a pending webhook waits. */
enum store_wait {
	STORE_WAIT_NONE = 0,     /* it is ready */
	STORE_WAIT_TIME,         /* until not_before: settle */
	STORE_WAIT_RETRY,        /* until not_before: its lookup failed and is repeated then */
	STORE_WAIT_LOOKUP,       /* a lookup of its customer is in flight */
	STORE_WAIT_SLOT,         /* its source has no free lookup slot */
	STORE_WAIT_BEHIND,       /* an earlier webhook of its conversation or customer is undone */
	STORE_WAIT_UNCONFIGURED, /* its source is not configured */
	STORE_WAIT_PARKED,       /* its lookup was tried, and its source is parked */
};
#define STORE_WAIT_LAST STORE_WAIT_PARKED
const char *store_wait_name(enum store_wait w); /* "ready", "settle", "retry", "lookup", … */

enum store_webhook_state {
	STORE_WEBHOOK_PENDING,
	STORE_WEBHOOK_DONE,
	STORE_WEBHOOK_DEAD,
};

/* Returns 1 where the store knows w's delivery already; otherwise 0. */
int store_webhook_is_repeat(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
/* Returns the id that the next webhook of this transaction gets. */
int store_webhook_next_id(struct store *s, int64_t *ret, struct err *reterr) MUSTCHECK;
/* Inserts a webhook that is no repeat. w->id is store_webhook_next_id's, or 0, and is set then. dead_reason not NULL:
 * as a dead letter. result not NULL: as done, with that result. */
int store_webhook_insert(struct store *s, struct webhook *w, const char *dead_reason, const char *result,
			 struct err *reterr) MUSTCHECK;
/* False where no webhook waited for this at the end of the last transaction (STORE_WAIT_NONE: none was ready). True:
 * one may have. Costs nothing. */
bool store_webhooks_may_wait(const struct store *s, enum store_wait why);
/* Returns 1 where a webhook is pending; otherwise 0. */
int store_webhooks_any_pending(struct store *s, struct err *reterr) MUSTCHECK;
/* Makes webhooks ready whose not_before has passed, and continues unfinished wakes (below), for a few milliseconds.
 * store_webhooks_next_due_ms returns 0 while there is more. Call it at the start of a turn. The newest now_ms of a turn
 * is the end time of rows that end in it; `retention` and `remember` count from it. now_ms may be earlier than in the
 * turn before. */
int store_webhooks_due(struct store *s, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* Returns the next not_before; 0: a wake is unfinished; CLOCK_NEVER_MS: none. */
int64_t store_webhooks_next_due_ms(struct store *s);
/* Writes the ids of ready webhooks in order of receipt, at most max. Returns their number, or an error. If many rows
 * are lost, some ids may be of missing rows; the next call continues the repair. */
int store_webhooks_ready(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr) MUSTCHECK;
/* -ENOENT, -EBADMSG. The caller owns the members of *ret. */
int store_webhook_load(struct store *s, int64_t id, struct webhook *ret, struct err *reterr) MUSTCHECK;
/* Returns 1 where the webhook is pending and its row has w's source, receipt, read, transition, conversation and
 * customer; otherwise 0. */
int store_webhook_is_pending(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
/* Returns 1 where an earlier undone webhook of the source must be decided before this one; otherwise 0. It is
 *   one of w's conversation, whatever it waits for (w->conversation NULL: none; a caller that has applied `settle`
 *   passes NULL, because `settle` has checked the conversation), or
 *   one of w's customer, unless it is held (TIME) or waits BEHIND a held one of its own conversation. */
int store_webhook_is_behind(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
int store_webhook_wait(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms,
		       struct err *reterr) MUSTCHECK;
/* Stores w->read and the members below it, for a dead letter that a corrected definition can parse. The delivery stays
 * as it is. -ENOENT. */
int store_webhook_save_signal(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
/* How a lookup ended that did not find the customer. */
enum store_lookup {
	STORE_LOOKUP_TROUBLE,
	STORE_LOOKUP_GONE, /* there is no such customer */
	STORE_LOOKUP_ODD,  /* the answer was unusable */
};
struct store_lookups {
	unsigned asked, gone, odd; /* asked: all, those with STORE_LOOKUP_TROUBLE too */
	int64_t odd_since_ms;      /* time of the first odd one; 0: none */
};
/* Reads the numbers of a webhook's lookups that ended without a customer so far. */
int store_webhook_lookups(struct store *s, int64_t id, struct store_lookups *ret, struct err *reterr) MUSTCHECK;
/* Counts one more lookup, and stores its reason as the webhook's. *ret: the new numbers. */
int store_webhook_count_lookup(struct store *s, int64_t id, enum store_lookup what, const char *reason, int64_t now_ms,
			       struct store_lookups *ret, struct err *reterr) MUSTCHECK;
/* Ends the webhook as done. Webhooks that wait BEHIND it become ready. result: "events", "no address", "dropped",
 * "duplicate", "settled", … */
int store_webhook_done(struct store *s, int64_t id, const char *result, struct err *reterr) MUSTCHECK;
/* As store_webhook_done, but as a dead letter. */
int store_webhook_dead(struct store *s, int64_t id, const char *reason, struct err *reterr) MUSTCHECK;
/* Wakes (makes ready) the webhooks of the source that wait for this reason and, if given, of this customer. Without a
 * customer one call wakes a limited number; later calls of store_webhooks_due wake the rest. */
int store_webhooks_wake(struct store *s, const char *source, enum store_wait why, const char *customer_or_null,
			struct err *reterr) MUSTCHECK;
/* Wakes the oldest webhooks of the source that wait for a SLOT, at most max. Returns their number. */
int store_webhooks_wake_slot(struct store *s, const char *source, size_t max, struct err *reterr) MUSTCHECK;
/* Wakes one webhook whose source is PARKED: the oldest after *after, else the oldest, and sets *after to it.
 * Returns 1; 0: there is none. */
int store_webhook_wake_parked(struct store *s, const char *source, int64_t *after, struct err *reterr) MUSTCHECK;
/* Wakes webhooks that wait for a LOOKUP of the last process, as store_webhooks_wake does. Call it once after open.
 * Webhooks that wait for a SLOT or for their source keep waiting. */
int store_webhooks_restart(struct store *s, struct err *reterr) MUSTCHECK;
/* Wakes webhooks that wait for a time for this reason (TIME, RETRY), as store_webhooks_wake does, so that their passes
 * decide again: after the clock was set back, or after a reload. */
int store_webhooks_recheck(struct store *s, enum store_wait why, struct err *reterr) MUSTCHECK;
/* Wakes webhooks whose not_before is after farthest_ms, at most max: a wrong clock wrote such a time. Returns their
 * number. */
int store_webhooks_cap_due(struct store *s, int64_t farthest_ms, size_t max, struct err *reterr) MUSTCHECK;
/* The columns of a pending webhook that settle compares. */
struct store_neighbour {
	int64_t id;
	enum store_wait wait;
	int64_t received_ms;
	enum transition transition;
	bool is_timed; /* the members below are set (store_webhook_save_time) */
	int64_t time_ms;
	bool undated;
};
/* Calls fn for a conversation's pending webhooks in order of receipt, until fn returns non-zero. Returns a negative
 * result of fn. fn may change the store. Each webhook costs about 1 µs, and a fifth of that where fn stops within the
 * first 16; so n webhooks that are processed one by one cost n². */
int store_webhooks_of_conversation(struct store *s, const char *source, const char *conversation,
				   int (*fn)(void *ctx, const struct store_neighbour *n), void *ctx,
				   struct err *reterr) MUSTCHECK;
/* Stores the time of a pending webhook's signal, as first parsed, until the webhook ends. undated: the helpdesk gave no
 * time, and time_ms is the receipt. */
int store_webhook_save_time(struct store *s, int64_t id, int64_t time_ms, bool undated, struct err *reterr) MUSTCHECK;
/* For the three-crashes rule. Returns the largest id; webhooks that are pending at start have no larger one. */
int64_t store_webhook_last_id(struct store *s);
/* For the three-crashes rule: reads and sets one webhook's number of tries that did not end. */
int store_webhook_tries(struct store *s, int64_t id, unsigned *ret, struct err *reterr) MUSTCHECK;
int store_webhook_set_tries(struct store *s, int64_t id, unsigned tries, struct err *reterr) MUSTCHECK;
/* Makes a dead webhook pending and ready. -ENOENT: there is no such dead letter. No caller yet: a command that revives
 * dead letters will call it. */
int store_webhook_revive(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;

/* ---- conversations ----------------------------------------------------------------------------------------------- */

/* The row of a conversation, as found by a load. Valid until a rollback, an undo, or another save of it. */
struct store_conversation {
	int64_t id; /* 0: there is none */
	enum ledger_state state;
	bool addressed;
};
/* Loads the entry and the people it reached. An unknown conversation gives an empty entry (LEDGER_UNKNOWN) and 0. After
 * `retention` a closed conversation has no addresses. -EBADMSG: the entry is unreadable; a save replaces it. ret_row
 * may be NULL. Writer only. */
int store_conversation_load(struct store *s, const char *source, const char *conversation, struct ledger_entry *ret,
			    struct reached_list *ret_reached, struct store_conversation *ret_row,
			    struct err *reterr) MUSTCHECK;
/* Replaces the entry and the people it reached. row: of the load, and updated; NULL: the row is searched. */
int store_conversation_save(struct store *s, const char *source, const char *conversation, const struct ledger_entry *e,
			    const struct reached_list *reached, struct store_conversation *row,
			    struct err *reterr) MUSTCHECK;
/* Writes to *ret the number of open conversations, of any source, that reached (account, email, flag), without the
 * named one. Writer only. */
int store_flag_count(struct store *s, const char *account, const char *email, const char *flag, const char *but_source,
		     const char *but_conversation, int64_t *ret, struct err *reterr) MUSTCHECK;
/* Finds the source's open conversation whose opening was received first, at or before received_ms; -ENOENT: none. 0
 * with NULL: a damaged row was repaired; call again. Each repair is a change of its own: if one fails, a caller that
 * continues undoes a savepoint, as after any change. */
int store_conversation_oldest_open(struct store *s, const char *source, int64_t received_ms, char **ret_conversation,
				   struct err *reterr) MUSTCHECK;
/* Returns the receipt of the source's oldest open conversation, for the next expiry; CLOCK_NEVER_MS: none is open. The
 * store remembers it. */
int64_t store_conversation_oldest_received_ms(struct store *s, const char *source);
/* False where the store remembers that none was received at or before received_ms. Costs nothing. */
bool store_conversation_may_be_open(struct store *s, const char *source, int64_t received_ms);

/* ---- customers looked up ----------------------------------------------------------------------------------------- */

/* Loads a customer from the cache. -ENOENT: unknown or too old. An entry that was saved more than a minute in the
 * future, by a wrong clock, counts as too old. not_older_than_ms 0: of any age. */
int store_customer_load(struct store *s, const char *source, const char *customer, int64_t not_older_than_ms,
			struct customer *ret, struct err *reterr) MUSTCHECK;
int store_customer_save(struct store *s, const char *source, const char *customer, const struct customer *c,
			int64_t now_ms, struct err *reterr) MUSTCHECK;

/* Reads the mark with which a source's lookups have worked: a digest of base URL, parameters and credentials. -ENOENT:
 * they have not worked yet. */
#define STORE_MARK_BYTES 16
int store_lookups_worked(struct store *s, const char *source, unsigned char ret[STORE_MARK_BYTES],
			 struct err *reterr) MUSTCHECK;
int store_lookups_save_worked(struct store *s, const char *source, const unsigned char mark[STORE_MARK_BYTES],
			      struct err *reterr) MUSTCHECK;

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Queues e as ready, behind its person's earlier events, and sets e->id. person_gap_ms: the least time after the
 * person's last 2xx where the profile differs. Returns 0; 1: account and unique_id exist, and nothing was queued.
 * -EINVAL: unique_id is not 32 lower-case hexadecimal digits. */
int store_event_insert(struct store *s, struct event *e, int64_t person_gap_ms, int64_t now_ms,
		       struct err *reterr) MUSTCHECK;
/* Takes the text of an event that store_event_insert has queued just now, so that store_events_due need not read it. e
 * is empty then, unless it is too large to be held in memory. */
void store_event_keep(struct store *s, struct event *e);
/* Calls fn for ready events of the account that are the first of their person and due at now_ms, at most max, the
 * longest due first, until fn returns non-zero. fn may take ownership of *e's members; it zeroes *e then.
 *
 * Events in flight are returned too, until their end or retry is saved: request that many more and filter them with
 * `wanted` (NULL: no filter), which is called before an event is read.
 *
 * An unreadable event becomes a dead letter, in a transaction of its own if none is open. Returns 1 then, because the
 * person's next event may be due; otherwise 0. */
int store_events_due(struct store *s, const char *account, int64_t now_ms, size_t max,
		     bool (*wanted)(void *ctx, int64_t id), int (*fn)(void *ctx, struct event *e), void *ctx,
		     struct err *reterr) MUSTCHECK;
/* Returns the next due time after now_ms among people's first events; CLOCK_NEVER_MS: none. */
int64_t store_events_next_due_ms(struct store *s, const char *account, int64_t now_ms);
/* As store_webhooks_cap_due, for the account's first event of each person: a due time after farthest_ms becomes now_ms.
 * Returns the number of these events. */
int store_events_cap_due(struct store *s, const char *account, int64_t farthest_ms, int64_t now_ms, size_t max,
			 struct err *reterr) MUSTCHECK;
/* Records a 2xx at now_ms, for a ready event or for one that became a dead letter while in flight. Of e it reads the
 * id, and the account and the address as they were sent, which may be NULL. The person's next event becomes due,
 * person_gap_ms later where its profile differs. */
int store_event_delivered(struct store *s, const struct event *e, int64_t person_gap_ms, int64_t now_ms,
			  struct err *reterr) MUSTCHECK;
/* Sets attempts, due time and reason of a ready event. The person's later events wait too. */
int store_event_retry(struct store *s, int64_t id, unsigned attempts, int64_t due_ms, const char *reason,
		      struct err *reterr) MUSTCHECK;
/* Ends the event as a dead letter. The person's next event becomes due. */
int store_event_dead(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* Makes a dead letter ready in its old place among its person's events. -ENOENT: there is no such dead letter.
 * *ret_later: a later event of the person was delivered, or may be in flight and goes first. The caller then calls
 * store_event_rewrite with the ledger's present flag and backfill. No caller yet, as for webhooks. */
int store_event_revive(struct store *s, int64_t id, int64_t now_ms, bool *ret_later, struct err *reterr) MUSTCHECK;
int store_event_rewrite(struct store *s, int64_t id, const char *profile, const char *properties, bool backfill,
			struct err *reterr) MUSTCHECK;
/* For tests, and for store_events_due. -ENOENT, -EBADMSG. */
int store_event_load(struct store *s, int64_t id, struct event *ret, struct err *reterr) MUSTCHECK;
/* Turns the account's ready events with another URL into dead letters, at most max. Returns their number. */
int store_events_dead_of_other_url(struct store *s, const char *account, const char *url, const char *reason,
				   int64_t now_ms, size_t max, struct err *reterr) MUSTCHECK;

/* ---- housekeeping ------------------------------------------------------------------------------------------------ */

/* Takes one step: deletes at most max rows that are past their time, and returns their number; 0: nothing is left.
 *   done webhooks, delivered events        after retention_ms
 *   digests of deliveries                  after 7 days, or after retention_ms if that is longer; after twice that
 *                                          time at the latest, or later if the daemon did not run
 *   looked-up customers                    after a day
 *   conversations that are not open        after remember_ms; after retention_ms they lose their addresses
 *   done webhooks, delivered events        the oldest, at once, while store_is_nearly_full
 * A conversation that loses its addresses, and a digest that is moved (deliveries.c), count as rows. */
int store_clean(struct store *s, int64_t retention_ms, int64_t remember_ms, int64_t now_ms, size_t max,
		struct err *reterr) MUSTCHECK;
/* Writes the WAL back; at quiet times. */
void store_checkpoint(struct store *s);
/* Copies the store to a new file while it runs; from a reader. No caller yet: the command backup will call it. */
int store_backup(struct store *s, const char *file, struct err *reterr) MUSTCHECK;

/* ---- reading for people (any store) ------------------------------------------------------------------------------ */

/* Calls fn for each counter, also where n is 0. The store updates its counters with each change; a reader sees those of
 * the last commit. */
void store_event_counts(struct store *s, void (*fn)(void *ctx, const char *account, enum event_state state, int64_t n),
			void *ctx);
void store_conversation_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx);
/* Open conversations whose customer's address is unknown. */
void store_unaddressed_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx);
void store_webhook_counts(struct store *s,
			  void (*fn)(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
				     int64_t n),
			  void *ctx);
/* Returns the queue time of the account's oldest ready event; 0: there is none. */
int64_t store_events_oldest_ms(struct store *s, const char *account);
/* Returns 1 where ready first events of people of the account have failed attempts, with the queue time of the oldest
 * and the latest reason (owned by the caller; NULL: none); otherwise 0. Looks at a bounded number of events. */
int store_events_retrying(struct store *s, const char *account, int64_t *ret_oldest_ms, char **ret_reason);

/* Calls fn for one page of events, newest first, until fn returns non-zero. Returns the number of calls. state: -1:
 * all. before_id: 0, or the last id of the page before. */
int store_events_page(struct store *s, int state, int64_t before_id, size_t max,
		      int (*fn)(void *ctx, const struct event *e), void *ctx, struct err *reterr) MUSTCHECK;
struct store_webhook_row {
	int64_t id;
	const char *source, *conversation;
	enum transition transition;
	int64_t received_ms;
	enum store_webhook_state state;
	enum store_wait wait;
	int64_t not_before_ms;
	unsigned asked;     /* lookups that did not find the customer */
	const char *reason; /* done: the result; dead: the reason; pending: the last lookup's result; NULL: none */
};
/* As store_events_page. */
int store_webhooks_page(struct store *s, int state, int64_t before_id, size_t max,
			int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx,
			struct err *reterr) MUSTCHECK;
/* As store_webhooks_page, for the newest pending webhooks that wait for one reason. */
int store_webhooks_waiting_page(struct store *s, enum store_wait why, size_t max,
				int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx,
				struct err *reterr) MUSTCHECK;
struct store_paused_person {
	const char *source, *conversation, *email, *flag, *account;
	int64_t opened_ms;
	/* The reason of the dead event that should have set the flag; Klaviyo has the flag wrong then. NULL: Klaviyo
	 * has the flag, or an event that sets it waits. */
	const char *refused;
};
/* Writes to *ret the number of people whose flag is true. */
int store_paused_count(struct store *s, int64_t *ret, struct err *reterr) MUSTCHECK;
/* Calls fn for people whose flag is true, at most max, the longest open conversation first, until fn returns non-zero.
 * Returns the number of calls. */
int store_paused_page(struct store *s, size_t max, int (*fn)(void *ctx, const struct store_paused_person *p), void *ctx,
		      struct err *reterr) MUSTCHECK;

/*
 * The source and conversation of an event or a webhook, for a log line. The functions never fail: a missing or
 * unreadable member stays NULL or 0. The caller owns *ret.
 */
struct store_origin {
	char *source, *conversation;
	int64_t webhook; /* of an event: the webhook that made it */
};
void store_origin_done(struct store_origin *o);
void store_webhook_origin(struct store *s, int64_t id, struct store_origin *ret);
void store_event_origin(struct store *s, int64_t id, struct store_origin *ret);

#endif
