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

/* Webhooks woken in a turn while their source is parked. Only a pass finds out if a webhook has had no request yet. */
#define FOR_NEW_BATCH 16

struct lookup_source {
	struct lookup_source *next;
	char *name;
	unsigned window;
	bool for_new;     /* parked: the window is only for webhooks without a previous request */
	bool wake_parked; /* wake the webhooks that waited because the source was parked */
	bool woken;       /* they were woken in this transaction */
	bool probing;     /* parked, with a window of 1 for any webhook */
	int64_t useful_ms;
	int64_t probe_cursor;
	bool slot_wanted; /* a slot may be free; cleared when webhooks are woken */
};

enum lookup_entry_state {
	ENTRY_IN_FLIGHT,
	ENTRY_ANSWERED, /* the verdict waits for the webhook that asked */
};

/* A turn's change of an entry, until the commit. */
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
	char *customer; /* of all webhooks that wait for it; NULL: of several customers, or of none */
	enum lookup_entry_state state;
	enum lookup_entry_change change;
	struct lookup_verdict verdict;  /* while ENTRY_ANSWERED */
	struct lookup_request *request; /* while CHANGE_ASKED; sent after the commit */
	unsigned commits;               /* since the answer */
};

/* A verdict is dropped after this many commits: its webhook ended in another way. */
#define VERDICT_KEPT_COMMITS 1000

struct lookup_table {
	struct lookup_source *sources;
	struct lookup_entry *entries;
};

struct lookup_table *lookup_table_new(void)
{
	return mem_new(1, sizeof(struct lookup_table));
}

static void lookup_entry_free(struct lookup_entry *e)
{
	free(e->source);
	free(e->key);
	free(e->customer);
	free(e->verdict.reason);
	if (e->request)
		lookup_request_free(e->request);
	free(e);
}

void lookup_table_free(struct lookup_table *t)
{
	if (!t)
		return;
	for (struct lookup_entry *e = t->entries, *next; e; e = next) {
		next = e->next;
		lookup_entry_free(e);
	}
	for (struct lookup_source *s = t->sources, *next; s; s = next) {
		next = s->next;
		free(s->name);
		free(s);
	}
	free(t);
}

static struct lookup_source *source_find(const struct lookup_table *t, const char *name)
{
	for (struct lookup_source *s = t->sources; s; s = s->next)
		if (text_is(s->name, name))
			return s;
	return NULL;
}

static struct lookup_source *source_get(struct lookup_table *t, const char *name)
{
	struct lookup_source *s = source_find(t, name);

	if (!s) {
		s = mem_new(1, sizeof(*s));
		s->name = mem_str(name);
		s->next = t->sources;
		t->sources = s;
	}
	return s;
}

void lookup_table_window(struct lookup_table *t, const char *source, unsigned window, bool for_new)
{
	struct lookup_source *s = source_get(t, source);

	s->probing = !for_new && window <= 1 && (s->for_new || s->probing); /* 0: paused */
	s->wake_parked = s->wake_parked || (!for_new && window > 1);
	s->for_new = for_new;
	s->window = window;
	s->slot_wanted = true;
}

bool lookup_table_is_parked(const struct lookup_table *t, const char *source)
{
	const struct lookup_source *s = source_find(t, source);

	return s && (s->for_new || s->probing);
}

int64_t lookup_table_useful_ms(const struct lookup_table *t, const char *source)
{
	const struct lookup_source *s = source_find(t, source);

	return s ? s->useful_ms : 0;
}

unsigned lookup_table_free_slots(const struct lookup_table *t, const char *source)
{
	const struct lookup_source *s = source_find(t, source);
	unsigned in_flight = 0;

	if (!s)
		return 0;
	for (const struct lookup_entry *e = t->entries; e; e = e->next)
		if (e->state == ENTRY_IN_FLIGHT && text_is(e->source, source))
			in_flight++;
	return in_flight < s->window ? s->window - in_flight : 0;
}

