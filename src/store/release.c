/*
 * Waiting webhooks made ready: those whose time has come, and all that wait for something that has happened.
 *
 * Both may be a hundred thousand, after an outage of a helpdesk or a long stop, and a turn must not take seconds. So
 * one call makes STORE_RELEASE_ROWS ready, and each turn's store_webhooks_due goes on with the rest in order of
 * receipt. A release never looks back: whoever was let go and waits again is not let go by it twice, and so it comes to
 * an end.
 *
 * What is still to be let go stands in memory only, and belongs to the transaction: what is rolled back is done again.
 * After a crash store_webhooks_restart finds it anew.
 */
#include <config.h>

#include <string.h>

#include "base/clock.h"
#include "store/numbers.h"
#include "store/tables.h"

/* All webhooks of a source that wait for one reason. */
struct release {
	struct release *next;
	char *source;
	enum store_wait why;
	int64_t after;     /* the last one let go */
	int64_t committed; /* the same as of the last commit */
	bool over;         /* there were no more; it goes with the commit */
};

static void release_free(struct release *r)
{
	free(r->source);
	free(r);
}

static void releases_committed(struct store *s)
{
	for (struct release **at = &s->releases, *r; (r = *at);) {
		r->committed = r->after;
		if (r->over) {
			*at = r->next;
			release_free(r);
		} else {
			at = &r->next;
		}
	}
}

static void releases_undone(struct store *s)
{
	for (struct release *r = s->releases; r; r = r->next) {
		r->after = r->committed;
		r->over = false;
	}
}

const struct transaction_hook releases_hook = {
	.undo = releases_undone,
	.committed = releases_committed,
	.rolled_back = releases_undone,
};

void releases_done(struct store *s)
{
	for (struct release *r = s->releases, *next; r; r = next) {
		next = r->next;
		release_free(r);
	}
	s->releases = NULL;
}

/* The one of this source and reason, from its beginning on. */
static struct release *release_begin(struct store *s, const char *source, enum store_wait why)
{
	struct release *r;

	for (r = s->releases; r; r = r->next)
		if (r->why == why && strcmp(r->source, source) == 0)
			break;
	if (!r) {
		r = mem_new(1, sizeof(*r));
		r->source = mem_str(source);
		r->why = why;
		r->next = s->releases;
		s->releases = r;
	}
	r->after = r->committed = 0;
	r->over = false;
	return r;
}

/* The next of them, at most *left, which is counted down. */
static int release_go_on(struct store *s, struct release *r, size_t *left, struct err *reterr)
{
	const struct webhook_claim claim = {.wait = r->why, .source = r->source};
	CLEANUP(ids_done) struct ids ids = {0};
	int code;

	if (*left == 0)
		return 0;
	QUERY(q, s,
	      "SELECT id FROM webhooks INDEXED BY webhooks_wait WHERE state = " SQL_PENDING " AND wait > " SQL_WAIT_NONE
	      " AND wait = ?1"
	      " AND source = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
	      reterr);
	query_bind_int(&q, (int64_t)r->why);
	query_bind_text(&q, r->source);
	query_bind_int(&q, r->after);
	query_bind_int(&q, (int64_t)*left);
	code = query_ids(&q, &ids);
	query_close(&q);
	if (code == 0)
		code = webhooks_make_ready(s, &ids, &claim, reterr);
	if (code < 0)
		return code;
	r->over = ids.n < *left;
	if (ids.n > 0)
		r->after = ids.items[ids.n - 1];
	*left -= ids.n;
	return 0;
}

/* ---- what happened ----------------------------------------------------------------------------------------------- */

int store_webhooks_release(struct store *s, const char *source, enum store_wait why, const char *customer_or_null,
			   struct err *reterr)
{
	const struct webhook_claim claim = {.wait = why, .source = source, .customer = customer_or_null};
	CLEANUP(ids_done) struct ids ids = {0};
	size_t left = STORE_RELEASE_ROWS;
	int r;

	if (!customer_or_null)
		return release_go_on(s, release_begin(s, source, why), &left, reterr);
	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING
	      " AND source = ?1 AND customer = ?2 AND wait = ?3 ORDER BY id",
	      reterr);
	query_bind_text(&q, source);
	query_bind_text(&q, customer_or_null);
	query_bind_int(&q, (int64_t)why);
	r = query_ids(&q, &ids);
	query_close(&q);
	return r < 0 ? r : webhooks_make_ready(s, &ids, &claim, reterr);
}

