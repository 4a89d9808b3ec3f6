/* SPDX-License-Identifier: MIT */
/*
 * tables: shared by the files of the top layer: the state of webhooks and events, and the repair of damaged rows. Only
 * for src/store.
 *
 * In a damaged or hand-edited file an index may name a row that is missing or differs. The row decides: the statements
 * of this folder join an index's result with the row's own id. So an entry without a row is skipped, and fails no
 * statement with SQLITE_CORRUPT. Entries of undone work are repaired instead, because the work would be lost silently.
 *
 * SQLite removes an entry only when its row changes. So a repair
 *   1. inserts a placeholder if the row is missing,
 *   2. updates the row to what the index says, which overwrites the entry,
 *   3. updates the row to its final state, which removes the entry.
 * A repair costs O(log n) and changes no other row. A REINDEX would read the whole table. An entry in the index of keys
 * whose row is missing or differs is left there: it counts for nothing (keys.h).
 */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include "base/buf.h"
#include "store/store_internal.h"
#include "store/delivery_set.h"
#include "store/keys.h"
#include "store/query.h"
#include "store/transaction.h"

/* The reason of a dead letter that is a placeholder. */
#define NOT_THERE "its row is not there, an index of the store still names it"

/* ---- schema.c ---------------------------------------------------------------------------------------------------- */

/* Checks that this version can use the store. Changes nothing. -EPROTO, -ENOTSUP. */
int schema_check(struct store *s, int64_t *ret_version, struct err *reterr) MUSTCHECK;
/* Creates the schema or migrates an older one, and sets s->schema. */
int schema_migrate(struct store *s, int64_t version, struct err *reterr) MUSTCHECK;
/* Drops a table or an index, if it is there. Of a damaged one the pages stay in the file. In transactions of its own.
 */
int schema_drop(struct store *s, const char *type, const char *name, struct err *reterr) MUSTCHECK;

/* ---- webhooks: webhook_state.c ----------------------------------------------------------------------------------- */

/* The columns of a webhook that a change needs. conversation and customer may be NULL; source is not. */
struct webhook_brief {
	int64_t id;
	enum store_webhook_state state;
	enum store_wait wait;
	int64_t received_ms;
	char *source, *conversation, *customer;
	bool has_answers, has_time; /* it has a row in lookup_answers, in webhook_times */
};
void webhook_brief_done(struct webhook_brief *p);
/* True where there is such a row. Unreadable columns become empty, so that a broken row can end too. */
bool webhook_brief_find(struct change *c, int64_t id, struct webhook_brief *ret);

/* An index entry of an undone webhook. source, conversation and customer are NULL, and not_before_ms is 0, if the index
 * does not hold them. */
struct webhook_index_entry {
	int64_t id;
	enum store_wait wait;
	int64_t not_before_ms;
	const char *source, *conversation, *customer;
};
/* Removes an index entry whose row is missing or differs. A missing row becomes a dead letter, and webhooks BEHIND it
 * become ready. */
void webhook_repair(struct change *c, const struct webhook_index_entry *entry);
/* Makes the entry's webhook ready, or repairs the entry. */
void webhook_make_ready(struct change *c, const struct webhook_index_entry *entry);
/* As webhook_make_ready, for each id. entry: what the index says of each of them. */
void webhooks_make_ready(struct change *c, const struct ids *ids, const struct webhook_index_entry *entry);

/* Of conversations.c: forgets the last id with the transaction or the savepoint. */
extern const struct transaction_hook conversation_ids_hook;

/* ---- ids: ids.c -------------------------------------------------------------------------------------------------- */

/* Returns the id of the next row; 0: the change failed. */
int64_t id_next(struct change *c, enum ids_of of);
/* Tells that a row with this id, which id_next returned, was inserted. */
void id_given(struct store *s, enum ids_of of, int64_t id);
/* Call it before the deletion of a row. */
void id_deleting(struct change *c, enum ids_of of, int64_t id);
/* A repair has inserted a row with another id. */
void ids_forget(struct store *s);
extern const struct transaction_hook ids_hook;

/* ---- known without a query: pending.c ---------------------------------------------------------------------------- */

/* Tell what a query of the index found: no pending webhook; none that waits for `why` (STORE_WAIT_NONE: none is ready);
 * none with an earlier not_before than due_ms. */
void pending_none(struct store *s);
void pending_none_waits(struct store *s, enum store_wait why);
void pending_due_after(struct store *s, int64_t due_ms, bool is_exact);
/* Tell that a webhook's row becomes pending, for `why` and until not_before_ms (0: no time), and that it is so no more.
 */
void pending_begins(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms);
void pending_ends(struct store *s, enum store_wait why);
/* True where no webhook is pending. False: one may be. */
bool pending_is_none(const struct store *s);
void pending_forget(struct store *s);
extern const struct transaction_hook pending_hook;

