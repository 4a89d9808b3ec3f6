/* SPDX-License-Identifier: MIT */
/*
 * People whose flag is true: their list and number, and those for whom Klaviyo has the flag wrong because the event
 * that should have set it is a dead letter.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/connection.h"
#include "store/numbers.h"
#include "store/tables.h"

#define EVENTS_LOOKED_AT 64 /* the newest of one person and state */
/* Of one source, in the order of the receipts of their openings. No index has the times of the openings themselves,
 * which nearly always have the same order: they are sorted within so many conversations. */
#define CONVERSATIONS_LOOKED_AT 4096

/* ---- the flag in Klaviyo ----------------------------------------------------------------------------------------- */

/* A person's newest event in one state that sets a flag, to true or false. */
struct flag_event {
	int64_t id; /* 0: there is none */
	bool flag;  /* the value */
	bool later; /* dead: a later event of the person was delivered since */
	char *reason;
};

static void flag_event_done(struct flag_event *h)
{
	free(h->reason);
	*h = (struct flag_event){0};
}

/* Looks at one event: `id`, `later`, `reason`, `profile`. Returns 1 where it sets the flag. */
static int flag_event_read(struct query *q, const char *flag, struct flag_event *ret)
{
	CLEANUP(json_putp) struct json_object *profile = NULL;
	int64_t id = query_int(q);
	int64_t later = query_int(q);
	CLEANUP(mem_freep) char *reason = query_text_or_null(q);
	CLEANUP(mem_freep) char *text = query_text(q);

	if (q->bad || json_read(text, strlen(text), &profile, NULL) < 0 ||
	    !json_object_is_type(json_member(profile, flag), json_type_boolean))
		return 0;
	*ret = (struct flag_event){
		.id = id,
		.flag = json_member_bool(profile, flag, false),
		.later = later != 0,
		.reason = TAKE(reason),
	};
	return 1;
}

/* Finds the newest delivered event that sets the flag. */
static int delivered_find(struct store *s, const struct store_paused_person *p, struct flag_event *ret,
			  struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT e.id, e.later, e.reason, b.profile FROM events e CROSS JOIN event_bodies b ON b.id = e.id"
	      " WHERE e.account = ?1 AND e.email = ?2 AND e.state = " SQL_DELIVERED
	      " AND e.gap > 0 ORDER BY e.id DESC LIMIT ?3",
	      reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, EVENTS_LOOKED_AT);
	while ((r = query_step(&q)) > 0)
		if (flag_event_read(&q, p->flag, ret) > 0)
			break;
	return r < 0 ? r : 0;
}

/* Appends the ids that may be those of the person's dead letters. */
static int dead_ids(struct store *s, const struct store_paused_person *p, struct ids *ret, struct err *reterr)
{
	struct change c = change_begin(s, reterr);
	struct key_walk walk = key_walk(&c, KEY_DEAD_PERSON, key_of_person(p->account, p->email), KEYS_ALL);
	int64_t id;

	while ((id = key_walk_next(&walk)) != 0)
		ids_add(ret, id);
	return change_end(&c);
}

/* Finds the newest dead letter of an opening that sets the flag. */
static int dead_find(struct store *s, const struct store_paused_person *p, const struct ids *ids,
		     struct flag_event *ret, struct err *reterr)
{
	size_t looked_at = 0;
	int r = 0;

	for (size_t i = ids->n; i > 0 && r == 0 && looked_at < EVENTS_LOOKED_AT && ret->id == 0; i--) {
		QUERY(q, s,
		      "SELECT e.id, e.later, e.reason, b.profile FROM events e CROSS JOIN event_bodies b ON b.id = e.id"
		      " WHERE e.id = ?1 AND e.account = ?2 AND e.email = ?3 AND e.state = " SQL_EVENT_DEAD
		      " AND b.transition IN (" SQL_OPENINGS ")",
		      reterr);
		query_bind_int(&q, ids->items[i - 1]);
		query_bind_text(&q, p->account);
		query_bind_text(&q, p->email);
		r = query_step(&q);
		if (r <= 0)
			continue;
		looked_at++;
		(void)flag_event_read(&q, p->flag, ret);
		r = 0;
	}
	return r;
}

/* Returns 1 where one of these dead letters is of an opening of this conversation. */
static int is_of_dead(struct store *s, const struct store_paused_person *p, const struct ids *dead,
		      int64_t conversation, struct err *reterr)
{
	int r = 0;

	for (size_t i = dead->n; i > 0 && r == 0; i--) {
		QUERY(q, s,
		      "SELECT 1 FROM events e CROSS JOIN event_bodies b ON b.id = e.id CROSS JOIN conversations c"
		      " ON c.id = ?4 WHERE e.id = ?1 AND e.account = ?2 AND e.email = ?3 AND e.state = " SQL_EVENT_DEAD
		      " AND b.source = c.source AND b.conversation = c.conversation"
		      " AND b.transition IN (" SQL_OPENINGS ")",
		      reterr);
		query_bind_int(&q, dead->items[i - 1]);
		query_bind_text(&q, p->account);
		query_bind_text(&q, p->email);
		query_bind_int(&q, conversation);
		r = query_step(&q);
	}
	return r;
}

