/*
 * Order inside a turn: new webhooks, outcomes of deliveries, answers of helpdesks, what a new configuration lets go,
 * pending webhooks in order of receipt, expiries, housekeeping; commit; then, and only then, whatever others see:
 * metrics, questions to helpdesks, the answers to suspended connections, events to the courier.
 *
 * A turn that fails is rolled back whole. Its webhooks are refused (their senders try again), its results stay in line
 * and go into the next turn; the courier is stalled until a commit works again.
 *
 * Webhooks found pending at start are taken up one a transaction, before the turn's own: the try is counted and
 * committed just before, and the count taken back with the commit of what it made. So a webhook whose pass kills the
 * process is known by its count, and no other is.
 *
 * Runs on the pipeline's thread. Nothing here survives a crash but what was committed.
 */
#include <config.h>

#include "pipeline/turn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "pipeline/dispatch.h"
#include "pipeline/expire.h"
#include "pipeline/housekeeping.h"
#include "pipeline/lookups.h"
#include "pipeline/pass.h"
#include "pipeline/results.h"
#include "pipeline/tally.h"
#include "pipeline/work.h"

#define PENDING_US 5000       /* of pending webhooks a turn where nobody waits for its commit; */
#define PENDING_LEAST_US 1000 /* where somebody does, a fifth of the turn, but not less than this: */
#define PENDING_SHARE 4       /* a quarter of what the rest takes */
#define EXPIRE_BATCH 16       /* expiries a turn */
#define OTHER_URL_BATCH 100   /* dead letters a turn after an account's url changed */
#define CRASHES_MAX 3
#define RETRY_FIRST_MS 250 /* after a commit that failed; doubles */
#define RETRY_LAST_MS 5000
#define FULL_RECHECK_MS 1000

struct turn {
	struct store *store;
	struct courier *courier;
	struct standing *standing;
	struct generation *generation;
	struct lookups *lookups;
	struct dispatch *dispatch;
	struct housekeeping *housekeeping;
	struct tally tally;
	struct mails submissions, deliveries, answers;

	int64_t found_until; /* webhooks up to this id were pending at start, or are long gone */
	bool source_release; /* the generation's sources have not been let go yet */
	size_t url_account;  /* next account whose events of another url are to be set aside; all were: accounts_n */

	int64_t retry_ms; /* after a failure: not before; 0: the last turn was good */
	int64_t retry_wait_ms;
	bool full;
	int64_t commit_us; /* how long the last commit took that wrote something */

