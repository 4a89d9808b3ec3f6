/* SPDX-License-Identifier: MIT */
/*
 * keys: finds rows by keys that are in no order, as an index does, but is written in sequence. keys.c holds the design.
 * Only for src/store.
 *
 * A key is a number made from texts (key_of.c). Equal texts have equal keys; different texts may have the same one.
 * So the row decides: whoever finds an id here looks whether the row is the one that is meant, and an id whose row is
 * missing or differs counts for nothing.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/key_set.h"
#include "store/transaction.h"

/* Rows hold these numbers. */
enum key_kind {
	KEY_CONVERSATION = 1, /* source and conversation: conversations */
	KEY_OPEN_PERSON,      /* a person whom an open conversation reached: conversations */
	KEY_EVENT,            /* time and unique_id: events */
	KEY_READY_PERSON,     /* account and address of a ready event: events */
	KEY_DEAD_PERSON,      /* of a dead letter: events */
	KEY_KINDS,
};

/* ---- keys: key_of.c ---------------------------------------------------------------------------------------------- */

int64_t key_of_conversation(const char *source, const char *conversation);
int64_t key_of_open_person(const void *person, size_t n); /* bytes as in a list (people.c) */
int64_t key_of_person(const char *account, const char *email);
/* unique_id: as the column has it (event_state.c). Keys are in the order of the events' times. */
int64_t key_of_event(const unsigned char *unique_id, size_t n);

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* Adds or removes an entry. A repeat changes nothing. */
void keys_add(struct change *c, enum key_kind kind, int64_t key, int64_t id);
void keys_remove(struct change *c, enum key_kind kind, int64_t key, int64_t id);
/* Removes the entries of an id whose keys are not known, because its row is lost. Reads all entries of the kind. */
void keys_remove_id(struct change *c, enum key_kind kind, int64_t id);
/* Entries of larger ids are added in memory. */
int64_t keys_on_disk_to(const struct store *s, enum key_kind kind);
/* Looks again, after the commit, which kinds have no entry on the disk. */
void keys_look_at_disk(struct store *s);
extern const struct transaction_hook keys_hook;

/* ---- finding ----------------------------------------------------------------------------------------------------- */

enum key_where {
	KEYS_IN_MEMORY = 1,
	KEYS_ON_DISK = 2,
	KEYS_ALL = KEYS_IN_MEMORY | KEYS_ON_DISK,
};

#define KEY_WALK_CHUNK 16

/* A walk through the ids of a key, in ascending order, each once. The index may change meanwhile. */
struct key_walk {
	struct change *change;
	enum key_kind kind;
	int64_t key;
	bool in_memory, on_disk; /* where there may be more */
	int64_t last;            /* the id returned last */
	struct key_cursor cursor;
	int64_t chunk[KEY_WALK_CHUNK]; /* ids on the disk; those before `at` were returned */
	size_t chunk_n, at;
};
struct key_walk key_walk(struct change *c, enum key_kind kind, int64_t key, enum key_where where);
/* Returns the next id; 0: there is none, or the change failed. */
int64_t key_walk_next(struct key_walk *walk);
/* Returns the number of keys that have entries, or a negative errno. */
int keys_count(struct store *s, enum key_kind kind, int64_t *ret, struct err *reterr) MUSTCHECK;

/* ---- opening ----------------------------------------------------------------------------------------------------- */

void keys_new(struct store *s);
/* Reads what the index keeps in memory. Where much of it is missing on the disk, as after a migration, it is written
 * there first, in transactions of its own. An index that is damaged is built anew. */
int keys_open(struct store *s, struct err *reterr) MUSTCHECK;
/* Of a reader: the same, without a change. Call it before finding; each call looks at the rows again. Of the writer it
 * does nothing. */
int keys_read(struct store *s, struct err *reterr) MUSTCHECK;
/* At the end of a transaction: builds a damaged index anew, and reads rows again that another connection has changed.
 */
