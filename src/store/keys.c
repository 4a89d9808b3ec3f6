/* SPDX-License-Identifier: MIT */
/*
 * An index of keys in no order, written in sequence (a log-structured index).
 *
 * DESIGN
 * ------
 *
 * Conversations are found by name, events by person, in no order. An index of SQLite writes a page of 4 KiB for each
 * such entry, at a random place; with a turn of 40 webhooks three quarters of what it wrote were such pages, and the
 * larger the store, the more of them were read first. So an entry of a new row stays in memory, and many entries go to
 * the disk together, sorted, so that those that belong to one page are written with it.
 *
 *   active   in memory: the entries of rows that are newer than merging_to
 *   frozen   in memory: a full `active`, sorted, while the next commits write it to the disk, a part each (a merge)
 *   keys     the table on the disk: the entries of rows up to merged_to
 *
 * Nothing else is written for an entry in memory: after a restart it follows from its row. Rows have ascending ids, so
 * those behind merged_to are read again (keys_rows.c), at most two batches or two spans of them.
 *
 * Where an entry's row is older than merging_to (a conversation opens again, a dead letter is revived), it is inserted
 * on the disk at once. An entry that is removed leaves memory and, where its row is not newer than merging_to, the
 * disk. So nothing is left behind: the table is as long as the rows that have entries.
 *
 * Kinds are independent: each has its own batch, its merged_to and merging_to. Those of ready events come and go with
 * the queue. As long as Klaviyo takes events at once, their entries never reach the disk.
 *
 * A batch begins when `active` has `batch` entries, or when `span` ids were given since the last batch, so that a
 * restart never reads many rows for few entries. One kind a commit, because the entries are sorted.
 *
 * Invariants.
 *   - The row decides (keys.h).
 *   - Each entry of a committed row is in memory, or on the disk, or during a merge in both.
 *   - An entry with an id above merging_to is not on the disk. merging_to is committed with the first part of its
 *     merge, or with an entry of its rows that is inserted before, so after a crash it is known which entries may be
 *     in both places.
 *   - merged_to is committed with the last part.
 *
 * Transactions. Entries in memory change at once; `changes` undoes them with a savepoint or a rollback. Merges run
 * before a COMMIT only, so their position follows commits. A batch begins and ends after a commit.
 *
 * Not searched on the disk: a kind without entries there, and keys of events that are larger than all there, which
 * nearly all new ones are, because they are in the order of time.
 *
 * Cost. A new entry: 0.1 µs, and later 1/40 page (100,000 entries on the disk) or 1/4 page (a million). A search of the
 * disk: one statement. Memory: 32 bytes an entry of `active`, 20 of `frozen`; for all kinds at most 4 MiB
 * while merges go on. It is more on a nearly full disk, and after another connection has emptied key_states.
 *
 * Damage. A damaged page of the index fails the transaction that meets it. At its end the whole index is built anew
 * from the rows, as at an opening after a migration: some seconds for a million rows. On a full disk that fails and is
 * tried again a minute later; until then each transaction fails that meets the page.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/keys.h"
#include "store/tables.h"

/* With less space for writing, nothing is merged. */
#define MERGE_FREE_BYTES (INT64_C(4) << 20)
/* After a merge for which the disk had no room. */
#define MERGE_AGAIN_MS CLOCK_MINUTE_MS
/* Entries that one statement inserts. */
#define ROWS 8

/* ---- the disk ---------------------------------------------------------------------------------------------------- */

/* Notes damage of the index's pages, and no other. */
static void damage_look(struct change *c)
{
	if (c->status == -EUCLEAN)
		c->store->keys->is_damaged = true;
}

/* Notes that an entry is on the disk. After a rollback it may not be; that costs a search. */
static void on_disk(struct keys_of *k, int64_t key)
{
	if (!k->on_disk || key > k->largest)
		k->largest = key;
	k->on_disk = true;
}

