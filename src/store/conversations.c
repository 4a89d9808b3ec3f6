/*
 * Conversations and whom their opening reached.
 *
 * `reached.open` repeats whether the conversation is open, so that a flag is counted by one index without a look at
 * closed conversations. Past retention the addresses of a closed conversation become digests (clean.c); those are kept
 * beside the clear ones until the conversation opens again.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

#define TAKEN_BYTES 9
#define TAKEN_UNDATED 0x80 /* beside the kind; never set by schema 1, whose times without a date are kept as dated */

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

static int reached_load(struct store *s, int64_t id, struct reached_list *ret, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT r.account, r.email, r.flag FROM reached i CROSS JOIN reached r ON r.id = i.id"
	      " WHERE i.conversation = ?1 AND r.conversation = ?1 AND r.email IS NOT NULL ORDER BY i.id",
	      reterr);
	query_bind_int(&q, id);
	while ((r = query_step(&q)) > 0) {
		CLEANUP(mem_freep) char *account = query_text(&q);
		CLEANUP(mem_freep) char *email = query_text(&q);
		CLEANUP(mem_freep) char *flag = query_text(&q);

		if (q.bad)
			return err_set(reterr, -EBADMSG, "whom a stored conversation reached does not read: its %s",
				       q.bad);
		reached_add(ret, account, email, flag);
	}
	return r;
}

int store_conversation_load(struct store *s, const char *source, const char *conversation, struct ledger_entry *ret,
			    struct reached_list *ret_reached, struct err *reterr)
{
	struct ledger_entry e = {0};
	struct reached_list reached = {0};
	int64_t id;
	int r;

