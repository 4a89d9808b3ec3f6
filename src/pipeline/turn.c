/* SPDX-License-Identifier: MIT */
/*
 * A turn: one transaction of the pipeline, and what becomes visible after its commit.
 *
 * DESIGN
 * ------
 *
 * Jobs, in the order of transaction(). All of them write to the store, in one transaction:
 *
 *    1. probe               after a failed commit: write one row, so that an empty commit does not pass for a good one
 *    2. due                 make webhooks ready whose time has come
 *    3. submissions         decide and insert new webhooks, for 20 ms; insert the others as pending. All of them have
 *                           one savepoint. If one fails, each POST is inserted as pending in a savepoint of its own,
 *                           and one that cannot be kept is refused alone
 *    4. delivery results    delivered, retry later, or dead letter, in one savepoint; if one fails, each in its own
 *    5. lookup answers      store them, wake the webhooks that waited for them
 *    6. wake and correct    wake webhooks whose source is configured again (janitor_wake_sources) or that wait for
 *                           a slot (lookup_table_wake_slots), make events of another URL dead letters
 *                           (dispatch_set_aside_other_urls), correct due times that are too far away
 *                           (janitor_cap_due_times)
 *    7. pending webhooks    process ready webhooks in order of receipt, each in a savepoint of its own, for 5 ms, or
 *                           for a fifth of the turn (1 ms at least) while a client waits for the commit
 *    8. clean               expire conversations, delete old rows
 *    9. commit
 *
 * Before it, recovery.c processes webhooks that were pending at start, in batches with a transaction of their own.
 *
 * Visible only after the commit, in this order. Where another message waits, the next turn follows at once and the
 * commit is synced meanwhile (flight.h): its answers are given after the sync, on the store's sync thread, and its
 * events are sent after the next commit, which waits for the sync.
 *
 *   10. rows that the store repaired (log), the turn's metrics and log lines, lookup requests to the courier
 *       (commit_end)
 *   11. answers to the suspended connections: 200, or 503 where a submission was refused
 *   12. due events to the courier (dispatch_send)
 *   13. a WAL checkpoint at a quiet time, gauges (janitor_after)
 *
 * Threads. Only the pipeline's thread runs this code. It owns the store's only write connection and all that struct
 * turn points to, except the courier, the mailbox and health. Other threads reach it by messages (turn_take).
 * turn_caches_parsed() is the one function for any thread. The thread never waits for messages while a commit is in
 * flight: the message that let the turn end early begins the next one.
 *
 * Ordering guarantee.
 *   - Acceptance: a client gets 200 only after the commit that holds its webhook, or the one that it repeats, is on the
 *     disk.
 *   - A webhook's events, its conversation's entry and "this webhook is done" are committed together or not at all.
 *   - Pending webhooks are processed in order of receipt, except those that wait. A new one may pass ready ones of
 *     other conversations and customers. No webhook meets the ledger while an earlier one of its conversation or its
 * customer is pending (store_webhook_is_behind); settle.h says when it may pass one that is held.
 *   - A person's next event is sent only after the result of the one before is committed.
 *   - One bad webhook becomes a dead letter in its own savepoint. It never rolls back another.
 *
 * Failure. A turn that fails is rolled back whole. Its submissions get 503, so their senders try again. A commit whose
 * sync fails cannot be rolled back: its submissions and those of the next turn get 503, and the next transaction begins
 * after the same bytes are synced (store/sync.c). Delivery results and lookup answers stay in their lists and go into
 * the next turn, which comes after 250 ms, doubling to 5 s. Until a commit works again the courier is stalled and
 * /readyz says no.
 *
 * What survives a crash. The last commit. Submissions that were not answered are sent again by the helpdesk. Results
 * that were not committed are lost: the events are sent again with the same unique_id. Lookups in flight, parsed
 * webhooks in memory, windows and the wait after a failed commit start again. A webhook whose processing ended the
 * process three times becomes a dead letter (recovery.c).
 */
#include <config.h>

#include "pipeline/turn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "pipeline/commit.h"
#include "pipeline/dispatch.h"
#include "pipeline/flight.h"
#include "pipeline/insert.h"
#include "pipeline/janitor.h"
#include "pipeline/lookup_table.h"
#include "pipeline/pass.h"
#include "pipeline/parsed_cache.h"
#include "pipeline/recovery.h"
#include "pipeline/wall_clock.h"

#define PENDING_US 5000       /* for pending webhooks in a turn whose commit no client waits for; */
#define PENDING_LEAST_US 1000 /* otherwise a fifth of the turn, but not less than this */
#define PENDING_SHARE 4       /* a fifth of a turn is a quarter of the rest */
#define RETRY_FIRST_MS 250    /* after a failed commit; doubles */
#define RETRY_LAST_MS 5000
#define FULL_RECHECK_MS 1000
#define SLOW_COMMIT_US 250000