int store_webhooks_release_slot(struct store *s, const char *source, size_t max, struct err *reterr)
{
	struct release oldest = {.source = (char *)(uintptr_t)source, .why = STORE_WAIT_SLOT};
	size_t left = max;
	int r = release_go_on(s, &oldest, &left, reterr);

	return r < 0 ? r : (int)(max - left);
}

int store_webhook_release_parked(struct store *s, const char *source, int64_t *after, struct err *reterr)
{
	struct release next = {.source = (char *)(uintptr_t)source, .why = STORE_WAIT_PARKED, .after = *after};
	size_t left = 1;
	int r = release_go_on(s, &next, &left, reterr);

	if (r == 0 && left == 1 && *after != 0) {
		next.after = 0;
		r = release_go_on(s, &next, &left, reterr);
	}
	if (r < 0)
		return r;
	*after = next.after;
	return left == 0;
}

/* The first source after this one, by name, that has webhooks waiting for that reason; NULL: none. */
static int next_source(struct store *s, enum store_wait why, const char *after, char **ret, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT source FROM webhooks INDEXED BY webhooks_wait WHERE state = " SQL_PENDING
	      " AND wait > " SQL_WAIT_NONE " AND wait = ?1"
	      " AND source > ?2 ORDER BY source LIMIT 1",
	      reterr);
	query_bind_int(&q, (int64_t)why);
	query_bind_text(&q, after);
	r = query_step(&q);
	if (r > 0)
		*ret = query_text(&q);
	return r;
}

/* Of all sources. */
static int restart_of(struct store *s, enum store_wait why, size_t *left, struct err *reterr)
{
	CLEANUP(mem_freep) char *source = mem_str("");
	int r;

	for (;;) {
		char *next = NULL;

		r = next_source(s, why, source, &next, reterr);
		if (r <= 0)
			return r;
		free(source);
		source = next;
		r = release_go_on(s, release_begin(s, source, why), left, reterr);
		if (r < 0)
			return r;
	}
}

/* Pending ones that wait for nothing there is: nobody would ever ask for them. */
static int straighten(struct query *q, struct store *s, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	int r = query_ids(q, &ids);

	query_close(q);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		QUERY(row, s,
		      "UPDATE webhooks SET wait = " SQL_WAIT_NONE
		      ", not_before = 0, ended = 0 WHERE id = ?1 AND +state = " SQL_PENDING,
		      reterr);
		query_bind_int(&row, ids.items[i]);
		r = query_run(&row);
	}
	return r < 0 ? r : 0;
}

static int straighten_all(struct store *s, struct err *reterr)
{
	int r;

	QUERY(below, s, "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait < " SQL_WAIT_NONE " LIMIT ?1",
	      reterr);
	query_bind_int(&below, STORE_RELEASE_ROWS);
	r = straighten(&below, s, reterr);
	if (r < 0)
		return r;
	QUERY(above, s, "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait > " SQL_WAIT_LAST " LIMIT ?1",
	      reterr);
	query_bind_int(&above, STORE_RELEASE_ROWS);
	r = straighten(&above, s, reterr);
	if (r < 0)
		return r;
	QUERY(ended, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait = " SQL_WAIT_NONE
	      " AND ended > 0 LIMIT ?1",
	      reterr);
	query_bind_int(&ended, STORE_RELEASE_ROWS);
	return straighten(&ended, s, reterr);
}

int store_webhooks_restart(struct store *s, struct err *reterr)
{
	size_t left = STORE_RELEASE_ROWS;
	int r = straighten_all(s, reterr);

	return r < 0 ? r : restart_of(s, STORE_WAIT_LOOKUP, &left, reterr);
}

int store_webhooks_look_again(struct store *s, enum store_wait why, struct err *reterr)
{
	size_t left = STORE_RELEASE_ROWS;

	return restart_of(s, why, &left, reterr);
}

/* ---- ready ------------------------------------------------------------------------------------------------------- */

/* One that is lost costs a look through the indexes of all that is undone: so many a call. */
#define MENDS_MAX 16

/* As an index names them. */
static int ready_ids(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr)
{
	size_t n = 0;
	int r;

	QUERY(q, s,
	      "SELECT id FROM webhooks WHERE state = " SQL_PENDING " AND wait = " SQL_WAIT_NONE
	      " AND ended = 0 ORDER BY id LIMIT ?1",
	      reterr);
	query_bind_int(&q, (int64_t)max);
	while ((r = query_step(&q)) > 0)
		ret_ids[n++] = query_int(&q);
	return r < 0 ? r : (int)n;
}

