/*
 * The state of a webhook: its row, its counter, and those that wait for it. Letting many go at once: release.c.
 *
 * Progress: of those that wait BEHIND in one conversation each also waits for the one before it, and so do those of one
 * customer. So it is enough to let the first of each go when one ends or comes to be held: it goes on, or it finds
 * another that it is behind, which will let it go in turn. That makes an end O(log n) however many wait. Whoever was
 * let go asks store_webhook_is_behind again, so letting too many go costs time only.
 */
#include <config.h>

#include <errno.h>

#include "store/losses.h"
#include "store/numbers.h"
#include "store/tables.h"
#include "store/transaction.h"

/* ---- its place --------------------------------------------------------------------------------------------------- */

void webhook_place_done(struct webhook_place *p)
{
	free(p->source);
	free(p->conversation);
	free(p->customer);
	*p = (struct webhook_place){0};
}

/* What does not read is taken as empty: also a broken row must be able to end. */
int webhook_place_load(struct store *s, int64_t id, struct webhook_place *ret, struct err *reterr)
{
	int r;

	QUERY(q, s, "SELECT state, wait, received, source, conversation, customer FROM webhooks WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_step(&q);
	if (r == 0)
		return err_set(reterr, -ENOENT, "there is no webhook %016llx", (long long)id);
	if (r < 0)
		return r;
	*ret = (struct webhook_place){.id = id};
	ret->state = (enum store_webhook_state)query_int(&q);
	ret->wait = (enum store_wait)query_int(&q);
	ret->received_ms = query_int(&q);
	ret->source = query_text(&q);
	ret->conversation = query_text_or_null(&q);
	ret->customer = query_text_or_null(&q);
	return 0;
}

int webhook_move(struct store *s, struct webhook_place *p, enum store_webhook_state state, enum store_wait wait,
		 int64_t not_before_ms, struct err *reterr)
{
	int r;

	/* ended: one that is pending has not ended, and would not be found as ready. */
	QUERY(q, s, "UPDATE webhooks SET state = ?2, wait = ?3, not_before = ?4, ended = 0 WHERE id = ?1", reterr);
	query_bind_int(&q, p->id);
	query_bind_int(&q, (int64_t)state);
	query_bind_int(&q, (int64_t)wait);
	query_bind_int(&q, not_before_ms);
	r = query_run(&q);
	if (r < 0)
		return r;
	counts_add(s, COUNT_WEBHOOKS, p->source, (int)p->state, (int)p->wait, -1);
	counts_add(s, COUNT_WEBHOOKS, p->source, (int)state, (int)wait, 1);
	p->state = state;
	p->wait = wait;
	return 0;
}

/* ---- made ready, and let go -------------------------------------------------------------------------------------- */

int webhook_make_ready(struct store *s, const struct webhook_claim *claim, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	struct err why = {0};
	int r = webhook_place_load(s, claim->id, &p, reterr);

	if (r == -ENOENT || (r == 0 && (p.state != STORE_WEBHOOK_PENDING || p.wait != claim->wait)))
		return webhook_mend(s, claim, reterr);
	if (r < 0)
		return r;
	r = webhook_move(s, &p, STORE_WEBHOOK_PENDING, STORE_WAIT_NONE, 0, &why);
	if (r == -EBADMSG) {
		loss_note(s, STORE_LOSS_WEBHOOK, p.id, p.source, why.text);
		return store_webhook_dead(s, p.id, why.text, reterr);
	}
	return r < 0 ? err_set(reterr, r, "%s", why.text) : 0;
}

int webhooks_make_ready(struct store *s, const struct ids *ids, const struct webhook_claim *claim, struct err *reterr)
{
	struct webhook_claim one = *claim;

	for (size_t i = 0; i < ids->n; i++) {
		int r;

		one.id = ids->items[i];
		r = webhook_make_ready(s, &one, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int query_make_ready(struct query *q, struct store *s, const struct webhook_claim *claim, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r = query_ids(q, &ids);

	query_close(q);
	return r < 0 ? r : webhooks_make_ready(s, &ids, claim, reterr);
}

static int let_go_of_conversation(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	const struct webhook_claim claim = {
		.wait = STORE_WAIT_BEHIND,
		.source = p->source,
		.conversation = p->conversation,
	};

	if (!p->conversation)
		return 0;
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND conversation = ?2 AND wait = " SQL_WAIT_BEHIND " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	return query_make_ready(&q, s, &claim, reterr);
}

/* Those behind a held one of their own conversation keep nobody of their customer waiting, and so stand back here too.
 */
static int let_go_of_customer(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	const struct webhook_claim claim = {
		.wait = STORE_WAIT_BEHIND,
		.source = p->source,
		.customer = p->customer,
	};

	if (!p->customer)
		return 0;
	/* By a LEFT JOIN, so that one whose row is not there is found too. */
	QUERY(q, s,
	      "SELECT i.id FROM webhooks i LEFT JOIN webhooks w ON w.id = i.id"
	      " WHERE i.state = " SQL_PENDING " AND i.source = ?1 AND i.customer = ?2 AND i.wait = " SQL_WAIT_BEHIND
	      " AND NOT EXISTS (SELECT 1 FROM webhooks h CROSS JOIN webhooks g ON g.id = h.id WHERE"
	      " h.state = " SQL_PENDING
	      " AND h.source = ?1 AND h.conversation = w.conversation AND h.wait = " SQL_WAIT_TIME
	      " AND h.id < i.id AND g.state = " SQL_PENDING ")"
	      " ORDER BY i.id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	return query_make_ready(&q, s, &claim, reterr);
}

int webhook_let_go(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	int r = let_go_of_conversation(s, p, reterr);

	return r < 0 ? r : let_go_of_customer(s, p, reterr);
}

/* The one that the query finds, where nothing is before it any more. */
static int wake(struct query *q, struct store *s, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	struct webhook_claim claim = {.wait = STORE_WAIT_BEHIND};
	int r = query_one_int(q, &claim.id);

	query_close(q);
	if (r <= 0)
		return r;
	r = webhook_place_load(s, claim.id, &p, reterr);
	if (r == -ENOENT)
		return webhook_mend(s, &claim, reterr);
	if (r == 0)
		r = store_webhook_is_behind(
			s,
			&(struct webhook){
				.id = p.id, .source = p.source, .conversation = p.conversation, .customer = p.customer},
			reterr);
	return r != 0 ? (r < 0 ? r : 0) : webhook_make_ready(s, &claim, reterr);
}

static int wake_of_conversation(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND conversation = ?2 AND wait = " SQL_WAIT_BEHIND " AND id < ?3"
	      " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->conversation);
	query_bind_int(&q, p->id);
	return wake(&q, s, reterr);
}

static int wake_of_customer(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND customer = ?2 AND wait = " SQL_WAIT_BEHIND " AND id < ?3"
	      " ORDER BY id LIMIT 1",
	      reterr);
	query_bind_text(&q, p->source);
	query_bind_text(&q, p->customer);
	query_bind_int(&q, p->id);
	return wake(&q, s, reterr);
}

/* Where all that stand before it wait BEHIND as well, the one they waited for may have been deleted by hand: then
 * nobody would ever let them go. The first goes on where nothing is before it. */
static int wake_the_first(struct store *s, const struct webhook_place *p, struct err *reterr)
{
	int r = p->conversation ? webhook_conversation_goes_on(s, p, reterr) : 1;

	if (r == 0)
		r = wake_of_conversation(s, p, reterr);
	if (r >= 0)
		r = p->customer ? webhook_customer_goes_on(s, p, reterr) : 1;
	if (r == 0)
		r = wake_of_customer(s, p, reterr);
	return r < 0 ? r : 0;
}

int store_webhook_wait(struct store *s, int64_t id, enum store_wait why, int64_t not_before_ms, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	bool timed = why == STORE_WAIT_TIME || why == STORE_WAIT_RETRY;
	int r = webhook_place_load(s, id, &p, reterr);

	if (r < 0)
		return r;
	if (p.state != STORE_WEBHOOK_PENDING)
		return err_set(reterr, -ENOENT, "the webhook %016llx is not pending", (long long)id);
	/* Not before 1 ms: 0 says that there is no time to wait for. */
	r = webhook_move(s, &p, STORE_WEBHOOK_PENDING, why, !timed ? 0 : not_before_ms > 0 ? not_before_ms : 1, reterr);
	if (r < 0)
		return r;
	if (why == STORE_WAIT_TIME)
		return webhook_let_go(s, &p, reterr);
	if (why != STORE_WAIT_BEHIND)
		return 0;
	r = wake_the_first(s, &p, reterr);
	if (r < 0)
		return r;
	r = webhook_is_behind_held(s, &p, reterr);
	return r <= 0 ? r : let_go_of_customer(s, &p, reterr);
}

/* ---- its end ----------------------------------------------------------------------------------------------------- */

/* SQLite refuses each change of a row that holds a value of another type than its column's, but it can be replaced.
 * What does not read becomes 0 or another text: so only a row that comes to its end is treated like that. */
static int webhook_retype(struct store *s, int64_t id, struct err *reterr)
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

static int end_write(struct store *s, const struct webhook_place *p, enum store_webhook_state state, const char *result,
		     struct err *reterr)
{
	int64_t ended = s->told_ms > p->received_ms ? s->told_ms : p->received_ms;

	QUERY(q, s,
	      "UPDATE webhooks SET state = ?2, wait = " SQL_WAIT_NONE
	      ", not_before = 0, ended = ?3, result = ?4 WHERE id = ?1",
	      reterr);
	query_bind_int(&q, p->id);
	query_bind_int(&q, (int64_t)state);
	query_bind_int(&q, state == STORE_WEBHOOK_DONE ? ended : 0);
	query_bind_text(&q, result);
	return query_run(&q);
}

static int webhook_end_row(struct store *s, struct webhook_place *p, enum store_webhook_state state, const char *result,
			   struct err *reterr)
{
	int r = end_write(s, p, state, result, reterr);

	if (r == -EBADMSG) {
		r = webhook_retype(s, p->id, reterr);
		if (r >= 0)
			r = end_write(s, p, state, result, reterr);
	}
	if (r < 0)
		return r;
	counts_add(s, COUNT_WEBHOOKS, p->source, (int)p->state, (int)p->wait, -1);
	counts_add(s, COUNT_WEBHOOKS, p->source, (int)state, STORE_WAIT_NONE, 1);
	return 0;
}

/* Nobody asks any more. */
static int lookup_answers_forget(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s, "DELETE FROM lookup_answers WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	return query_run(&q);
}

static int webhook_end(struct store *s, int64_t id, enum store_webhook_state state, const char *result,
		       struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	int r = webhook_place_load(s, id, &p, reterr);

	if (r < 0)
		return r;
	if (p.state != STORE_WEBHOOK_PENDING)
		return err_set(reterr, -ENOENT, "the webhook %016llx is not pending", (long long)id);
	r = webhook_end_row(s, &p, state, result, reterr);
	if (r >= 0)
		r = lookup_answers_forget(s, id, reterr);
	return r < 0 ? r : webhook_let_go(s, &p, reterr);
}

int store_webhook_done(struct store *s, int64_t id, const char *result, struct err *reterr)
{
	return webhook_end(s, id, STORE_WEBHOOK_DONE, result, reterr);
}

int store_webhook_dead(struct store *s, int64_t id, const char *reason, struct err *reterr)
{
	return webhook_end(s, id, STORE_WEBHOOK_DEAD, reason, reterr);
}

int store_webhook_revive(struct store *s, int64_t id, struct err *reterr)
{
	CLEANUP(webhook_place_done) struct webhook_place p = {0};
	int r = webhook_place_load(s, id, &p, reterr);

	if (r < 0)
		return r;
	if (p.state != STORE_WEBHOOK_DEAD)
		return err_set(reterr, -ENOENT, "the webhook %016llx is no dead letter", (long long)id);
	QUERY(q, s, "UPDATE webhooks SET tries = 0, lookups = 0, result = NULL WHERE id = ?1", reterr);
	query_bind_int(&q, id);
	r = query_run(&q);
	return r < 0 ? r : webhook_move(s, &p, STORE_WEBHOOK_PENDING, STORE_WAIT_NONE, 0, reterr);
}

/* ---- rows that are damaged --------------------------------------------------------------------------------------- */

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