struct turn {
	struct store *store;
	struct mailbox *mailbox; /* NULL: every commit is synced before its turn ends */
	struct courier_port courier;
	struct health *health;
	struct generation *generation;
	struct lookup_table *lookups;
	struct parsed_cache *cache;
	struct dispatch *dispatch;
	struct janitor *janitor;
	struct pending_metrics pending;
	struct recovery recovery;
	struct disk_budget disk_budget;
	struct wall_clock wall_clock;
	struct message_list submissions, deliveries, answers;
	struct flight flight;

	int64_t retry_ms; /* after a failure: the time of the next turn (clock_mono_ms); 0: the last turn was good */
	int64_t retry_wait_ms;
	bool stopping;
	int64_t commit_us; /* duration of the last commit that wrote something */
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct turn *turn_new(struct store *s, struct generation *g, struct courier_port courier, struct health *health,
		      struct mailbox *mailbox_or_null)
{
	struct turn *t = mem_new(1, sizeof(*t));

	t->store = s;
	t->mailbox = mailbox_or_null;
	t->courier = courier;
	t->health = health;
	t->generation = generation_ref(g);
	t->lookups = lookup_table_new();
	t->cache = parsed_cache_new();
	t->dispatch = dispatch_new();
	t->janitor = janitor_new(clock_mono_ms());
	t->recovery = (struct recovery){.until = store_webhook_last_id(s)};
	t->disk_budget = (struct disk_budget){.store = s, .health = health};
	(void)disk_budget_check(&t->disk_budget, false); /* /readyz answers before the first turn */
	janitor_clock(t->janitor, wall_clock_start(&t->wall_clock, s, health));
	return t;
}

static void drop_all(struct message_list *l)
{
	struct message *m;

	while ((m = message_list_take(l)))
		message_free(m);
}

void turn_free(struct turn *t)
{
	if (!t)
		return;
	INSIST(!t->submissions.first);
	flight_done(&t->flight);
	drop_all(&t->deliveries);
	drop_all(&t->answers);
	pending_metrics_done(&t->pending);
	janitor_free(t->janitor);
	dispatch_free(t->dispatch);
	parsed_cache_free(t->cache);
	lookup_table_free(t->lookups);
	generation_unref(t->generation);
	free(t);
}

static struct turn_context context_of(struct turn *t)
{
	struct turn_context tc = {
		.store = t->store,
		.courier = t->courier,
		.commit_us = &t->commit_us,
		.generation = t->generation,
		.config = t->generation->config,
		.lookups = t->lookups,
		.cache = t->cache,
		.dispatch = t->dispatch,
		.pending = &t->pending,
		.guard = &t->wall_clock.guard,
	};