/* As the row says. */
static int is_ready(struct store *s, int64_t id, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM webhooks WHERE id = ?1 AND +state = " SQL_PENDING " AND +wait = " SQL_WAIT_NONE
	      " AND +ended = 0",
	      reterr);
	query_bind_int(&q, id);
	return query_step(&q);
}

int store_webhooks_ready(struct store *s, int64_t *ret_ids, size_t max, struct err *reterr)
{
	int n = ready_ids(s, ret_ids, max, reterr);
	unsigned mended = 0;

	for (int i = 0; s->in_transaction && i < n && mended < MENDS_MAX; i++) {
		const struct webhook_claim claim = {.id = ret_ids[i], .wait = STORE_WAIT_NONE};
		int r = is_ready(s, claim.id, reterr);

		if (r > 0)
			continue;
		if (r == 0)
			r = webhook_mend(s, &claim, reterr);
		if (r < 0)
			return r;
		mended++;
		n = ready_ids(s, ret_ids, max, reterr);
		i = -1;
	}
	return n;
}

/* ---- each turn --------------------------------------------------------------------------------------------------- */

/* An entry with no such row, or with a row that waits for no time. */
static int timed_ready(struct store *s, int64_t id, int64_t not_before_ms, struct err *reterr)
{
	struct webhook_claim claim = {.id = id, .wait = STORE_WAIT_RETRY, .not_before_ms = not_before_ms};
	int64_t wait = 0;
	int r;

	QUERY(q, s, "SELECT wait FROM webhooks WHERE id = ?1 AND +state = " SQL_PENDING " AND +not_before = ?2",
	      reterr);
	query_bind_int(&q, id);
	query_bind_int(&q, not_before_ms);
	r = query_one_int(&q, &wait);
	query_close(&q);
	if (r < 0)
		return r;
	if (r == 0)
		return webhook_mend(s, &claim, reterr);
	claim.wait = (enum store_wait)wait;
	return webhook_make_ready(s, &claim, reterr);
}

static int timed_make_ready(struct store *s, const struct ids *ids, const struct ids *times, struct err *reterr)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ids->n; i++)
		r = timed_ready(s, ids->items[i], times->items[i], reterr);
	return r < 0 ? r : 0;
}

int store_webhooks_bring_near(struct store *s, int64_t farthest_ms, size_t max, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	CLEANUP(ids_done) struct ids times = {0};
	int r;

	QUERY(q, s,
	      "SELECT id, not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
	      " AND not_before > 0"
	      " AND not_before > ?1 ORDER BY not_before DESC LIMIT ?2",
	      reterr);
	query_bind_int(&q, farthest_ms);
	query_bind_int(&q, (int64_t)max);
	r = query_id_pairs(&q, &ids, &times);
	query_close(&q);
	if (r == 0)
		r = timed_make_ready(s, &ids, &times, reterr);
	return r < 0 ? r : (int)ids.n;
}

static int release_timed(struct store *s, int64_t now_ms, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	CLEANUP(ids_done) struct ids times = {0};
	int r;

	QUERY(q, s,
	      "SELECT id, not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
	      " AND not_before > 0"
	      " AND not_before <= ?1 ORDER BY not_before LIMIT ?2",
	      reterr);
	query_bind_int(&q, now_ms);
	query_bind_int(&q, STORE_RELEASE_ROWS);
	r = query_id_pairs(&q, &ids, &times);
	query_close(&q);
	return r < 0 ? r : timed_make_ready(s, &ids, &times, reterr);
}

int store_webhooks_due(struct store *s, int64_t now_ms, struct err *reterr)
{
	size_t left = STORE_RELEASE_ROWS;
	int r;

	s->told_ms = now_ms; /* the clock may have been set back */
	r = release_timed(s, now_ms, reterr);
	for (struct release *at = s->releases; r == 0 && at && left > 0; at = at->next)
		if (!at->over)
			r = release_go_on(s, at, &left, reterr);
	return r;
}

int64_t store_webhooks_next_due_ms(struct store *s)
{
	int64_t due = CLOCK_NEVER_MS;

	for (const struct release *r = s->releases; r; r = r->next)
		if (!r->over)
			return 0;
	QUERY(q, s,
	      "SELECT not_before FROM webhooks INDEXED BY webhooks_due WHERE state = " SQL_PENDING
	      " AND not_before > 0 ORDER BY "
	      "not_before LIMIT 1",
	      NULL);
	return query_one_int(&q, &due) < 0 ? CLOCK_NEVER_MS : due;
}