extern const struct transaction_hook keys_rows_hook;
void keys_done(struct store *s);

#define SQL_KEYS_TABLES                                                                        \
	"CREATE TABLE IF NOT EXISTS keys ("                                                    \
	" kind INTEGER NOT NULL," /* enum key_kind */                                          \
	" key INTEGER NOT NULL,"                                                               \
	" id INTEGER NOT NULL," /* of the row */                                               \
	" PRIMARY KEY (kind, key, id)) STRICT, WITHOUT ROWID;"                                 \
	"CREATE TABLE IF NOT EXISTS key_states ("                                              \
	" kind INTEGER PRIMARY KEY,"                                                           \
	" merged INTEGER NOT NULL,"          /* the entries of rows up to this id are there */ \
	" merging INTEGER NOT NULL) STRICT;" /* those up to this id may be */

/* ---- private to keys.c and keys_rows.c, and for tests ------------------------------------------------------------ */

/* The entries of one kind. */
struct keys_of {
	struct key_set active;
	struct key_entry *frozen; /* sorted; while they are merged */
	uint32_t *gone;           /* of each: how many from it on, of its key, were removed; 0: it was not */
	size_t frozen_n;
	bool is_merging;                /* also of a batch without entries */
	int64_t merged_to, merging_to;  /* ids; the rows of key_states */
	size_t merged, merged_kept;     /* entries of `frozen` before this one are on the disk; as of the last commit */
	bool has_begun, has_begun_kept; /* the row in key_states says merging_to; as of the last commit */
	bool has_ended;                 /* that row says that this batch is merged */
	size_t added;                   /* entries since the transaction began */
	size_t waiting;                 /* entries since the last step of a merge */
	bool on_disk;                   /* false: no entry is there */
	int64_t largest;                /* no larger key is there */
};

/* A change of an entry in memory, for an undo. */
struct keys_change {
	enum key_kind kind;
	enum {
		KEYS_ADDED,
		KEYS_REMOVED,
		KEYS_GONE
	} what; /* to `active`, from it, in `frozen` */
	struct key_entry entry;
	size_t at; /* in `frozen` */
};

struct keys {
	struct keys_of of[KEY_KINDS];
	struct keys_change *changes; /* since the transaction began; changes_kept: before the savepoint */
	size_t changes_n, changes_kept, changes_alloc;
	int64_t newest_conversation, newest_event; /* the largest committed ids */
	enum key_kind begin_next;                  /* of which kind a batch begins next */
	size_t batch, step, fill;                  /* as KEYS_BATCH, KEYS_STEP, KEYS_FILL; tests set smaller numbers */
	int64_t span;                              /* as KEYS_SPAN */
	bool is_open;                              /* false: transactions change nothing here */
	bool looks_at_disk;                                 /* see keys_look_at_disk */
	bool others_wrote;                         /* another connection has changed rows */
	bool is_unread;                            /* and reading them again failed */
	bool is_damaged;                           /* a page of the index is; nothing is merged */
	int64_t merge_ms;                          /* monotonic: no merge before, because the disk was full */
	int64_t build_ms;                          /* monotonic: not built anew before, because that failed */
	unsigned told;                             /* unreadable rows were noted since the opening: a bit a table */
	unsigned read_version;                     /* of a reader: SQLite's version of the data that was read */
};

/* Inserts sorted entries on the disk. */
void keys_insert(struct change *c, enum key_kind kind, const struct key_entry *entries, size_t n);
void keys_state_save(struct change *c, enum key_kind kind, int64_t merged_to, int64_t merging_to);
/* The newest committed id of the kind's table. */
int64_t *keys_newest_of(struct keys *keys, enum key_kind kind);
/* Returns the entries of `active`, sorted. The caller frees them. */
struct key_entry *keys_sorted(const struct keys_of *k);
/* Forgets the batch. Its entries are in memory no more. */
void keys_batch_drop(struct keys_of *k);

#endif
