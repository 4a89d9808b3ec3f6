/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/lookup_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "pipeline/parsed_cache.h"

_Static_assert(STORE_MARK_BYTES == LOOKUP_MARK_BYTES, "the store keeps marks as they are");

/* A pass tells whether the webhook is one that may be asked for while its source is parked: so many are let go a turn.
 */
#define FOR_NEW_BATCH 16

struct lookup_source {
	struct lookup_source *next;
	char *name;
	unsigned window;
	bool for_new;  /* the window is for webhooks only that nobody was asked for yet: parked */
	bool opened;   /* those that waited because it was parked have not been let go yet; */
	bool released; /* or were, in the transaction under way */
	bool probing;  /* parked, but for one of those */
	int64_t useful_ms;
	int64_t probe_cursor;
	bool slot_wanted; /* set by everything that may have let a slot go unused; cleared by letting webhooks go */
};

enum lookup_entry_state {
	ENTRY_IN_FLIGHT,
	ENTRY_ANSWERED, /* the verdict waits for the webhook that asked */
};

/* The change that a turn made of a question, until it is committed. */
enum lookup_entry_change {
	CHANGE_NONE,
	CHANGE_ASKED,
	CHANGE_ANSWERED,
	CHANGE_READ,
	CHANGE_ANSWERED_AND_READ,
};

struct lookup_entry {
	struct lookup_entry *next;
	char *source;
	char *key;
	int64_t webhook;
	char *customer; /* of all that wait for it; NULL: they are of several, or of none */
	enum lookup_entry_state state;
	enum lookup_entry_change change;
	struct lookup_verdict verdict; /* ANSWERED */
	struct lookup_request *ask;    /* CHANGE_ASKED: goes out with the commit */
	unsigned commits;              /* since it was answered */
};

/* A verdict that nobody read within so many turns: its webhook ended in another way. */
#define VERDICT_KEPT_COMMITS 1000

struct lookup_table {
	struct lookup_source *sources;
	struct lookup_entry *entries;
};

struct lookup_table *lookup_table_new(void)
{
	return mem_new(1, sizeof(struct lookup_table));
}

static void lookup_entry_free(struct lookup_entry *q)
{
	free(q->source);
	free(q->key);
	free(q->customer);
	free(q->verdict.reason);
	if (q->ask)
		lookup_request_free(q->ask);
	free(q);
}

void lookup_table_free(struct lookup_table *l)
{
	if (!l)
		return;
	for (struct lookup_entry *q = l->entries, *next; q; q = next) {
		next = q->next;
		lookup_entry_free(q);
	}
	for (struct lookup_source *s = l->sources, *next; s; s = next) {
		next = s->next;
		free(s->name);
		free(s);
	}
	free(l);
}

static struct lookup_source *source_find(const struct lookup_table *l, const char *name)
{
	for (struct lookup_source *s = l->sources; s; s = s->next)
		if (text_is(s->name, name))
			return s;
	return NULL;
}

static struct lookup_source *source_get(struct lookup_table *l, const char *name)
{
	struct lookup_source *s = source_find(l, name);

	if (!s) {
		s = mem_new(1, sizeof(*s));
		s->name = mem_str(name);
		s->next = l->sources;
		l->sources = s;
	}
	return s;
}

void lookup_table_window(struct lookup_table *l, const char *source, unsigned window, bool for_new)
{
	struct lookup_source *s = source_get(l, source);

	s->probing = !for_new && window <= 1 && (s->for_new || s->probing); /* 0: paused */
	s->opened = s->opened || (!for_new && window > 1);
	s->for_new = for_new;
	s->window = window;
	s->slot_wanted = true;
}

bool lookup_table_is_parked(const struct lookup_table *l, const char *source)
{
	const struct lookup_source *s = source_find(l, source);

	return s && (s->for_new || s->probing);
}

int64_t lookup_table_useful_ms(const struct lookup_table *l, const char *source)
{
	const struct lookup_source *s = source_find(l, source);

	return s ? s->useful_ms : 0;
}

unsigned lookup_table_free_slots(const struct lookup_table *l, const char *source)
{
	const struct lookup_source *s = source_find(l, source);
	unsigned under_way = 0;

	if (!s)
		return 0;
	for (const struct lookup_entry *q = l->entries; q; q = q->next)
		if (q->state == ENTRY_IN_FLIGHT && text_is(q->source, source))
			under_way++;
	return under_way < s->window ? s->window - under_way : 0;
}

