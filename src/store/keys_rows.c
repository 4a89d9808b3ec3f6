/* SPDX-License-Identifier: MIT */
/*
 * Which entries a row has in the index of keys; its opening, which reads rows that are newer than what is on the disk;
 * and its building anew.
 *
 * One reading of a table serves all of its kinds. Rows on a damaged page cannot be read, so they have no entries. The
 * rows behind them are found by a search, because the damage of a page takes a range of ids.
 */
#include <config.h>

#include <errno.h>

#include "base/clock.h"
#include "store/connection.h"
#include "store/keys.h"
#include "store/numbers.h"
#include "store/tables.h"

/* A larger batch has more entries for each page, takes more memory, and makes a restart read more rows. */
#define KEYS_BATCH 16384
#define KEYS_SPAN 65536
/* A commit merges at least as many entries of a kind, or none. */
#define KEYS_STEP 64
/* At the opening so many entries of a kind go to the disk in one transaction. They take 50 MiB. */
#define KEYS_FILL 1048576
/* A building that failed, as on a full disk, is tried again after this time. */
#define REBUILD_AGAIN_MS CLOCK_MINUTE_MS

/* ---- the entries of a row ---------------------------------------------------------------------------------------- */

/* A table with its kinds. */
struct key_table {
	enum key_kind first, last;
	const char
		*rows; /* from an id on, in the order of ids; no row is left out, so that it is known which one fails */
	const char *next; /* the id of the first of these */
	const char *newest;
	/* Adds the entries that the row has of each kind. */
	void (*entries)(struct keys *keys, struct query *q, int64_t id);
};

/* Entries of rows up to merged_to are on the disk. */
static void entry_add(struct keys *keys, enum key_kind kind, int64_t key, int64_t id)
{
	if (id > keys->of[kind].merged_to)
		(void)key_set_add(&keys->of[kind].active, (struct key_entry){key, id});
}

static void people_entries(struct keys *keys, struct query *q, int64_t id)
{
	struct people people;
	struct person p;

	people.bytes = query_blob(q, &people.n);
	while (people_next(&people, &p) > 0)
		entry_add(keys, KEY_OPEN_PERSON, key_of_open_person(p.bytes, p.n), id);
}

static void conversation_entries(struct keys *keys, struct query *q, int64_t id)
{
	bool is_open = query_int(q) == LEDGER_OPEN;
	CLEANUP(mem_freep) char *source = query_text(q);
	CLEANUP(mem_freep) char *conversation = query_text(q);

	entry_add(keys, KEY_CONVERSATION, key_of_conversation(source, conversation), id);
	if (is_open)
		people_entries(keys, q, id);
}

static void event_entries(struct keys *keys, struct query *q, int64_t id)
{
	int64_t state = query_int(q);
	CLEANUP(mem_freep) char *account = query_text(q);
	CLEANUP(mem_freep) char *email = query_text(q);
	size_t n;
	const unsigned char *unique_id = query_blob(q, &n);

	if (n == EVENT_KEY_BYTES || n == EVENT_UNIQUE_ID_BYTES)
		entry_add(keys, KEY_EVENT, key_of_event(unique_id, n), id);
	if (state == EVENT_READY)
		entry_add(keys, KEY_READY_PERSON, key_of_person(account, email), id);
	else if (state == EVENT_DEAD)
		entry_add(keys, KEY_DEAD_PERSON, key_of_person(account, email), id);
}

static const struct key_table key_tables[] = {
	{
		.first = KEY_CONVERSATION,
		.last = KEY_OPEN_PERSON,
		.rows = "SELECT id, state, source, conversation, people FROM conversations WHERE id >= ?1 ORDER BY id",
		.next = "SELECT id FROM conversations WHERE id >= ?1 ORDER BY id LIMIT 1",
		.newest = "SELECT max(id) FROM conversations",
		.entries = conversation_entries,
	},
	{
		.first = KEY_EVENT,
		.last = KEY_DEAD_PERSON,
		.rows = "SELECT id, state, account, email, unique_id FROM events WHERE id >= ?1 ORDER BY id",
		.next = "SELECT id FROM events WHERE id >= ?1 ORDER BY id LIMIT 1",
		.newest = "SELECT max(id) FROM events",
		.entries = event_entries,
	},
};
#define KEY_TABLES (sizeof(key_tables) / sizeof(*key_tables))

/* ---- reading rows ------------------------------------------------------------------------------------------------ */

/* The statements read from the next id on, and not behind an id: a search for the last id of a damaged page would meet
 * that page. */