static void insert_rows(struct change *c, enum key_kind kind, const struct key_entry *entries)
{
	CHANGE(q, c,
	       "INSERT OR IGNORE INTO keys (kind, key, id) VALUES (?1, ?2, ?3), (?1, ?4, ?5), (?1, ?6, ?7),"
	       " (?1, ?8, ?9), (?1, ?10, ?11), (?1, ?12, ?13), (?1, ?14, ?15), (?1, ?16, ?17)");
	query_bind_int(&q, (int64_t)kind);
	for (size_t i = 0; i < ROWS; i++) {
		query_bind_int(&q, entries[i].key);
		query_bind_int(&q, entries[i].id);
	}
	(void)change_run(c, &q);
}

static void insert_row(struct change *c, enum key_kind kind, const struct key_entry *entry)
{
	CHANGE(q, c, "INSERT OR IGNORE INTO keys (kind, key, id) VALUES (?1, ?2, ?3)");
	query_bind_int(&q, (int64_t)kind);
	query_bind_int(&q, entry->key);
	query_bind_int(&q, entry->id);
	(void)change_run(c, &q);
}

void keys_insert(struct change *c, enum key_kind kind, const struct key_entry *entries, size_t n)
{
	if (n > 0)
		on_disk(&c->store->keys->of[kind], entries[n - 1].key);
	for (; n >= ROWS && c->status == 0; n -= ROWS, entries += ROWS)
		insert_rows(c, kind, entries);
	for (; n > 0 && c->status == 0; n--, entries++)
		insert_row(c, kind, entries);
	damage_look(c);
}

static void delete_row(struct change *c, enum key_kind kind, const struct key_entry *entry)
{
	CHANGE(q, c, "DELETE FROM keys WHERE kind = ?1 AND key = ?2 AND id = ?3");
	query_bind_int(&q, (int64_t)kind);
	query_bind_int(&q, entry->key);
	query_bind_int(&q, entry->id);
	(void)change_run(c, &q);
	query_close(&q);
	damage_look(c);
}