bool lookup_table_may_ask(const struct lookup_table *t, const char *source, bool is_new)
{
	const struct lookup_source *s = source_find(t, source);

	return s && (is_new || !s->for_new) && lookup_table_free_slots(t, source) > 0;
}

static struct lookup_entry *entry_in_flight(const struct lookup_table *t, const char *source, const char *key)
{
	for (struct lookup_entry *e = t->entries; e; e = e->next)
		if (e->state == ENTRY_IN_FLIGHT && text_is(e->source, source) && text_is(e->key, key))
			return e;
	return NULL;
}

bool lookup_table_attach(struct lookup_table *t, const char *key, const struct webhook *w)
{
	struct lookup_entry *e = entry_in_flight(t, w->source, key);

	if (e) {
		/* The key comes from the present definition, the webhook's customer from the one at its receipt. */
		if (!text_is(e->customer, w->customer)) {
			free(e->customer);
			e->customer = NULL;
		}
		return true;
	}
	for (e = w->customer ? t->entries : NULL; e; e = e->next)
		if (e->state == ENTRY_IN_FLIGHT && text_is(e->source, w->source) && text_is(e->customer, w->customer))
			return true;
	return false;
}

void lookup_table_ask(struct lookup_table *t, const char *key, struct parsed_webhook *p, struct generation *g,
		      bool is_new, const struct lookup_mark *worked)
{
	const struct webhook *w = &p->webhook;
	struct lookup_entry *e = mem_new(1, sizeof(*e));

	INSIST(!entry_in_flight(t, w->source, key));
	e->source = mem_str(w->source);
	e->key = mem_str(key);
	e->webhook = w->id;
	e->customer = mem_str(w->customer);
	e->state = ENTRY_IN_FLIGHT;
	e->change = CHANGE_ASKED;
	e->request = mem_new(1, sizeof(*e->request));
	e->request->source = mem_str(w->source);
	e->request->key = mem_str(key);
	e->request->is_new = is_new;
	if (worked)
		e->request->worked = *worked;
	e->request->parsed = p;
	e->request->generation = g ? generation_ref(g) : NULL;
	e->next = t->entries;
	t->entries = e;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

const char *lookup_table_answered(struct lookup_table *t, const struct lookup_answer *a)
{
	struct lookup_entry *e = entry_in_flight(t, a->source, a->key);

	lookup_table_slot_wanted(t, a->source);
	if (!e)
		return NULL;
	e->state = ENTRY_ANSWERED;
	e->change = CHANGE_ANSWERED;
	e->verdict.outcome = a->outcome;
	e->verdict.retry_after_ms = a->retry_after_ms;
	free(e->verdict.reason);
	e->verdict.reason = mem_str(a->reason.text);
	return e->customer;
}

/* Stores the customer. If that fails for this answer alone, the waiting webhook asks again. */
static int save_customer(struct turn_context *tc, const struct lookup_answer *a, struct err *reterr)
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

/* Stores the mark of lookups that work, if it changed. */
static int save_worked(struct turn_context *tc, const struct lookup_answer *a, struct err *reterr)
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
	int r = save_worked(tc, a, reterr);

	if (r == 0 && a->outcome == LOOKUP_FOUND)
		r = save_customer(tc, a, reterr);
	if (r < 0)
		return r;
	if (a->outcome == LOOKUP_FOUND || a->outcome == LOOKUP_GONE)
		source_get(tc->lookups, a->source)->useful_ms = tc->now_ms;
	customer = lookup_table_answered(tc->lookups, a);
	/* The webhook may have ended meanwhile. Its entry is never taken then, so mark it as the first to evict. */
	if (a->parsed)
		parsed_cache_add(tc->cache, tc->config, TAKE(a->parsed), true);
	return store_webhooks_wake(tc->store, a->source, STORE_WAIT_LOOKUP, customer, reterr);
}

