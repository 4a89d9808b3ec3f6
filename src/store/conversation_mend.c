/*
 * Conversations that an index names and whose row is not there, or is another (tables.h says how an entry is taken
 * out).
 */
#include <config.h>

#include <errno.h>

#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"

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