void keys_state_save(struct change *c, enum key_kind kind, int64_t merged_to, int64_t merging_to)
{
	CHANGE(q, c, "INSERT OR REPLACE INTO key_states (kind, merged, merging) VALUES (?1, ?2, ?3)");
	query_bind_int(&q, (int64_t)kind);
	query_bind_int(&q, merged_to);
	query_bind_int(&q, merging_to);
	(void)change_run(c, &q);
	damage_look(c);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static bool key_is_of_event(enum key_kind kind)
{
	return kind != KEY_CONVERSATION && kind != KEY_OPEN_PERSON;
}

int64_t *keys_newest_of(struct keys *keys, enum key_kind kind)
{
	return key_is_of_event(kind) ? &keys->newest_event : &keys->newest_conversation;
}

int64_t keys_on_disk_to(const struct store *s, enum key_kind kind)
{
	return s->keys->of[kind].merging_to;
}

static void change_keep(struct keys *keys, const struct keys_change *change)
{
	MEM_ROOM_KEPT(keys->changes, keys->changes_n, keys->changes_alloc);
	keys->changes[keys->changes_n++] = *change;
}

/* Removes an entry of `frozen`. */
static void frozen_remove(struct keys *keys, enum key_kind kind, struct key_entry entry)
{
	struct keys_of *k = &keys->of[kind];
	size_t at = key_entries_find(k->frozen, k->frozen_n, entry);

	if (at == k->frozen_n || k->frozen[at].key != entry.key || k->frozen[at].id != entry.id || k->gone[at])
		return;
	k->gone[at] = 1;
	change_keep(keys, &(struct keys_change){kind, KEYS_GONE, entry, at});
}

static void merge_begin(struct change *c, enum key_kind kind)
{
	struct keys_of *k = &c->store->keys->of[kind];

	if (!k->is_merging || k->has_begun)
		return;
	keys_state_save(c, kind, k->merged_to, k->merging_to);
	k->has_begun = true;
}

void keys_add(struct change *c, enum key_kind kind, int64_t key, int64_t id)
{
	struct keys *keys = c->store->keys;
	struct keys_of *k = &keys->of[kind];
	struct key_entry entry = {key, id};

	if (c->status < 0)
		return;
	if (id <= k->merging_to) {
		/* key_states tells which entries may be on the disk before one of them is. */
		if (id > k->merged_to)
			merge_begin(c, kind);
		insert_row(c, kind, &entry);
		damage_look(c);
		on_disk(k, key);
	} else if (key_set_add(&k->active, entry)) {
		k->added++;
		change_keep(keys, &(struct keys_change){kind, KEYS_ADDED, entry, 0});
	}
}

void keys_remove(struct change *c, enum key_kind kind, int64_t key, int64_t id)
{
	struct keys *keys = c->store->keys;
	struct keys_of *k = &keys->of[kind];
	struct key_entry entry = {key, id};

	if (c->status < 0)
		return;
	if (key_set_remove(&k->active, entry))
		change_keep(keys, &(struct keys_change){kind, KEYS_REMOVED, entry, 0});
	else
		frozen_remove(keys, kind, entry);
	if (id <= k->merging_to && k->on_disk)
		delete_row(c, kind, &entry);
}

struct key_entry *keys_sorted(const struct keys_of *k)
{
	struct key_entry *entries = mem_new(k->active.n + 1, sizeof(*entries));

	key_set_copy(&k->active, entries);
	key_entries_sort(entries, k->active.n);
	return entries;
}

void keys_remove_id(struct change *c, enum key_kind kind, int64_t id)
{
	const struct keys_of *k = &c->store->keys->of[kind];
	CLEANUP(mem_freep) struct key_entry *entries = keys_sorted(k);
	size_t n = k->active.n;

	for (size_t i = 0; i < n; i++)
		if (entries[i].id == id)
			keys_remove(c, kind, entries[i].key, id);
	for (size_t i = 0; i < k->frozen_n; i++)
		if (k->frozen[i].id == id)
			frozen_remove(c->store->keys, kind, k->frozen[i]);
	if (c->status < 0 || !k->on_disk)
		return;
	CHANGE(q, c, "DELETE FROM keys WHERE kind = ?1 AND id = ?2");
	query_bind_int(&q, (int64_t)kind);
	query_bind_int(&q, id);
	(void)change_run(c, &q);
	damage_look(c);
}

static void gone_undo(struct keys_of *k, size_t at)
{
	k->gone[at] = 0;
	/* Numbers before it may count it. */
	for (size_t i = at; i > 0 && k->frozen[i - 1].key == k->frozen[at].key; i--)
		if (k->gone[i - 1] > 0)
			k->gone[i - 1] = 1;
}

static void changes_undo(struct keys *keys, size_t kept)
{
	while (keys->changes_n > kept) {
		const struct keys_change *change = &keys->changes[--keys->changes_n];
		struct keys_of *k = &keys->of[change->kind];

		if (change->what == KEYS_ADDED)
			INSIST(key_set_remove(&k->active, change->entry));
		else if (change->what == KEYS_REMOVED)
			INSIST(key_set_add(&k->active, change->entry));
		else
			gone_undo(k, change->at);
	}
}

/* ---- merging ----------------------------------------------------------------------------------------------------- */

/* Merges at most n entries of the batch. */
static void merge(struct change *c, enum key_kind kind, size_t n)
{
	struct keys_of *k = &c->store->keys->of[kind];
	size_t end = n < k->frozen_n - k->merged ? k->merged + n : k->frozen_n;

	merge_begin(c, kind);
	while (k->merged < end) {
		size_t from = k->merged;

		/* Entries that stand side by side and are not gone go together. */
		while (k->merged < end && !k->gone[k->merged])
			k->merged++;
		keys_insert(c, kind, &k->frozen[from], k->merged - from);
		if (k->merged < end)
			k->merged++;
	}
	if (k->merged == k->frozen_n) {
		keys_state_save(c, kind, k->merging_to, k->merging_to);
		k->has_ended = true;
	}
}

/* On a nearly full disk nothing is merged, as long as memory allows. */
static bool has_room(const struct store *s, const struct keys_of *k)
{
	return store_free_bytes(s) >= MERGE_FREE_BYTES || k->active.n >= 4 * s->keys->batch;
}

/* Takes a step of each merge, for the entries that were added since the last step. Few entries wait for company,
 * because a step writes pages of its own. */
static int keys_write(struct store *s, struct err *reterr)
{
	struct keys *keys = s->keys;
	struct change c = change_begin(s, reterr);
	size_t added = 0;
	int r;

	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++)
		added += keys->of[kind].added;
	if (keys->is_open && keys->is_unread)
		return err_set(reterr, -EIO, "the store %s: the newest rows could not be read again", s->path);
	if (!keys->is_open || added == 0 || keys->is_damaged || clock_mono_ms() < keys->merge_ms)
		return 0;
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		struct keys_of *k = &keys->of[kind];

		/* A kind that gets no entries still has to end its batch. */
		k->waiting += k->added + (added + 15) / 16;
		if (!k->is_merging || k->waiting < keys->step || !has_room(s, k))
			continue;
		merge(&c, (enum key_kind)kind, k->waiting + k->waiting / 4);
		k->waiting = 0;
	}
	r = change_end(&c);
	if (r == -ENOSPC)
		keys->merge_ms = clock_mono_ms() + MERGE_AGAIN_MS;
	return r;
}