	QUERY(q, s,
	      "SELECT c.id, c.state, c.as_of, coalesce(m.as_of_received, 0), coalesce(m.newest, 0), c.first_opened,"
	      " c.opened, c.opened_received, c.closed, c.reopen_count, c.addressed, c.taken FROM conversations i"
	      " CROSS JOIN conversations c ON c.id = i.id LEFT JOIN marks m ON m.conversation = c.id WHERE i.source = "
	      "?1 AND i.conversation = ?2 AND c.conversation = ?2",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	r = query_step(&q);
	if (r < 0)
		return r;
	if (r > 0) {
		id = query_int(&q);
		entry_read(&q, &e);
		if (q.bad)
			return err_set(reterr, -EBADMSG, "the stored conversation does not read: its %s", q.bad);
		r = reached_load(s, id, &reached, reterr);
		if (r < 0) {
			reached_clear(&reached);
			return r;
		}
	}
	*ret = e;
	*ret_reached = reached;
	return 0;
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

/* What is counted of a conversation. */
struct counted {
	bool open, unaddressed;
};

static struct counted counted_as(enum ledger_state state, bool addressed)
{
	return (struct counted){.open = state == LEDGER_OPEN, .unaddressed = state == LEDGER_OPEN && !addressed};
}

static void counted_move(struct store *s, const char *source, struct counted from, struct counted to)
{
	counts_move(s, COUNT_CONVERSATIONS, source, from.open ? LEDGER_OPEN : COUNT_NOWHERE, 0,
		    to.open ? LEDGER_OPEN : COUNT_NOWHERE, 0);
	counts_move(s, COUNT_UNADDRESSED, source, from.unaddressed ? LEDGER_OPEN : COUNT_NOWHERE, 0,
		    to.unaddressed ? LEDGER_OPEN : COUNT_NOWHERE, 0);
}

/* Its id, and what it is counted as; 0 and nothing where it is new. */
static int conversation_find(struct store *s, const char *source, const char *conversation, int64_t *ret_id,
			     struct counted *ret_counted, struct err *reterr)
{
	enum ledger_state state;
	int r;

	*ret_id = 0;
	*ret_counted = (struct counted){0};
	QUERY(q, s,
	      "SELECT c.id, c.state, c.addressed FROM conversations i CROSS JOIN conversations c ON c.id = i.id"
	      " WHERE i.source = ?1 AND i.conversation = ?2 AND c.conversation = ?2",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	r = query_step(&q);
	if (r <= 0)
		return r;
	*ret_id = query_int(&q);
	state = (enum ledger_state)query_int(&q);
	*ret_counted = counted_as(state, query_int(&q) != 0);
	return 0;
}

static int64_t changed_ms(const struct store *s, const struct ledger_entry *e)
{
	int64_t newest_ms = e->as_of_ms > e->as_of_received_ms ? e->as_of_ms : e->as_of_received_ms;

	return s->told_ms > newest_ms ? s->told_ms : newest_ms;
}

static int entry_write(struct store *s, int64_t id, const char *source, const char *conversation,
		       const struct ledger_entry *e, bool clear, struct err *reterr)
{
	unsigned char taken[LEDGER_TAKEN_MAX * TAKEN_BYTES];
	size_t n = taken_write(e, taken);

	QUERY(q, s,
	      "INSERT INTO conversations (id, source, conversation, state, as_of, first_opened, opened, "
	      "opened_received,"
	      " closed, reopen_count, addressed, taken, changed, clear)"
	      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
	      " ON CONFLICT (id) DO UPDATE SET state = excluded.state, as_of = excluded.as_of,"
	      " first_opened = excluded.first_opened, opened = excluded.opened, opened_received = "
	      "excluded.opened_received,"
	      " closed = excluded.closed, reopen_count = excluded.reopen_count, addressed = excluded.addressed,"
	      " taken = excluded.taken, changed = excluded.changed, clear = excluded.clear",
	      reterr);
	if (id > 0)
		query_bind_int(&q, id);
	else
		query_bind_null(&q);
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
	query_bind_int(&q, changed_ms(s, e));
	query_bind_int(&q, clear);
	return query_run(&q);
}

static int marks_write(struct store *s, int64_t id, const struct ledger_entry *e, struct err *reterr)
{
	QUERY(q, s,
	      "INSERT INTO marks (conversation, as_of_received, newest) VALUES (?1, ?2, ?3) ON CONFLICT (conversation)"
	      " DO UPDATE SET as_of_received = excluded.as_of_received, newest = excluded.newest",
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, e->as_of_received_ms);
	query_bind_int(&q, e->newest);
	return query_run(&q);
}

/* The digests of a closed conversation stay; an open one is reached anew. */
static int reached_forget(struct store *s, int64_t id, bool open, struct err *reterr)
{
	QUERY(q, s,
	      "DELETE FROM reached WHERE id IN (SELECT r.id FROM reached i CROSS JOIN reached r ON r.id = i.id"
	      " WHERE i.conversation = ?1 AND r.conversation = ?1 AND (r.email IS NOT NULL OR ?2))",
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, open);
	return query_run(&q);
}

static int reached_write(struct store *s, int64_t id, const struct reached *to, bool open, struct err *reterr)
{
	QUERY(q, s, "INSERT INTO reached (conversation, account, email, flag, open) VALUES (?1, ?2, ?3, ?4, ?5)",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, to->account);
	query_bind_text(&q, to->email);
	query_bind_text(&q, to->flag);
	query_bind_int(&q, open);
	return query_run(&q);
}

int store_conversation_save(struct store *s, const char *source, const char *conversation, const struct ledger_entry *e,
			    const struct reached_list *reached, struct err *reterr)
{
	bool open = e->state == LEDGER_OPEN;
	struct counted before;
	int64_t id;
	int r = conversation_find(s, source, conversation, &id, &before, reterr);

	if (r == 0)
		r = entry_write(s, id, source, conversation, e, reached->n > 0, reterr);
	if (r == -EBADMSG && id == 0 && conversation_mend(s, source, conversation, reterr) > 0)
		r = entry_write(s, id, source, conversation, e, reached->n > 0, reterr);
	if (r < 0)
		return r;
	if (id == 0) {
		id = sqlite3_last_insert_rowid(s->db);
		open = true; /* whom another one reached that had this id and is lost: nobody's */
	}
	r = marks_write(s, id, e, reterr);
	if (r >= 0)
		r = reached_forget(s, id, open, reterr);
	open = e->state == LEDGER_OPEN;
	for (size_t i = 0; r >= 0 && i < reached->n; i++)
		r = reached_write(s, id, &reached->items[i], open, reterr);
	if (r < 0)
		return r;
	counted_move(s, source, before, counted_as(e->state, e->addressed));
	return 0;
}

/* ---- asked of all ------------------------------------------------------------------------------------------------ */

int store_flag_count(struct store *s, const char *account, const char *email, const char *flag, const char *but_source,
		     const char *but_conversation, int64_t *ret, struct err *reterr)
{
	int64_t n = 0;
	int r;

	QUERY(q, s,
	      "SELECT count(*) FROM reached i CROSS JOIN reached r ON r.id = i.id CROSS JOIN conversations c"
	      " ON c.id = r.conversation WHERE i.open = 1 AND i.email = ?1 AND i.account = ?2 AND i.flag = ?3"
	      " AND r.open = 1 AND r.email = ?1 AND (c.source IS NOT ?4 OR c.conversation IS NOT ?5)",
	      reterr);
	query_bind_text(&q, email);
	query_bind_text(&q, account);
	query_bind_text(&q, flag);
	query_bind_text(&q, but_source);
	query_bind_text(&q, but_conversation);
	r = query_one_int(&q, &n);
	if (r < 0)
		return r;
	*ret = n;
	return 0;
}

/* As an index says it. 1: id and receipt of the oldest. */
static int oldest_open(struct store *s, const char *source, int64_t received_ms, int64_t *ret_id,
		       int64_t *ret_received_ms, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT id, opened_received FROM conversations WHERE state = " SQL_OPEN
	      " AND source = ?1 AND opened_received <= ?2"
	      " ORDER BY opened_received LIMIT 1",
	      reterr);
	query_bind_text(&q, source);
	query_bind_int(&q, received_ms);
	r = query_step(&q);
	if (r > 0) {
		*ret_id = query_int(&q);
		*ret_received_ms = query_int(&q);
	}
	return r;
}

/* 1: its row says so too. */
static int open_name(struct store *s, const char *source, int64_t id, int64_t received_ms, char **ret,
		     struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT conversation FROM conversations WHERE id = ?1 AND +source = ?2 AND +state = " SQL_OPEN
	      " AND +opened_received = ?3",
	      reterr);
	query_bind_int(&q, id);
	query_bind_text(&q, source);
	query_bind_int(&q, received_ms);
	r = query_step(&q);
	if (r > 0)
		*ret = query_text(&q);
	return r;
}

/* 1: who asks for it by its name gets this row. */
static int is_found_by_name(struct store *s, const char *source, int64_t id, const char *conversation,
			    struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM conversations INDEXED BY conversations_name WHERE source = ?1 AND conversation = ?2"
	      " AND id = ?3",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, conversation);
	query_bind_int(&q, id);
	return query_step(&q);
}

