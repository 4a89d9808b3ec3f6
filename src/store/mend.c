/*
 * Rows that an index names and that are not there, or are not as the index says: a damaged or hand-edited file.
 *
 * An index proposes rows and the row itself decides: the statements of this folder join what an index gives with the
 * row's own id. So an entry without a row is passed over, and cannot fail a statement with SQLITE_CORRUPT. Two kinds of
 * entries must not be passed over: one that names undone work (it would be lost without a word) and one of a unique
 * index (it keeps a new row out). These are mended here.
 *
 * An entry can only be taken out by a change of the row that it belongs to. So a stand-in is put in where the row is
 * not there; the row is made what the index says, which writes over the entry, and then what it is to be, which takes
 * the entry out. That costs O(log n) and touches nobody else's row, where a REINDEX would read the whole table.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define NOT_THERE "its row is not there, an index of the store still names it"

/* ---- rows with a value of another type --------------------------------------------------------------------------- */

/* Of such a row SQLite changes nothing at all, but it can be replaced. What does not read becomes 0 or another text: so
 * only a row that comes to its end is treated like that. */
int webhook_retype(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO webhooks (id, source, state, wait, not_before, ended, received, tries, lookups, "
	      "read,"
	      " transition, conversation, customer, result) SELECT id, CAST(source AS TEXT), CAST(state AS INTEGER),"
	      " CAST(wait AS INTEGER), CAST(not_before AS INTEGER), CAST(ended AS INTEGER), CAST(received AS INTEGER),"
	      " CAST(tries AS INTEGER), CAST(lookups AS INTEGER), CAST(read AS INTEGER), CAST(transition AS INTEGER),"
	      " CAST(conversation AS TEXT), CAST(customer AS TEXT), CAST(result AS TEXT) FROM webhooks WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

int event_retype(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO events (id, account, email, state, head, due, ended, attempts, later, gap, "
	      "created,"
	      " unique_id, url, reason) SELECT id, CAST(account AS TEXT), CAST(email AS TEXT), CAST(state AS INTEGER),"
	      " CAST(head AS INTEGER), CAST(due AS INTEGER), CAST(ended AS INTEGER), CAST(attempts AS INTEGER),"
	      " CAST(later AS INTEGER), CAST(gap AS INTEGER), CAST(created AS INTEGER), CAST(unique_id AS BLOB),"
	      " CAST(url AS TEXT), CAST(reason AS TEXT) FROM events WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

/* The columns of a webhook that the indexes hold. */
struct webhook_keys {
	int64_t state, wait, not_before, ended;
	char *source, *conversation, *customer;
};

static void webhook_keys_done(struct webhook_keys *k)
{
	free(k->source);
	free(k->conversation);
	free(k->customer);
}

static int webhook_keys_load(struct store *s, int64_t id, struct webhook_keys *ret, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT state, wait, not_before, ended, source, conversation, customer FROM webhooks WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	ret->state = query_int(&q);
	ret->wait = query_int(&q);
	ret->not_before = query_int(&q);
	ret->ended = query_int(&q);
	ret->source = query_text(&q);
	ret->conversation = query_text_or_null(&q);
	ret->customer = query_text_or_null(&q);
	return 1;
}

static int webhook_keys_set(struct store *s, int64_t id, const struct webhook_keys *k, struct err *reterr)
{
	QUERY(q, s,
	      "UPDATE webhooks SET state = ?2, wait = ?3, not_before = ?4, ended = ?5, source = ?6, conversation = ?7,"
	      " customer = ?8 WHERE id = ?1",
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, k->state);
	query_bind_int(&q, k->wait);
	query_bind_int(&q, k->not_before);
	query_bind_int(&q, k->ended);
	query_bind_text(&q, k->source);
	query_bind_text(&q, k->conversation);
	query_bind_text(&q, k->customer);
	return query_run(&q);
}

static int own_text(struct query *q, int64_t id, char **source, char **text)
{
	int r;

	query_bind_int(q, id);
	r = query_step(q);
	if (r <= 0)
		return r;
	if (!*source)
		*source = query_text(q);
	else
		query_skip(q);
	if (text && !*text)
		*text = query_text(q);
	return 0;
}

/* Collects what other indexes and the digest of its delivery still tell, for the dead letter and for those that it kept
 * waiting. The indexes hold undone webhooks only; each is looked through once for a row that is lost. */
static int webhook_recall(struct store *s, int64_t id, struct webhook_keys *k, struct err *reterr)
{
	int r;

	QUERY(conversation, s,
	      "SELECT source, conversation FROM webhooks INDEXED BY webhooks_conversation WHERE state = " SQL_PENDING
	      " AND conversation IS NOT NULL AND id = ?1",
	      reterr);
	r = own_text(&conversation, id, &k->source, &k->conversation);
	if (r < 0)
		return r;
	QUERY(customer, s,
	      "SELECT source, customer FROM webhooks INDEXED BY webhooks_customer WHERE state = " SQL_PENDING
	      " AND customer IS NOT NULL AND id = ?1",
	      reterr);
	r = own_text(&customer, id, &k->source, &k->customer);
	if (r < 0)
		return r;
	QUERY(delivery, s, "SELECT source FROM deliveries WHERE id = ?1", reterr);
	r = own_text(&delivery, id, &k->source, NULL);
	if (r == 0 && !k->source)
		k->source = mem_str("");
	return r;
}

/* A dead letter from its beginning. */
static int webhook_stand_in(struct store *s, int64_t id, const struct webhook_keys *k, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT INTO webhooks (id, source, state, wait, not_before, ended, received, read, transition, "
	      "conversation,"
	      " customer, result) VALUES (?1, ?2, " SQL_WEBHOOK_DEAD ", " SQL_WAIT_NONE
	      ", 0, 0, ?3, 0, " SQL_TRANSITION_NONE ", ?4, ?5, ?6)",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, k->source);
	query_bind_int(&q, s->told_ms);
	query_bind_text(&q, k->conversation);
	query_bind_text(&q, k->customer);
	query_bind_text(&q, NOT_THERE);
	return query_run(&q);
}

/* The row becomes what the index says, and is put back. */
static int webhook_take_out(struct store *s, const struct webhook_claim *c, struct err *reterr)
{
	CLEANUP(webhook_keys_done) struct webhook_keys own = {0};
	struct webhook_keys claimed;
	int r = webhook_keys_load(s, c->id, &own, reterr);

	if (r <= 0)
		return r;
	claimed = own;
	claimed.state = STORE_WEBHOOK_PENDING;
	claimed.wait = (int64_t)c->wait;
	claimed.not_before = c->not_before_ms;
	claimed.ended = 0;
	if (c->source)
		claimed.source = (char *)(uintptr_t)c->source;
	if (c->conversation)
		claimed.conversation = (char *)(uintptr_t)c->conversation;
	if (c->customer)
		claimed.customer = (char *)(uintptr_t)c->customer;
	r = webhook_keys_set(s, c->id, &claimed, reterr);
	if (r >= 0)
		r = webhook_keys_set(s, c->id, &own, reterr);
	return r < 0 ? r : 0;
}

/* Those behind it go on, as after any end. */
static int webhook_lost(struct store *s, const struct webhook_claim *c, const struct webhook_keys *k,
			struct err *reterr)
{
	const struct webhook_place p = {
		.id = c->id,
		.source = k->source,
		.conversation = k->conversation,
		.customer = k->customer,
	};

	counts_add(s, COUNT_WEBHOOKS, k->source, STORE_WEBHOOK_DEAD, STORE_WAIT_NONE, 1);
	if (k->source[0] != '\0')
		counts_add(s, COUNT_WEBHOOKS, k->source, STORE_WEBHOOK_PENDING, (int)c->wait, -1);
	loss_note(s, STORE_LOSS_WEBHOOK, c->id, k->source, NOT_THERE);
	return webhook_let_go(s, &p, reterr);
}

int webhook_mend(struct store *s, const struct webhook_claim *c, struct err *reterr)
{
	CLEANUP(webhook_keys_done) struct webhook_keys k = {0};
	int r = webhook_keys_load(s, c->id, &k, reterr);

	if (r != 0)
		return r < 0 ? r : webhook_take_out(s, c, reterr);
	k.source = mem_str(c->source);
	k.conversation = mem_str(c->conversation);
	k.customer = mem_str(c->customer);
	r = webhook_recall(s, c->id, &k, reterr);
	if (r >= 0)
		r = webhook_stand_in(s, c->id, &k, reterr);
	if (r >= 0)
		r = webhook_take_out(s, c, reterr);
	return r < 0 ? r : webhook_lost(s, c, &k, reterr);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* OR REPLACE: what the unique index names without a row is no reason to refuse it. */
static int event_stand_in(struct store *s, int64_t id, const char *account, const unsigned char *unique_id,
			  struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO events (id, account, email, state, head, due, gap, created, unique_id, url, "
	      "reason)"
	      " VALUES (?1, ?2, '', " SQL_EVENT_DEAD ", 0, 0, 0, ?3, ?4, '', ?5)",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, account);
	query_bind_int(&q, s->told_ms);
	query_bind_blob(&q, unique_id, EVENT_UNIQUE_ID_BYTES);
	query_bind_text(&q, NOT_THERE);
	return query_run(&q);
}

/* What events_due holds of an event. */
struct event_way {
	const char *account;
	int64_t state, head, due;
};

static int event_way_set(struct store *s, int64_t id, const struct event_way *way, struct err *reterr)
{
	QUERY(q, s, "UPDATE events SET account = ?2, state = ?3, head = ?4, due = ?5 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, way->account);
	query_bind_int(&q, way->state);
	query_bind_int(&q, way->head);
	query_bind_int(&q, way->due);
	return query_run(&q);
}

/* 1: the row is there; it has been what events_due says, and is what it was. */
static int event_take_out(struct store *s, int64_t id, const char *account, int64_t due_ms, struct err *reterr)
{
	const struct event_way claimed = {account, EVENT_READY, 1, due_ms};
	CLEANUP(mem_freep) char *own_account = NULL;
	struct event_way own;
	int r;

	QUERY(q, s, "SELECT account, state, head, due FROM events WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	own.account = own_account = query_text(&q);
	own.state = query_int(&q);
	own.head = query_int(&q);
	own.due = query_int(&q);
	query_close(&q);
	r = event_way_set(s, id, &claimed, reterr);
	if (r >= 0)
		r = event_way_set(s, id, &own, reterr);
	return r < 0 ? r : 1;
}

int event_mend_due(struct store *s, const char *account, int64_t id, int64_t due_ms, int64_t now_ms, struct err *reterr)
{
	unsigned char unique_id[EVENT_UNIQUE_ID_BYTES] = {0}; /* nobody has it: eight zeros, and the id */
	int r = event_take_out(s, id, account, due_ms, reterr);

	store_tell(s, now_ms);
	if (r < 0)
		return r;
	if (r > 0) /* it may be another person's, and the one of the index waits */
		return event_wake_people(s, id, account, now_ms, reterr);
	for (int i = 0; i < 8; i++)
		unique_id[8 + i] = (unsigned char)((uint64_t)id >> (8 * (7 - i)));
	r = event_stand_in(s, id, account, unique_id, reterr);
	if (r >= 0)
		r = event_take_out(s, id, account, due_ms, reterr);
	if (r < 0)
		return r;
	counts_add(s, COUNT_EVENTS, account, EVENT_DEAD, 0, 1);
	counts_add(s, COUNT_EVENTS, account, EVENT_READY, 0, -1);
	loss_note(s, STORE_LOSS_EVENT, id, account, NOT_THERE);
	return event_wake_people(s, id, account, now_ms, reterr);
}

static int event_row_delete(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s, "DELETE FROM events WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

int event_mend_unique(struct store *s, const char *account, const unsigned char *unique_id, struct err *reterr)
{
	int64_t id = 0, there = 0;
	int r;

	QUERY(named, s, "SELECT id FROM events WHERE account = ?1 AND unique_id = ?2", reterr);
	query_bind_text(&named, account);
	query_bind_blob(&named, unique_id, EVENT_UNIQUE_ID_BYTES);
	r = query_one_int(&named, &id);
	query_close(&named);
	if (r <= 0)
		return r < 0 ? r : 0;
	QUERY(row, s, "SELECT 1 FROM events WHERE id = ?1", reterr);
	query_bind_int(&row, id);
	r = query_one_int(&row, &there);
	query_close(&row);
	if (r != 0) /* there, and the same event */
		return r < 0 ? r : 0;
	r = event_stand_in(s, id, account, unique_id, reterr);
	if (r >= 0)
		r = event_row_delete(s, id, reterr);
	if (r < 0)
		return r;
	loss_note(s, STORE_LOSS_OTHER, id, account,
		  "an event's row was not there, an index still named it; the event is queued anew");
	return 1;
}

/* ---- conversations ----------------------------------------------------------------------------------------------- */

static int conversation_stand_in(struct store *s, int64_t id, const char *source, const char *conversation,
				 struct err *reterr)
{
	QUERY(q, s,
	      "INSERT OR REPLACE INTO conversations (id, source, conversation, state, as_of, first_opened, opened,"
	      " opened_received, closed, reopen_count, addressed, taken, changed, clear)"
	      " VALUES (?1, ?2, ?3, " SQL_UNKNOWN ", 0, 0, 0, 0, 0, 0, 0, x'', 0, 0)",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	return query_run(&q);
}

static int conversation_open_set(struct store *s, int64_t id, const char *source, int64_t state, int64_t received_ms,
				 struct err *reterr)
{
	QUERY(q, s, "UPDATE conversations SET source = ?2, state = ?3, opened_received = ?4 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_int(&q, state);
	query_bind_int(&q, received_ms);
	return query_run(&q);
}

static int conversation_row_delete(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s, "DELETE FROM conversations WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

/* As conversations_open says it, and back. 0: its row is not there. */
static int conversation_take_out(struct store *s, int64_t id, const char *source, int64_t received_ms,
				 struct err *reterr)
{
	CLEANUP(mem_freep) char *own = NULL;
	int64_t state, received;
	int r;

	QUERY(q, s, "SELECT source, state, opened_received FROM conversations WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	own = query_text(&q);
	state = query_int(&q);
	received = query_int(&q);
	query_close(&q);
	r = conversation_open_set(s, id, source, LEDGER_OPEN, received_ms, reterr);
	if (r >= 0)
		r = conversation_open_set(s, id, own, state, received, reterr);
	return r < 0 ? r : 1;
}

int conversation_mend_open(struct store *s, const char *source, int64_t id, int64_t received_ms, struct err *reterr)
{
	CLEANUP(mem_freep) char *name = mem_fmt("lost %lld", (long long)id);
	int r = conversation_take_out(s, id, source, received_ms, reterr);

	if (r != 0)
		return r < 0 ? r : 0;
	r = conversation_stand_in(s, id, source, name, reterr);
	if (r >= 0)
		r = conversation_take_out(s, id, source, received_ms, reterr);
	if (r >= 0)
		r = conversation_row_delete(s, id, reterr);
	if (r < 0)
		return r;
	loss_note(s, STORE_LOSS_CONVERSATION, id, source,
		  "an open conversation's row is not there, an index still named it; it does not expire");
	return 0;
}

static int conversation_name_set(struct store *s, int64_t id, const char *source, const char *conversation,
				 struct err *reterr)
{
	QUERY(q, s, "UPDATE conversations SET source = ?2, conversation = ?3 WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	return query_run(&q);
}

/* 1: another conversation has that id by now; the name is taken out. 0: its row is not there. */
static int conversation_name_take_out(struct store *s, int64_t id, const char *source, const char *conversation,
				      struct err *reterr)
{
	CLEANUP(mem_freep) char *own_source = NULL;
	CLEANUP(mem_freep) char *own_name = NULL;
	int r;

	QUERY(q, s, "SELECT source, conversation FROM conversations WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	own_source = query_text(&q);
	own_name = query_text(&q);
	query_close(&q);
	r = conversation_name_set(s, id, source, conversation, reterr);
	if (r >= 0)
		r = conversation_name_set(s, id, own_source, own_name, reterr);
	return r < 0 ? r : 1;
}

int conversation_mend_name(struct store *s, const char *source, int64_t id, const char *conversation,
			   struct err *reterr)
{
	CLEANUP(mem_freep) char *name = mem_fmt("lost %lld", (long long)id);
	int r = conversation_name_set(s, id, source, name, reterr);

	if (r < 0)
		return r;
	r = conversation_name_set(s, id, source, conversation, reterr);
	if (r < 0 && r != -EBADMSG)
		return r;
	loss_note(s, STORE_LOSS_CONVERSATION, id, source,
		  r < 0 ? "an open conversation was not found by its name, which another has by now; it expires by "
			  "another name"
			: "an open conversation was not found by its name; it is again");
	return 0;
}

int conversation_mend(struct store *s, const char *source, const char *conversation, struct err *reterr)
{
	int64_t id = 0;
	int r;

	QUERY(named, s, "SELECT id FROM conversations WHERE source = ?1 AND conversation = ?2", reterr);
	query_bind_text(&named, source);
	query_bind_text(&named, conversation);
	r = query_one_int(&named, &id);
	query_close(&named);
	if (r <= 0)
		return r < 0 ? r : 0;
	r = conversation_name_take_out(s, id, source, conversation, reterr);
	if (r != 0)
		return r;
	r = conversation_stand_in(s, id, source, conversation, reterr);
	if (r >= 0)
		r = conversation_row_delete(s, id, reterr);
	if (r < 0)
		return r;
	loss_note(s, STORE_LOSS_CONVERSATION, id, source,
		  "a conversation's row was not there, an index still named it; it begins anew");
	return 1;
}