bool lookup_table_may_ask(const struct lookup_table *l, const char *source, bool is_new)
{
	const struct lookup_source *s = source_find(l, source);

	return s && (is_new || !s->for_new) && lookup_table_free_slots(l, source) > 0;
}

static struct lookup_entry *entry_in_flight(const struct lookup_table *l, const char *source, const char *key)
{
	for (struct lookup_entry *q = l->entries; q; q = q->next)
		if (q->state == ENTRY_IN_FLIGHT && text_is(q->source, source) && text_is(q->key, key))
			return q;
	return NULL;
}

bool lookup_table_attach(struct lookup_table *l, const char *key, const struct webhook *w)
{
	struct lookup_entry *q = entry_in_flight(l, w->source, key);

	if (q) {
		/* The key goes by how the customer is read now, the webhook's own mark by how it was read first. */
		if (!text_is(q->customer, w->customer)) {
			free(q->customer);
			q->customer = NULL;
		}
		return true;
	}
	for (q = w->customer ? l->entries : NULL; q; q = q->next)
		if (q->state == ENTRY_IN_FLIGHT && text_is(q->source, w->source) && text_is(q->customer, w->customer))
			return true;
	return false;
}

void lookup_table_ask(struct lookup_table *l, const char *key, struct parsed_webhook *p, struct generation *g,
		      bool is_new, const struct lookup_mark *worked)
{
	const struct webhook *w = &p->webhook;
	struct lookup_entry *q = mem_new(1, sizeof(*q));

	INSIST(!entry_in_flight(l, w->source, key));
	q->source = mem_str(w->source);
	q->key = mem_str(key);
	q->webhook = w->id;
	q->customer = mem_str(w->customer);
	q->state = ENTRY_IN_FLIGHT;
	q->change = CHANGE_ASKED;
	q->ask = mem_new(1, sizeof(*q->ask));
	q->ask->source = mem_str(w->source);
	q->ask->key = mem_str(key);
	q->ask->is_new = is_new;
	if (worked)
		q->ask->worked = *worked;
	q->ask->parsed = p;
	q->ask->generation = g ? generation_ref(g) : NULL;
	q->next = l->entries;
	l->entries = q;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

const char *lookup_table_answered(struct lookup_table *l, const struct lookup_answer *a)
{
	struct lookup_entry *q = entry_in_flight(l, a->source, a->key);

	lookup_table_slot_wanted(l, a->source);
	if (!q)
		return NULL;
	q->state = ENTRY_ANSWERED;
	q->change = CHANGE_ANSWERED;
	q->verdict.outcome = a->outcome;
	q->verdict.retry_after_ms = a->retry_after_ms;
	free(q->verdict.reason);
	q->verdict.reason = mem_str(a->reason.text);
	return q->customer;
}

/* An answer that cannot be kept is asked for again: by the webhook that waits for it. */
static int keep_customer(struct turn_context *tc, const struct lookup_answer *a, struct err *reterr)
{
	struct err e = {0};
	int r = turn_context_savepoint(tc, reterr);

	if (r < 0)
		return r;
	r = store_customer_save(tc->store, a->source, a->key, &a->found, tc->now_ms, &e);
	if (r == 0)
		pending_log_refused(tc->pending, &(struct log_about){.source = a->source}, &a->found.addresses);
	r = turn_context_savepoint_end(tc, r, &e);
	if (r == 0)
		return 0;
	if (store_error_ends_turn(r)) {
		*reterr = e;
		return r;
	}
	log_error(&(struct log_about){.source = a->source, .reason = e.text}, "a lookup's answer cannot be kept");
	return 0;
}

/* Keeps that the source's lookups work, where that is news. */
static int keep_worked(struct turn_context *tc, const struct lookup_answer *a, struct err *reterr)
{
	unsigned char kept[STORE_MARK_BYTES];
	int r;

	if (!a->worked.is_set)
		return 0;
	r = store_lookups_worked(tc->store, a->source, kept, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && memcmp(kept, a->worked.bytes, sizeof(kept)) == 0)
		return 0;
	return store_lookups_save_worked(tc->store, a->source, a->worked.bytes, reterr);
}

int lookup_table_save_answer(struct turn_context *tc, struct lookup_answer *a, struct err *reterr)
{
	const char *customer;
	int r = keep_worked(tc, a, reterr);

	if (r == 0 && a->outcome == LOOKUP_FOUND)
		r = keep_customer(tc, a, reterr);
	if (r < 0)
		return r;
	if (a->outcome == LOOKUP_FOUND || a->outcome == LOOKUP_GONE)
		source_get(tc->lookups, a->source)->useful_ms = tc->now_ms;
	customer = lookup_table_answered(tc->lookups, a);
	/* The webhook may have ended while it was asked about: then nobody takes it, and it must make room for others.
	 */
	if (a->parsed)
		parsed_cache_add(tc->cache, tc->config, TAKE(a->parsed), true);
	return store_webhooks_wake(tc->store, a->source, STORE_WAIT_LOOKUP, customer, reterr);
}

const struct lookup_verdict *lookup_table_verdict(struct lookup_table *l, int64_t webhook)
{
	for (struct lookup_entry *q = l->entries; q; q = q->next) {
		if (q->state != ENTRY_ANSWERED || q->webhook != webhook)
			continue;
		if (q->change == CHANGE_READ || q->change == CHANGE_ANSWERED_AND_READ)
			continue;
		q->change = q->change == CHANGE_ANSWERED ? CHANGE_ANSWERED_AND_READ : CHANGE_READ;
		return &q->verdict;
	}
	return NULL;
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

void lookup_table_slot_wanted(struct lookup_table *l, const char *source)
{
	source_get(l, source)->slot_wanted = true;
}

int lookup_table_wake_slots(struct turn_context *tc, struct err *reterr)
{
	for (size_t i = 0; i < tc->config->sources_n; i++) {
		struct lookup_source *s = source_find(tc->lookups, tc->config->sources[i].name);
		unsigned room;
		int r = 0;

		if (!s)
			continue;
		if (s->opened)
			r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_PARKED, NULL, reterr);
		if (r < 0)
			return r;
		s->released = s->opened;
		room = lookup_table_free_slots(tc->lookups, s->name);
		if (room == 0 || !s->slot_wanted)
			continue;
		s->slot_wanted = false;
		if (s->probing) { /* one that was asked for already, or else one that waits for a slot */
			r = store_webhook_wake_parked(tc->store, s->name, &s->probe_cursor, reterr);
			if (r == 0)
				r = store_webhooks_wake_slot(tc->store, s->name, 1, reterr);
		} else {
			r = store_webhooks_wake_slot(tc->store, s->name, s->for_new ? FOR_NEW_BATCH : room, reterr);
			s->slot_wanted = s->for_new && r == FOR_NEW_BATCH;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

bool lookup_table_slots_are_wanted(const struct lookup_table *l, const struct config *c)
{
	for (size_t i = 0; i < c->sources_n; i++) {
		const struct lookup_source *s = source_find(l, c->sources[i].name);

		if (s && s->slot_wanted && lookup_table_free_slots(l, s->name) > 0)
			return true;
	}
	return false;
}

/* ---- the end of a transaction ------------------------------------------------------------------------------------ */

void lookup_table_commit(struct lookup_table *l, struct courier *c)
{
	for (struct lookup_entry **at = &l->entries, *q; (q = *at);) {
		bool over = q->change == CHANGE_READ || q->change == CHANGE_ANSWERED_AND_READ;

		if (q->state == ENTRY_ANSWERED && ++q->commits > VERDICT_KEPT_COMMITS)
			over = true;
		if (over) {
			*at = q->next;
			lookup_entry_free(q);
			continue;
		}
		if (q->change == CHANGE_ASKED)
			courier_lookup(c, TAKE(q->ask));
		q->change = CHANGE_NONE;
		at = &q->next;
	}
	for (struct lookup_source *s = l->sources; s; s = s->next) {
		s->opened = s->opened && !s->released;
		s->released = false;
	}
}

void lookup_table_rollback(struct lookup_table *l)
{
	for (struct lookup_entry **at = &l->entries, *q; (q = *at);) {
		if (q->change == CHANGE_ASKED) {
			*at = q->next;
			lookup_entry_free(q);
			continue;
		}
		if (q->change == CHANGE_ANSWERED || q->change == CHANGE_ANSWERED_AND_READ)
			q->state = ENTRY_IN_FLIGHT;
		q->change = CHANGE_NONE;
		at = &q->next;
	}
	for (struct lookup_source *s = l->sources; s; s = s->next) {
		s->slot_wanted = true;
		s->released = false;
	}
}