/* Returns 1 where the flag is also true for a conversation whose opening is no dead letter. */
static int has_another_reason(struct store *s, const struct store_paused_person *p, const struct ids *dead,
			      struct err *reterr)
{
	CLEANUP(buf_done) struct buf person;
	struct change c = change_begin(s, reterr);
	struct key_walk walk;
	int64_t id;
	int r = 1;

	people_init(&person);
	people_add(&person, p->email, p->account, p->flag);
	walk = key_walk(&c, KEY_OPEN_PERSON, key_of_open_person(person.data, person.len), KEYS_ALL);
	while (r == 1 && (id = open_person_next(&walk, &person)) != 0)
		r = is_of_dead(s, p, dead, id, reterr);
	if (r < 0 || c.status < 0)
		return r < 0 ? r : c.status;
	return r == 0;
}

/*
 * Klaviyo has the value of the newest delivered event that sets the flag. Delivered events are deleted after a while:
 * if none is left, an opening that is no dead letter, or an event that followed the dead one, counts as having set it.
 */
static int check_refused(struct store *s, struct store_paused_person *p, struct err *reterr)
{
	CLEANUP(flag_event_done) struct flag_event dead = {0};
	CLEANUP(flag_event_done) struct flag_event delivered = {0};
	CLEANUP(ids_done) struct ids ids = {0};
	int r = dead_ids(s, p, &ids, reterr);

	if (r == 0)
		r = dead_find(s, p, &ids, &dead, reterr);
	if (r < 0 || !dead.flag)
		return r;
	r = delivered_find(s, p, &delivered, reterr);
	if (r < 0 || delivered.flag || delivered.id > dead.id)
		return r;
	if (delivered.id == 0)
		r = dead.later ? 1 : has_another_reason(s, p, &ids, reterr);
	if (r == 0)
		p->refused = dead.reason ? TAKE(dead.reason) : mem_str("no reason is known");
	return r < 0 ? r : 0;
}

/* ---- people whose flag is true ----------------------------------------------------------------------------------- */

static void paused_free(struct store_paused_person *p)
{
	free((char *)(uintptr_t)p->source);
	free((char *)(uintptr_t)p->conversation);
	free((char *)(uintptr_t)p->email);
	free((char *)(uintptr_t)p->flag);
	free((char *)(uintptr_t)p->account);
	free((char *)(uintptr_t)p->refused);
}

/* An open conversation. */
struct opened {
	int64_t id, opened_ms;
};

static int longer_open_first(const void *a, const void *b)
{
	const struct opened *x = a;
	const struct opened *y = b;

	if (x->opened_ms != y->opened_ms)
		return (x->opened_ms > y->opened_ms) - (x->opened_ms < y->opened_ms);
	return (x->id > y->id) - (x->id < y->id);
}

/* Finds the next source that has open conversations, from `from` on. The caller owns *ret. */
static int open_source(struct store *s, const char *from, char **ret, struct err *reterr)
{
	int r;

	QUERY(q, s,
	      "SELECT source FROM conversations WHERE state = " SQL_OPEN
	      " AND source >= ?1 AND source < x'' ORDER BY source LIMIT 1",
	      reterr);
	query_bind_text(&q, from);
	r = query_step(&q);
	if (r > 0)
		*ret = query_text(&q);
	return r;
}

/* Appends the open conversations of a source from the nth on. */
static int open_ids_of(struct store *s, const char *source, int64_t nth, struct ids *ids, struct ids *opened,
		       struct err *reterr)
{
	QUERY(q, s,
	      "SELECT c.id, c.opened FROM conversations i CROSS JOIN conversations c ON c.id = i.id"
	      " WHERE i.state = " SQL_OPEN " AND i.source = ?1 AND c.state = " SQL_OPEN
	      " AND c.source = ?1 AND c.opened_received = i.opened_received ORDER BY i.opened_received, i.id LIMIT ?2"
	      " OFFSET ?3",
	      reterr);
	query_bind_text(&q, source);
	query_bind_int(&q, CONVERSATIONS_LOOKED_AT);
	query_bind_int(&q, nth);
	return query_id_pairs(&q, ids, opened);
}

static int open_ids(struct store *s, int64_t nth, struct ids *ids, struct ids *opened, struct err *reterr)
{
	CLEANUP(mem_freep) char *from = mem_str("");
	CLEANUP(mem_freep) char *source = NULL;
	int r;

	while ((r = open_source(s, from, &source, reterr)) > 0) {
		r = open_ids_of(s, source, nth, ids, opened, reterr);
		if (r == 0)
			r = read_limit_check(s, reterr);
		if (r < 0)
			break;
		free(from);
		from = after_text(source);
		free(source);
		source = NULL;
	}
	return r;
}

