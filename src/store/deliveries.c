/* SPDX-License-Identifier: MIT */
/*
 * Digests of deliveries, to find repeats: a set on disk that grows and shrinks by sequential writes.
 *
 * DESIGN
 * ------
 *
 * Digests are random. An index of them that takes each one at once writes a page of 4 KiB for each webhook, and another
 * one when the digest is deleted. So a digest passes through three places (a log-structured set):
 *
 *   tail    `delivery_tail`, in order of receipt. A new digest is appended: a hundred of them fill a page. Each row has
 *           an entry in memory, in `active` or `frozen`, which finds it.
 *   index   `delivery_index`, in the order of (generation, digest, source). When `active` holds `batch` entries, it
 *           becomes `frozen`, and the next turns merge `frozen` into the current generation. `frozen` is in the order
 *           of its digests, so a merge writes each page of the index once, for all of its new entries.
 *
 * The current generation takes entries until its age is the life of a digest. Then a new one begins, the current one
 * becomes the previous one, and the one before that is deleted in its own order.
 *
 * A look-up searches `active` and `frozen`, then the index in the current and in the previous generation, then the
 * table `deliveries` of stores of schema 4 and older, as long as that has rows. What is known to be empty is not
 * searched.
 *
 * Invariants.
 *   - The row decides: an entry in memory whose row is missing or differs matches nothing.
 *   - Each digest that was committed is in the tail, in the index or in `deliveries`. A row of the tail is deleted only
 *     after the commit that completed the merge of its batch.
 *   - A merge may repeat: the index ignores entries that it has. So the position of a merge needs no row.
 *   - No entry of a generation was received after the next generation began, so a digest lives for at least its life,
 *     and for about twice as long at most: when a generation's time has come, all of the tail is merged before the next
 *     one begins.
 *
 * Ages. A generation's age is stored and grows by the time between two calls of store_clean. A difference below zero or
 * above a day, and one after a jump of the clock (store_set_longest_age), does not count. So no wrong clock shortens a
 * digest's life; a stop of more than a day lengthens it.
 *
 * Transactions. `active` loses the entries of a savepoint that is undone and of a transaction that is rolled back.
 * `now` is what else follows the transaction: generations and positions. `active` becomes `frozen`, and `frozen` is
 * freed, after a commit only.
 *
 * Work. A merge is spread over the commits: each merges a quarter more entries than were added since the last one, and
 * deletes as many rows of the batch before. So `frozen` is merged before `active` is full again. Few entries wait for
 * company, because a step writes pages of its own. store_clean merges the rest in turns that add nothing. A merge waits
 * while the disk is nearly full: it can make the database larger.
 *
 * Cost. A new digest: 1/110 page for the tail, and 1/10 page (170,000 digests) or 1/3 page (a million) for the index. A
 * look-up: 0.1 µs in memory, and one search of the index for each generation that has entries. Memory: 16 bytes for a
 * slot of a table that is at most two thirds full, so 2 MiB at most for both tables. Opening reads the tail.
 *
 * Crash. The tables follow from the tail, which the next opening reads. A merge that was under way begins again.
 *
 * Damage. A row of the tail that cannot be read is skipped and noted (store_losses); a repeat of its webhook would be
 * accepted. A damaged page fails one transaction, because SQLite writes nothing more in it. After that the index is
 * neither searched nor changed until the next opening: repeats of older webhooks are accepted, which the ledger and the
 * events' unique ids absorb; new digests stay in the tail and in memory.
 */
#include <config.h>

#include <errno.h>

#include "base/clock.h"
#include "store/tables.h"
#include "store/transaction.h"

/* A larger batch has more entries for each page of the index, and takes more memory. */
#define BATCH 32768
/* A commit merges and deletes at least as many entries, or none. */
#define STEP 64
/* With less space for writing, nothing is merged. */
#define MERGE_FREE_BYTES (INT64_C(4) << 20)
/* The stored age of a generation lags behind by at most this time. */
#define AGE_SAVED_MS CLOCK_HOUR_MS
/* A longer time between two cleanings is a stop or a wrong clock, and does not count. */
#define AGE_STEP_MS CLOCK_DAY_MS
/* A generation takes a week or more, so a larger number is a damaged one. */
#define GENERATION_END 1000000