	clock_both_ms(&tc.now_ms, &tc.mono_ms);
	return tc;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

void turn_take(struct turn *t, struct message *m)
{
	struct generation_message *generation;
	const struct window_message *window;

	switch ((enum pipeline_message_kind)m->kind) {
	case MESSAGE_SUBMISSION:
		message_list_add(&t->submissions, m);
		return;
	case MESSAGE_DELIVERY:
		message_list_add(&t->deliveries, m);
		return;
	case MESSAGE_ANSWER:
		message_list_add(&t->answers, m);
		return;
	case MESSAGE_WINDOW: /* the courier has logged the park and its reason */
		window = (const struct window_message *)m;
		if (window->kind == REPORT_ACCOUNT)
			dispatch_window(t->dispatch, window->name, window->window);
		else
			lookup_table_window(t->lookups, window->name, window->window, window->for_new);
		health_park(t->health, window->kind == REPORT_ACCOUNT ? "account" : "lookups", window->name,
			    window->reason);
		break;
	case MESSAGE_GENERATION:
		generation = (struct generation_message *)m;
		parsed_cache_clear(t->cache); /* parsed by the former definitions */
		generation_unref(t->generation);
		t->generation = TAKE(generation->generation);
		dispatch_configured(t->dispatch);
		janitor_configured(t->janitor);
		courier_generation(t->courier, t->generation);
		break;
	case MESSAGE_PING:
		health_alive(t->health, HEALTH_PIPELINE, ((struct ping_message *)m)->token);
		break;
	case MESSAGE_RECHECK:
		dispatch_mark_dirty(t->dispatch, NULL);
		break;
	case MESSAGE_STOP:
		t->stopping = true;
		break;
	}
	message_free(m);
}

/* ---- the beginning of the transaction ---------------------------------------------------------------------------- */

/* After a failure the next commit must write something: an empty commit would succeed on a full disk. */
static int probe(struct turn *t, struct err *reterr)
{
	int64_t id = t->retry_ms == 0 ? 0 : store_webhook_last_id(t->store);
	unsigned tries;
	int r;

	if (id == 0)
		return 0;
	r = store_webhook_tries(t->store, id, &tries, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries + 1, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries, reterr);
	return store_error_ends_turn(r) ? r : 0; /* an unreadable row says nothing about the disk */
}

/* ---- pending webhooks -------------------------------------------------------------------------------------------- */

static int pass_pending(struct turn *t, struct turn_context *tc, int64_t turn_began_us, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	int64_t budget_us = (began_us - turn_began_us + t->commit_us) / PENDING_SHARE;
	size_t n = 0;
	size_t max = disk_budget_passes(&t->disk_budget);
	int64_t id;
	int r;

	if (budget_us < PENDING_LEAST_US)
		budget_us = PENDING_LEAST_US;
	if (!t->submissions.first)
		budget_us = PENDING_US;
	/* One by one, because a pass may end or wake the webhook that is next. */
	while ((r = store_webhooks_ready(tc->store, &id, 1, reterr)) > 0) {
		if (recovery_has(&t->recovery, id) || clock_mono_us() - began_us >= budget_us || n >= max) {
			tc->more = tc->more || max > 0; /* without space they wait until there is some */
			return 0;
		}
		r = pass_run(tc, id, reterr);
		if (r < 0)
			return r;
		tc->changed = true;
		n++;
	}
	return r;
}

/* ---- after the commit -------------------------------------------------------------------------------------------- */

static void return_deliveries(struct turn *t)
{
	struct message *m;

	while ((m = message_list_take(&t->deliveries))) {
		dispatch_returned(t->dispatch, ((struct delivery_message *)m)->delivery);
		message_free(m);
	}
}

/* ---- the commit -------------------------------------------------------------------------------------------------- */

/*
 * Ends the transaction; r is the result of its steps. If the next turn follows at once, it need not wait for the disk:
 * the commit is synced meanwhile. The commit before must be on the disk first.
 */
static int commit(struct turn *t, struct turn_context *tc, int r, struct err *reterr)
{
	bool next_follows = t->mailbox && !t->stopping && t->retry_ms == 0 && !mailbox_is_empty(t->mailbox);
	int64_t began_us = clock_mono_us();
	int64_t waited_us;

	if (r == 0)
		r = flight_end(&t->flight, t->store, reterr);
	waited_us = clock_mono_us() - began_us;
	if (r == 0 && next_follows)
		r = flight_commit(&t->flight, tc, &t->submissions, reterr);
	else
		r = commit_end(tc, r, reterr);
	if (r < 0)
		return r;
	if (tc->changed)
		t->commit_us += waited_us;
	flight_send(&t->flight, t->courier);
	return 0;
}

/* ---- one transaction --------------------------------------------------------------------------------------------- */

static int transaction(struct turn *t, struct turn_context *tc, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	const struct message *answer = t->answers.first;
	int r = store_begin(t->store, reterr);

	if (r == 0)
		r = probe(t, reterr);
	if (r == 0)
		r = store_webhooks_due(tc->store, tc->now_ms, reterr);
	if (r == 0)
		r = insert_submissions(tc, &t->disk_budget, t->retry_ms != 0, &t->submissions, reterr);
	if (r == 0)
		r = dispatch_save_results(tc, &t->deliveries, reterr);
	for (; r == 0 && answer; answer = answer->next) {
		r = lookup_table_save_answer(tc, ((const struct answer_message *)answer)->answer, reterr);
		tc->changed = true;
	}
	if (r == 0)
		r = janitor_wake_sources(t->janitor, tc, reterr);
	if (r == 0)
		r = lookup_table_wake_slots(tc, reterr);
	if (r == 0)
		r = dispatch_set_aside_other_urls(t->dispatch, tc, reterr);
	if (r == 0)
		r = janitor_cap_due_times(t->janitor, tc, reterr);
	if (r == 0)
		r = pass_pending(t, tc, began_us, reterr);
	if (r == 0)
		r = janitor_clean(t->janitor, tc, &t->disk_budget, reterr);
	r = commit(t, tc, r, reterr);
	if (r < 0)
		return r;
	flight_answer(&t->submissions, false);
	return_deliveries(t);
	drop_all(&t->answers);
	disk_budget_turn_ended(&t->disk_budget, 0);
	return 0;
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

/* Refuses all submissions that are not answered, except those whose commit is on the disk. */
static void refuse(struct turn *t)
{
	struct err e = {0};

	flight_answer(&t->submissions, true);
	health_disk(t->health, true);
	(void)flight_end(&t->flight, t->store, &e);
	health_disk(t->health, false);
}

static void fail(struct turn *t, const struct err *why)
{
	bool first = t->retry_ms == 0;

	refuse(t);
	disk_budget_turn_ended(&t->disk_budget, why->code);
	t->retry_wait_ms = first ? RETRY_FIRST_MS : 2 * t->retry_wait_ms;
	if (t->retry_wait_ms > RETRY_LAST_MS)
		t->retry_wait_ms = RETRY_LAST_MS;
	t->retry_ms = clock_mono_ms() + t->retry_wait_ms;
	health_set(t->health, HEALTH_COMMIT, why);
	if (!first)
		return;
	courier_stall(t->courier, true);
	log_error(&((struct log_about){.reason = why->text}),
		  "the store cannot commit: webhooks are refused with 503 and deliveries wait until it can again");
}

/* Returns the time of the next turn if no message comes (clock_mono_ms, or CLOCK_NEVER_MS). */
static int64_t next_ms(const struct turn *t, struct turn_context *tc)
{
	const int64_t times[] = {
		janitor_next_ms(t->janitor, tc),
		turn_context_mono_at_ms(tc, store_webhooks_next_due_ms(t->store)),
		turn_context_mono_at_ms(tc, dispatch_next_ms(t->dispatch)),
		t->disk_budget.full ? tc->mono_ms + FULL_RECHECK_MS : CLOCK_NEVER_MS,
	};
	int64_t first_ms = CLOCK_NEVER_MS;

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		if (times[i] < first_ms)
			first_ms = times[i];
	return first_ms;
}

int64_t turn_run(struct turn *t)
{
	struct turn_context tc = context_of(t);
	struct err e = {0};
	enum wall_clock_change change;
	int r;

	if (!wall_clock_check(&t->wall_clock, &tc, &change)) {
		refuse(t);
		return wall_clock_next_ms(&t->wall_clock, &tc);
	}
	janitor_clock(t->janitor, change);
	if (change == WALL_CLOCK_AHEAD || change == WALL_CLOCK_BACK) /* due times were computed before the jump */
		dispatch_mark_dirty(t->dispatch, NULL);
	if (tc.mono_ms < t->retry_ms) {
		refuse(t);
		return t->retry_ms;
	}

	health_disk(t->health, true);
	r = recovery_run(&t->recovery, &tc, &t->disk_budget, t->submissions.first ? PENDING_LEAST_US : PENDING_US, &e);
	if (r == 0)
		r = transaction(t, &tc, &e);
	health_disk(t->health, false);
	if (r < 0) {
		fail(t, &e);
		return t->retry_ms;
	}
	if (t->retry_ms != 0) {
		t->retry_ms = 0;
		courier_stall(t->courier, false);
		health_set(t->health, HEALTH_COMMIT, NULL);
		log_notice(NULL, "the store commits again");
	}

	health_disk(t->health, true);
	if (t->flight.runs)
		tc.courier = flight_courier(&t->flight);
	if (dispatch_send(t->dispatch, &tc, &e) < 0) {
		fail(t, &e);
		health_disk(t->health, true);
	}
	commit_log_losses(t->store);
	if (!t->stopping) /* it waits for the disk several times */
		janitor_after(t->janitor, &tc, t->health);
	health_disk(t->health, false);

	if (t->retry_ms != 0)
		return t->retry_ms;
	if (tc.more || lookup_table_slots_are_wanted(&tc))
		return tc.mono_ms;
	return next_ms(t, &tc);
}

void turn_last(struct turn *t)
{
	struct turn_context tc = context_of(t);
	struct err e = {0};
	int r;

	refuse(t);
	if (t->deliveries.first) {
		tc.courier = (struct courier_port){0}; /* it has stopped; no lookup is requested here */
		r = store_begin(t->store, &e);
		if (r == 0)
			r = dispatch_save_results(&tc, &t->deliveries, &e);
		r = commit_end(&tc, r, &e);
		if (r == 0)
			return_deliveries(t);
		else
			log_error(
				&((struct log_about){.reason = e.text}),
				"the results of the last deliveries cannot be stored: these events will be sent again");
	}
	/* Writing the WAL back waits for the disk several times, and a stop has a deadline. */
	if (t->commit_us > SLOW_COMMIT_US)
		store_leave_wal(t->store);
}

bool turn_caches_parsed(const struct turn *t)
{
	return !parsed_cache_is_full(t->cache);
}