const struct lookup_verdict *lookup_table_take_verdict(struct lookup_table *t, int64_t webhook)
{
	for (struct lookup_entry *e = t->entries; e; e = e->next) {
		if (e->state != ENTRY_ANSWERED || e->webhook != webhook)
			continue;
		if (e->change == CHANGE_READ || e->change == CHANGE_ANSWERED_AND_READ)
			continue;
		e->change = e->change == CHANGE_ANSWERED ? CHANGE_ANSWERED_AND_READ : CHANGE_READ;
		return &e->verdict;
	}
	return NULL;
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

void lookup_table_slot_wanted(struct lookup_table *t, const char *source)
{
	source_get(t, source)->slot_wanted = true;
}

int lookup_table_wake_slots(struct turn_context *tc, struct err *reterr)
{
	for (size_t i = 0; i < tc->config->sources_n; i++) {
		struct lookup_source *s = source_find(tc->lookups, tc->config->sources[i].name);
		unsigned slots;
		int r = 0;

		if (!s)
			continue;
		if (s->wake_parked)
			r = store_webhooks_wake(tc->store, s->name, STORE_WAIT_PARKED, NULL, reterr);
		if (r < 0)
			return r;
		s->woken = s->wake_parked;
		slots = lookup_table_free_slots(tc->lookups, s->name);
		if (slots == 0 || !s->slot_wanted)
			continue;
		s->slot_wanted = false;
		if (s->probing) { /* one that had a request, or else one that waits for a slot */
			r = store_webhook_wake_parked(tc->store, s->name, &s->probe_cursor, reterr);
			if (r == 0)
				r = store_webhooks_wake_slot(tc->store, s->name, 1, reterr);
		} else {
			r = store_webhooks_wake_slot(tc->store, s->name, s->for_new ? FOR_NEW_BATCH : slots, reterr);
			s->slot_wanted = s->for_new && r == FOR_NEW_BATCH;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

bool lookup_table_slots_are_wanted(const struct turn_context *tc)
{
	if (!store_webhooks_may_wait(tc->store, STORE_WAIT_SLOT) &&
	    !store_webhooks_may_wait(tc->store, STORE_WAIT_PARKED))
		return false;
	for (size_t i = 0; i < tc->config->sources_n; i++) {
		const struct lookup_source *s = source_find(tc->lookups, tc->config->sources[i].name);

		if (s && s->slot_wanted && lookup_table_free_slots(tc->lookups, s->name) > 0)
			return true;
	}
	return false;
}

/* ---- the end of a transaction ------------------------------------------------------------------------------------ */

void lookup_table_commit(struct lookup_table *t, struct courier_port courier)
{
	for (struct lookup_entry **at = &t->entries, *e; (e = *at);) {
		bool over = e->change == CHANGE_READ || e->change == CHANGE_ANSWERED_AND_READ;

		if (e->state == ENTRY_ANSWERED && ++e->commits > VERDICT_KEPT_COMMITS)
			over = true;
		if (over) {
			*at = e->next;
			lookup_entry_free(e);
			continue;
		}
		if (e->change == CHANGE_ASKED)
			courier_lookup(courier, TAKE(e->request));
		e->change = CHANGE_NONE;
		at = &e->next;
	}
	for (struct lookup_source *s = t->sources; s; s = s->next) {
		s->wake_parked = s->wake_parked && !s->woken;
		s->woken = false;
	}
}

void lookup_table_rollback(struct lookup_table *t)
{
	for (struct lookup_entry **at = &t->entries, *e; (e = *at);) {
		if (e->change == CHANGE_ASKED) {
			*at = e->next;
			lookup_entry_free(e);
			continue;
		}
		if (e->change == CHANGE_ANSWERED || e->change == CHANGE_ANSWERED_AND_READ)
			e->state = ENTRY_IN_FLIGHT;
		e->change = CHANGE_NONE;
		at = &e->next;
	}
	for (struct lookup_source *s = t->sources; s; s = s->next) {
		s->slot_wanted = true;
		s->woken = false;
	}
}
