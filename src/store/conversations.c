/* SPDX-License-Identifier: MIT */
/*
 * Conversations and the people whom their openings reached (people.c).
 *
 * Past retention the addresses of a closed conversation become digests (clean.c). The digests stay until the
 * conversation opens again.
 */
#include <config.h>

#include <errno.h>

#include "base/clock.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define TAKEN_BYTES 9
#define TAKEN_UNDATED 0x80 /* a bit of the kind; rows of schema 1 lack it, so their undated times count as dated */

/* ---- the signals taken ------------------------------------------------------------------------------------------- */

static size_t taken_write(const struct ledger_entry *e, unsigned char out[LEDGER_TAKEN_MAX * TAKEN_BYTES])
{
	unsigned char *p = out;

	INSIST(e->taken_n <= LEDGER_TAKEN_MAX);
	for (unsigned i = 0; i < e->taken_n; i++) {
		uint64_t time = (uint64_t)e->taken[i].time_ms;

		*p++ = (unsigned char)((unsigned)e->taken[i].kind | (e->taken[i].undated ? TAKEN_UNDATED : 0));
		for (int b = 0; b < 8; b++)
			*p++ = (unsigned char)(time >> (8 * b));
	}
	return (size_t)(p - out);
}

static int taken_read(const unsigned char *p, size_t n, struct ledger_entry *e)
{
	if (n % TAKEN_BYTES != 0 || n > LEDGER_TAKEN_MAX * TAKEN_BYTES)
		return -EBADMSG;
	for (size_t i = 0; i < n / TAKEN_BYTES; i++, p += TAKEN_BYTES) {
		unsigned kind = p[0] & ~(unsigned)TAKEN_UNDATED;
		uint64_t time = 0;

		if (kind > TRANSITION_EXPIRED)
			return -EBADMSG;
		for (int b = 0; b < 8; b++)
			time |= (uint64_t)p[1 + b] << (8 * b);
		e->taken[i].kind = (enum transition)kind;
		e->taken[i].undated = (p[0] & TAKEN_UNDATED) != 0;
		e->taken[i].time_ms = (int64_t)time;
	}
	e->taken_n = (unsigned)(n / TAKEN_BYTES);
	return 0;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* A walk through the ids that a name may have. Those in memory come first: most conversations that get a webhook are
 * new, and the disk is not asked for them. */
struct name_walk {
	struct key_walk keys;
	bool was_on_disk;
};

static struct name_walk name_walk(struct change *c, const char *source, const char *conversation)
{
	int64_t key = key_of_conversation(source, conversation);

	return (struct name_walk){.keys = key_walk(c, KEY_CONVERSATION, key, KEYS_IN_MEMORY)};
}

static int64_t name_walk_next(struct name_walk *walk)
{
	int64_t id = key_walk_next(&walk->keys);

	if (id != 0 || walk->was_on_disk)
		return id;
	walk->was_on_disk = true;
	walk->keys = key_walk(walk->keys.change, KEY_CONVERSATION, walk->keys.key, KEYS_ON_DISK);
	return key_walk_next(&walk->keys);
}

void conversation_find(struct change *c, const char *source, const char *conversation, struct store_conversation *ret)
{
	struct name_walk walk = name_walk(c, source, conversation);
	int64_t id;

	*ret = (struct store_conversation){0};
	while ((id = name_walk_next(&walk)) != 0) {
		CHANGE(q, c,
		       "SELECT state, addressed FROM conversations WHERE id = ?1 AND source = ?2 AND conversation = "
		       "?3");
		query_bind_int(&q, id);
		query_bind_text(&q, source);
		query_bind_text(&q, conversation);
		if (!change_step(c, &q))
			continue;
		ret->id = id;
		ret->state = (enum ledger_state)query_int(&q);
		ret->addressed = query_int(&q) != 0;
		return;
	}
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static void entry_read(struct query *q, struct ledger_entry *e)
{
	const unsigned char *taken;
	size_t n;

	e->state = (enum ledger_state)query_enum(q, LEDGER_CLOSED + 1);
	e->as_of_ms = query_int(q);
	e->as_of_received_ms = query_int(q);
	e->newest = query_int(q);
	e->first_opened_ms = query_int(q);
	e->opened_ms = query_int(q);
	e->opened_received_ms = query_int(q);
	e->closed_ms = query_int(q);
	e->reopen_count = (unsigned)query_int(q);
	e->addressed = query_enum(q, 2);
	taken = query_blob(q, &n);
	if (taken_read(taken, n, e) < 0 && !q->bad)
		q->bad = "taken";
}

static int reached_read(struct query *q, struct reached_list *ret)
{
	struct people list;
	struct person p;
	int r;

	list.bytes = query_blob(q, &list.n);
	while ((r = people_next(&list, &p)) > 0)
		reached_add(ret, p.account, p.email, p.flag);
	return r;
}

/* Reads a conversation's row. Returns 1; 0: the row is of another one, or is not there. */
static int row_load(struct store *s, int64_t id, const char *source, const char *conversation, struct ledger_entry *e,
		    struct reached_list *reached, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT state, as_of, as_of_received, newest, first_opened, opened, opened_received, closed, "
	      "reopen_count,"
	      " addressed, taken, people FROM conversations WHERE id = ?1 AND source = ?2 AND conversation = ?3",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	r = query_step(&q);
	if (r <= 0)
		return r;
	entry_read(&q, e);
	if (!q.bad && reached_read(&q, reached) < 0)
		q.bad = "people";
	if (q.bad) {
		reached_clear(reached);
		return err_set(reterr, -EBADMSG, "the stored conversation does not read: its %s", q.bad);
	}
	return 1;
}

int store_conversation_load(struct store *s, const char *source, const char *conversation, struct ledger_entry *ret,
			    struct reached_list *ret_reached, struct store_conversation *ret_row, struct err *reterr)
{
	struct ledger_entry e = {0};
	struct reached_list reached = {0};
	struct store_conversation row = {0};
	struct change c = change_begin(s, reterr);
	struct name_walk walk = name_walk(&c, source, conversation);
	int64_t id;
	int r = 0;

	while (r == 0 && (id = name_walk_next(&walk)) != 0) {
		r = row_load(s, id, source, conversation, &e, &reached, reterr);
		if (r > 0)
			row = (struct store_conversation){id, e.state, e.addressed};
	}
	if (r < 0 || c.status < 0)
		return r < 0 ? r : c.status;
	*ret = e;
	*ret_reached = reached;
	if (ret_row)
		*ret_row = row;
	return 0;
}

/* ---- damaged rows ------------------------------------------------------------------------------------------------ */

/* Inserts a row for an index entry without one. tables.h says how a repair removes the entry. */
static void put_placeholder(struct change *c, int64_t id, const char *source, const char *conversation)
{
	CHANGE(q, c,
	       "INSERT OR REPLACE INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
	       " opened_received, closed, reopen_count, addressed, taken, changed, clear)"
	       " VALUES (?1, ?2, ?3, " SQL_UNKNOWN ", 0, 0, 0, 0, 0, 0, 0, x'', 0, 0)");
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	(void)change_run(c, &q);
	c->store->last_conversation = 0; /* it may have a larger id */
}

static void open_set(struct change *c, int64_t id, const char *source, int64_t state, int64_t received_ms)
{
	CHANGE(q, c, "UPDATE conversations SET source = ?2, state = ?3, opened_received = ?4 WHERE id = ?1");
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_int(&q, state);
	query_bind_int(&q, received_ms);
	(void)change_run(c, &q);
}

/* Updates the row to what conversations_open says and back, which removes the entry. False: there is no row. */
static bool open_remove_entry(struct change *c, int64_t id, const char *source, int64_t received_ms)
{
	CLEANUP(mem_freep) char *own = NULL;
	int64_t state, received;

	CHANGE(q, c, "SELECT source, state, opened_received FROM conversations WHERE id = ?1");
	query_bind_int(&q, id);
	if (!change_step(c, &q))
		return false;
	own = query_text(&q);
	state = query_int(&q);
	received = query_int(&q);
	query_close(&q);
	open_set(c, id, source, LEDGER_OPEN, received_ms);
	open_set(c, id, own, state, received);
	return true;
}

/* Removes an entry of the index conversations_open whose row is missing or differs. */
static void repair_open(struct change *c, const char *source, int64_t id, int64_t received_ms)
{
	CLEANUP(mem_freep) char *name = mem_fmt("lost %lld", (long long)id);

	if (open_remove_entry(c, id, source, received_ms))
		return;
	put_placeholder(c, id, source, name);
	(void)open_remove_entry(c, id, source, received_ms);
	(void)change_by_id(c, "DELETE FROM conversations WHERE id = ?1", id);
	keys_remove_id(c, KEY_OPEN_PERSON, id);
	if (c->status == 0)
		loss_note(c->store, STORE_LOSS_CONVERSATION, id, source,
			  "an open conversation's row is not there, but an index still named it; it will not expire");
}

/* Repairs an open conversation that is not found by its name: adds the entry or, if another conversation is found by
 * that name, gives it an unused name. */
static void repair_name(struct change *c, const char *source, int64_t id, const char *conversation, bool in_use)
{
	CLEANUP(mem_freep) char *name = mem_fmt("lost %lld", (long long)id);

	if (in_use) {
		CHANGE(q, c, "UPDATE conversations SET conversation = ?2 WHERE id = ?1");
		query_bind_int(&q, id);
		query_bind_text(&q, name);
		(void)change_run(c, &q);
		conversation = name;
	}
	keys_add(c, KEY_CONVERSATION, key_of_conversation(source, conversation), id);
	if (c->status == 0)
		loss_note(c->store, STORE_LOSS_CONVERSATION, id, source,
			  in_use ? "an open conversation was not found by its name, which another one has; it expires "
				   "under a new name"
				 : "an open conversation was not found by its name; its index entry is repaired");
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

/* The states of a conversation in the two counters: LEDGER_OPEN, or COUNT_NOWHERE. */
struct counted {
	int open, unaddressed;
};

static struct counted counted_as(enum ledger_state state, bool addressed)
{
	return (struct counted){.open = state == LEDGER_OPEN ? LEDGER_OPEN : COUNT_NOWHERE,
				.unaddressed = state == LEDGER_OPEN && !addressed ? LEDGER_OPEN : COUNT_NOWHERE};
}

/* After an undo, ids of conversations that were undone are given again. */
static void last_conversation_forget(struct store *s)
{
	s->last_conversation = 0;
}
const struct transaction_hook conversation_ids_hook = {.undo = last_conversation_forget,
						       .rolled_back = last_conversation_forget,
						       .others_wrote = last_conversation_forget};

/* Returns the id of a new conversation. INT64_MAX cannot be followed by another one. */
static int64_t conversation_next_id(struct change *c)
{
	struct store *s = c->store;

	if (s->last_conversation == 0) {
		int64_t id = 0;

		CHANGE(q, c, "SELECT max(id) FROM conversations");
		(void)change_one_int(c, &q, &id);
		/* Entries of larger ids than these are added in memory. */
		if (id < keys_on_disk_to(s, KEY_CONVERSATION))
			id = keys_on_disk_to(s, KEY_CONVERSATION);
		if (id < keys_on_disk_to(s, KEY_OPEN_PERSON))
			id = keys_on_disk_to(s, KEY_OPEN_PERSON);
		s->last_conversation = id > 0 ? id : 0;
	}
	if (c->status == 0 && s->last_conversation == INT64_MAX)
		c->status = err_set(c->reterr, -EBADMSG, "the store %s has given its last conversation id", s->path);
	return c->status < 0 ? 0 : ++s->last_conversation;
}

static void entry_write(struct change *c, int64_t id, const char *source, const char *conversation,
			const struct ledger_entry *e, const struct buf *people)
{
	unsigned char taken[LEDGER_TAKEN_MAX * TAKEN_BYTES];
	size_t n = taken_write(e, taken);
	int64_t newest_ms = e->as_of_ms > e->as_of_received_ms ? e->as_of_ms : e->as_of_received_ms;

	CHANGE(q, c,
	       "INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
	       " opened_received, closed, reopen_count, addressed, taken, changed, clear, as_of_received, newest,"
	       " people) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
	       " ON CONFLICT (id) DO UPDATE SET state = excluded.state, as_of = excluded.as_of,"
	       " first_opened = excluded.first_opened, opened = excluded.opened,"
	       " opened_received = excluded.opened_received, closed = excluded.closed,"
	       " reopen_count = excluded.reopen_count, addressed = excluded.addressed, taken = excluded.taken,"
	       " changed = excluded.changed, clear = excluded.clear, as_of_received = excluded.as_of_received,"
	       " newest = excluded.newest, people = excluded.people,"
	       " digests = CASE WHEN excluded.state = " SQL_OPEN " THEN x'' ELSE digests END");
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	query_bind_int(&q, (int64_t)e->state);
	query_bind_int(&q, e->as_of_ms);
	query_bind_int(&q, e->first_opened_ms);
	query_bind_int(&q, e->opened_ms);
	query_bind_int(&q, e->opened_received_ms);
	query_bind_int(&q, e->closed_ms);
	query_bind_int(&q, e->reopen_count);
	query_bind_int(&q, e->addressed);
	query_bind_blob(&q, taken, n);
	query_bind_int(&q, c->store->now_ms > newest_ms ? c->store->now_ms : newest_ms);
	query_bind_int(&q, people->len > 0);
	query_bind_int(&q, e->as_of_received_ms);
	query_bind_int(&q, e->newest);
	query_bind_blob(&q, people->data, people->len);
	(void)change_run(c, &q);
}

/* Appends the people of an open conversation to a list. */
static void people_load(struct change *c, int64_t id, struct buf *ret)
{
	const void *people;
	size_t n;

	CHANGE(q, c, "SELECT people FROM conversations WHERE id = ?1");
	query_bind_int(&q, id);
	if (!change_step(c, &q))
		return;
	people = query_blob(&q, &n);
	buf_add(ret, people, n);
}

int store_conversation_save(struct store *s, const char *source, const char *conversation, const struct ledger_entry *e,
			    const struct reached_list *reached, struct store_conversation *row, struct err *reterr)
{
	CLEANUP(buf_done) struct buf was, now;
	struct change c = change_begin(s, reterr);
	struct counted after = counted_as(e->state, e->addressed);
	struct store_conversation found;
	struct counted before;
	int64_t id;

	people_init(&was);
	people_init(&now);
	if (!row) {
		row = &found;
		conversation_find(&c, source, conversation, row);
	}
	id = row->id == 0 ? conversation_next_id(&c) : row->id;
	before = counted_as(row->state, row->addressed);
	for (size_t i = 0; i < reached->n; i++)
		people_add(&now, reached->items[i].email, reached->items[i].account, reached->items[i].flag);
	if (row->id != 0 && row->state == LEDGER_OPEN)
		people_load(&c, id, &was);
	entry_write(&c, id, source, conversation, e, &now);
	if (row->id == 0)
		keys_add(&c, KEY_CONVERSATION, key_of_conversation(source, conversation), id);
	open_people_change(&c, id, (struct people){was.data, was.len},
			   (struct people){now.data, e->state == LEDGER_OPEN ? now.len : 0});
	if (c.status == 0) {
		counts_move(s, COUNT_CONVERSATIONS, source, before.open, 0, after.open, 0);
		counts_move(s, COUNT_UNADDRESSED, source, before.unaddressed, 0, after.unaddressed, 0);
		*row = (struct store_conversation){id, e->state, e->addressed};
		oldest_saved(s, source, e);
	}
	return change_end(&c);
}

/* ---- over all conversations -------------------------------------------------------------------------------------- */

int store_flag_count(struct store *s, const char *account, const char *email, const char *flag, const char *but_source,
		     const char *but_conversation, int64_t *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf person;
	struct change c = change_begin(s, reterr);
	struct key_walk walk;
	int64_t n = 0;
	int64_t id;

	people_init(&person);
	people_add(&person, email, account, flag);
	walk = key_walk(&c, KEY_OPEN_PERSON, key_of_open_person(person.data, person.len), KEYS_ALL);
	while ((id = open_person_next(&walk, &person)) != 0) {
		int64_t there = 0;

		CHANGE(q, &c,
		       "SELECT 1 FROM conversations WHERE id = ?1 AND (source IS NOT ?2 OR conversation IS NOT ?3)");
		query_bind_int(&q, id);
		query_bind_text(&q, but_source);
		query_bind_text(&q, but_conversation);
		n += change_one_int(&c, &q, &there);
	}
	if (c.status < 0)
		return c.status;
	*ret = n;
	return 0;
}

/* Returns the name of an open conversation from the index conversations_open, if it can be expired. Owned. NULL: a row
 * was repaired, or the change failed. */
static char *open_expirable(struct change *c, const char *source, int64_t id, int64_t received_ms)
{
	CLEANUP(mem_freep) char *conversation = NULL;
	struct store_conversation named;

	/* The row must equal the index's entry. */
	CHANGE(row, c,
	       "SELECT conversation FROM conversations WHERE id = ?1 AND +source = ?2 AND +state = " SQL_OPEN
	       " AND +opened_received = ?3");
	query_bind_int(&row, id);
	query_bind_text(&row, source);
	query_bind_int(&row, received_ms);
	if (change_step(c, &row))
		conversation = query_text(&row);
	query_close(&row);
	if (!c->store->in_transaction) {
		if (!conversation && c->status == 0)
			c->status = err_set(c->reterr, -EUCLEAN, "an index names a conversation that is not there");
		return TAKE(conversation);
	}
	if (!conversation) {
		repair_open(c, source, id, received_ms);
		return NULL;
	}
	/* A load by this name must find this row. */
	conversation_find(c, source, conversation, &named);
	if (c->status == 0 && named.id == id)
		return TAKE(conversation);
	if (c->status == 0)
		repair_name(c, source, id, conversation, named.id != 0);
	return NULL;
}

int store_conversation_oldest_open(struct store *s, const char *source, int64_t received_ms, char **ret_conversation,
				   struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	char *conversation = NULL;
	bool found;
	int r;

	CHANGE(oldest, &c,
	       "SELECT id, opened_received FROM conversations WHERE state = " SQL_OPEN
	       " AND source = ?1 AND opened_received <= ?2 ORDER BY opened_received LIMIT 1");
	query_bind_text(&oldest, source);
	query_bind_int(&oldest, received_ms);
	found = change_step(&c, &oldest);
	if (found) {
		int64_t id = query_int(&oldest);

		received_ms = query_int(&oldest);
		query_close(&oldest);
		conversation = open_expirable(&c, source, id, received_ms);
	}
	r = change_end(&c);
	if (r == 0 && !found) {
		oldest_none_until(s, source, received_ms);
		r = err_set(reterr, -ENOENT, "no open conversation is so old");
	}
	if (r == 0)
		*ret_conversation = TAKE(conversation);
	free(conversation);
	return r;
}
