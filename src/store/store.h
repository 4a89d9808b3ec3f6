/* SPDX-License-Identifier: MIT */
/*
 * store: everything that outlives the process: webhooks, deliveries seen, conversations and whom they reached,
 * customers looked up, events. Passive: no thread, no decision. SQL stays in here.
 *
 * Durability: SQLite in WAL mode, synchronous=FULL. What store_commit returned 0 for survives a crash and a power cut;
 * what was not committed leaves no trace. All writes are between store_begin and store_commit.
 *
 * Threads: a store belongs to the thread that uses it. The pipeline owns the only writer; readers (STORE_READ) are
 * opened by whoever needs one and see committed states only.
 *
 * Errors, beside those named: of the store as a whole -ENOSPC full, -EROFS, -EIO, -EBUSY, -EACCES, -ENOMEM, -EINTR (a
 * reader's time is up); of one row -EBADMSG (it does not read, or SQLite refuses it: constraint, too big, mismatch) and
 * -EUCLEAN (it stands on a damaged page). The caller makes the latter two a dead letter by store_webhook_dead /
 * store_event_dead, which need only the id.
 * A change that fails with anything but a refusal named at the function may be half done: undo the savepoint or roll
 * back. Until then the savepoint cannot be kept (store_savepoint_keep undoes it) nor the transaction committed
 * (store_commit rolls it back): both fail with the change's error. Where the disk failed SQLite has ended the
 * transaction; every further change then fails, and so does the commit. Everything costs O(log n) in the size of the
 * store unless said otherwise; nothing is scanned at open.
 *
 * A row that an index names and that is not there (a damaged or hand-edited file) is never an error: an index proposes,
 * the row decides. One that was undone becomes a dead letter, a conversation begins anew; store_losses tells of each
 * once. An index that lacks a row is mended when that row changes.
 *
 * Callbacks: rows are collected before the first call, so a callback may change what it is called with. What it is
 * given lives until it returns. The numbers of the enums here, of transitions and of states stand in the rows: never
 * change one.
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
	STORE_WRITE, /* makes, migrates and locks it; a second writer is refused (-EBUSY: names the file) */
	STORE_READ,
};

/* A row that the store set aside or mended by itself. */
enum store_loss_kind {
	STORE_LOSS_WEBHOOK = 1,  /* a dead letter now */
	STORE_LOSS_EVENT,        /* a dead letter now */
	STORE_LOSS_CONVERSATION, /* its entry in the ledger is lost */
	STORE_LOSS_OTHER,
};
struct store_loss {
	enum store_loss_kind kind;
	int64_t id;
	char *name; /* the source or account; NULL: not known */
	char *reason;
};

struct store_options {
	const char *path;
	int64_t max_size;      /* bytes; 0: no limit */
	int64_t read_limit_ms; /* STORE_READ: a read longer than this ends with -EINTR; 0: none */
};

/* -EPROTO: a newer schema ("made by a newer deskbridge (schema 7, this one knows 1): install that version or restore a
 * backup"), -ENOTSUP: not a database, -EACCES, -EROFS, -EBUSY. Each text says what to do. */
int store_open(const struct store_options *o, enum store_mode mode, struct store **ret, struct err *reterr) MUSTCHECK;
void store_close(struct store *s); /* NULL allowed; rolls back what is open */
/* Where the disk is slow: the close leaves the WAL as it is, and the next opening writes it back. */
void store_leave_wal(struct store *s);

/* After the clock jumped store_clean applies no age limit that is longer than this. CLOCK_NEVER_MS, as at open: all. */
void store_set_longest_age(struct store *s, int64_t ms);
/* When the newest webhook or event was taken; 0: there is none. */
int64_t store_newest_ms(struct store *s);

/* Whether the store's files are still those that were opened: for whoever may not use the store itself. Any thread. */
struct store_files;
struct store_files *store_files_new(const struct store *s);
void store_files_free(struct store_files *f);                                     /* NULL allowed */
int store_files_check(const struct store_files *f, struct err *reterr) MUSTCHECK; /* -ESTALE, with what to do */