	/* of the turn under way */
	unsigned inserted;
	bool changed;
	bool more; /* something is left to be done at once */
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct turn *turn_new(struct store *s, struct generation *g, struct courier *c, struct standing *standing)
{
	struct turn *t = mem_new(1, sizeof(*t));

	t->store = s;
	t->courier = c;
	t->standing = standing;
	t->generation = generation_ref(g);
	t->lookups = lookups_new();
	t->dispatch = dispatch_new();
	t->housekeeping = housekeeping_new(clock_now_ms());
	t->found_until = store_webhook_last_id(s);
	t->source_release = true;
	return t;
}

static void drop_all(struct mails *l)
{
	struct mail *m;

	while ((m = mails_take(l)))
		mails_free(m);
}

void turn_free(struct turn *t)
{
	if (!t)
		return;
	INSIST(!t->submissions.first);
	drop_all(&t->deliveries);
	drop_all(&t->answers);
	tally_done(&t->tally);
	housekeeping_free(t->housekeeping);
	dispatch_free(t->dispatch);
	lookups_free(t->lookups);
	generation_unref(t->generation);
	free(t);
}

static struct work work_of(struct turn *t)
{
	return (struct work){
		.store = t->store,
		.config = t->generation->config,
		.lookups = t->lookups,
		.dispatch = t->dispatch,
		.tally = &t->tally,
		.now_ms = clock_now_ms(),
	};
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */

static void take_generation(struct turn *t, struct generation_mail *m)
{
	generation_unref(t->generation);
	t->generation = TAKE(m->generation);
	store_set_max_size(t->store, t->generation->config->store.max_size);
	t->source_release = true;
	t->url_account = 0;
	dispatch_stir(t->dispatch, NULL);
	housekeeping_configured(t->housekeeping);
	courier_generation(t->courier, t->generation);
}

/* The courier has logged what is parked, and why. */
static void take_window(struct turn *t, const struct window_mail *m)
{
	dispatch_window(t->dispatch, m->name, m->window);
	standing_park(t->standing, "account", m->name, m->reason);
}

static void take_lookup_window(struct turn *t, const struct window_mail *m)
{
	lookups_window(t->lookups, m->name, m->window);
	standing_park(t->standing, "lookups", m->name, m->reason);
}

void turn_take(struct turn *t, struct mail *m)
{
	switch ((enum mail_kind)m->kind) {
	case MAIL_SUBMISSION:
		mails_add(&t->submissions, m);
		return;
	case MAIL_DELIVERY:
		mails_add(&t->deliveries, m);
		return;
	case MAIL_ANSWER:
		mails_add(&t->answers, m);
		return;
	case MAIL_WINDOW:
		take_window(t, (struct window_mail *)m);
		break;
	case MAIL_LOOKUP_WINDOW:
		take_lookup_window(t, (struct window_mail *)m);
		break;
	case MAIL_GENERATION:
		take_generation(t, (struct generation_mail *)m);
		break;
	case MAIL_PING:
		standing_pipeline_alive(t->standing, ((struct ping_mail *)m)->token);
		break;
	case MAIL_STOP:
		break;
	}
	mails_free(m);
}

/* ---- submissions ------------------------------------------------------------------------------------------------- */

static int insert_item(struct turn *t, struct intake_item *item, struct err *reterr)
{
	int r;

	if (!item->kept) {
		item->result = INTAKE_IGNORED;
		return 0;
	}
	r = store_webhook_insert(t->store, &item->webhook, item->dead_reason, item->ignored ? "ignored" : NULL, reterr);
	if (r < 0)
		return r;
	item->result = r > 0 ? INTAKE_DUPLICATE : item->ignored ? INTAKE_IGNORED : INTAKE_ACCEPTED;
	t->inserted += r == 0;
	t->changed = true;
	return 0;
}

/* All of one POST, or nothing of it: then it alone is refused. */
static int insert_submission(struct turn *t, struct intake_submission *s, struct err *reterr)
{
	struct err e = {0};
	int r = store_savepoint(t->store, reterr);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = insert_item(t, &s->items[i], &e);
	if (r == 0)
		return store_savepoint_keep(t->store, reterr);
	store_savepoint_undo(t->store);
	if (work_is_stores(r)) {
		*reterr = e;
		return r;
	}
	log_error(NULL, "a webhook cannot be kept and was refused: %s", e.text);
	s->refused = true;
	return 0;
}

static void show_full(struct turn *t, const struct err *why)
{
	t->full = why != NULL;
	if (!standing_set_ready(t->standing, why))
		return;
	if (why)
		log_error(NULL, "webhooks are refused with 503: %s", why->text);
	else
		log_notice(NULL, "webhooks are taken again");
}

static int insert_submissions(struct turn *t, struct err *reterr)
{
	struct err why = {0};
	bool full = store_may_take(t->store, &why) < 0;

	show_full(t, full ? &why : NULL);
	for (struct mail *m = t->submissions.first; m; m = m->next) {
		struct intake_submission *s = (struct intake_submission *)m;
		int r = 0;

		s->refused = full;
		if (!full)
			r = insert_submission(t, s, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static void answer_submissions(struct turn *t, bool refused)
{
	struct mail *m;

	while ((m = mails_take(&t->submissions))) {
		struct intake_submission *s = (struct intake_submission *)m;

		s->refused = s->refused || refused;
		s->answered(s);
	}
}

/* ---- what came back ---------------------------------------------------------------------------------------------- */

static int apply_deliveries(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct mail *m = t->deliveries.first; m; m = m->next) {
		int r = results_apply(w, ((struct delivery_mail *)m)->delivery, reterr);

		if (r < 0)
			return r;
		t->changed = true;
	}
	return 0;
}

static void return_deliveries(struct turn *t)
{
	struct mail *m;

	while ((m = mails_take(&t->deliveries))) {
		const struct delivery *d = ((struct delivery_mail *)m)->delivery;

		dispatch_returned(t->dispatch, d->account, d->event);
		mails_free(m);
	}
}

static int apply_answer(struct work *w, const struct lookup_answer *a, struct err *reterr)
{
	bool by_customer;

	if (a->outcome == LOOKUP_FOUND) {
		int r = store_customer_save(w->store, a->source, a->customer, &a->found, w->now_ms, reterr);

		if (r < 0)
			return r;
	}
	by_customer = lookups_answered(w->lookups, a);
	return store_webhooks_release(w->store, a->source, STORE_WAIT_LOOKUP, by_customer ? a->customer : NULL, reterr);
}

static int apply_answers(struct turn *t, struct work *w, struct err *reterr)
{
	for (struct mail *m = t->answers.first; m; m = m->next) {
		int r = apply_answer(w, ((struct answer_mail *)m)->answer, reterr);

		if (r < 0)
			return r;
		t->changed = true;
	}
	return 0;
}

/* ---- what is let go ---------------------------------------------------------------------------------------------- */

/* Webhooks that wait for one of a source's free slots: as many as there are. */
static int release_slots(struct turn *t, struct work *w, struct err *reterr)
{
	for (size_t i = 0; i < w->config->sources_n; i++) {
		const char *source = w->config->sources[i].name;
		unsigned room = lookups_room(t->lookups, source);

		if (room == 0 || !lookups_slot_is_wanted(t->lookups, source))
			continue;
		lookups_slot_wanted(t->lookups, source, false);
		for (; room > 0; room--) {
			int r = store_webhook_release_slot(w->store, source, reterr);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static bool slots_are_wanted(const struct turn *t, const struct config *c)
{
	for (size_t i = 0; i < c->sources_n; i++)
		if (lookups_slot_is_wanted(t->lookups, c->sources[i].name) &&
		    lookups_room(t->lookups, c->sources[i].name) > 0)
			return true;
	return false;
}

static int release_sources(struct turn *t, struct work *w, struct err *reterr)
{
	for (size_t i = 0; t->source_release && i < w->config->sources_n; i++) {
		int r = store_webhooks_release(w->store, w->config->sources[i].name, STORE_WAIT_UNCONFIGURED, NULL,
					       reterr);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A few events that were queued for another url: a sandbox's never reach production. */
static int set_aside_other_urls(struct turn *t, struct work *w, struct err *reterr)
{
	const struct account *a;
	CLEANUP(mem_freep) char *reason = NULL;
	int r;

	if (t->url_account >= w->config->accounts_n)
		return 0;
	a = &w->config->accounts[t->url_account];
	reason = mem_fmt("its account's url is %s now and was another when it was queued", a->url);
	r = store_events_dead_of_other_url(w->store, a->name, a->url, reason, w->now_ms, OTHER_URL_BATCH, reterr);
	if (r < 0)
		return r;
	if (r > 0) {
		struct log_about about = {.account = a->name, .reason = reason};

		log_warning(&about, "%d events became dead letters", r);
		dispatch_stir(t->dispatch, a->name);
		t->changed = true;
	}
	if (r == 0)
		t->url_account++;
	t->more = true;
	return 0;
}

/* ---- pending webhooks -------------------------------------------------------------------------------------------- */

static int64_t pending_budget_us(const struct turn *t, int64_t others_us)
{
	int64_t share_us = (others_us + t->commit_us) / PENDING_SHARE;

	if (!t->submissions.first)
		return PENDING_US;
	return share_us > PENDING_LEAST_US ? share_us : PENDING_LEAST_US;
}

static int pass_pending(struct turn *t, struct work *w, int64_t turn_began_us, struct err *reterr)
{
	int64_t began_us = clock_mono_us(), budget_us = pending_budget_us(t, began_us - turn_began_us);
	int64_t id;
	int r;

	/* One by one: what a pass ends or lets go changes which is next. */
	while ((r = store_webhooks_ready(w->store, &id, 1, reterr)) > 0) {
		if (id <= t->found_until || clock_mono_us() - began_us >= budget_us) {
			t->more = true;
			return 0;
		}
		r = pass_run(w, id, reterr);
		if (r < 0)
			return r;
		t->changed = true;
	}
	return r;
}

/* ---- one transaction --------------------------------------------------------------------------------------------- */

static int steps(struct turn *t, struct work *w, int64_t began_us, struct err *reterr)
{
	bool idle;
	int r = store_webhooks_due(w->store, w->now_ms, reterr);

	if (r == 0)
		r = insert_submissions(t, reterr);
	if (r == 0)
		r = apply_deliveries(t, w, reterr);
	if (r == 0)
		r = apply_answers(t, w, reterr);
	if (r == 0)
		r = release_sources(t, w, reterr);
	if (r == 0)
		r = release_slots(t, w, reterr);
	if (r == 0)
		r = set_aside_other_urls(t, w, reterr);
	idle = !t->more;
	if (r == 0)
		r = pass_pending(t, w, began_us, reterr);
	if (r == 0) {
		r = expire_run(w, EXPIRE_BATCH, reterr);
		t->changed = t->changed || r > 0;
	}
	if (r >= 0)
		r = housekeeping_clean(t->housekeeping, w, idle && !t->more, t->inserted, t->full, reterr);
	return r;
}

static int commit(struct turn *t, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	int r = store_commit(t->store, reterr);

	if (r == 0 && t->changed) {
		t->commit_us = clock_mono_us() - began_us;
		metrics_observe(METRIC_COMMIT_SECONDS, (double)t->commit_us / 1e6);
	}
	return r;
}

/* What was rolled back is forgotten here too. */
static void undo(struct turn *t)
{
	store_rollback(t->store);
	lookups_rollback(t->lookups);
	tally_drop(&t->tally);
}

static void publish(struct turn *t)
{
	tally_publish(&t->tally);
	lookups_commit(t->lookups, t->courier);
}

/* After a failure the next commit must show that the disk takes something: an empty one would not. */
static int probe(struct turn *t, struct err *reterr)
{
	int64_t id = store_webhook_last_id(t->store);
	unsigned tries;
	int r;

	if (t->retry_ms == 0 || id == 0)
		return 0;
	r = store_webhook_tries(t->store, id, &tries, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries + 1, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, tries, reterr);
	return r;
}

static int transaction(struct turn *t, struct work *w, struct err *reterr)
{
	int64_t began_us = clock_mono_us();
	int r = store_begin(t->store, reterr);

	if (r == 0)
		r = probe(t, reterr);
	if (r == 0)
		r = steps(t, w, began_us, reterr);
	if (r == 0)
		r = commit(t, reterr);
	if (r < 0) {
		undo(t);
		return r;
	}
	publish(t);
	answer_submissions(t, false);
	return_deliveries(t);
	drop_all(&t->answers);
	t->source_release = false;
	return 0;
}

/* ---- webhooks found at start ------------------------------------------------------------------------------------- */

/* Counts the try, or ends what has been tried often enough. Returns 1 where it may be tried. */
static int count_try(struct turn *t, int64_t id, struct err *reterr)
{
	unsigned tries;
	int r = store_begin(t->store, reterr);
	bool dead = false;

	if (r == 0)
		r = store_webhook_tries(t->store, id, &tries, reterr);
	if (r == 0) {
		dead = tries >= CRASHES_MAX;
		r = dead ? store_webhook_dead(t->store, id, "three crashes", reterr)
			 : store_webhook_set_tries(t->store, id, tries + 1, reterr);
	}
	if (r == 0)
		r = commit(t, reterr);
	if (r < 0) {
		undo(t);
		return r;
	}
	if (dead) {
		struct log_about about = {.webhook = id, .reason = "three crashes"};

		log_error(&about, "a webhook became a dead letter: the daemon ended three times while it worked on it");
	}
	return dead ? 0 : 1;
}

static int try_found(struct turn *t, struct work *w, int64_t id, struct err *reterr)
{
	int r = count_try(t, id, reterr);

	if (r <= 0)
		return r;
	r = store_begin(t->store, reterr);
	if (r == 0)
		r = pass_run(w, id, reterr);
	if (r == 0)
		r = store_webhook_set_tries(t->store, id, 0, reterr);
	if (r == 0)
		r = commit(t, reterr);
	if (r < 0) {
		undo(t);
		return r;
	}
	publish(t);
	return 0;
}

static int try_all_found(struct turn *t, struct work *w, struct err *reterr)
{
	int64_t began_us = clock_mono_us(), id;
	int r;

	while (clock_mono_us() - began_us < PENDING_US) {
		r = store_webhooks_ready(t->store, &id, 1, reterr);
		if (r < 0)
			return r;
		if (r == 0 || id > t->found_until)
			return 0;
		t->changed = true;
		r = try_found(t, w, id, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

static void fail(struct turn *t, const struct err *why)
{
	bool first = t->retry_ms == 0;

	answer_submissions(t, true);
	t->retry_wait_ms = first ? RETRY_FIRST_MS : 2 * t->retry_wait_ms;
	if (t->retry_wait_ms > RETRY_LAST_MS)
		t->retry_wait_ms = RETRY_LAST_MS;
	t->retry_ms = clock_now_ms() + t->retry_wait_ms;
	(void)standing_set_ready(t->standing, why);
	if (!first)
		return;
	courier_stall(t->courier, true);
	log_error(NULL,
		  "the store cannot commit: %s. Webhooks are refused with 503 and deliveries wait until it can again",
		  why->text);
}

static void recover(struct turn *t)
{
	if (t->retry_ms == 0)
		return;
	t->retry_ms = 0;
	courier_stall(t->courier, false);
	if (!t->full)
		(void)standing_set_ready(t->standing, NULL);
	log_notice(NULL, "the store commits again");
}

static int run_once(struct turn *t, struct work *w, struct err *reterr)
{
	int r;

	t->inserted = 0;
	t->changed = t->more = false;
	standing_disk(t->standing, true);
	r = try_all_found(t, w, reterr);
	if (r == 0)
		r = transaction(t, w, reterr);
	standing_disk(t->standing, false);
	return r;
}

static void hand_over(struct turn *t, struct work *w)
{
	struct err e;

	if (t->retry_ms == 0 && dispatch_hand_over(t->dispatch, t->store, w->config, t->courier, w->now_ms, &e) < 0)
		fail(t, &e);
}

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t turn_run(struct turn *t)
{
	struct work w = work_of(t);
	struct err e = {0};
	int64_t next_ms;

	if (w.now_ms < t->retry_ms) {
		answer_submissions(t, true);
		return t->retry_ms;
	}
	if (run_once(t, &w, &e) < 0) {
		fail(t, &e);
		return t->retry_ms;
	}
	recover(t);
	hand_over(t, &w);
	standing_disk(t->standing, true);
	housekeeping_after(t->housekeeping, &w, t->standing, t->changed);
	standing_disk(t->standing, false);
	if (t->retry_ms != 0)
		return t->retry_ms;
	if (t->more || slots_are_wanted(t, w.config))
		return w.now_ms;
	next_ms = min_ms(housekeeping_next_ms(t->housekeeping), expire_next_ms(&w));
	next_ms = min_ms(next_ms, store_webhooks_next_due_ms(t->store));
	next_ms = min_ms(next_ms, dispatch_next_ms(t->dispatch));
	return t->full ? min_ms(next_ms, w.now_ms + FULL_RECHECK_MS) : next_ms;
}

void turn_last(struct turn *t)
{
	struct work w = work_of(t);
	struct err e = {0};
	int r;

	answer_submissions(t, true);
	if (!t->deliveries.first)
		return;
	r = store_begin(t->store, &e);
	if (r == 0)
		r = apply_deliveries(t, &w, &e);
	if (r == 0)
		r = commit(t, &e);
	if (r < 0) {
		undo(t);
		log_error(NULL, "what came of the last deliveries cannot be kept: %s. They will be sent again", e.text);
		return;
	}
	tally_publish(&t->tally);
	return_deliveries(t);
}
