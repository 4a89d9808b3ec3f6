/* SPDX-License-Identifier: MIT */
/*
 * tables: what the files of the uppermost layer share: a webhook's and an event's place and state, and the mending of
 * rows that are damaged. Only for src/store.
 *
 * Rows that an index names and that are not there, or are not as the index says, are those of a damaged or hand-edited
 * file. An index proposes rows and the row itself decides: the statements of this folder join what an index gives with
 * the row's own id. So an entry without a row is passed over, and cannot fail a statement with SQLITE_CORRUPT. Two
 * kinds of entries must not be passed over: one that names undone work (it would be lost without a word) and one of a
 * unique index (it keeps a new row out). These are mended.
 *
 * An entry can only be taken out by a change of the row that it belongs to. So a stand-in is put in where the row is
 * not there; the row is made what the index says, which writes over the entry, and then what it is to be, which takes
 * the entry out. That costs O(log n) and touches nobody else's row, where a REINDEX would read the whole table.
 */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include "store/store_internal.h"
#include "store/query.h"
#include "store/transaction.h"

/* Why a stand-in is a dead letter. */
#define NOT_THERE "its row is not there, an index of the store still names it"

/* ---- schema.c ---------------------------------------------------------------------------------------------------- */

/* Whether this is a store that this version knows; changes nothing. -EPROTO, -ENOTSUP. */
int schema_check(struct store *s, int64_t *ret_version, struct err *reterr) MUSTCHECK;
/* Makes the schema, or brings an older one forward; s->schema is the newest then. */
int schema_migrate(struct store *s, int64_t version, struct err *reterr) MUSTCHECK;

/* ---- webhooks: webhook_state.c ----------------------------------------------------------------------------------- */

/* What a change of a webhook needs to know of it. source is never NULL, conversation and customer may be. */
struct webhook_brief {
	int64_t id;
	enum store_webhook_state state;
	enum store_wait wait;
	int64_t received_ms;
	char *source, *conversation, *customer;
	bool has_answers, has_time; /* what stands beside it: in lookup_answers, in webhook_times */
};
void webhook_brief_done(struct webhook_brief *p);
/* Whether there is such a row. What does not read is taken as empty: also a broken row must be able to end. */
bool webhook_brief_find(struct change *c, int64_t id, struct webhook_brief *ret);

/* What an index says of an undone webhook. source, conversation and customer are NULL, and not_before_ms 0, where that
 * index does not hold them. */
struct webhook_index_entry {
	int64_t id;
	enum store_wait wait;
	int64_t not_before_ms;
	const char *source, *conversation, *customer;
};
/* Takes out an index entry whose row is not there or is not as the entry says. Where it is not there it becomes a dead
 * letter, and those behind it go on. */
void webhook_repair(struct change *c, const struct webhook_index_entry *entry);
/* Makes it ready, or mends it. */
void webhook_make_ready(struct change *c, const struct webhook_index_entry *entry);
/* ids are what an index names; entry tells what it says of each of them. */
void webhooks_make_ready(struct change *c, const struct ids *ids, const struct webhook_index_entry *entry);

/* ---- who waits for whom: waiting.c ------------------------------------------------------------------------------- */

/* Whether an earlier one forbids it to meet the ledger (store_webhook_is_behind) … */
bool webhook_is_behind(struct change *c, const struct webhook_brief *p);
/* … whether it waits for a held one of its own conversation … */
bool webhook_is_behind_held(struct change *c, const struct webhook_brief *p);
/* … and whether one that may end by itself stands before it, in its conversation or among those of its customer. */
bool webhook_conversation_progresses(struct change *c, const struct webhook_brief *p);
bool webhook_customer_progresses(struct change *c, const struct webhook_brief *p);

/* ---- many at once: wake.c ---------------------------------------------------------------------------------------- */

/* How many waiting webhooks one call makes ready: a few milliseconds. */
#define STORE_WAKE_ROWS 256

/* An undone savepoint takes releases back to the last commit, too: what is let go twice costs time only. */
extern const struct transaction_hook wake_scans_hook;
void wake_scans_done(struct store *s);

/* ---- events: event_state.c --------------------------------------------------------------------------------------- */

#define EVENT_UNIQUE_ID_BYTES (EVENT_UNIQUE_ID_LEN / 2)

/* What a change of an event needs to know of it. */
struct event_brief {
	int64_t id;
	enum event_state state;
	char *account, *email;
	bool head, later;
	int64_t gap_ms;
};
void event_brief_done(struct event_brief *p);
/* -ENOENT where it is not in that state. What does not read is taken as empty: also a broken row must be able to end.
 */
void event_brief_load(struct change *c, int64_t id, enum event_state state, struct event_brief *ret);
/* The one place in which an event that is there changes its state: the row, the counter, the mark of those it has
 * overtaken, and who of its person is next. p follows. gap_ms: from its 2xx to the next one; below 0 the next one's
 * own. A row that takes no change can still end. */
void event_change_state(struct change *c, struct event_brief *p, enum event_state to, const char *reason,
			int64_t gap_ms, int64_t now_ms);
/* Makes a ready event a dead letter; see store_event_dead. */
void event_set_aside(struct change *c, int64_t id, const char *reason, int64_t now_ms);
/* When an event of this profile may go out: gap_ms after the person's last 2xx where the profile differs, and no later
 * than gap_ms from now, should the clock have been ahead then. */
int64_t person_due(struct change *c, const char *account, const char *email, const char *profile, int64_t gap_ms,
		   int64_t now_ms);
/* Whether the person has a ready event. Where the one that goes out next is lost (deleted by hand, or its row is not
 * there), the oldest takes its place: the person must not wait for good. */
bool person_has_ready(struct change *c, const char *account, const char *email, int64_t now_ms);
/* It goes out next, at due_ms. */
void event_head_set(struct change *c, int64_t id, int64_t due_ms);
/* An event that events_due names: where its row is not there, or not due, the entry is taken out. One that is not there
 * becomes a dead letter, and its person goes on. */
void event_repair_due(struct change *c, const char *account, int64_t id, int64_t due_ms, int64_t now_ms);
/* Whether the index named an event with that unique_id, whose row is not there; it names none any more. */
bool event_repair_unique(struct change *c, const char *account, const unsigned char *unique_id);

/* Of events.c. Reads an event. lenient: for people; what does not read is left empty. */
int event_row_load(struct store *s, int64_t id, bool lenient, struct event *ret, struct err *reterr) MUSTCHECK;

#endif