/* ---- transactions ------------------------------------------------------------------------------------------------ */

int store_begin(struct store *s, struct err *reterr) MUSTCHECK;
int store_commit(struct store *s, struct err *reterr) MUSTCHECK; /* on failure the transaction is rolled back */
void store_rollback(struct store *s);
/* Calls fn for what was set aside or mended since the last call, and is committed: for the log. */
void store_losses(struct store *s, void (*fn)(void *ctx, const struct store_loss *l), void *ctx);
/* A part of the turn's work, as one webhook's pass: all of it or none. Not nested. */
int store_savepoint(struct store *s, struct err *reterr) MUSTCHECK;
int store_savepoint_keep(struct store *s, struct err *reterr) MUSTCHECK;
void store_savepoint_undo(struct store *s);

/* 0 where new webhooks may come in, else why not. -ENOSPC: beyond max_size; below the disk floor; or less is left than
 * what the WAL holds needs to be written back. -ESTALE: the store's file was deleted or replaced. Some system calls:
 * call once a turn. A disk that was low must have a little more than
 * that again. */
int store_can_accept(struct store *s, struct err *reterr) MUSTCHECK;
/* How many bytes the transaction may write so that the WAL can still be written back; INT64_MAX: not known. As of
 * store_begin. */
int64_t store_free_bytes(const struct store *s);
/* Whether pending webhooks may be worked on: what comes of them grows the store, and there must be room to deliver it.
 */
bool store_can_process(struct store *s);
/* Whether done rows go before their time: above 80 % of max_size, or where the disk has hardly room, as of the last
 * store_can_accept. */
bool store_is_nearly_full(struct store *s);
bool store_is_new(const struct store *s); /* store_open made it: there was none, or an empty file */
/* Whether store_open brought it from an older schema to a newer one, which older versions refuse. STORE_WRITE only. */
bool store_was_migrated(const struct store *s, int64_t *ret_from, int64_t *ret_to);
int64_t store_size(struct store *s); /* (pages − free pages) × page size + WAL, in bytes */

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

/* Why a pending webhook is not taken up now. */
enum store_wait {
	STORE_WAIT_NONE = 0,     /* ready to be taken */
	STORE_WAIT_TIME,         /* until not_before: settle */
	STORE_WAIT_RETRY,        /* until not_before: its lookup failed and is asked again then */
	STORE_WAIT_LOOKUP,       /* a lookup of its customer is under way */
	STORE_WAIT_SLOT,         /* its source has as many lookups under way as it may */
	STORE_WAIT_BEHIND,       /* an earlier one of its conversation or customer is undone */
	STORE_WAIT_UNCONFIGURED, /* its source is not configured */
	STORE_WAIT_PARKED,       /* it was asked for, and its source's lookups are parked */
};
#define STORE_WAIT_LAST STORE_WAIT_PARKED
const char *store_wait_name(enum store_wait w); /* "ready", "settle", "retry", "lookup", … */

enum store_webhook_state {
	STORE_WEBHOOK_PENDING,
	STORE_WEBHOOK_DONE,
	STORE_WEBHOOK_DEAD,
};

/* Puts it in (w->id is set). dead_reason: NULL, or it goes in as a dead letter; result: NULL, or it goes in as done
 * with that result ("ignored", `keep: all`). Returns 0, or 1 where the same delivery is there already: nothing was put
 * in. */
int store_webhook_insert(struct store *s, struct webhook *w, const char *dead_reason, const char *result,
			 struct err *reterr) MUSTCHECK;
/* Lets pending webhooks whose not_before has come be ready, and goes on with the releases below: a few milliseconds'
 * worth, and store_webhooks_next_due_ms tells that there is more. Call at the start of a turn: the newest now_ms that
 * the store was told since is also the time at which what ends in this turn ends, and from which `retention` and
 * `remember` run. now_ms may be earlier than it was in the turn before. */
