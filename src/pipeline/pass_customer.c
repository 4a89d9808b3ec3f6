/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pipeline/pass_internal.h"

#include <errno.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/text.h"
#include "pipeline/lookup_table.h"

#define ODD_TRIES 10 /* most requests of a webhook with unusable answers, while others have useful ones */

static bool needs_no_address(const struct pass *p, const struct lookup_verdict *verdict)
{
	enum transition transition = p->webhook->transition;
	bool needed = p->signal->addresses.n == 0;

	/* A lookup adds at most names where the webhook has the address. A closing is sent to the people whom its
	 * opening reached. An address is useless for a conversation that needs none. */
	if (transition == TRANSITION_CLOSED)
		needed = needed && !p->entry.addressed && p->reached.n == 0;
	if (transition == TRANSITION_NONE)
		needed = needed && p->entry.state == LEDGER_OPEN && !p->entry.addressed;
	if (needed)
		return false;
	/* A webhook that needs no address still looks up names if they would show: once, and it never waits for a slot.
	 * No event is delayed by a name. */
	return verdict || !p->signal->lookup_shows || transition == TRANSITION_NONE ||
	       !lookup_table_may_ask(p->tc->lookups, p->webhook->source, false);
}

static int add_cached_customer(struct pass *p, int64_t not_older_than_ms, struct err *reterr)
{
	struct customer customer;
	int r = store_customer_load(p->tc->store, p->webhook->source, p->signal->lookup_key, not_older_than_ms,
				    &customer, reterr);

	if (r < 0)
		return r;
	lookup_table_slot_wanted(p->tc->lookups, p->webhook->source);
	parsed_webhook_add_lookup(p->parsed, &customer);
	if (p->parsed->result.kind != PARSE_SIGNAL)
		return err_set(reterr, -EBADMSG, "it cannot be read with the result of the lookup: %s",
			       p->parsed->result.reason);
	return 0;
}

/* Returns the age at which lookups of a webhook are given up, which is that of its events. */
static int64_t give_up_ms(const struct source_policy *s)
{
	for (size_t i = 0; i < s->accounts_n; i++)
		if (s->accounts[i].account)
			return account_of(s->accounts[i].account)->max_age_ms;
	return CLOCK_NEVER_MS;
}

/* The webhook waits for a slot. If it had a request already, it waits for the end of its source's park. */
static int wait_for_lookup_slot(struct pass *p, unsigned asked, struct err *reterr)
{
	lookup_table_slot_wanted(p->tc->lookups, p->webhook->source);
	if (asked > 0 && lookup_table_is_parked(p->tc->lookups, p->webhook->source))
		return pass_wait(p, STORE_WAIT_PARKED, 0, reterr);
	return pass_wait(p, STORE_WAIT_SLOT, 0, reterr);
}

/* Only the first wait and long ones are logged; `status` and the API show all. */
static int wait_until(struct pass *p, const struct store_lookups *n, int64_t wait_ms, const char *reason,
		      struct err *reterr)
{
	struct log_about about = pass_about(p, reason);
	char iso[CLOCK_ISO_MAX], times[AMOUNT_MAX];

	clock_iso(p->tc->now_ms + wait_ms, iso);
	if (n->asked == 1 || wait_ms > CLOCK_MINUTE_MS)
		pending_log(p->tc->pending, LOG_INFO, &about,
			    "a webhook waits for its lookup, which is asked again at %s (asked %s)", iso,
			    amount_of(times, n->asked, "time"));
	return pass_wait(p, STORE_WAIT_RETRY, p->tc->now_ms + wait_ms, reterr);
}

/* The webhook meets the ledger without an address. The conversation's next webhook with an address corrects that. */
static int give_up(struct pass *p, const struct store_lookups *n, const char *reason)
{
	struct log_about about = pass_about(p, reason);
	char times[AMOUNT_MAX];

	pending_log(p->tc->pending, LOG_NOTICE, &about, "a webhook ends without an address: its lookup was asked %s",
		    amount_of(times, n->asked, "time"));
	p->no_lookup_reason = mem_fmt("lookup: %s", reason);
	lookup_table_slot_wanted(p->tc->lookups, p->webhook->source);
	return STAGE_CONTINUE;
}

/* tries: with the one that has just failed. */
static int64_t next_try_ms(unsigned tries)
{
	return backoff_ms(tries > 0 ? tries - 1 : 0, backoff_jitter());
}

static int count_lookup(struct pass *p, enum store_lookup what, const struct lookup_verdict *v,
			struct store_lookups *ret, struct err *reterr)
{
	CLEANUP(mem_freep) char *reason = mem_fmt("lookup: %s", v->reason);

	return store_webhook_count_lookup(p->tc->store, p->webhook->id, what, reason, p->tc->now_ms, ret, reterr);
}

/* The helpdesk has trouble, or the request was not sent: the webhook tries again, and is given up, as events are. */
static int ask_later(struct pass *p, const struct lookup_verdict *v, struct err *reterr)
{
	int64_t limit_ms = give_up_ms(&p->source->policy);
	struct store_lookups n;
	int64_t wait_ms;
	int r;

	if (turn_context_is_too_old(p->tc, p->webhook->received_ms, limit_ms)) {
		CLEANUP(mem_freep) char *why = NULL;
		char age[CLOCK_ISO_MAX];

		clock_age(limit_ms, age);
		why = mem_fmt("lookup: no answer for %s: %s", age, v->reason);
		return pass_dead(p, why, reterr);
	}
	r = count_lookup(p, STORE_LOOKUP_TROUBLE, v, &n, reterr);
	if (r < 0)
		return r;
	wait_ms = next_try_ms(n.asked);
	if (v->retry_after_ms > wait_ms)
		wait_ms = v->retry_after_ms;
	return wait_until(p, &n, wait_ms, v->reason, reterr);
}