/* 1: it can be expired. 0: there was something to mend. */
static int open_mend(struct store *s, const char *source, int64_t id, int64_t received_ms, char **ret,
		     struct err *reterr)
{
	CLEANUP(mem_freep) char *conversation = NULL;
	int r = open_name(s, source, id, received_ms, &conversation, reterr);

	if (r == 0 && !s->in_transaction)
		return err_set(reterr, -EUCLEAN, "an index names a conversation that is not there");
	if (r == 0)
		return conversation_mend_open(s, source, id, received_ms, reterr);
	if (r > 0 && s->in_transaction) {
		r = is_found_by_name(s, source, id, conversation, reterr);
		if (r == 0)
			return conversation_mend_name(s, source, id, conversation, reterr);
	}
	if (r > 0)
		*ret = TAKE(conversation);
	return r;
}

int store_conversation_oldest_open(struct store *s, const char *source, int64_t received_ms, char **ret_conversation,
				   struct err *reterr)
{
	int64_t id = 0, received = 0;
	int r;

	while ((r = oldest_open(s, source, received_ms, &id, &received, reterr)) > 0) {
		r = open_mend(s, source, id, received, ret_conversation, reterr);
		if (r != 0)
			break;
	}
	if (r == 0)
		return err_set(reterr, -ENOENT, "no open conversation is so old");
	return r < 0 ? r : 0;
}

int64_t store_conversation_oldest_received_ms(struct store *s, const char *source)
{
	int64_t received = CLOCK_NEVER_MS;

	QUERY(q, s,
	      "SELECT i.opened_received FROM conversations i CROSS JOIN conversations c ON c.id = i.id WHERE i.state = "
	      "1"
	      " AND i.source = ?1 AND c.state = " SQL_OPEN
	      " AND c.source = ?1 AND c.opened_received = i.opened_received"
	      " ORDER BY i.opened_received LIMIT 1",
	      NULL);
	query_bind_text(&q, source);
	return query_one_int(&q, &received) < 0 ? CLOCK_NEVER_MS : received;
}