/* ---- the transaction --------------------------------------------------------------------------------------------- */

static void batch_begin(struct keys *keys, enum key_kind kind)
{
	struct keys_of *k = &keys->of[kind];

	k->frozen_n = k->active.n;
	k->frozen = keys_sorted(k);
	k->gone = mem_new(k->frozen_n + 1, sizeof(*k->gone));
	key_set_done(&k->active);
	k->is_merging = true;
	k->merging_to = *keys_newest_of(keys, kind);
	k->waiting = 0;
}

void keys_batch_drop(struct keys_of *k)
{
	free(k->frozen);
	free(k->gone);
	k->frozen = NULL;
	k->gone = NULL;
	k->frozen_n = k->merged = k->merged_kept = 0;
	k->is_merging = k->has_begun = k->has_begun_kept = k->has_ended = false;
}

static void batch_look(struct keys *keys)
{
	for (int i = 1; i < KEY_KINDS; i++) {
		enum key_kind kind = keys->begin_next;
		struct keys_of *k = &keys->of[kind];
		int64_t given = *keys_newest_of(keys, kind) - k->merging_to;

		keys->begin_next = kind + 1 == KEY_KINDS ? KEY_CONVERSATION : (enum key_kind)(kind + 1);
		if (!k->is_merging && (k->active.n >= keys->batch || given >= keys->span)) {
			batch_begin(keys, kind);
			return;
		}
	}
}

/* Outside of a transaction, because what one deletes, its rollback brings back. */
static void disk_look(struct store *s)
{
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		struct keys_of *k = &s->keys->of[kind];
		int64_t largest = 0;
		int r;

		if (!k->on_disk || k->is_merging)
			continue;
		QUERY(q, s, "SELECT max(key) FROM keys WHERE kind = ?1", NULL);
		query_bind_int(&q, kind);
		r = query_one_int(&q, &largest);
		if (r >= 0) {
			k->on_disk = r > 0;
			k->largest = largest;
		}
	}
}

static void keys_committed(struct store *s)
{
	struct keys *keys = s->keys;

	for (size_t i = 0; i < keys->changes_n; i++) {
		const struct keys_change *change = &keys->changes[i];
		int64_t *newest = keys_newest_of(keys, change->kind);

		if (change->what == KEYS_ADDED && change->entry.id > *newest)
			*newest = change->entry.id;
	}
	keys->changes_n = 0;
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		struct keys_of *k = &keys->of[kind];

		k->added = 0;
		k->merged_kept = k->merged;
		k->has_begun_kept = k->has_begun;
		if (k->has_ended) {
			keys_batch_drop(k);
			k->merged_to = k->merging_to;
		}
	}
	if (keys->is_open)
		batch_look(keys);
	if (keys->looks_at_disk)
		disk_look(s);
	keys->looks_at_disk = false;
}