/* Returns each source's open conversations from the nth on, the longest open first. The caller owns *ret. */
static int open_conversations(struct store *s, int64_t nth, struct opened **ret, size_t *ret_n, struct err *reterr)
{
	CLEANUP(ids_done) struct ids ids = {0};
	CLEANUP(ids_done) struct ids opened = {0};
	int r = open_ids(s, nth, &ids, &opened, reterr);

	if (r < 0 || ids.n == 0)
		return r;
	*ret = mem_new(ids.n, sizeof(**ret));
	*ret_n = ids.n;
	for (size_t i = 0; i < ids.n; i++)
		(*ret)[i] = (struct opened){ids.items[i], opened.items[i]};
	qsort(*ret, ids.n, sizeof(**ret), longer_open_first);
	return 0;
}

/* Returns 1 where a longer open conversation keeps this flag of the person true. */
static int has_longer_open(struct store *s, const struct person *p, const struct opened *c, struct err *reterr)
{
	CLEANUP(buf_done) struct buf person;
	struct change change = change_begin(s, reterr);
	struct key_walk walk = key_walk(&change, KEY_OPEN_PERSON, key_of_open_person(p->bytes, p->n), KEYS_ALL);
	int64_t id;
	int r = 0;

	people_init(&person);
	buf_add(&person, p->bytes, p->n);
	while (r == 0 && (id = open_person_next(&walk, &person)) != 0) {
		QUERY(q, s, "SELECT 1 FROM conversations WHERE id = ?1 AND (opened, id) < (?2, ?3)", reterr);
		query_bind_int(&q, id);
		query_bind_int(&q, c->opened_ms);
		query_bind_int(&q, c->id);
		r = query_step(&q);
	}
	return change.status < 0 ? change.status : r;
}

/* Appends the people of one conversation who are not paused for longer by another one. */
static int paused_of(struct store *s, const struct opened *c, size_t max, struct store_paused_person *people,
		     size_t *ret_n, struct err *reterr)
{
	CLEANUP(mem_freep) char *source = NULL;
	CLEANUP(mem_freep) char *conversation = NULL;
	struct people list;
	struct person p;
	int r;

	QUERY(q, s, "SELECT source, conversation, people FROM conversations WHERE id = ?1", reterr);
	query_bind_int(&q, c->id);
	r = query_step(&q);
	if (r <= 0)
		return r;
	source = query_text(&q);
	conversation = query_text(&q);
	list.bytes = query_blob(&q, &list.n);
	while (r >= 0 && *ret_n < max && people_next(&list, &p) > 0) {
		r = has_longer_open(s, &p, c, reterr);
		if (r == 0)
			people[(*ret_n)++] = (struct store_paused_person){
				.source = mem_str(source),
				.conversation = mem_str(conversation),
				.email = mem_str(p.email),
				.flag = mem_str(p.flag),
				.account = mem_str(p.account),
				.opened_ms = c->opened_ms,
			};
	}
	return r < 0 ? r : 0;
}

/* The longest open conversation comes first. Of several conversations that keep one flag true, the longest open one
 * counts. */
static int paused_collect(struct store *s, size_t max, struct store_paused_person *people, size_t *ret_n,
			  struct err *reterr)
{
	int r = 1;

	for (int64_t nth = 0; r > 0 && *ret_n < max; nth += CONVERSATIONS_LOOKED_AT) {
		CLEANUP(mem_freep) struct opened *open = NULL;
		size_t n = 0;

		r = open_conversations(s, nth, &open, &n, reterr);
		for (size_t i = 0; r == 0 && i < n && *ret_n < max; i++) {
			r = paused_of(s, &open[i], max, people, ret_n, reterr);
			if (r == 0)
				r = read_limit_check(s, reterr);
		}
		if (r == 0 && n > 0)
			r = 1;
	}
	return r < 0 ? r : 0;
}

int store_paused_page(struct store *s, size_t max, int (*fn)(void *ctx, const struct store_paused_person *p), void *ctx,
		      struct err *reterr)
{
	struct store_paused_person *people = mem_new(max, sizeof(*people));
	size_t n = 0;
	size_t given = 0;
	int r;

	read_limit_start(s);
	r = keys_read(s, reterr);
	if (r == 0)
		r = paused_collect(s, max, people, &n, reterr);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = check_refused(s, &people[i], reterr);
		if (r == -EUCLEAN) /* an index names an event whose row is missing */
			r = 0;
		if (r == 0)
			r = read_limit_check(s, reterr);
	}
	read_limit_end(s);
	while (r == 0 && given < n)
		if (fn(ctx, &people[given++]) != 0)
			break;
	for (size_t i = 0; i < n; i++)
		paused_free(&people[i]);
	free(people);
	return r < 0 ? r : (int)given;
}

int store_paused_count(struct store *s, int64_t *ret, struct err *reterr)
{
	int r;

	read_limit_start(s);
	r = keys_read(s, reterr);
	if (r == 0)
		r = keys_count(s, KEY_OPEN_PERSON, ret, reterr);
	read_limit_end(s);
	return r;
}