/* ---- the oldest open conversations: oldest.c --------------------------------------------------------------------- */

/* Tells that a conversation's row was saved. */
void oldest_saved(struct store *s, const char *source, const struct ledger_entry *e);
/* Tells that the index holds none of the source up to this time. What was remembered was too early: a repair has taken
 * that entry out, or its row did not read and was written over. */
void oldest_none_until(struct store *s, const char *source, int64_t received_ms);
extern const struct transaction_hook oldest_hook;
void oldest_done(struct store *s);

/* ---- conversations: conversations.c ------------------------------------------------------------------------------- */

/* Finds a conversation's row by its name. ret->id 0: there is none. */
void conversation_find(struct change *c, const char *source, const char *conversation, struct store_conversation *ret);

/* ---- the people whom a conversation reached: people.c ------------------------------------------------------------- */

/* A list as a row has it: persons, one after another. */
struct people {
	const char *bytes;
	size_t n;
};
/* A person of a list: NUL, address, NUL, account, NUL, flag, NUL. The texts point into the list. */
struct person {
	const char *bytes;
	size_t n;
	const char *email, *account, *flag;
};
/* Makes a list empty. buf_done() frees it. */
void people_init(struct buf *list);
/* Appends a person. */
void people_add(struct buf *list, const char *email, const char *account, const char *flag);
/* Takes the first person off the list. Returns 1; 0: the list is empty; -EBADMSG: it does not read. */
int people_next(struct people *list, struct person *ret);
/* Makes the entries KEY_OPEN_PERSON of a conversation those of the list `now`. was: the list before. A conversation
 * that is not open has the empty list. */
void open_people_change(struct change *c, int64_t conversation, struct people was, struct people now);
/* Finds the next open conversation of a walk by KEY_OPEN_PERSON whose list has the person. Returns its id; 0: there is
 * none. */
int64_t open_person_next(struct key_walk *walk, const struct buf *person);

/* ---- migration 8: migrate.c -------------------------------------------------------------------------------------- */

/* Writes to *ret the bytes of free disk that the migrations from that version on may need. */
int migration_bytes(struct store *s, int64_t version, int64_t *ret, struct err *reterr) MUSTCHECK;
/* Adds the columns and the table of schema 8, and copies `marks` and `reached` to them. In transactions of its own. */
int people_move(struct store *s, struct err *reterr) MUSTCHECK;

/* ---- who waits for whom: waiting.c ------------------------------------------------------------------------------- */

/* True where an earlier webhook must be decided before p (store_webhook_is_behind). */
bool webhook_is_behind(struct change *c, const struct webhook_brief *p);
/* True where a held webhook of its own conversation is before p. */
bool webhook_is_behind_held(struct change *c, const struct webhook_brief *p);
/* True where a webhook before p, of its conversation or of its customer, may end without another one. */
bool webhook_conversation_progresses(struct change *c, const struct webhook_brief *p);
bool webhook_customer_progresses(struct change *c, const struct webhook_brief *p);

/* ---- many at once: wake.c ---------------------------------------------------------------------------------------- */

/* The most webhooks that one call wakes (a few milliseconds). */
#define STORE_WAKE_ROWS 256

/* Undoing a savepoint resets wakes to the last commit, not to the savepoint. Waking a webhook twice is harmless. */
extern const struct transaction_hook wake_scans_hook;
void wake_scans_done(struct store *s);

/* ---- digests of deliveries: deliveries.c -------------------------------------------------------------------------- */

/* Follows the transaction. */
struct delivery_state {
	int64_t generation;             /* the current one; the previous one has the number before it */
	int64_t age_ms, seen_ms;        /* its row: the age, and the time of the cleaning that stored it */
	bool current_has, previous_has; /* the index may have entries of these generations */
	bool old_has;                   /* `deliveries` may have rows */
	size_t merged;                  /* the slots of `frozen` before this one are merged */
	int64_t merged_to, deleted_to;  /* rows of the tail up to these ids are merged, are deleted */
};

struct deliveries {
	struct delivery_set active, frozen; /* frozen.alloc 0: nothing is merged now */
	int64_t active_to, frozen_to;       /* the largest ids in them, as of the last commit */
	struct delivery_state now, kept, committed;
	struct delivery_slot *added; /* to `active` since the transaction began; added_kept: before the savepoint */
	size_t added_n, added_kept, added_alloc;
	size_t batch, step; /* as BATCH, STEP; tests set smaller numbers */
	size_t waiting_n;   /* committed entries since the last step of a merge */
	bool stepped;       /* this commit takes a step */
	bool flush;         /* the next batch is all of the tail, because the generation's time has come */
	bool flushing;      /* `frozen` is that batch */
	bool flushed;       /* it is merged */
	bool index_damaged; /* old generations are not deleted any more */
	bool damaged;       /* the index is neither searched nor changed any more */
	bool damage_noted;
	bool merge_damaged; /* batches are not merged any more */
	bool merge_noted;   /* store_losses has told that */
};