static int64_t next_id(int64_t id)
{
	return id == INT64_MAX ? id : id + 1;
}

/* Returns whether rows behind an id can be read: 1, 0: there is none, -EUCLEAN. *id becomes that of the first one. */
static int row_behind(struct store *s, const struct key_table *t, int64_t *id, struct err *reterr)
{
	QUERY(q, s, t->next, reterr);
	query_bind_int(&q, next_id(*id));
	return query_one_int(&q, id);
}

/* Finds the first place behind an id from which rows can be read. Returns 1; 0: there are no more rows. */
static int damage_skip(struct store *s, const struct key_table *t, int64_t *after, struct err *reterr)
{
	int64_t bad = *after;
	int64_t good = bad;
	int64_t step = 1;
	int r = row_behind(s, t, after, reterr);

	if (r >= 0) /* the next row has an id, but a page that it goes on to is damaged */
		return r;
	for (; r == -EUCLEAN; step *= 2) {
		int64_t id;

		bad = good;
		if (step > INT64_MAX / 4 || __builtin_add_overflow(good, step, &good))
			return 0;
		id = good;
		r = row_behind(s, t, &id, reterr);
	}
	while (r >= 0 && good - bad > 1) {
		int64_t middle = bad + (good - bad) / 2;
		int64_t id = middle;
		int found = row_behind(s, t, &id, reterr);

		if (found == -EUCLEAN)
			bad = middle;
		else if (found < 0)
			r = found;
		else
			good = middle;
	}
	*after = good;
	return r < 0 ? r : 1;
}

static bool is_full(const struct keys *keys, const struct key_table *t, size_t max)
{
	for (int kind = (int)t->first; kind <= (int)t->last; kind++)
		if (keys->of[kind].active.n >= max)
			return true;
	return false;
}

/* Once for each opening, however many pages are damaged and however often they are read. */
static void unreadable_note(struct store *s, const struct key_table *t)
{
	if (s->mode != STORE_WRITE || s->keys->told & 1U << t->first)
		return;
	s->keys->told |= 1U << t->first;
	loss_note(s, STORE_LOSS_OTHER, 0, NULL,
		  t->first == KEY_EVENT ? "events on a damaged page cannot be read; they are not found"
					: "conversations on a damaged page cannot be read; they start again");
}

/* Adds the entries of rows behind *after, at most about `max` of a kind, and moves *after to the last row. Returns 1;
 * 0: these are all. */
static int rows_read(struct store *s, const struct key_table *t, int64_t *after, size_t max, struct err *reterr)
{
	int r;

	QUERY(q, s, t->rows, reterr);
	query_bind_int(&q, next_id(*after));
	while ((r = query_step(&q)) > 0) {
		*after = query_int(&q);
		progress_done(s, *after);
		t->entries(s->keys, &q, *after);
		if (is_full(s->keys, t, max))
			return 1;
	}
	query_close(&q);
	if (r != -EUCLEAN)
		return r;
	unreadable_note(s, t);
	return damage_skip(s, t, after, reterr);
}

/* Returns the id behind which a table has rows whose entries are not all on the disk. */
static int64_t merged_to(const struct keys *keys, const struct key_table *t)
{
	int64_t id = keys->of[t->first].merged_to;

	for (int kind = (int)t->first + 1; kind <= (int)t->last; kind++)
		if (keys->of[kind].merged_to < id)
			id = keys->of[kind].merged_to;
	return id;
}

/* ---- filling the disk -------------------------------------------------------------------------------------------- */

/* Writes `active` to the disk; its rows are up to `to`. */
static int kind_fill(struct store *s, enum key_kind kind, int64_t to, struct err *reterr)
{
	struct keys_of *k = &s->keys->of[kind];
	CLEANUP(mem_freep) struct key_entry *entries = keys_sorted(k);
	struct change c = change_begin(s, reterr);
	/* A merge before the last crash may have come further. */
	int64_t merging = to > k->merging_to ? to : k->merging_to;

	if (to <= k->merged_to)
		return 0;
	c.status = store_begin(s, reterr);
	if (c.status < 0)
		return c.status;
	keys_insert(&c, kind, entries, k->active.n);
	keys_state_save(&c, kind, to, merging);
	if (c.status == 0)
		c.status = store_commit(s, reterr);
	else
		store_rollback(s);
	if (c.status < 0)
		return c.status;
	key_set_done(&k->active);
	k->merged_to = to;
	k->merging_to = merging;
	return 0;
}