static void keys_savepoint(struct store *s)
{
	s->keys->changes_kept = s->keys->changes_n;
}

static void keys_undo(struct store *s)
{
	changes_undo(s->keys, s->keys->changes_kept);
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++)
		s->keys->of[kind].has_begun = s->keys->of[kind].has_begun_kept;
}

static void keys_rolled_back(struct store *s)
{
	struct keys *keys = s->keys;

	changes_undo(keys, 0);
	for (int kind = KEY_CONVERSATION; kind < KEY_KINDS; kind++) {
		struct keys_of *k = &keys->of[kind];

		k->added = 0;
		k->merged = k->merged_kept;
		k->has_begun = k->has_begun_kept;
		k->has_ended = false;
	}
	keys->looks_at_disk = false;
}

const struct transaction_hook keys_hook = {
	.write = keys_write,
	.savepoint = keys_savepoint,
	.undo = keys_undo,
	.committed = keys_committed,
	.rolled_back = keys_rolled_back,
};

void keys_look_at_disk(struct store *s)
{
	s->keys->looks_at_disk = true;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

struct key_walk key_walk(struct change *c, enum key_kind kind, int64_t key, enum key_where where)
{
	const struct keys_of *k;

	INSIST(c->store->keys); /* of a reader keys_read() makes it */
	k = &c->store->keys->of[kind];
	return (struct key_walk){
		.change = c,
		.kind = kind,
		.key = key,
		.in_memory = (where & KEYS_IN_MEMORY) != 0,
		.on_disk = (where & KEYS_ON_DISK) != 0 && k->on_disk && key <= k->largest,
	};
}

/* The smaller of two ids of which 0 is none. */
static int64_t first_of(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static int64_t next_frozen(const struct keys_of *k, int64_t key, int64_t after)
{
	size_t first = key_entries_find(k->frozen, k->frozen_n, (struct key_entry){key, after + 1});
	size_t at = first;

	while (at < k->frozen_n && k->frozen[at].key == key && k->gone[at] > 0)
		at += k->gone[at];
	if (at > first)
		k->gone[first] = (uint32_t)(at - first); /* the next search need not go through them */
	return at < k->frozen_n && k->frozen[at].key == key ? k->frozen[at].id : 0;
}

static void chunk_read(struct key_walk *walk)
{
	struct change *c = walk->change;

	walk->chunk_n = walk->at = 0;
	CHANGE(q, c, "SELECT id FROM keys WHERE kind = ?1 AND key = ?2 AND id > ?3 ORDER BY id LIMIT ?4");
	query_bind_int(&q, (int64_t)walk->kind);
	query_bind_int(&q, walk->key);
	query_bind_int(&q, walk->last);
	query_bind_int(&q, KEY_WALK_CHUNK);
	while (change_step(c, &q))
		walk->chunk[walk->chunk_n++] = query_int(&q);
	query_close(&q);
	damage_look(c);
}

static int64_t next_on_disk(struct key_walk *walk)
{
	while (walk->at < walk->chunk_n && walk->chunk[walk->at] <= walk->last)
		walk->at++;
	/* A chunk that was not full was the last one. */
	if (walk->at == walk->chunk_n && (walk->last == 0 || walk->chunk_n == KEY_WALK_CHUNK))
		chunk_read(walk);
	walk->on_disk = walk->at < walk->chunk_n;
	return walk->on_disk ? walk->chunk[walk->at] : 0;
}

int64_t key_walk_next(struct key_walk *walk)
{
	const struct keys_of *k = &walk->change->store->keys->of[walk->kind];
	int64_t id = 0;

	if (walk->change->status < 0)
		return 0;
	if (walk->in_memory) {
		id = key_set_next(&k->active, walk->key, walk->last, &walk->cursor);
		id = first_of(id, next_frozen(k, walk->key, walk->last));
		walk->in_memory = id != 0;
	}
	if (walk->on_disk)
		id = first_of(id, next_on_disk(walk));
	if (walk->change->status < 0)
		return 0;
	if (id != 0)
		walk->last = id;
	return id;
}