void deliveries_new(struct store *s);
/* Reads the tail and the generations. */
int deliveries_open(struct store *s, struct err *reterr) MUSTCHECK;
void deliveries_done(struct store *s);
extern const struct transaction_hook deliveries_hook;
/* True where a webhook of w's source with w's delivery was received before. */
bool delivery_is_known(struct change *c, const struct webhook *w);
/* Of old_deliveries.c: as delivery_is_known, in the table of schema 4 and older; deletes at most max of its rows, and
 * returns their number; looks whether it has rows (now.old_has). */
bool old_delivery_is_known(struct change *c, const struct webhook *w);
size_t old_deliveries_delete(struct change *c, int64_t until_ms, int64_t now_ms, size_t max);
void old_deliveries_look(struct change *c);
/* Adds w's delivery. w->id is set. */
void delivery_add(struct change *c, const struct webhook *w);
/* Ages, merges and deletes digests, at most max rows; returns their number. life_ms: the least life of a digest.
 * until_ms: rows of the old table up to this time are deleted. */
size_t deliveries_clean(struct change *c, int64_t life_ms, int64_t until_ms, int64_t now_ms, size_t max);

/* ---- events: event_state.c --------------------------------------------------------------------------------------- */

#define EVENT_UNIQUE_ID_BYTES (EVENT_UNIQUE_ID_LEN / 2)
/* The column unique_id: the event's time, then its unique_id. Events of schema 3 and older have the unique_id alone. */
#define EVENT_TIME_BYTES 8
#define EVENT_KEY_BYTES (EVENT_TIME_BYTES + EVENT_UNIQUE_ID_BYTES)

/* The columns of an event that a change needs. */
struct event_brief {
	int64_t id;
	enum event_state state;
	char *account, *email;
	bool head, later;
	int64_t gap_ms;
};
void event_brief_done(struct event_brief *p);
/* -ENOENT: there is no event in that state. Unreadable columns become empty, so that a broken row can end too. */
void event_brief_load(struct change *c, int64_t id, enum event_state state, struct event_brief *ret);
/* Changes an event's state; only repairs bypass it. Updates the row, the counter, `later` of dead letters that it
 * overtook, the person's next event, and p. gap_ms: the time from this 2xx to the person's next event; below 0: that
 * event's own gap. A row that SQLite refuses to change can still end. */
void event_change_state(struct change *c, struct event_brief *p, enum event_state to, const char *reason,
			int64_t gap_ms, int64_t now_ms);
/* Ends a ready event as a dead letter; see store_event_dead. */
void event_set_aside(struct change *c, int64_t id, const char *reason, int64_t now_ms);
/* Returns the due time of an event with this profile: now_ms, or gap_ms after the person's last 2xx where the profile
 * differs. At most gap_ms from now, because the clock may have been ahead at that 2xx. */
int64_t person_due(struct change *c, const char *account, const char *email, const char *profile, int64_t gap_ms,
		   int64_t now_ms);
/* True where the person has ready events; one of them is the head then. If the person's head is lost (deleted by hand,
 * or its row is missing), the oldest ready event becomes the head, so that the person does not wait for ever. */
bool person_waits(struct change *c, const char *account, const char *email, int64_t now_ms);
/* Returns the id of the person's head; 0: there is none. */
int64_t person_head(struct change *c, const char *account, const char *email);
/* Makes the event its person's head, due at due_ms. */
void event_head_set(struct change *c, int64_t id, int64_t due_ms);
/* Removes an entry of the index events_due whose row is missing or not due. A missing event becomes a dead letter. In
 * both cases the people whom its conversation reached get a head if they have ready events and none. */
void event_repair_due(struct change *c, const char *account, int64_t id, int64_t due_ms, int64_t now_ms);

/* ---- events in memory: recent_events.c --------------------------------------------------------------------------- */

/* Moves the event to *ret. False: it is not held, or it was due at another time. */
bool recent_event_take(struct store *s, const char *account, int64_t id, int64_t due_ms, struct event *ret);
/* To be called before each change of an event. */
void recent_event_forget(struct store *s, int64_t id);
extern const struct transaction_hook recent_events_hook;
void recent_events_done(struct store *s);

/* ---- events: events.c -------------------------------------------------------------------------------------------- */

/* Undoing a savepoint or a transaction may bring back events of an older schema. */
extern const struct transaction_hook old_keys_hook;
/* Of read.c. Returns a text that sorts after this one, and after texts that continue it with a NUL. Owned. */
char *after_text(const char *text);
/* Reads an event. lenient: unreadable columns stay empty, for display. */
int event_row_load(struct store *s, int64_t id, bool lenient, struct event *ret, struct err *reterr) MUSTCHECK;

#endif
