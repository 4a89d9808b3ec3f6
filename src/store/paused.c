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
#include "store/query.h"

#define EVENTS_LOOKED_AT 64 /* the newest of one person and state */

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

/* The next two read a person's events with their profiles, the newest first. Of dead events only those of openings
 * count. */
static const char dead_events[] =
	"SELECT e.id, e.later, e.reason, b.profile FROM events e CROSS JOIN event_bodies b ON b.id = e.id"
	" WHERE e.account = ?1 AND e.email = ?2 AND e.state " SQL_UNDELIVERED " AND e.state = " SQL_EVENT_DEAD
	" AND b.transition IN (" SQL_OPENINGS ") ORDER BY e.id DESC LIMIT ?3";
static const char delivered_events[] =
	"SELECT e.id, e.later, e.reason, b.profile FROM events e CROSS JOIN event_bodies b ON b.id = e.id"
	" WHERE e.account = ?1 AND e.email = ?2 AND e.state = " SQL_DELIVERED
	" AND e.gap > 0 ORDER BY e.id DESC LIMIT ?3";

/* Finds the newest of these events that sets the flag. */
static int flag_event_of(struct store *s, const struct store_paused_person *p, const char *sql, struct flag_event *ret,
			 struct err *reterr)
{
	int r;

	QUERY(q, s, sql, reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_int(&q, EVENTS_LOOKED_AT);
	while ((r = query_step(&q)) > 0) {
		CLEANUP(json_putp) struct json_object *profile = NULL;
		int64_t id = query_int(&q);
		int64_t later = query_int(&q);
		CLEANUP(mem_freep) char *reason = query_text_or_null(&q);
		CLEANUP(mem_freep) char *text = query_text(&q);

		if (q.bad || json_read(text, strlen(text), &profile, NULL) < 0 ||
		    !json_object_is_type(json_member(profile, p->flag), json_type_boolean))
			continue;
		*ret = (struct flag_event){
			.id = id,
			.flag = json_member_bool(profile, p->flag, false),
			.later = later != 0,
			.reason = TAKE(reason),
		};
		break;
	}
	return r < 0 ? r : 0;
}

/* Returns 1 where the flag is also true for a conversation whose opening is no dead letter. */
static int has_another_reason(struct store *s, const struct store_paused_person *p, struct err *reterr)
{
	QUERY(q, s,
	      "SELECT 1 FROM reached r CROSS JOIN conversations c ON c.id = r.conversation"
	      " WHERE r.open = 1 AND r.account = ?1 AND r.email = ?2 AND r.flag = ?3 AND NOT EXISTS (SELECT 1 FROM"
	      "  events e CROSS JOIN event_bodies b ON b.id = e.id WHERE e.account = ?1 AND e.email = ?2"
	      "  AND e.state " SQL_UNDELIVERED " AND e.state = " SQL_EVENT_DEAD
	      "  AND b.source = c.source AND b.conversation = c.conversation"
	      "  AND b.transition IN (" SQL_OPENINGS ")) LIMIT 1",
	      reterr);
	query_bind_text(&q, p->account);
	query_bind_text(&q, p->email);
	query_bind_text(&q, p->flag);
	return query_step(&q);
}

/*
 * Klaviyo has the value of the newest delivered event that sets the flag. Delivered events are deleted after a while:
 * if none is left, an opening that is no dead letter, or an event that followed the dead one, counts as having set it.
 */
static int check_refused(struct store *s, struct store_paused_person *p, struct err *reterr)
{
	CLEANUP(flag_event_done) struct flag_event dead = {0};
	CLEANUP(flag_event_done) struct flag_event delivered = {0};
	int r = flag_event_of(s, p, dead_events, &dead, reterr);

	if (r < 0 || !dead.flag)
		return r;
	r = flag_event_of(s, p, delivered_events, &delivered, reterr);
	if (r < 0 || delivered.flag || delivered.id > dead.id)
		return r;
	if (delivered.id == 0)
		r = dead.later ? 1 : has_another_reason(s, p, reterr);
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

static int paused_collect(struct store *s, size_t max, struct store_paused_person *people, size_t *ret_n,
			  struct err *reterr)
{
	int r;

	/* The longest open conversation comes first. Of several conversations that keep one flag true, the longest open
	 * one counts. */
	QUERY(q, s,
	      "SELECT c.source, c.conversation, r.email, r.flag, r.account, c.opened FROM conversations i"
	      " INDEXED BY conversations_age CROSS JOIN conversations c ON c.id = i.id"
	      " CROSS JOIN reached j ON j.conversation = i.id CROSS JOIN reached r ON r.id = j.id"
	      " WHERE i.state = " SQL_OPEN " AND c.state = " SQL_OPEN
	      " AND c.opened = i.opened AND r.conversation = c.id"
	      " AND r.email IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reached k CROSS JOIN reached o ON o.id = k.id"
	      "  CROSS JOIN conversations d ON d.id = o.conversation WHERE k.open = 1 AND k.email = r.email"
	      "  AND k.account = r.account AND k.flag = r.flag AND o.open = 1 AND o.email = r.email"
	      "  AND (d.opened, d.id) < (c.opened, c.id))"
	      " ORDER BY i.opened, i.id LIMIT ?1",
	      reterr);
	query_bind_int(&q, (int64_t)max);
	while ((r = query_step(&q)) > 0) {
		struct store_paused_person *p = &people[(*ret_n)++];

		p->source = query_text(&q);
		p->conversation = query_text(&q);
		p->email = query_text(&q);
		p->flag = query_text(&q);
		p->account = query_text(&q);
		p->opened_ms = query_int(&q);
	}
	return r;
}

int store_paused_page(struct store *s, size_t max, int (*fn)(void *ctx, const struct store_paused_person *p), void *ctx,
		      struct err *reterr)
{
	struct store_paused_person *people = mem_new(max, sizeof(*people));
	size_t n = 0;
	size_t given = 0;
	int r;

	read_limit_start(s);
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

/* The index alone is read; it has a person's open conversations next to each other. */
int store_paused_count(struct store *s, int64_t *ret, struct err *reterr)
{
	int r;

	read_limit_start(s);
	{
		QUERY(q, s,
		      "SELECT count(*) FROM (SELECT 1 FROM reached WHERE open = 1 AND email IS NOT NULL"
		      " GROUP BY email, account, flag)",
		      reterr);
		r = query_one_int(&q, ret);
	}
	read_limit_end(s);
	return r < 0 ? r : 0;
}