/* ---- look-up ----------------------------------------------------------------------------------------------------- */

static bool is_in_tail(struct change *c, const struct delivery_set *set, const struct webhook *w)
{
	uint64_t key = delivery_key(w->delivery);
	size_t at = 0;
	int64_t id;

	while (c->status == 0 && (id = delivery_set_next(set, key, &at)) != 0) {
		CHANGE(q, c, "SELECT 1 FROM delivery_tail WHERE id = ?1 AND digest = ?2 AND source = ?3");
		query_bind_int(&q, id);
		query_bind_blob(&q, w->delivery, sizeof(w->delivery));
		query_bind_text(&q, w->source);
		if (change_step(c, &q))
			return true;
	}
	return false;
}

static bool is_in_generation(struct change *c, int64_t generation, const struct webhook *w)
{
	CHANGE(q, c, "SELECT 1 FROM delivery_index WHERE generation = ?1 AND digest = ?2 AND source = ?3");
	query_bind_int(&q, generation);
	query_bind_blob(&q, w->delivery, sizeof(w->delivery));
	query_bind_text(&q, w->source);
	return change_step(c, &q);
}

bool delivery_is_known(struct change *c, const struct webhook *w)
{
	struct deliveries *d = c->store->deliveries;
	bool found;

	if (is_in_tail(c, &d->active, w) || is_in_tail(c, &d->frozen, w))
		return true;
	if (d->damaged)
		return false;
	found = (d->now.current_has && is_in_generation(c, d->now.generation, w)) ||
		(d->now.previous_has && is_in_generation(c, d->now.generation - 1, w)) ||
		(d->now.old_has && old_delivery_is_known(c, w));
	d->damaged = c->status == -EUCLEAN;
	return found;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

void delivery_add(struct change *c, const struct webhook *w)
{
	struct deliveries *d = c->store->deliveries;
	struct delivery_slot entry = {.key = delivery_key(w->delivery), .id = w->id};

	/* OR REPLACE: a row that already has the new webhook's id belongs to none. */
	CHANGE(q, c, "INSERT OR REPLACE INTO delivery_tail (id, digest, source) VALUES (?1, ?2, ?3)");
	query_bind_int(&q, w->id);
	query_bind_blob(&q, w->delivery, sizeof(w->delivery));
	query_bind_text(&q, w->source);
	if (change_run(c, &q) == 0)
		return;
	delivery_set_add(&d->active, entry.key, entry.id);
	MEM_ROOM_KEPT(d->added, d->added_n, d->added_alloc);
	d->added[d->added_n++] = entry;
}

static void added_remove(struct deliveries *d, size_t kept)
{
	while (d->added_n > kept) {
		const struct delivery_slot *entry = &d->added[--d->added_n];

		delivery_set_remove(&d->active, entry->key, entry->id);
	}
}

/* ---- merging ----------------------------------------------------------------------------------------------------- */

/* True where the part failed because of a damaged row or page. */
static bool is_damaged(struct change *c, const struct change *part)
{
	return change_part_failed(c, part, part->status == -EBADMSG ? -EBADMSG : -EUCLEAN);
}

static void merge_row(struct change *c, int64_t id)
{
	struct deliveries *d = c->store->deliveries;
	struct change part = change_part(c, NULL);
	bool merged;

	CHANGE(q, &part,
	       "INSERT OR IGNORE INTO delivery_index (generation, digest, source)"
	       " SELECT ?1, digest, source FROM delivery_tail WHERE id = ?2");
	query_bind_int(&q, d->now.generation);
	query_bind_int(&q, id);
	merged = change_run(&part, &q) > 0;
	query_close(&q);
	if (part.status == 0 && !merged) {
		CHANGE(row, &part, "SELECT 1 FROM delivery_tail WHERE id = ?1");
		query_bind_int(&row, id);
		merged = change_step(&part, &row); /* the index has it already */
	}
	if (merged)
		d->now.current_has = true;
	else if (part.status == 0 || change_part_failed(c, &part, -EBADMSG))
		loss_note(c->store, STORE_LOSS_OTHER, id, NULL,
			  "the digest of a delivery is lost: a repeat of that webhook would be accepted");
}

/* Merges at most n entries. Returns their number. */
static size_t merge(struct change *c, size_t n)
{
	struct deliveries *d = c->store->deliveries;
	size_t done = 0;
	size_t i = d->now.merged;

	for (; i < d->frozen.alloc && done < n && c->status == 0; i++) {
		if (d->frozen.slots[i].id == 0)
			continue;
		merge_row(c, d->frozen.slots[i].id);
		done++;
	}
	d->now.merged = i;
	return done;
}

/* Deletes at most n + 1 rows of merged batches from the tail. Returns their number. */
static size_t tail_delete(struct change *c, size_t n)
{
	struct deliveries *d = c->store->deliveries;
	size_t done;

	if (d->now.deleted_to == d->now.merged_to)
		return 0;
	CHANGE(q, c,
	       "DELETE FROM delivery_tail WHERE id > ?1 AND id <= coalesce((SELECT id FROM delivery_tail WHERE id > ?1"
	       " AND id <= ?2 ORDER BY id LIMIT 1 OFFSET ?3), ?2)");
	query_bind_int(&q, d->now.deleted_to);
	query_bind_int(&q, d->now.merged_to);
	query_bind_int(&q, (int64_t)n);
	done = (size_t)change_run(c, &q);
	if (c->status == 0 && done <= n)
		d->now.deleted_to = d->now.merged_to;
	return done;
}

/* True where the index and the tail may be changed. Notes once that they may not. */
static bool can_merge(struct store *s)
{
	struct deliveries *d = s->deliveries;

	if (d->damaged && !d->damage_noted)
		loss_note(s, STORE_LOSS_OTHER, 0, NULL,
			  "the index of deliveries is damaged: a repeat of an older webhook would be accepted");
	d->damage_noted = d->damaged;
	return !d->damaged;
}

/* Merges and deletes for the entries that were added since the last step. */
static int deliveries_write(struct store *s, struct err *reterr)
{
	struct deliveries *d = s->deliveries;
	struct change c = change_begin(s, reterr);
	size_t n = d->added_n + (d->waiting_n < d->step ? d->waiting_n : d->step);

	d->stepped = n >= d->step && (d->frozen.alloc > 0 || d->now.deleted_to < d->now.merged_to) &&
		     store_free_bytes(s) >= MERGE_FREE_BYTES && can_merge(s);
	if (!d->stepped)
		return 0;
	n += n / 4 + 1;
	(void)merge(&c, n);
	(void)tail_delete(&c, n);
	d->damaged = c.status == -EUCLEAN;
	return change_end(&c);
}

/* ---- the transaction --------------------------------------------------------------------------------------------- */

/* The ids of `active` are larger than those of former batches, so all rows up to the largest one belong to merged
 * batches when this one is merged. */
static void freeze(struct deliveries *d)
{
	if (d->frozen.alloc > 0 || d->active.n == 0 || !(d->active.n >= d->batch || d->flush))
		return;
	d->frozen = d->active;
	d->frozen_to = d->active_to;
	d->active = (struct delivery_set){0};
	d->flushing = d->flush;
	d->flush = false;
}

static void deliveries_committed(struct store *s)
{
	struct deliveries *d = s->deliveries;

	for (size_t i = 0; i < d->added_n; i++)
		if (d->added[i].id > d->active_to)
			d->active_to = d->added[i].id;
	d->waiting_n = d->stepped ? 0 : d->waiting_n + d->added_n;
	d->added_n = 0;
	if (d->frozen.alloc > 0 && d->now.merged == d->frozen.alloc) {
		delivery_set_done(&d->frozen);
		d->now.merged = 0;
		d->now.merged_to = d->frozen_to;
		if (d->flushing) {
			d->flushed = true;
			d->flush = false;
		}
	}
	freeze(d);
	d->committed = d->now;
}

static void deliveries_savepoint(struct store *s)
{
	s->deliveries->kept = s->deliveries->now;
	s->deliveries->added_kept = s->deliveries->added_n;
}

static void deliveries_undo(struct store *s)
{
	s->deliveries->now = s->deliveries->kept;
	added_remove(s->deliveries, s->deliveries->added_kept);
}

static void deliveries_rolled_back(struct store *s)
{
	s->deliveries->now = s->deliveries->committed;
	added_remove(s->deliveries, 0);
}

const struct transaction_hook deliveries_hook = {
	.write = deliveries_write,
	.savepoint = deliveries_savepoint,
	.undo = deliveries_undo,
	.committed = deliveries_committed,
	.rolled_back = deliveries_rolled_back,
};

/* ---- ages -------------------------------------------------------------------------------------------------------- */

static void generation_save(struct change *c, int64_t age_ms, int64_t now_ms)
{
	struct delivery_state *now = &c->store->deliveries->now;

	CHANGE(q, c, "INSERT OR REPLACE INTO delivery_generations (generation, age, seen) VALUES (?1, ?2, ?3)");
	query_bind_int(&q, now->generation);
	query_bind_int(&q, age_ms);
	query_bind_int(&q, now_ms);
	(void)change_run(c, &q);
	now->age_ms = age_ms;
	now->seen_ms = now_ms;
}

static void generation_begin(struct change *c, int64_t now_ms)
{
	struct deliveries *d = c->store->deliveries;

	d->now.generation++;
	d->now.previous_has = d->now.current_has;
	d->now.current_has = false;
	d->flushed = false;
	generation_save(c, 0, now_ms);
	(void)change_by_id(c, "DELETE FROM delivery_generations WHERE generation < ?1", d->now.generation - 1);
}

static void generation_age(struct change *c, int64_t life_ms, int64_t now_ms)
{
	struct deliveries *d = c->store->deliveries;
	int64_t age_ms = d->now.age_ms;
	int64_t step_ms;

	if (__builtin_sub_overflow(now_ms, d->now.seen_ms, &step_ms))
		step_ms = -1;
	if (step_ms >= 0 && step_ms <= AGE_STEP_MS && life_ms <= c->store->longest_age_ms)
		age_ms += step_ms;
	d->flush = age_ms >= life_ms && !d->flushed;
	if (age_ms >= life_ms && (d->flushed || (d->active.n == 0 && d->frozen.alloc == 0)))
		generation_begin(c, now_ms);
	else if (step_ms < 0 || step_ms >= AGE_SAVED_MS)
		generation_save(c, age_ms, now_ms);
}

/* ---- deleting ---------------------------------------------------------------------------------------------------- */

/* Deletes the beginning of the oldest generation that look-ups do not search. */
static size_t index_delete(struct change *c, size_t max)
{
	struct deliveries *d = c->store->deliveries;
	struct change part = change_part(c, NULL);
	int64_t oldest = 0;
	size_t done;

	if (max == 0 || d->index_damaged)
		return 0;
	CHANGE(first, &part, "SELECT min(generation) FROM delivery_index WHERE generation < ?1");
	query_bind_int(&first, d->now.generation - 1);
	if (!change_one_int(&part, &first, &oldest) && part.status == 0)
		return 0;
	CHANGE(q, &part,
	       "DELETE FROM delivery_index WHERE generation = ?1 AND digest <= coalesce((SELECT digest FROM"
	       " delivery_index WHERE generation = ?1 ORDER BY digest LIMIT 1 OFFSET ?2), "
	       "x'ffffffffffffffffffffffffffffffff')");
	query_bind_int(&q, oldest);
	query_bind_int(&q, (int64_t)max - 1);
	done = (size_t)change_run(&part, &q);
	d->index_damaged = is_damaged(c, &part);
	if (d->index_damaged)
		loss_note(c->store, STORE_LOSS_OTHER, 0, NULL,
			  "digests of deliveries past their time are on a damaged page and stay in the file");
	return done;
}

size_t deliveries_clean(struct change *c, int64_t life_ms, int64_t until_ms, int64_t now_ms, size_t max)
{
	struct deliveries *d = c->store->deliveries;
	size_t done = 0;

	generation_age(c, life_ms, now_ms);
	if (d->now.old_has)
		done = old_deliveries_delete(c, until_ms, now_ms, max);
	done += index_delete(c, max - done);
	/* index_delete may delete one more, where two sources have the same digest. */
	if (d->added_n > 0 || done >= max || !can_merge(c->store))
		return done;
	done += merge(c, max - done);
	if (done < max)
		done += tail_delete(c, max - done - 1);
	d->damaged = c->status == -EUCLEAN;
	return done;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* The two directions differ in their order only. On a damaged page each ends. */
#define TAIL_SQL "SELECT id, digest FROM delivery_tail WHERE id > ?1 ORDER BY id"

/* Reads rows of the tail behind `after`. Returns 0 or an error; *ret_last: the largest id. */
static int tail_read(struct store *s, const char *sql, int64_t after, int64_t *ret_last, struct err *reterr)
{
	struct deliveries *d = s->deliveries;
	int r;

	QUERY(q, s, sql, reterr);
	query_bind_int(&q, after);
	while ((r = query_step(&q)) > 0) {
		int64_t id = query_int(&q);
		size_t n;
		const unsigned char *digest = query_blob(&q, &n);

		if (id > *ret_last)
			*ret_last = id;
		if (n == DIGEST_DELIVERY_BYTES)
			delivery_set_add(&d->active, delivery_key(digest), id);
		else
			loss_note(s, STORE_LOSS_OTHER, id, NULL,
				  "the digest of a delivery does not read: a repeat of that webhook would be accepted");
	}
	return r;
}

static int tail_open(struct store *s, struct err *reterr)
{
	int64_t last = 0;
	int r = tail_read(s, TAIL_SQL, 0, &last, reterr);

	if (r == -EUCLEAN) {
		loss_note(s, STORE_LOSS_OTHER, 0, NULL,
			  "digests of deliveries are on a damaged page: repeats of these webhooks would be accepted");
		r = tail_read(s, TAIL_SQL " DESC", last, &last, reterr);
	}
	s->deliveries->active_to = last;
	return r == -EUCLEAN ? 0 : r;
}

/* Returns the newest generation of which the index has entries, below `end`; -1: none. *ret_damaged: it may have. */
static int64_t newest_indexed(struct change *c, int64_t end, bool *ret_damaged)
{
	struct change part = change_part(c, NULL);
	int64_t generation = -1;

	CHANGE(q, &part, "SELECT max(generation) FROM delivery_index WHERE generation >= 1 AND generation < ?1");
	query_bind_int(&q, end);
	(void)change_one_int(&part, &q, &generation);
	*ret_damaged = is_damaged(c, &part);
	return generation;
}

static void generations_open(struct change *c)
{
	struct delivery_state *now = &c->store->deliveries->now;
	struct change part = change_part(c, NULL);
	int64_t age_ms = 0;
	int64_t newest;
	bool damaged;

	CHANGE(row, &part,
	       "SELECT generation, age, seen FROM delivery_generations WHERE generation >= 1 AND generation < ?1"
	       " ORDER BY generation DESC LIMIT 1");
	query_bind_int(&row, GENERATION_END);
	if (change_step(&part, &row)) {
		now->generation = query_int(&row);
		age_ms = query_int(&row);
		now->seen_ms = query_int(&row);
	}
	query_close(&row);
	(void)is_damaged(c, &part);
	newest = newest_indexed(c, GENERATION_END, &damaged);
	if (newest > now->generation) { /* its row is lost */
		now->generation = newest;
		age_ms = now->seen_ms = 0;
	}
	now->age_ms = age_ms > 0 && age_ms < CLOCK_NEVER_MS / 2 ? age_ms : 0;
	now->current_has = newest == now->generation || damaged;
	now->previous_has = newest_indexed(c, now->generation, &damaged) == now->generation - 1 || damaged;
}

int deliveries_open(struct store *s, struct err *reterr)
{
	struct deliveries *d = s->deliveries;
	struct change c = change_begin(s, reterr);
	int r;

	generations_open(&c);
	old_deliveries_look(&c);
	r = change_end(&c);
	if (r == 0)
		r = tail_open(s, reterr);
	d->committed = d->kept = d->now;
	freeze(d);
	return r;
}

void deliveries_new(struct store *s)
{
	s->deliveries = mem_new(1, sizeof(*s->deliveries));
	s->deliveries->batch = BATCH;
	s->deliveries->step = STEP;
	s->deliveries->now.generation = 1;
}

void deliveries_done(struct store *s)
{
	struct deliveries *d = s->deliveries;

	if (!d)
		return;
	delivery_set_done(&d->active);
	delivery_set_done(&d->frozen);
	free(d->added);
	free(d);
	s->deliveries = NULL;
}