int store_webhooks_due(struct store *s, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* When the next not_before comes; 0: some are to be let go now; CLOCK_NEVER_MS: none. */
int64_t store_webhooks_next_due_ms(struct store *s);
/* Ids of ready webhooks in order of receipt, at most max. Returns how many, or an error. Where many rows are lost, some
 * of those may not be there: the next call goes on with mending. */
int store_webhooks_ready(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr) MUSTCHECK;
/* -ENOENT, -EBADMSG. The caller owns what is in *ret. */
int store_webhook_load(struct store *s, int64_t id, struct webhook *ret, struct err *reterr) MUSTCHECK;
/* 1 where it is still pending and its row says of it what w says, body and headers not looked at; 0 where not. */
int store_webhook_is_pending(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
/* 1 where an earlier undone webhook forbids this one to meet the ledger: of the same source and
 * conversation (whatever it waits for; `settle` looks before it asks), or of the same source and customer unless that
 * one is only held (TIME), or stands BEHIND a held one of its own conversation. 0 where none does. */
int store_webhook_is_behind(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
int store_webhook_wait(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms,
		       struct err *reterr) MUSTCHECK;
/* Keeps what a reading found (w->read and the members below it): for a dead letter that reads now that the definition
 * is mended. The delivery stays as it was. -ENOENT. */
int store_webhook_save_signal(struct store *s, const struct webhook *w, struct err *reterr) MUSTCHECK;
/* The end of a lookup that did not tell the customer. */
enum store_lookup {
	STORE_LOOKUP_TROUBLE,
	STORE_LOOKUP_GONE, /* there is no such customer */
	STORE_LOOKUP_ODD,  /* an answer of no use */
};
struct store_lookups {
	unsigned asked, gone, odd; /* asked: all of them */
	int64_t odd_since_ms;      /* when the first odd one came; 0: none */
};
/* Reads how a webhook's lookups ended so far. */
int store_webhook_lookups(struct store *s, int64_t id, struct store_lookups *ret, struct err *reterr) MUSTCHECK;
/* Counts one more, and keeps its reason as the one why the webhook waits. *ret: with it. */
int store_webhook_count_lookup(struct store *s, int64_t id, enum store_lookup what, const char *reason, int64_t now_ms,
			       struct store_lookups *ret, struct err *reterr) MUSTCHECK;
/* Ends it. Those that waited BEHIND it become ready. result: "events", "no address", "dropped", "duplicate", "settled",
 * … */
int store_webhook_done(struct store *s, int64_t id, const char *result, struct err *reterr) MUSTCHECK;
int store_webhook_dead(struct store *s, int64_t id, const char *reason, struct err *reterr) MUSTCHECK;
/* Makes ready: every webhook of the source that waits for this reason and, where given, of this customer. Of very many
 * only the first; the coming calls of store_webhooks_due let the rest go. */
int store_webhooks_wake(struct store *s, const char *source, enum store_wait why, const char *customer_or_null,
			struct err *reterr) MUSTCHECK;
/* Makes the oldest webhooks of the source ready that wait for a SLOT, at most max. Returns how many. */
int store_webhooks_wake_slot(struct store *s, const char *source, size_t max, struct err *reterr) MUSTCHECK;
/* Makes one webhook ready whose source is PARKED: the oldest after *after, else the oldest, and sets *after to it.
 * Returns 1, or 0 where there is none. */
int store_webhook_wake_parked(struct store *s, const char *source, int64_t *after, struct err *reterr) MUSTCHECK;
/* What waits for a LOOKUP that the last process had under way becomes ready, like store_webhooks_wake. Once, after
 * open. Those that wait for a SLOT or for their source stay: they are let go when there is one. */
int store_webhooks_restart(struct store *s, struct err *reterr) MUSTCHECK;
/* What waits for a time for this reason (TIME, RETRY) becomes ready once, like store_webhooks_wake, and is judged
 * anew by its pass: by a clock that stepped back, or by another configuration. */
int store_webhooks_recheck(struct store *s, enum store_wait why, struct err *reterr) MUSTCHECK;
/* A time that is too far away was noted while the clock was wrong: those whose not_before comes after farthest_ms
 * become ready, at most max. Returns how many. */
int store_webhooks_cap_due(struct store *s, int64_t farthest_ms, size_t max, struct err *reterr) MUSTCHECK;
/* A pending webhook, as settle looks at it beside another one: by narrow columns. */
struct store_neighbour {
	int64_t id;
	enum store_wait wait;
	int64_t received_ms;
	enum transition transition;
	bool is_timed; /* store_webhook_save_time has told the members below */
	int64_t time_ms;
	bool undated;
};
/* Calls fn for the pending webhooks of a conversation, in order of receipt, until it returns non-zero; a negative
 * answer is returned. fn may change the store; it is called with what was pending before. Costs about a microsecond for
 * each of them, and a fifth of that where fn ends it within the first 16; so n that are worked off one after another
 * cost n². */
int store_webhooks_of_conversation(struct store *s, const char *source, const char *conversation,
				   int (*fn)(void *ctx, const struct store_neighbour *n), void *ctx,
				   struct err *reterr) MUSTCHECK;
/* Keeps when a pending webhook happened, as its first reading told, until it ends. undated: the desk gave no time, and
 * time_ms is the receipt. */
int store_webhook_save_time(struct store *s, int64_t id, int64_t time_ms, bool undated, struct err *reterr) MUSTCHECK;
/* The three-crashes rule: the largest id there is (those found pending at start are ≤), the tries of one. */
int64_t store_webhook_last_id(struct store *s);
int store_webhook_tries(struct store *s, int64_t id, unsigned *ret, struct err *reterr) MUSTCHECK;
int store_webhook_set_tries(struct store *s, int64_t id, unsigned tries, struct err *reterr) MUSTCHECK;
/* Makes a dead webhook pending again, ready now. -ENOENT: there is no such dead letter. No caller yet: the command that
 * revives dead letters will be one. */
int store_webhook_revive(struct store *s, int64_t id, struct err *reterr) MUSTCHECK;

/* ---- conversations ----------------------------------------------------------------------------------------------- */

/* The entry and whom it reached; an unknown conversation gives an empty entry (LEDGER_UNKNOWN) and 0. Past retention a
 * closed conversation reached nobody any more that can be named. -EBADMSG: a save writes over what does not read. */
int store_conversation_load(struct store *s, const char *source, const char *conversation, struct ledger_entry *ret,
			    struct reached_list *ret_reached, struct err *reterr) MUSTCHECK;
/* Writes both whole. */
int store_conversation_save(struct store *s, const char *source, const char *conversation, const struct ledger_entry *e,
			    const struct reached_list *reached, struct err *reterr) MUSTCHECK;
/* How many open conversations, of any source, reached (account, email, flag), not counting this one. */
int store_flag_count(struct store *s, const char *account, const char *email, const char *flag, const char *but_source,
		     const char *but_conversation, int64_t *ret, struct err *reterr) MUSTCHECK;
/* The open conversation of the source whose opening we received the longest ago, at or before received_ms; -ENOENT. 0
 * and NULL: a damaged row stood before it and was mended, ask again. So each mend is a change of its own; where it
 * fails and the caller goes on, it undoes a savepoint as after any change. */
int store_conversation_oldest_open(struct store *s, const char *source, int64_t received_ms, char **ret_conversation,
				   struct err *reterr) MUSTCHECK;
/* When that of the source was received, for the next expiry; CLOCK_NEVER_MS: none open. */
int64_t store_conversation_oldest_received_ms(struct store *s, const char *source);

/* ---- customers looked up ----------------------------------------------------------------------------------------- */

/* -ENOENT: not known, or too old. An entry that was saved at a time that is still to come is too old as well: the clock
 * was ahead then. not_older_than_ms 0: of any age. */
int store_customer_load(struct store *s, const char *source, const char *customer, int64_t not_older_than_ms,
			struct customer *ret, struct err *reterr) MUSTCHECK;
int store_customer_save(struct store *s, const char *source, const char *customer, const struct customer *c,
			int64_t now_ms, struct err *reterr) MUSTCHECK;

/* Under which mark (a digest) the lookups of a source have worked. -ENOENT: they never have. */
#define STORE_MARK_BYTES 16
int store_lookups_worked(struct store *s, const char *source, unsigned char ret[STORE_MARK_BYTES],
			 struct err *reterr) MUSTCHECK;
int store_lookups_save_worked(struct store *s, const char *source, const unsigned char mark[STORE_MARK_BYTES],
			      struct err *reterr) MUSTCHECK;

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Queues it (e->id is set), ready, behind its person's earlier ones; person_gap_ms: least time after the person's last
 * 2xx where the profile differs. Returns 0, or 1 where account and unique_id are there already: nothing was queued.
 * -EINVAL: unique_id is not 32 lower-case hexadecimal digits. */
int store_event_insert(struct store *s, struct event *e, int64_t person_gap_ms, int64_t now_ms,
		       struct err *reterr) MUSTCHECK;
/* Calls fn for ready events of the account that are the first of their person and due at now_ms, the longest due
 * first, at most max, until it returns non-zero. fn may take over what is in *e, and zeroes it then. An event that is
 * on its way stays due until its end or retry is told: ask for so many more, and pass them over by `wanted` (NULL: all
 * are wanted), which is called before an event is read. An event that does not read becomes a dead letter here, in a
 * transaction of its own where none is open; then 1 is returned, as its person's next may be due by now, else 0. */
int store_events_due(struct store *s, const char *account, int64_t now_ms, size_t max,
		     bool (*wanted)(void *ctx, int64_t id), int (*fn)(void *ctx, struct event *e), void *ctx,
		     struct err *reterr) MUSTCHECK;
/* When the next first-of-its-person comes due after now_ms; CLOCK_NEVER_MS: none. */
int64_t store_events_next_due_ms(struct store *s, const char *account, int64_t now_ms);
/* The same as store_webhooks_cap_due, for events of the account that are the first of their person: those that are
 * due after farthest_ms are due at now_ms. Returns how many. */
int store_events_cap_due(struct store *s, const char *account, int64_t farthest_ms, int64_t now_ms, size_t max,
			 struct err *reterr) MUSTCHECK;
/* A 2xx at now_ms, of a ready event or of one that became a dead letter while it was on its way. The person's next
 * event becomes due, person_gap_ms later where its profile differs. */
int store_event_delivered(struct store *s, int64_t id, int64_t person_gap_ms, int64_t now_ms,
			  struct err *reterr) MUSTCHECK;
/* It waits: attempts is set, the person waits with it. */
int store_event_retry(struct store *s, int64_t id, unsigned attempts, int64_t due_ms, const char *reason,
		      struct err *reterr) MUSTCHECK;
/* A dead letter with its reason; the person's next event becomes due. */
int store_event_dead(struct store *s, int64_t id, const char *reason, int64_t now_ms, struct err *reterr) MUSTCHECK;
/* A dead letter is ready again, in its old place among its person's. -ENOENT: no such. *ret_later: an event of its
 * person queued after it was delivered meanwhile, or goes out before it because it may be on its way (then: the
 * ledger's flag as of now, and backfill, by store_event_rewrite). No caller yet, as for webhooks. */
int store_event_revive(struct store *s, int64_t id, int64_t now_ms, bool *ret_later, struct err *reterr) MUSTCHECK;
int store_event_rewrite(struct store *s, int64_t id, const char *profile, const char *properties, bool backfill,
			struct err *reterr) MUSTCHECK;
/* For tests, and for store_events_due. -ENOENT, -EBADMSG. */
int store_event_load(struct store *s, int64_t id, struct event *ret, struct err *reterr) MUSTCHECK;
/* Ready events of the account whose url is another one: they become dead letters, a few at a time (at most max).
 * Returns how many. */
int store_events_dead_of_other_url(struct store *s, const char *account, const char *url, const char *reason,
				   int64_t now_ms, size_t max, struct err *reterr) MUSTCHECK;

/* ---- housekeeping ------------------------------------------------------------------------------------------------ */

/* One small step: deletes at most max rows of what is past its time (done webhooks, delivered events: retention; closed
 * conversations: remember; delivery digests: 7 days at least; customers: a day), and of the oldest done rows while the
 * store is tight (store_is_nearly_full). Returns how many were deleted; 0: nothing left to do. */
int store_clean(struct store *s, int64_t retention_ms, int64_t remember_ms, int64_t now_ms, size_t max,
		struct err *reterr) MUSTCHECK;
/* Writes the WAL back; at quiet times. */
void store_checkpoint(struct store *s);
/* Copies the store to a new file while it runs; from a reader. No caller yet: the command backup will be one. */
int store_backup(struct store *s, const char *file, struct err *reterr) MUSTCHECK;

/* ---- reading for people (any store) ------------------------------------------------------------------------------ */

/* Counters kept with every change, not counted here; as of the last commit. Calls fn for each, also where n is 0. */
void store_event_counts(struct store *s, void (*fn)(void *ctx, const char *account, enum event_state state, int64_t n),
			void *ctx);
void store_conversation_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx);
/* The same of those among them whose customer's address is not known yet. */
void store_unaddressed_counts(struct store *s, void (*fn)(void *ctx, const char *source, int64_t open), void *ctx);
void store_webhook_counts(struct store *s,
			  void (*fn)(void *ctx, const char *source, enum store_webhook_state state, enum store_wait why,
				     int64_t n),
			  void *ctx);
/* When the oldest ready event of the account was queued; 0: none. */
int64_t store_events_oldest_ms(struct store *s, const char *account);
/* Whether first-of-their-person ready events of the account were tried in vain: 1 with when the oldest of them was
 * queued, and the latest reason (the caller owns it; NULL: none), else 0. Looks at a bounded number of events. */
int store_events_retrying(struct store *s, const char *account, int64_t *ret_oldest_ms, char **ret_reason);

/* One page of events, newest first; state: -1 for all; before_id: 0 or the last id of the page before. Returns how
 * many. */
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
	unsigned asked;     /* lookups that did not tell the customer */
	const char *reason; /* result, why dead, or what the last lookup of a pending one came to; NULL: none */
};
int store_webhooks_page(struct store *s, int state, int64_t before_id, size_t max,
			int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx,
			struct err *reterr) MUSTCHECK;
/* The same of the pending ones that wait for one reason. */
int store_webhooks_waiting_page(struct store *s, enum store_wait why, size_t max,
				int (*fn)(void *ctx, const struct store_webhook_row *row), void *ctx,
				struct err *reterr) MUSTCHECK;
struct store_paused_person {
	const char *source, *conversation, *email, *flag, *account;
	int64_t opened_ms;
	/* Why the event that was to tell Klaviyo is a dead letter: Klaviyo does not know that the flag is true. NULL:
	 * it knows, or is about to be told. */
	const char *refused;
};
/* How many people's flags are true now: as many as store_paused_page lists where max is large enough. */
int store_paused_count(struct store *s, int64_t *ret, struct err *reterr) MUSTCHECK;
/* The people whose flag is true now, the longest first. */
int store_paused_page(struct store *s, size_t max, int (*fn)(void *ctx, const struct store_paused_person *p), void *ctx,
		      struct err *reterr) MUSTCHECK;

/*
 * The source, account and conversation of an event or a webhook, for a line of the log. Never fails: a member that
 * there is not, or that does not read, stays NULL or 0. The caller owns *ret.
 */
struct store_origin {
	char *source, *conversation;
	int64_t webhook; /* of an event: the webhook that made it */
};
void store_origin_done(struct store_origin *o);
void store_webhook_origin(struct store *s, int64_t id, struct store_origin *ret);
void store_event_origin(struct store *s, int64_t id, struct store_origin *ret);

#endif