/* The webhook waits for its next try or, while its source is parked, until the source's lookups work again. tries: of
 * this kind. */
static int wait_for_source(struct pass *p, const struct store_lookups *n, unsigned tries, const char *reason,
			   struct err *reterr)
{
	struct log_about about = pass_about(p, reason);

	if (!lookup_table_is_parked(p->tc->lookups, p->webhook->source))
		return wait_until(p, n, next_try_ms(tries), reason, reterr);
	if (n->asked == 1)
		pending_log(p->tc->pending, LOG_INFO, &about,
			    "a webhook waits for its lookup until its source's lookups work again");
	return wait_for_lookup_slot(p, n->asked, reterr);
}

/* The answer has no customer: the webhook asks again, waits, or continues without an address. */
static int read_answer(struct pass *p, const struct lookup_verdict *v, struct err *reterr)
{
	static const int64_t gone_waits_ms[] = {10 * CLOCK_SECOND_MS, 30 * CLOCK_SECOND_MS};
	const unsigned gone_tries = sizeof(gone_waits_ms) / sizeof(*gone_waits_ms) + 1;
	struct store_lookups n;
	int r;

	switch (v->outcome) {
	case LOOKUP_GONE: /* a helpdesk may know the customer only a little after its webhook */
		r = count_lookup(p, STORE_LOOKUP_GONE, v, &n, reterr);
		if (r < 0)
			return r;
		if (n.gone >= gone_tries)
			return give_up(p, &n, v->reason);
		return wait_until(p, &n, gone_waits_ms[n.gone > 0 ? n.gone - 1 : 0], v->reason, reterr);
	case LOOKUP_ODD: /* the answer says nothing about the customer; answers to other webhooks show if it is the
			    webhook's own fault */
		r = count_lookup(p, STORE_LOOKUP_ODD, v, &n, reterr);
		if (r < 0)
			return r;
		if (n.odd >= ODD_TRIES && lookup_table_useful_ms(p->tc->lookups, p->webhook->source) > n.odd_since_ms)
			return give_up(p, &n, v->reason);
		return wait_for_source(p, &n, n.odd, v->reason, reterr);
	case LOOKUP_PARKED: /* the answer concerns all customers, and does not count as this one's */
		r = count_lookup(p, STORE_LOOKUP_TROUBLE, v, &n, reterr);
		return r < 0 ? r : wait_for_source(p, &n, n.asked, v->reason, reterr);
	case LOOKUP_LATE:
		r = store_webhook_lookups(p->tc->store, p->webhook->id, &n, reterr);
		return r < 0 ? r : wait_for_lookup_slot(p, n.asked, reterr);
	case LOOKUP_FOUND: /* under another key, because a reload changed the definition */
	case LOOKUP_RETRY:
	case LOOKUP_RETURNED:
		break;
	}
	return ask_later(p, v, reterr);
}

static int ask(struct pass *p, struct err *reterr)
{
	const char *key = p->signal->lookup_key;
	struct lookup_mark worked = {.is_set = true};
	struct store_lookups n;
	int r;

	if (lookup_table_attach(p->tc->lookups, key, p->webhook))
		return pass_wait(p, STORE_WAIT_LOOKUP, 0, reterr);
	r = store_webhook_lookups(p->tc->store, p->webhook->id, &n, reterr);
	if (r < 0)
		return r;
	if (!lookup_table_may_ask(p->tc->lookups, p->webhook->source, n.asked == 0))
		return wait_for_lookup_slot(p, n.asked, reterr);
	r = store_lookups_worked(p->tc->store, p->webhook->source, worked.bytes, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	worked.is_set = r == 0;
	r = pass_wait(p, STORE_WAIT_LOOKUP, 0, reterr);
	if (r >= 0)
		lookup_table_ask(p->tc->lookups, key, TAKE(p->parsed), p->tc->generation, n.asked == 0, &worked);
	return r;
}

int pass_customer(struct pass *p, struct err *reterr)
{
	const struct lookup_verdict *verdict = lookup_table_take_verdict(p->tc->lookups, p->webhook->id);
	int64_t cache_ms;
	int r;

	if (!p->signal->wants_lookup)
		return STAGE_CONTINUE;
	cache_ms = definition_about(p->source->definition)->lookup_cache_ms;
	r = add_cached_customer(p, p->tc->now_ms - cache_ms, reterr);
	if (r == -ENOENT && verdict && verdict->outcome == LOOKUP_FOUND)
		r = add_cached_customer(p, 0, reterr);
	if (r != -ENOENT)
		return r;
	if (needs_no_address(p, verdict)) {
		lookup_table_slot_wanted(p->tc->lookups, p->webhook->source);
		return STAGE_CONTINUE;
	}
	return verdict ? read_answer(p, verdict, reterr) : ask(p, reterr);
}