static int table_fill(struct store *s, const struct key_table *t, int64_t to, struct err *reterr)
{
	int r = 0;

	for (int kind = (int)t->first; r == 0 && kind <= (int)t->last; kind++)
		r = kind_fill(s, (enum key_kind)kind, to, reterr);
	return r;
}

/* Reads the entries that are not on the disk. fills: writes them there where they are too many for memory, or their
 * rows too many for a restart; on a full disk they stay in memory. */
static int table_read(struct store *s, const struct key_table *t, bool fills, struct err *reterr)
{
	struct keys *keys = s->keys;
	int64_t from = merged_to(keys, t);
	int64_t after = from;
	int64_t *newest = keys_newest_of(keys, t->first);
	int r = 1;

	for (int kind = (int)t->first; kind <= (int)t->last; kind++)
		key_set_done(&keys->of[kind].active);
	while (r > 0) {
		r = rows_read(s, t, &after, fills ? keys->fill : SIZE_MAX, reterr);
		if (r < 0)
			return r;
		if (fills && (r > 0 ? is_full(keys, t, keys->fill)
				    : is_full(keys, t, 2 * keys->batch) || after - from > 2 * keys->span)) {
			int filled = table_fill(s, t, after, reterr);

			if (filled < 0 && filled != -ENOSPC)
				return filled;
			fills = filled == 0;
		}
	}
	if (after > *newest)
		*newest = after;
	return 0;
}

/* Names the part of an opening that reads many rows. */
static void table_part(struct store *s, const struct key_table *t)
{
	int64_t newest = 0;
	int r = store_pragma(s, t->newest, &newest, NULL);

	if (r == 0 && newest - merged_to(s->keys, t) > 2 * s->keys->span)
		progress_part(s, newest, "the index of keys is made, part %d of %d", (int)(t - key_tables) + 1,
			      (int)KEY_TABLES);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int states_read(struct store *s, struct err *reterr)
{
	struct keys *keys = s->keys;
	int64_t merged[KEY_KINDS] = {0};
	int64_t merging[KEY_KINDS] = {0};
	int r;

	QUERY(q, s, "SELECT kind, merged, merging FROM key_states", reterr);
	while ((r = query_step(&q)) > 0) {
		int64_t kind = query_int(&q);

		if (kind < KEY_CONVERSATION || kind >= KEY_KINDS)
			continue;
		merged[kind] = query_int(&q);
		merging[kind] = query_int(&q);
	}
	for (int kind = KEY_CONVERSATION; r == 0 && kind < KEY_KINDS; kind++) {
		keys->of[kind].merged_to = merged[kind];
		keys->of[kind].merging_to = merging[kind];
	}
	return r;
}

static int disk_read(struct store *s, struct err *reterr)
{
	int r = states_read(s, reterr);

	for (int kind = KEY_CONVERSATION; r == 0 && kind < KEY_KINDS; kind++) {
		struct keys_of *k = &s->keys->of[kind];

		QUERY(q, s, "SELECT max(key) FROM keys WHERE kind = ?1", reterr);
		query_bind_int(&q, kind);
		r = query_one_int(&q, &k->largest);
		k->on_disk = r > 0;
		if (r > 0)
			r = 0;
	}
	return r;
}

static int all_read(struct store *s, bool fills, struct err *reterr)
{
	int r = disk_read(s, reterr);

	for (size_t i = 0; r == 0 && i < KEY_TABLES; i++) {
		if (fills)
			table_part(s, &key_tables[i]);
		r = table_read(s, &key_tables[i], fills, reterr);
	}
	return r;
}

/* Makes the tables anew, empty. key_states goes first: without it, all rows are read. What is not made because of a
 * crash, the next opening makes. */
static int keys_empty(struct store *s, struct err *reterr)
{
	int r;

	statements_done(s);
	r = schema_drop(s, "table", "key_states", reterr);
	if (r == 0)
		r = schema_drop(s, "table", "keys", reterr);
	if (r == 0)
		r = store_begin(s, reterr);
	if (r < 0)
		return r;
	/* Noted in a transaction, because a rollback of the next one would forget it. */
	loss_note(s, STORE_LOSS_OTHER, 0, NULL, "the index of keys was damaged; it was built anew from the rows");
	r = store_exec(s, SQL_KEYS_TABLES, reterr);
	if (r == 0)
		return store_commit(s, reterr);
	store_rollback(s);
	return r;
}

/* Builds the index from the rows, outside of a transaction. */
static int keys_build(struct store *s, struct err *reterr)
{
	struct keys *keys = s->keys;
	int r;

	keys->is_open = false;
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++)
		keys_batch_drop(&keys->of[kind]);
	r = keys_empty(s, reterr);
	if (r == 0)
		r = all_read(s, true, reterr);
	keys->is_damaged = r < 0;
	keys->is_open = true;
	return r;
}

int keys_open(struct store *s, struct err *reterr)
{
	int r = store_exec(s, SQL_KEYS_TABLES, reterr); /* a building may have ended before they were made */

	if (r == 0)
		r = all_read(s, true, reterr);
	/* Only pages of the index fail here: rows on damaged pages are left out. */
	if (r == -EUCLEAN)
		r = keys_build(s, reterr);
	s->keys->is_unread = false;
	s->keys->is_open = true;
	return r;
}

int keys_read(struct store *s, struct err *reterr)
{
	unsigned version = 0;
	int r;

	if (s->mode == STORE_WRITE)
		return 0;
	/* It reads the version of the last read, so this read comes first. */
	if (!s->keys)
		keys_new(s);
	r = states_read(s, reterr);
	(void)sqlite3_file_control(s->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
	if (r < 0 || (s->keys->is_open && s->keys->read_version == version))
		return r;
	r = all_read(s, false, reterr);
	s->keys->is_open = r == 0;
	s->keys->read_version = version;
	return r;
}

int keys_count(struct store *s, enum key_kind kind, int64_t *ret, struct err *reterr)
{
	const struct keys_of *k = &s->keys->of[kind];
	CLEANUP(mem_freep) struct key_entry *entries = mem_new(k->active.n + k->frozen_n + 1, sizeof(*entries));
	size_t n = k->active.n;
	size_t i = 0;
	int64_t count = 0;
	int r;

	key_set_copy(&k->active, entries);
	for (size_t f = 0; f < k->frozen_n; f++)
		if (!k->gone[f])
			entries[n++] = k->frozen[f];
	key_entries_sort(entries, n);
	QUERY(q, s, "SELECT DISTINCT key FROM keys WHERE kind = ?1 ORDER BY key", reterr);
	query_bind_int(&q, (int64_t)kind);
	while ((r = query_step(&q)) > 0) {
		int64_t key = query_int(&q);

		for (; i < n && entries[i].key < key; i++)
			count += i == 0 || entries[i - 1].key != entries[i].key;
		while (i < n && entries[i].key == key)
			i++;
		count++;
	}
	for (; i < n; i++)
		count += i == 0 || entries[i - 1].key != entries[i].key;
	*ret = count;
	return r;
}

/* ---- after a transaction ----------------------------------------------------------------------------------------- */

/* Reads the rows again that another connection may have changed. */
static int read_again(struct store *s)
{
	/* As after a crash in the merges. */
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++)
		keys_batch_drop(&s->keys->of[kind]);
	return all_read(s, false, NULL);
}

/* Until it has succeeded, no transaction can be committed (keys_write). */
static void rows_follow(struct store *s)
{
	struct keys *keys = s->keys;
	int r;

	if (!keys->is_open)
		return;
	if (keys->others_wrote || keys->is_unread) {
		r = read_again(s);
		keys->is_unread = r < 0;
		if (r == -EUCLEAN)
			keys->is_damaged = true;
	}
	if (keys->is_damaged && clock_mono_ms() >= keys->build_ms) {
		keys->is_unread = keys_build(s, NULL) < 0;
		keys->build_ms = keys->is_unread ? clock_mono_ms() + REBUILD_AGAIN_MS : 0;
	}
	keys->others_wrote = false;
}

static void others_wrote(struct store *s)
{
	s->keys->others_wrote = true;
}

const struct transaction_hook keys_rows_hook = {
	.committed = rows_follow, .rolled_back = rows_follow, .others_wrote = others_wrote};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void keys_new(struct store *s)
{
	s->keys = mem_new(1, sizeof(*s->keys));
	s->keys->batch = KEYS_BATCH;
	s->keys->span = KEYS_SPAN;
	s->keys->step = KEYS_STEP;
	s->keys->fill = KEYS_FILL;
	s->keys->begin_next = KEY_CONVERSATION;
}

void keys_done(struct store *s)
{
	if (!s->keys)
		return;
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		key_set_done(&s->keys->of[kind].active);
		keys_batch_drop(&s->keys->of[kind]);
	}
	free(s->keys->changes);
	free(s->keys);
	s->keys = NULL;
}
